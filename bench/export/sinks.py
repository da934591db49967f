"""Sinks: every trial in another tool's store, for those whose team lives there. Written after trials.

What a run logged is logged once: a result is known by its trial, its run and when it was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from bench.base.records import Result
from bench.export.flatten import logged_results
from bench.present.format import plural
from bench.suite.plan import Suite


class Sink(Protocol):
    """A module that logs results under `folder` and says how many were new, and where they lie."""

    def __call__(self, results: Sequence[Result], *, folder: Path, suite_name: str) -> tuple[int, str]: ...


def log(names: Sequence[str], results: Sequence[Result], *, folder: Path, suite: Suite) -> Iterator[str]:
    """Log the newest result of every trial to the sinks called `names`; a line each of what was done.

    Raises BenchError where a sink cannot be written or reached.
    """
    found = logged_results(results, suite)
    for name in names:
        new, where = _sink(name)(found, folder=folder, suite_name=suite.name)
        said = f"{new:,} of {plural(len(found), 'trial')} logged" if new else "every trial is there already"
        yield f"{name}  {said}: {where}"


def _sink(name: str) -> Sink:
    if name == "tensorboard":
        from bench.export.tensorboard import log as tensorboard

        return tensorboard
    from bench.export.mlflow import log as mlflow

    return mlflow
