"""How far the runs into a folder have come: from its plan, its results and the status files of runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from bench.base.records import NOT_THERE, Result, Trial
from bench.errors import BenchError
from bench.planning.costs import Costs, DeviceEstimate, estimate, kind_of, length_of, past_jobs
from bench.results.duels import instead_of
from bench.results.frame import age
from bench.results.status import Status, age_seconds, now, statuses
from bench.results.store import Store, to_repeat
from bench.statistics.forecast import Span
from bench.suite.plan import Suite
from bench.suite.stored import suite_from_json

Key = tuple[str, str, str]  # of `to_repeat`


@dataclass(slots=True)
class TrialCounts:
    """Trials by status, and the seconds that those which are left will take; None where that is not known."""

    trials: int = 0
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    running: int = 0
    left: int = 0  # not begun
    seconds_left: Span | None = None


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that is running: its first trial, its number of trials, since when, and what it is expected to take."""

    trial: Trial
    trials: int
    for_seconds: float
    expected_seconds: float | None


@dataclass(frozen=True, slots=True)
class RunState:
    """A run that has a status file: whether it goes on, and whether it is on this machine (`ours`)."""

    status: Status
    alive: bool
    ours: bool
    heard_seconds: float
    at_work: tuple[RunningJob, ...] = ()


@dataclass(slots=True)
class Progress:
    """How far the runs into a folder have come at one moment."""

    runs: list[RunState]
    devices: dict[str, TrialCounts] = field(default_factory=dict)
    all: TrialCounts = field(default_factory=TrialCounts)
    last_seconds: float | None = None  # since the newest result

    @property
    def alive(self) -> bool:
        return any(run.alive for run in self.runs)


def look(store: Store) -> tuple[Suite, Progress]:
    """The plan that lies in a folder of results, and how far its runs have come now. Raises BenchError: there is none,
    or it is damaged."""
    runs = statuses(store.folder)  # before the results: a run that ends in between has stored all of them
    if not store.folder.is_dir() or (stored := store.load_suite()) is None:
        why = "no run has planned anything there (no suite.json); give results/NAME, or the suite file with --results"
        raise BenchError(f"{store.folder}: {instead_of(store.folder) or why}")
    store.refresh()
    suite = suite_from_json(stored)
    return suite, progress_of(suite, store.results, runs, at=now(), searches=store.searches)


def progress_of(
    suite: Suite,
    results: Sequence[Result],
    statuses: Sequence[Status],
    *,
    at: datetime,
    searches: Sequence[Result] = (),
) -> Progress:
    """How far the runs of `suite` have come. Results count as the runs count them; without a run, every one does.
    `searches`: results of trainings of a search, of which only the age counts here."""
    lives = {status.run_id: status.alive(at=at) for status in statuses}
    counting = [status for status in statuses if lives[status.run_id]] or list(statuses)
    again = {status.run_id: to_repeat(results, status.again) for status in counting}
    counted = {result.trial_id: result for result in sorted(results, key=age) if _counts(result, counting, again)}
    running = {
        trial_id
        for status in statuses
        if lives[status.run_id]
        for trial_id in status.trials
        if (result := counted.get(trial_id)) is None or result.run_id != status.run_id
    }
    costs, here = Costs(), {environment for status in counting for environment in status.environments}
    costs.add(past_jobs(result for result in results if not here or result.environment_id in here))
    found, left, working = Progress([]), list[Trial](), list[Trial]()
    for trial in suite.trainings():
        state = _state(counted.get(trial.trial_id), running=trial.trial_id in running)
        for count in (found.all, found.devices.setdefault(trial.device, TrialCounts())):
            count.trials += 1
            setattr(count, state, getattr(count, state) + 1)
        if state in ("left", "running"):
            (left if state == "left" else working).append(trial)
    found.runs = [_run(each, working, costs, at=at, alive=lives[each.run_id]) for each in statuses]
    found.last_seconds = min(
        (age_seconds(each.finished_at, at=at) for each in (*results, *searches) if each.finished_at), default=None
    )
    _times(found, left, working, costs)
    return found


def _counts(result: Result, counting: Sequence[Status], again: Mapping[str, set[Key]]) -> bool:
    """Whether one of the runs `counting` takes the result as there; without a run, every result counts. `again`: the
    keys that each run repeats."""
    if result.status == "interrupted":
        return False
    for status in counting:
        mine = result.run_id == status.run_id
        key = result.trial_id, result.environment_id, result.code_id
        repeats = not mine and ("*" in status.again or key in again[status.run_id])
        if not repeats and result.environment_id in status.environments and result.code_id in status.codes:
            return True
    return not counting


def _state(result: Result | None, *, running: bool) -> str:
    if running:
        return "running"
    if result is None:
        return "left"
    return {"ok": "ok", "skipped": "skipped"}.get(result.status, "failed" if result.status not in NOT_THERE else "left")


def _jobs(trials: Iterable[Trial]) -> list[list[Trial]]:
    """The trials in groups, each of which is trained in one process."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.cell_id if trial.together else trial.trial_id, []).append(trial)
    return list(found.values())


def _run(status: Status, working: Sequence[Trial], costs: Costs, *, at: datetime, alive: bool) -> RunState:
    own = [trial for trial in working if trial.trial_id in status.trials]
    at_work = []
    for job in _jobs(own) if alive else []:
        known = costs.job(kind_of(job[0], seeds=len(job)), length_of(job[0]))
        took = age_seconds(status.began_at, at=at)
        at_work.append(RunningJob(job[0], len(job), took, known.seconds if known else None))
    ours = status.process.lives() is not None
    return RunState(status, alive, ours, age_seconds(status.written_at, at=at), tuple(at_work))


def _times(found: Progress, left: Sequence[Trial], working: Sequence[Trial], costs: Costs) -> None:
    """Sets the seconds left: those of the trials to run, less what has passed of those that are running."""
    trials = dict.fromkeys(found.devices, 0)
    ahead = estimate([*_jobs(left), *_jobs(working)], costs, trials=trials, there={}, prices={})
    gone: dict[str, float] = {}
    for run in found.runs:
        for job in run.at_work:
            device = job.trial.device
            gone[device] = gone.get(device, 0.0) + min(job.for_seconds, job.expected_seconds or 0.0)
    for device, count in found.devices.items():
        count.seconds_left = _less(ahead.devices[device], gone.get(device, 0.0))
    found.all.seconds_left = _less(ahead.all, sum(gone.values()))


def _less(part: DeviceEstimate, gone_seconds: float) -> Span | None:
    """The seconds less those that have passed; None where the time of a trial is not known."""
    if part.unknown or part.seconds is None:
        return None
    return Span(*(max(0.0, end - gone_seconds) for end in (part.seconds.value, part.seconds.low, part.seconds.high)))


def count_json(count: TrialCounts) -> Mapping[str, object]:
    """The counts as JSON."""
    return asdict(count) | {"seconds_left": None if count.seconds_left is None else span_json(count.seconds_left)}


def span_json(span: Span) -> Mapping[str, float]:
    """A span as JSON, to the millisecond."""
    return {name: round(getattr(span, name), 3) for name in ("value", "low", "high")}
