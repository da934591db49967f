"""One invocation of `bench run`: plan, train what is not there, store, and leave the rest to the report."""

import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

from bench.base import files
from bench.base.records import Environment, Json, Result, Trial
from bench.errors import EXIT_OK, EXIT_TRIALS, one_line
from bench.execute.ask_worker import OWN, Interpreter
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.local import Executor, Wanted
from bench.execute.holder import Holder
from bench.execute.jobs import (
    Job,
    Order,
    StatusFile,
    checkpoints,
    group_id,
    outcomes,
    request,
    scratch,
    tidy,
)
from bench.execute.lock import MeasureLock
from bench.execute.opening_lines import counts, head, wrapped
from bench.execute.plan import Identifier, Plan, Planned, parse_retry
from bench.execute.preflight import preflight
from bench.execute.prepare import Options, Prepared, find_data_root, prepare, read
from bench.execute.progress import Voice, describe_trial, varying
from bench.execute.quiet import wait_until_quiet
from bench.execute.signals import Stopped, signals_raise
from bench.planning.search_text import chosen_line
from bench.results.searches import searches_of
from bench.results.store import Store, Writer, cannot_write, newest
from bench.results.validate import NOTES, SAID, read_answers
from bench.suite.catalogue import Catalogue
from bench.suite.components import default_of
from bench.suite.plan import Suite, parse_time
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
    catalogue: Catalogue

    def default_of(self, axis: str, name: str, setting: str) -> Json:
        """A setting of a model or a data set where nobody sets it; None where it is not known."""
        found = (self.catalogue.datasets if axis == "dataset" else self.catalogue.models).get(name)
        return None if found is None or setting not in found.settings else default_of(found.settings[setting])


def run_here(options: Options, executor: Executor, *, voice: Voice, meanwhile: Callable[[], None]) -> Ran:
    """Run on this machine what is not there. Raises BenchError for the user's mistakes, Stopped on a signal.

    `meanwhile` is called once where something is going to be trained: before the first trial, while torch is imported.
    """
    lock, began, runner = MeasureLock(), time.monotonic(), None
    with signals_raise():
        try:
            file = read_writable(options)
            lock.holder = Holder("bench run", file.name, str((options.results / file.name).absolute()))
            # Importing torch overlaps with planning, unless that would disturb somebody's measurement, or be taken
            # for other work.
            alone = lock.try_acquire()
            if alone and options.wait_quiet is None:
                executor.start()
            prepared = prepare(options, file)
            plan = planned_and_said(prepared, voice)
            runner = Runner(prepared, executor, voice)
            if plan.has_work and not alone:
                if not lock.try_acquire():
                    lock.say_who_holds(voice)
                    runner.status_file.waits(plan)
                    lock.acquire()
                    began = time.monotonic()  # of a budget: what was waited is not spent
                plan = prepared.plan()
            if plan.has_work and options.wait_quiet is not None:
                runner.wait_until_quiet(plan, most_seconds=parse_time(options.wait_quiet, option="--wait-quiet"))
                began = time.monotonic()
            if plan.has_work:
                meanwhile()
                plan = runner.preflight(plan)
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
    if plan.total or plan.search:  # a shard without a trial leaves what is stored as it is
        prepared.store.save_suite(suite_to_json(prepared.suite))
    store = prepared.store
    searches = [] if prepared.options.fresh else store.searches
    own = head(prepared.suite, plan, catalogue=prepared.catalogue, results=store.results, searches=searches)
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
    trials = () if prepared.options.search_only else prepared.suite.trainings()
    there = (found.get(identifier.planned(trial).key) for trial in trials)
    whole = all((None if result is None else result.status) in fine for result in there)
    if prepared.searches is not None and not prepared.suite.budget:
        whole = whole and prepared.searches.ended
    errors = tuple(told.error for told in prepared.catalogue.plugins.values() if told.error)
    return Ran(prepared.suite, prepared.store, EXIT_OK if whole else EXIT_TRIALS, trained, errors, prepared.catalogue)


class Runner:
    """Runs the trials of a plan and stores what became of each. `writer` is there inside of `writing`."""

    writer: Writer

    def __init__(
        self,
        prepared: Prepared,
        executor: Executor,
        voice: Voice,
        *,
        interpreter: Interpreter = OWN,
        run_id: str = "",
    ) -> None:
        self.prepared, self.executor, self.voice, self.interpreter = prepared, executor, voice, interpreter
        self.run_id = run_id or f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        again = ("*",) if prepared.options.fresh else tuple(parse_retry(prepared.options.retry))
        budget = prepared.suite.budget
        self.status_file = StatusFile(
            prepared.store, self.run_id, again=again, budget_seconds=budget.seconds if budget else None
        )
        self.plugins = tuple(spec for spec, told in prepared.catalogue.plugins.items() if not told.error)
        self.identifier = prepared.identifier()

    def wait_until_quiet(self, plan: Plan, *, most_seconds: float) -> None:
        """Waits until other programs leave the machine alone. What was read stands among the notes of each result."""
        self.status_file.waits(plan)
        read = wait_until_quiet(most_seconds, say=lambda line: self.voice.say("\n".join(wrapped(line))))
        catalogue, facts = self.prepared.catalogue, self.prepared.catalogue.environment.facts
        environment = Environment(facts, {**catalogue.environment.notes, "quiet": read})
        self.prepared.catalogue = replace(catalogue, environment=environment)
        self.identifier = self.prepared.identifier()

    def preflight(self, plan: Plan) -> Plan:
        """Tries each model on each data set before anything trains. Returns the plan less what cannot work."""
        found = preflight(self.prepared, plan, self.executor)
        for line in (*found.faults, *found.notes):
            for part in wrapped(line):
                self.voice.say(part)
        if not self.prepared.verdicts:
            return plan
        self.identifier = self.prepared.identifier()
        return self.prepared.plan()

    def run_all(self, plan: Plan, *, began: float) -> int:
        """Run the searches, then the plan in its order, or as its budget chooses, or until it is decided.

        `began`: time.monotonic() when its time began."""
        if not plan.search:
            return self._run_trainings(plan, began=began)
        assert self.prepared.searches is not None
        trained = self._search(plan, began=began)
        if self.prepared.options.search_only or not self.prepared.searches.ended:
            return trained
        after = self.prepared.plan_trainings()
        for line in counts(after):
            self.voice.say("\n".join(wrapped(line)))
        self.prepared.store.save_suite(suite_to_json(self.prepared.suite))
        return trained + self._run_trainings(after, began=began)

    def _search(self, plan: Plan, *, began: float) -> int:
        """Run the searches, to their end or as far as the budget goes. What they have tried by now is stored beside the
        plan after each batch."""
        from bench.execute.budget import TimeLimit  # numpy, scipy
        from bench.execute.searching import Searching, ahead_of

        prepared, budget, limit = self.prepared, self.prepared.suite.budget, None
        assert prepared.searches is not None
        if budget is not None:
            here = [*prepared.store.results, *prepared.store.searches]
            here = [result for result in here if result.environment_id in plan.environments]
            limit = TimeLimit(budget, results=here, left_seconds=_left(budget.seconds, began))
        told: set[str] = set()

        def begins(planned: Sequence[Planned]) -> None:
            ended = {search.default.cell_id for search in order.searches.cells if search.chosen is not None} - told
            if planned or ended:  # a batch has ended, or all of a search; not after each training: that is a long look
                prepared.take_up_searches()
                prepared.store.save_suite(suite_to_json(prepared.suite))
                self._tell_choices(ended)
                told.update(ended)

        order = Searching(plan, prepared.searches, planned=self.identifier.planned, begins=begins, limit=limit)
        with self.writing():
            left = len(ahead_of(prepared.searches, after=False))
            self.voice.begin(left, axes=varying(prepared.suite), names=self._names())
            self.status_file.begins(plan)
            trained = self.train(order)
        if limit is not None and not prepared.searches.ended:
            spent = limit.spent(time.monotonic() - began, why="time", open_pairs=0)
            prepared.suite = replace(prepared.suite, budget=spent)
            prepared.store.save_suite(suite_to_json(prepared.suite))
            self.voice.say("the budget ended in the middle of the search; the same command goes on from there")
        return trained

    def _tell_choices(self, cells: Collection[str]) -> None:
        """Say what the searches of these cells have chosen."""
        if not cells:
            return
        self.prepared.store.refresh()
        for search in searches_of(self.prepared.suite, self.prepared.store.searches):
            if search.default.cell_id in cells:
                self.voice.say("\n".join(wrapped(chosen_line(self.prepared.suite, search))))

    def _names(self) -> list[str]:
        """Of data sets and models, for the bar."""
        return [*self.prepared.suite.axis("dataset").labels, *self.prepared.suite.axis("model").labels]

    def _run_trainings(self, plan: Plan, *, began: float) -> int:
        suite, store, budget = self.prepared.suite, self.prepared.store, self.prepared.suite.budget
        if suite.decide is not None:
            return self._run_until_decided(plan, began=began)
        if budget is None:
            return self.run(plan, Order(plan))
        from bench.execute.budget import Budgeted  # numpy, scipy

        order = Budgeted(
            plan, suite=suite, budget=budget, results=store.results, left_seconds=_left(budget.seconds, began)
        )
        trained = self.run(plan, order)
        # What became of the budget is stored beside the plan: the report says what was left out for it.
        spent = order.spent(time.monotonic() - began)
        self.prepared.suite = replace(suite, budget=spent, decisions=order.decisions())
        store.save_suite(suite_to_json(self.prepared.suite))
        return trained

    def _run_until_decided(self, plan: Plan, *, began: float) -> int:
        """Run the plan, then one round of seeds after the other. The plan beside the results has every round before it
        runs, so that a run that is killed leaves a plan of what it has done."""
        from bench.execute.budget import TimeLimit  # numpy, scipy
        from bench.execute.until_decided import UntilDecided, round_text

        prepared, budget = self.prepared, self.prepared.suite.budget
        rounds, limit = prepared.rounds(), None
        if budget is not None:
            here = [result for result in prepared.store.results if result.environment_id in plan.environments]
            limit = TimeLimit(budget, results=here, left_seconds=_left(budget.seconds, began))

        def begins(planned: Sequence[Planned]) -> None:
            prepared.take_up(rounds)
            prepared.store.save_suite(suite_to_json(prepared.suite))
            plan.to_run += planned
            self.voice.goes_on(len(planned))
            self.voice.say(round_text(rounds, planned))

        order = UntilDecided(plan, rounds, planned=self.identifier.planned, begins=begins, limit=limit)
        trained = self.run(plan, order)
        prepared.take_up(rounds, why=order.why)
        if limit is not None:
            still = sum(pair.is_open for pair in rounds.pairs)
            spent = limit.spent(time.monotonic() - began, why=order.why, open_pairs=still)
            prepared.suite = replace(prepared.suite, budget=spent)
        prepared.store.save_suite(suite_to_json(prepared.suite))
        return trained

    def run(self, plan: Plan, order: Order) -> int:
        """Runs the plan. Returns how many trials were started. Raises BenchError where the disk takes no more."""
        suite = self.prepared.suite
        with self.writing():
            self.settle(plan.settled)
            if plan.to_run:
                self.voice.begin(len(plan.to_run), axes=varying(suite), names=self._names())
                self.status_file.begins(plan)
            return self.train(order)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, results can be stored. Raises BenchError where the disk takes no more."""
        self.writer = self.prepared.store.writer(self.run_id)
        try:
            yield
        except OSError as error:
            raise cannot_write(self.writer.path, str(error.strerror)) from error
        finally:
            self.writer.close()

    def train(self, order: Order) -> int:
        """Run every job and store what became of it. Returns the number of trials that were started."""
        started = 0
        for group in order.groups():
            started += sum(map(len, group))
            order.tell(run_group([(self, job) for job in group], order))
        return started

    def wanted(self, job: Job, order: Order, stack: ExitStack) -> Wanted:
        """What the process of a job is asked for; `stack` ends what is there for it alone."""
        trials = [planned.trial for planned in job]
        trial = trials[0]
        self.voice.trial_begins(trial)
        log = self.prepared.store.log_path(self.run_id, trial.trial_id)
        files.folder(log.parent, inside=self.prepared.store.folder)
        kept = checkpoints(job, store=self.prepared.store, resume=not self.prepared.options.fresh)
        limit_seconds = order.limit_seconds(job)
        self.status_file.job_begins(job, limit_seconds=limit_seconds)
        stack.callback(self.status_file.job_ends, job)
        stack.callback(tidy, log)
        folder = stack.enter_context(scratch())
        wanted = request(trials, store=self.prepared.store, run_id=self.run_id, log=log, scratch=folder)
        return Wanted(
            wanted | self.shared(trial) | kept,
            timeout_seconds=limit_seconds,
            on_progress=lambda what: self._progress(trial, what),
            timing_seconds=trial.measure.timing_seconds,
            interpreter=self.interpreter,
        )

    def put(
        self,
        job: Job,
        ending: Ending,
        order: Order,
        *,
        began: str,
        group_id: str,
        stopped: Stopped | None,
    ) -> list[Result]:
        """Stores what became of the trials of a job, and tells it, but not where the run was stopped."""
        cut = order.cut(job) if ending.status == "timeout" else ""
        if cut:
            ending = Ending(None, "interrupted", cut)
        results = [
            self.result(planned, said, began=began, group_id=group_id)
            for planned, said in zip(job, outcomes(ending, len(job)), strict=True)
        ]
        for result in results:
            self.writer.append(result)
            if result.status == "ok" and not result.trial.train.keep_checkpoints:
                self.prepared.store.remove_checkpoints(result.trial_id)
            if stopped is None:
                self.voice.trial_ends(result, side=self.interpreter.side)
        for result in results:
            # By itself: the disk takes no more, and would not take the next one's either.
            if result.status == "interrupted" and not cut and stopped is None:
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
            **self.prepared.catalogue.device(trial.device).needs,
        }

    def result(
        self,
        planned: Planned,
        said: dict[str, Json],
        *,
        began: str,
        where: Identifier | None = None,
        group_id: str = "",
    ) -> Result:
        """Returns what is stored of a trial that ran `where`, in turns with the others of `group_id`."""
        where = where or self.identifier
        own = {name: said[name] for name in SAID if name in said}
        own |= {name: tuple(said.get(name, ())) for name in NOTES} | {"answers": read_answers(said)}
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
            group_id=group_id,
        )

    def settle(self, settled: Iterable[Planned]) -> list[Result]:
        """Stores why trials cannot run."""
        results = []
        for planned in settled:
            said: dict[str, Json] = {"status": "failed", "reason": planned.fail, "traceback": planned.traceback}
            if planned.skip:
                said = {"status": "skipped", "reason": planned.skip}
            results.append(self.result(planned, said, began=now()))
            self.writer.append(results[-1])
        return results


def _left(seconds: float, began: float) -> Callable[[], float]:
    """A function that gives what is left of `seconds`."""
    return lambda: began + seconds - time.monotonic()


# Jobs that share the time, each with the runner that stores it.
Parts: TypeAlias = Sequence[tuple[Runner, Job]]
Part = TypeVar("Part")


def run_group(parts: Parts, order: Order) -> list[Result]:
    """Runs the jobs of a group and stores what became of them. Those for which there was no memory beside the others
    run after them."""
    for runner, _ in parts:
        runner.writer.refuse_lost()  # before it is trained for nothing
    began, stopped = now(), None
    endings: dict[int, Ending] = {}
    alone: frozenset[int] = frozenset()
    with ExitStack() as stack:
        wanted = [runner.wanted(job, order, stack) for runner, job in parts]
        try:
            alone = parts[0][0].executor.run_group(wanted, told=endings.__setitem__)
        except Stopped as signal:
            stopped = signal
            ending = Ending(None, "interrupted", f"the run was stopped by {signal}")
            endings |= {place: ending for place in range(len(parts)) if place not in endings}
    shared = group_id([job for _, job in parts], parts[0][0].run_id) if len(endings) > 1 else ""
    results = []
    for place in sorted(endings):
        runner, job = parts[place]
        results += runner.put(job, endings[place], order, began=began, group_id=shared, stopped=stopped)
    if stopped is not None:
        raise stopped
    for again in to_run_again(parts, endings, alone):
        results += run_group(again, order)
    return results


def to_run_again(group: Sequence[Part], ended: Collection[int], alone: Collection[int]) -> Iterator[tuple[Part, ...]]:
    """The parts of a group that have not run: those that have to be by themselves, and the rest together."""
    left = tuple(part for place, part in enumerate(group) if place not in ended and place not in alone)
    yield from [(group[place],) for place in sorted(alone)]
    if left:
        yield left


def now() -> str:
    """UTC time to the microsecond, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
