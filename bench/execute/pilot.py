"""What a suite is going to take: from results that lie there, and from a pilot of what has none.

A pilot's trials are ordinary ones, each in a process of its own under the lock of the machine, but short: one seed of
each kind at two lengths, which tells what a trial costs once from what it costs an epoch. They are stored nowhere.
"""

import math
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.base.records import Result, Trial
from bench.execute.executors.local import LocalExecutor
from bench.execute.holder import Holder
from bench.execute.jobs import Job, Order, jobs
from bench.execute.lock import measuring
from bench.execute.plan import Plan
from bench.execute.prepare import Options, Prepared, prepare, read
from bench.execute.progress import Voice, describe_trial
from bench.execute.run import Runner
from bench.planning.costs import (
    Costs,
    JobKind,
    RunEstimate,
    counted_in,
    estimate,
    kind_of,
    length_of,
    past_jobs,
    read_prices,
)
from bench.present.format import plural
from bench.results.decisions import Ahead, ahead_of
from bench.results.store import Store
from bench.statistics.forecast import Span

MOST_KINDS = 12  # that a pilot runs; the times of the others are estimated from these
STEPS_SHARE = 8  # a pilot of a trial of N steps has N / 8 and N / 4
# A kind whose first trial took longer has no second one: it would cost more than it tells.
LONG_SECONDS = 60.0
# Short ones are run again, so that the noise is known: at most so often, and so long, nor longer than the first time.
MOST_AGAIN, AGAIN_SECONDS = 2, 10.0


@dataclass(slots=True)
class PilotRun:
    """What a pilot did: trials, the kinds that it ran of those that there are, seconds, what went wrong in it."""

    trials: int = 0
    kinds: int = 0
    of_kinds: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Further:
    """The seeds that are going to be planned beyond those of the plan: which cells have how many, and what the trials
    take, the fewest and the most that are expected. `known`: whether results say it."""

    cells: Mapping[str, Ahead]
    trials: tuple[int, int]
    seconds: tuple[Span | None, Span | None]

    @property
    def known(self) -> bool:
        return all(each.known for each in self.cells.values())


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run of a suite would take here, and what that is known from: `earlier` jobs on file, a pilot."""

    prepared: Prepared
    plan: Plan
    estimate: RunEstimate
    earlier: int
    pilot: PilotRun | None
    further: Further | None = None  # where seeds go on until it is decided


def preview(options: Options, *, prices: Sequence[str], pilot: bool | None, voice: Voice) -> Preview:
    """Estimate what `bench run` with these options would take. Nothing is stored.

    `pilot`: always, never, or (None) of the kinds of trials of which there is no result of this environment. Raises
    BenchError for the user's mistakes, Stopped on a signal.
    """
    prepared = prepare(options, read(options))
    plan, costs = prepared.plan(), Costs()
    priced = read_prices(prices, devices=sorted(prepared.catalogue.devices))
    ahead = jobs(plan.to_run)
    stored = [*prepared.store.results, *prepared.store.searches]
    here = [result for result in stored if result.environment_id in plan.environments]
    earlier = [] if pilot else list(past_jobs(here))
    costs.add(earlier)
    searching = [[trial] for trial in plan.later]
    unknown = [job for job in ahead if not costs.knows(kind_of(job[0].trial, seeds=len(job)))]
    piloted = None
    if unknown and pilot is not False:
        piloted = _Pilot(prepared, voice).run(unknown, costs)
    trials, there = _counted(prepared, plan)
    found = estimate([*map(_trials, ahead), *searching], costs, trials=trials, there=there, prices=priced)
    return Preview(prepared, plan, found, len(earlier), piloted, further_of(prepared, costs))


def further_of(prepared: Prepared, costs: Costs) -> Further | None:
    """The seeds beyond those of the plan that are expected until it is decided; None where seeds do not go on."""
    if (decide := prepared.suite.decide) is None:
        return None
    rounds = prepared.rounds()
    cells = ahead_of(rounds, most_seeds=decide.most_seeds)
    trials: list[int] = []
    seconds: list[Span | None] = []
    for end in ("low", "high"):
        more = {cell: max(0, getattr(each, end) - each.planned) for cell, each in cells.items()}
        ahead = [[rounds.trials[cell]] for cell, count in more.items() for _ in range(count)]
        none = {job[0].device: 0 for job in ahead}
        trials.append(len(ahead))
        found = estimate(ahead, costs, trials=none, there={}, prices={}).all
        seconds.append(None if found.unknown or not ahead else found.seconds)
    return Further(cells, (trials[0], trials[1]), (seconds[0], seconds[1]))


def _trials(job: Job) -> list[Trial]:
    return [planned.trial for planned in job]


def _counted(prepared: Prepared, plan: Plan) -> tuple[Counter[str], Counter[str]]:
    """Device → trials of the plan, and those that are there."""
    trials = Counter(trial.device for trial in prepared.suite.trainings())
    left = Counter(planned.trial.device for planned in [*plan.to_run, *plan.settled])
    known = prepared.catalogue.device
    there = Counter({name: trials[name] - left[name] for name in trials if known(name).available})
    return trials + Counter(trial.device for trial in plan.later), there


class _Pilot:
    """Runs short trials of the kinds that nobody knows, and adds what they took to what is known."""

    def __init__(self, prepared: Prepared, voice: Voice) -> None:
        self._prepared, self._voice = prepared, voice
        self._done = PilotRun()

    def run(self, unknown: Sequence[Job], costs: Costs) -> PilotRun:
        began = time.monotonic()
        chosen, self._done.of_kinds = sampled(map(_trials, unknown))
        self._done.kinds = len(chosen)
        executor = LocalExecutor()
        holder = Holder("bench plan", self._prepared.suite.name)
        lock = measuring(executor, self._voice, holder=holder)
        with tempfile.TemporaryDirectory(prefix="bench-pilot-") as folder, lock:
            # A budget is the run's, not the pilot's; results lie in a folder that is gone with it.
            aside = replace(self._prepared, store=Store(Path(folder)), suite=replace(self._prepared.suite, budget=None))
            self._runner = Runner(aside, executor, Voice(quiet=True))
            try:
                self._all(chosen, costs)
            finally:
                self._runner.status_file.ends()
        self._done.seconds = time.monotonic() - began
        return self._done

    def _all(self, chosen: Sequence[Sequence[Trial]], costs: Costs) -> None:
        found: list[Result] = []
        cheap = []
        for job in chosen:
            results = self._pair(job)
            found += results
            took = sum(result.metrics["total_seconds"] for result in results)
            if results and took < AGAIN_SECONDS / 2:
                cheap.append((took, job))
        spent, most = 0.0, min(AGAIN_SECONDS, sum(result.metrics["total_seconds"] for result in found))
        for _ in range(MOST_AGAIN):
            for took, job in sorted(cheap, key=lambda each: each[0]):
                if spent + took <= most:
                    found += self._pair(job)
                    spent += took
        costs.add(past_jobs(found))

    def _pair(self, job: Sequence[Trial]) -> list[Result]:
        """The job at each of its lengths, as far as it comes; only what is ok."""
        found: list[Result] = []
        for length in lengths(job[0]):
            results = self._one(shortened(job, length))
            bad = next((result for result in results if result.status != "ok"), None)
            if bad is not None:
                self._done.problems.append(f"{describe_trial(bad.trial)}: {bad.status}: {bad.reason}")
                break
            found += results
            if results[0].metrics["total_seconds"] > LONG_SECONDS:
                break
        return found

    def _one(self, trials: Sequence[Trial]) -> list[Result]:
        plan = Plan(to_run=[self._runner.identifier.planned(trial) for trial in trials])
        store = self._runner.prepared.store
        store.refresh()
        self._runner.run(plan, Order(plan))
        results = store.refresh()
        self._done.trials += len(results)
        took = results[0].metrics.get("total_seconds")
        length = plural(length_of(trials[0]), counted_in(trials[0]).removesuffix("s"))
        self._voice.say(f"pilot: {describe_trial(trials[0])} · {length}" + (f": {took:.1f} s" if took else ""))
        return results


def lengths(trial: Trial) -> tuple[int, ...]:
    """Epochs, or steps, of the pilot's trials: two, as far as the trial itself is not shorter."""
    whole = length_of(trial)
    if trial.train.steps is None:
        return (1, 2) if whole > 2 else tuple(sorted({1, whole}))
    part = math.ceil(whole / STEPS_SHARE)
    return tuple(sorted({part, min(whole, 2 * part)}))


def shortened(job: Sequence[Trial], length: int) -> list[Trial]:
    """The job with that many epochs, or steps. Nothing stops it before."""
    key = "epochs" if job[0].train.steps is None else "steps"
    changes = {key: length, "early_stopping_patience": 0}
    return [replace(trial, train=replace(trial.train, **changes)) for trial in job]  # type: ignore[arg-type]


def sampled(jobs: Iterable[Sequence[Trial]], *, most: int = MOST_KINDS) -> tuple[list[Sequence[Trial]], int]:
    """One job of each kind, and how many kinds there are; of more than `most` those that span them: of each model on
    each data set and device the ends first (they lie in the order of the plan: batch sizes, then settings)."""
    kinds: dict[JobKind, Sequence[Trial]] = {}
    for job in jobs:
        kinds.setdefault(kind_of(job[0], seeds=len(job)), job)
    if len(kinds) <= most:
        return list(kinds.values()), len(kinds)
    groups: dict[tuple[str, str, str], list[Sequence[Trial]]] = {}
    for kind, job in kinds.items():
        groups.setdefault((kind.device, kind.dataset, kind.model), []).append(job)
    chosen = list(groups.values())
    if len(chosen) > most:  # those that lie evenly over their order
        chosen = [chosen[place * (len(chosen) - 1) // max(1, most - 1)] for place in range(most)]
    ordered = [[group[0], *reversed(group[1:])] for group in chosen]  # first, last, then what lies between
    rounds = [group[place] for place in range(max(map(len, ordered))) for group in ordered if place < len(group)]
    return rounds[:most], len(kinds)
