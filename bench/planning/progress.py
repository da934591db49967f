"""How far runs into a folder have come: from its plan, its results, and what runs say of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bench.base.records import NOT_THERE, Result, Trial
from bench.planning.costs import Costs, kind_of, length_of, seen
from bench.planning.estimate import Part, estimate
from bench.results.status import Status, age_seconds
from bench.statistics.forecast import Span
from bench.suite.plan import Suite


@dataclass(slots=True)
class Count:
    """Trials by what became of them, and the seconds that those which are left will take; None: nobody knows."""

    trials: int = 0
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    running: int = 0
    left: int = 0  # not begun
    seconds_left: Span | None = None

    @property
    def done(self) -> int:
        """Nothing is to be done for them."""
        return self.ok + self.failed + self.skipped


@dataclass(frozen=True, slots=True)
class AtWork:
    """A job in work: its first trial, how many there are in it, since when, and what it is expected to take."""

    trial: Trial
    trials: int
    for_seconds: float
    expected_seconds: float | None


@dataclass(frozen=True, slots=True)
class RunSeen:
    """A run that has left word: whether it goes on, and whether it is of this machine."""

    status: Status
    alive: bool
    ours: bool
    heard_seconds: float
    at_work: tuple[AtWork, ...] = ()


@dataclass(slots=True)
class Standing:
    """A folder at a moment."""

    runs: list[RunSeen]
    devices: dict[str, Count] = field(default_factory=dict)
    all: Count = field(default_factory=Count)
    last_seconds: float | None = None  # since the newest result

    @property
    def alive(self) -> bool:
        return any(run.alive for run in self.runs)


def standing(suite: Suite, results: Sequence[Result], statuses: Sequence[Status], *, at: datetime) -> Standing:
    """Where the runs of `suite` stand. What runs count as theirs counts; where no run has left word, every result."""
    lives = {status.run_id: status.alive(at=at) for status in statuses}
    told = [status for status in statuses if lives[status.run_id]] or list(statuses)
    counted = _newest(results, told)
    at_work = {
        trial_id: status
        for status in statuses
        if lives[status.run_id]
        for trial_id in status.trials
        if (result := counted.get(trial_id)) is None or result.run_id != status.run_id
    }
    costs, here = Costs(), {environment for status in told for environment in status.environments}
    costs.add(seen(result for result in results if not here or result.environment_id in here))
    found, left, working = Standing([]), list[Trial](), list[Trial]()
    for trial in suite.trials():
        state = _state(counted.get(trial.trial_id), running=trial.trial_id in at_work)
        for count in (found.all, found.devices.setdefault(trial.device, Count())):
            count.trials += 1
            setattr(count, state, getattr(count, state) + 1)
        if state in ("left", "running"):
            (left if state == "left" else working).append(trial)
    found.runs = [_run(each, working, costs, at=at, alive=lives[each.run_id]) for each in statuses]
    found.last_seconds = min(
        (age_seconds(each.finished_at, at=at) for each in results if each.finished_at), default=None
    )
    _times(found, left, working, costs)
    return found


def _newest(results: Iterable[Result], told: Sequence[Status]) -> dict[str, Result]:
    """Trial → its newest result that counts."""
    found: dict[str, Result] = {}
    for result in sorted(results, key=lambda each: (each.finished_at, each.run_id)):
        if _counts(result, told):
            found[result.trial_id] = result
    return found


def _counts(result: Result, told: Sequence[Status]) -> bool:
    if result.status == "interrupted":
        return False
    for status in told:
        mine = result.run_id == status.run_id
        again = not mine and ("*" in status.again or result.status in status.again)
        if not again and result.environment_id in status.environments and result.code_id in status.codes:
            return True
    return not told


def _state(result: Result | None, *, running: bool) -> str:
    if running:
        return "running"
    if result is None:
        return "left"
    return {"ok": "ok", "skipped": "skipped"}.get(result.status, "failed" if result.status not in NOT_THERE else "left")


def _jobs(trials: Iterable[Trial]) -> list[list[Trial]]:
    """The trials by the process that they share."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.cell_id if trial.together else trial.trial_id, []).append(trial)
    return list(found.values())


def _run(status: Status, working: Sequence[Trial], costs: Costs, *, at: datetime, alive: bool) -> RunSeen:
    own = [trial for trial in working if trial.trial_id in status.trials]
    at_work = []
    for job in _jobs(own) if alive else []:
        known = costs.job(kind_of(job[0], seeds=len(job)), length_of(job[0]))
        took = age_seconds(status.began_at, at=at)
        at_work.append(AtWork(job[0], len(job), took, known.seconds if known else None))
    ours = status.process.lives() is not None
    return RunSeen(status, alive, ours, age_seconds(status.written_at, at=at), tuple(at_work))


def _times(found: Standing, left: Sequence[Trial], working: Sequence[Trial], costs: Costs) -> None:
    """Seconds left: of what has not begun, and what is not done of that in work."""
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


def _less(part: Part, gone_seconds: float) -> Span | None:
    """What is left of it; None where a trial is among it of which nothing is known."""
    if part.unknown or part.seconds is None:
        return None
    return Span(*(max(0.0, end - gone_seconds) for end in (part.seconds.value, part.seconds.low, part.seconds.high)))


def count_json(count: Count) -> Mapping[str, object]:
    """For machines."""
    own = {name: getattr(count, name) for name in ("trials", "ok", "failed", "skipped", "running", "left")}
    span = count.seconds_left
    return own | {"seconds_left": None if span is None else span_json(span)}


def span_json(span: Span) -> Mapping[str, float]:
    """Value and ends, to the millisecond."""
    return {name: round(getattr(span, name), 3) for name in ("value", "low", "high")}
