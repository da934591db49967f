"""One invocation of `bench run`: plan, train what is not there, store, and leave the rest to the report."""

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bench.base import files
from bench.base.records import Json, Result, Trial
from bench.errors import EXIT_OK, EXIT_TRIALS, one_line
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor
from bench.execute.jobs import Job, Order, StatusFile, checkpoints, outcomes, request, scratch, tidy
from bench.execute.lock import WAITING, MeasureLock
from bench.execute.opening_lines import head
from bench.execute.plan import Identifier, Plan, Planned, parse_retry
from bench.execute.prepare import Options, Prepared, find_data_root, prepare, read
from bench.execute.progress import Voice, describe_trial, varying
from bench.execute.signals import Stopped, signals_raise
from bench.results.store import Store, Writer, cannot_write, newest
from bench.results.validate import NOTES, SAID
from bench.suite.plan import Suite
from bench.suite.read import SuiteFile
from bench.suite.stored import suite_to_json


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run leaves: the suite, its folder, the exit code that its trials stand for, plugins that failed."""

    suite: Suite
    store: Store
    exit_code: int
    trained: int
    plugin_errors: tuple[str, ...]


def run_here(options: Options, executor: Executor, *, voice: Voice, meanwhile: Callable[[], None]) -> Ran:
    """Run on this machine what is not there. Raises BenchError for the user's mistakes, Stopped on a signal.

    `meanwhile` is called once where something is going to be trained: before the first trial, while torch is imported.
    """
    lock, began, runner = MeasureLock(), time.monotonic(), None
    with signals_raise():
        try:
            file = read_writable(options)
            # Importing torch overlaps with planning, unless that would disturb somebody's measurement.
            alone = lock.try_acquire()
            if alone:
                executor.start()
            prepared = prepare(options, file)
            plan = planned_and_said(prepared, voice)
            runner = Runner(prepared, executor, voice)
            if plan.to_run and not alone:
                if not lock.try_acquire():
                    voice.say(WAITING)
                    runner.status_file.waits(plan)
                    lock.acquire()
                    began = time.monotonic()  # of a budget: what was waited is not spent
                plan = prepared.plan()
            if plan.to_run:
                meanwhile()
            trained = runner.run_all(plan, began=began)
        finally:
            if runner is not None:
                runner.status_file.ends()
            executor.close()
            lock.release()
            voice.end()
    return ran_of(prepared, trained)


def read_writable(options: Options) -> SuiteFile:
    """Reads the suite file, and refuses a results folder that cannot be written. Raises BenchError: one line."""
    file = read(options)
    Store(options.results / file.name).refuse_unwritable()
    return file


def planned_and_said(prepared: Prepared, voice: Voice, *, first: Iterable[str] = ()) -> Plan:
    """Makes the plan, stores it beside the results, and tells it: the lines `first`, then its own."""
    plan = prepared.plan()
    if plan.total:  # a shard without a trial leaves what is stored as it is
        prepared.store.save_suite(suite_to_json(prepared.suite))
    own = head(prepared.suite, plan, catalogue=prepared.catalogue, results=prepared.store.results)
    for line in (*first, *own):
        voice.say(line)
    return plan


def ran_of(prepared: Prepared, trained: int) -> Ran:
    """Returns what a run leaves that has trained so many trials.

    Its exit code is 0 where the newest result of every planned trial, here and with this code, is ok or skipped; else
    1. What a budget left out is no failure.
    """
    fine = {"ok", "skipped", *((None, "interrupted") if prepared.suite.budget else ())}
    prepared.store.refresh()
    found, identifier = newest(prepared.store.results), prepared.identifier()
    there = (found.get(identifier.planned(trial).key) for trial in prepared.suite.trials())
    whole = all((None if result is None else result.status) in fine for result in there)
    errors = tuple(told.error for told in prepared.catalogue.plugins.values() if told.error)
    return Ran(prepared.suite, prepared.store, EXIT_OK if whole else EXIT_TRIALS, trained, errors)


class Runner:
    """Runs the trials of a plan one after the other and stores what became of each."""

    def __init__(self, prepared: Prepared, executor: Executor, voice: Voice) -> None:
        self.prepared, self.executor, self.voice = prepared, executor, voice
        self.run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        again = ("*",) if prepared.options.fresh else tuple(parse_retry(prepared.options.retry))
        budget = prepared.suite.budget
        self.status_file = StatusFile(
            prepared.store, self.run_id, again=again, budget_seconds=budget.seconds if budget else None
        )
        self.plugins = tuple(spec for spec, told in prepared.catalogue.plugins.items() if not told.error)
        self.identifier = prepared.identifier()

    def run_all(self, plan: Plan, *, began: float) -> int:
        """Run the plan in its order, or as its budget chooses; `began`: time.monotonic() when its time began."""
        suite, store, budget = self.prepared.suite, self.prepared.store, self.prepared.suite.budget
        if budget is None:
            return self.run(plan, Order(plan))
        from bench.execute.budget import Budgeted  # numpy, scipy

        def left_seconds() -> float:
            return began + budget.seconds - time.monotonic()

        order = Budgeted(plan, suite=suite, budget=budget, results=store.results, left_seconds=left_seconds)
        trained = self.run(plan, order)
        # What became of the budget is stored beside the plan: the report says what was left out for it.
        self.prepared.suite = replace(suite, budget=order.spent(time.monotonic() - began))
        store.save_suite(suite_to_json(self.prepared.suite))
        return trained

    def run(self, plan: Plan, order: Order) -> int:
        """Runs the plan. Returns how many trials were started. Raises BenchError where the disk takes no more."""
        writer, suite = self.prepared.store.writer(self.run_id), self.prepared.suite
        try:
            for planned in plan.settled:
                writer.append(self._settled(planned))
            if plan.to_run:
                names = [*suite.axis("dataset").labels, *suite.axis("model").labels]
                self.voice.begin(len(plan.to_run), axes=varying(suite), names=names)
                self.status_file.begins(plan)
            return self.train(writer, order)
        except OSError as error:
            raise cannot_write(writer.path, str(error.strerror)) from error
        finally:
            writer.close()

    def train(self, writer: Writer, order: Order) -> int:
        """Run every job and store what became of it. Returns the number of trials that were started."""
        started = 0
        for job in order:
            started += len(job)
            order.tell(self._one(writer, job, order))
        return started

    def _one(self, writer: Writer, job: Job, order: Order) -> list[Result]:
        writer.refuse_lost()  # before it is trained for nothing
        trials, began = [planned.trial for planned in job], now()
        trial = trials[0]
        self.voice.trial_begins(trial)
        log = self.prepared.store.log_path(self.run_id, trial.trial_id)
        files.folder(log.parent, inside=self.prepared.store.folder)
        kept = checkpoints(job, store=self.prepared.store, resume=not self.prepared.options.fresh)
        stopped: Stopped | None = None
        limit_seconds = order.limit_seconds(job)
        self.status_file.job_begins(job, limit_seconds=limit_seconds)
        try:
            with scratch() as folder:
                wanted = request(trials, store=self.prepared.store, run_id=self.run_id, log=log, scratch=folder)
                ending = self.executor.run(
                    wanted | self.shared(trial) | kept,
                    timeout_seconds=limit_seconds,
                    on_progress=lambda what: self._progress(trial, what),
                )
        except Stopped as signal:
            stopped, ending = signal, Ending(None, "interrupted", f"the run was stopped by {signal}")
        finally:
            tidy(log)
            self.status_file.job_ends(job)
        cut = order.cut(job) if ending.status == "timeout" else ""
        if cut:
            ending = Ending(None, "interrupted", cut)
        results = [
            self.result(planned, said, began=began)
            for planned, said in zip(job, outcomes(ending, len(job)), strict=True)
        ]
        for result in results:
            writer.append(result)
            if result.status == "ok" and not result.trial.train.keep_checkpoints:
                self.prepared.store.remove_checkpoints(result.trial_id)
            if stopped is None:
                self.voice.trial_ends(result)
        if stopped is not None:
            raise stopped
        for result in results:
            # By itself: the disk takes no more, and would not take the next one's either.
            if result.status == "interrupted" and not cut:
                raise cannot_write(self.prepared.store.folder, result.reason)
        return results

    def _progress(self, trial: Trial, what: dict[str, Json]) -> None:
        if note := what.get("note"):
            self.voice.say(one_line(f"{describe_trial(trial, self.voice.axes)}: {note}"))
        else:
            self.voice.progress(trial, what)

    def shared(self, trial: Trial) -> dict[str, Json]:
        """Returns what all trials of a job share: where things lie on this machine, what their device needs."""
        places = self.prepared.suite.locations
        return {
            "data_root": str(find_data_root(self.prepared.options.data_root)),
            "locations": {name: places.get(f"{trial.dataset.canonical}|{name}", "") for name in trial.dataset.files},
            "plugins": list(self.plugins),
            **self.prepared.catalogue.devices[trial.device].needs,
        }

    def result(self, planned: Planned, said: dict[str, Json], *, began: str, where: Identifier | None = None) -> Result:
        """Returns what is stored of a trial that ran `where`."""
        where = where or self.identifier
        own = {name: said[name] for name in SAID if name in said}
        own |= {name: tuple(said.get(name, ())) for name in NOTES}
        return Result(
            trial=planned.trial,
            trial_id=planned.trial.trial_id,
            run_id=self.run_id,
            environment_id=planned.environment_id,
            code_id=planned.code_id,
            code=planned.code,
            **own,
            threads=where.threads(planned.trial),
            environment=where.catalogue.environment,
            started_at=began,
            finished_at=now(),
            artifact_sha256=self.prepared.store.artifact_sha256(self.run_id, planned.trial.trial_id),
        )

    def _settled(self, planned: Planned) -> Result:
        status, reason = ("skipped", planned.skip) if planned.skip else ("failed", planned.fail)
        return self.result(planned, {"status": status, "reason": reason}, began=now())


def now() -> str:
    """UTC time to the microsecond, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
