"""Sinks: every trial in the store of another tool, for those whose team uses it. Written after the run.

A result is logged once: a sink knows it by its trial, its run and when it was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from bench.base.records import Result
from bench.export.flatten import logged_results
from bench.present.format import plural
from bench.suite.plan import Suite


def log(names: Sequence[str], results: Sequence[Result], *, folder: Path, suite: Suite) -> Iterator[str]:
    """Log the newest result of every trial to the sinks called `names`; a line for each says what was done.

    Raises BenchError where a sink cannot be written or reached.
    """
    found = logged_results(results, suite)
    for name in names:
        # Each is a module here of that name; its `log` gives the number of new trials, and where they lie.
        new, where = import_module(f"bench.export.{name}").log(found, folder=folder, suite_name=suite.name)
        done = f"{new:,} of {plural(len(found), 'trial')} logged" if new else "every trial is there already"
        yield f"{name}  {done}: {where}"
