"""Where a run happens: on this machine with `local` or `inline`, or on a cluster with `ray`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.cluster import executor as _ray  # noqa: F401  # registers itself, as the next one does
from bench.cluster.nodes import prepared_on_cluster
from bench.cluster.run import run_on_cluster
from bench.execute.executors import inline as _inline  # noqa: F401
from bench.execute.executors.local import Executor
from bench.execute.prepare import Options, Prepared, prepare
from bench.execute.progress import Voice
from bench.execute.run import Ran, run_here
from bench.registry import EXECUTORS
from bench.suite.read import SuiteFile


def run_suite(options: Options, *, voice: Voice, meanwhile: Callable[[], None] = lambda: None) -> Ran:
    """Run what is not there. Raises BenchError for the user's mistakes, Stopped on a signal.

    `meanwhile` is called once where something is going to be trained: before the first trial, while torch is imported.
    """
    if options.executor == "ray":
        return run_on_cluster(options, voice=voice, meanwhile=meanwhile)
    return run_here(options, make_executor(options.executor), voice=voice, meanwhile=meanwhile)


@contextmanager
def planning(options: Options, file: SuiteFile, *, voice: Voice) -> Iterator[Prepared]:
    """The resolved suite where its trials would run; a cluster is connected as long as this lasts."""
    if options.executor == "ray":
        with prepared_on_cluster(options, file, voice) as prepared:
            yield prepared
    else:
        executor_builder(options.executor)
        yield prepare(options, file)


def make_executor(name: str) -> Executor:
    """The executor that is registered under `name`; BenchError names the choices."""
    found: Executor = executor_builder(name)()
    return found


def executor_builder(name: str) -> Callable[..., Any]:
    """What makes the executor that is registered under `name`; BenchError names the choices."""
    return EXECUTORS.get(name).build
