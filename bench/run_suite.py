"""Where a run happens: on this machine with `local` or `inline`, or on a cluster with `ray`."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.cluster import executor as _ray  # noqa: F401  # registers itself, as the next one does
from bench.cluster.nodes import prepared_on_cluster
from bench.cluster.runner import ClusterRunner
from bench.execute.executors import inline as _inline  # noqa: F401
from bench.execute.executors.local import Executor
from bench.execute.jobs import wants_checkpoints
from bench.execute.lock import MeasureLock
from bench.execute.opening_lines import wrapped
from bench.execute.plan import Plan
from bench.execute.preflight import preflight
from bench.execute.prepare import Options, Prepared, prepare
from bench.execute.progress import Voice
from bench.execute.run import Ran, planned_and_said, ran_of, read_writable, run_here
from bench.execute.signals import signals_raise
from bench.registry import EXECUTORS
from bench.suite.read import SuiteFile


def run_suite(options: Options, *, voice: Voice, meanwhile: Callable[[], None] = lambda: None) -> Ran:
    """Run what is not there. Raises BenchError for the user's mistakes, Stopped on a signal.

    `meanwhile` is called once where something is going to be trained: before the first trial, while torch is imported.
    """
    if options.executor == "ray":
        return _run_on_cluster(options, voice=voice, meanwhile=meanwhile)
    return run_here(options, make_executor(options.executor), voice=voice, meanwhile=meanwhile)


def _run_on_cluster(options: Options, *, voice: Voice, meanwhile: Callable[[], None]) -> Ran:
    """Run on a cluster what is not there: many jobs at once, one writer here. Otherwise as `run_here`.

    What is lost with a worker or a node runs again elsewhere. A result counts when it has come back: a trial is
    recorded once, by this process, or not at all.
    """
    began = time.monotonic()
    with signals_raise():
        try:
            file = read_writable(options)
            with prepared_on_cluster(options, file, voice) as prepared:
                plan = planned_and_said(prepared, voice, first=wrapped(prepared.cluster.text()))
                if any(wants_checkpoints(planned.trial) for planned in plan.to_run):
                    voice.say("ray: no checkpoints on a cluster; a trial that is cut off starts from its beginning")
                if plan.has_work:
                    meanwhile()
                runner = ClusterRunner(prepared, voice)
                try:
                    trained = runner.run_all(plan, began=began)
                finally:
                    runner.status_file.ends()
                return ran_of(prepared, trained)
        finally:
            voice.end()


@contextmanager
def planning(options: Options, file: SuiteFile, *, voice: Voice) -> Iterator[Prepared]:
    """The resolved suite where its trials would run; a cluster is connected as long as this lasts."""
    if options.executor == "ray":
        with prepared_on_cluster(options, file, voice) as prepared:
            yield prepared
    else:
        EXECUTORS.get(options.executor)  # refuses an unknown one
        yield prepare(options, file)


def tried(prepared: Prepared) -> tuple[Plan, tuple[str, ...]]:
    """Tries each model on each data set, as a run does, for a plan that is only shown. Returns that plan, which tells
    what cannot work, and what else is to be said.

    Nothing is tried while somebody measures on this machine: it would disturb that.
    """
    lock, executor = MeasureLock(), make_executor(prepared.options.executor)
    if not lock.try_acquire():
        return prepared.plan(), ("models are not tried: another run measures on this machine",)
    try:
        with signals_raise():
            plan = prepared.plan()
            found = preflight(prepared, plan, executor)
            # Making it takes seconds where it is large: not again where nothing changes it.
            return (prepared.plan() if found.faults else plan), found.notes
    finally:
        executor.close()
        lock.release()


def make_executor(name: str) -> Executor:
    """The executor that is registered under `name`; BenchError names the choices."""
    found: Executor = EXECUTORS.get(name).build()
    return found
