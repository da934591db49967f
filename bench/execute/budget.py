"""Which jobs a run with a budget takes: every cell once, then the seeds that are expected to decide most.

The order comes from bench.statistics.allocation, by the accuracy on the test set. Choosing by results has a price,
which the report says: where one stops once a pair is told apart, an interval holds the truth less often than 95 %.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.base.records import Component, Result, Trial
from bench.execute.jobs import Group, Job, Order, jobs
from bench.execute.plan import Plan
from bench.planning.costs import Costs, kind_of, length_of, past_jobs
from bench.statistics.allocation import Contestant, decisions_per_second, open_pairs
from bench.suite.plan import Budget, Suite, Why, time_text

METRIC = "test_accuracy"
INDIFFERENCE = 0.001  # of accuracy: models that are known to be as near as that are alike
# Kept for the report and the end of the process: so many times what starting took (on a machine where that took 6 s for
# other work, the report took 14), so many seconds at least, and no larger a share than that.
RESERVE_STARTS, LEAST_RESERVE_SECONDS, MOST_RESERVE_SHARE = 2.0, 2.0, 0.2
OVER_SHARE = 0.05  # of the budget: how far a job may go beyond it before it is ended


@dataclass
class _Cell:
    """Replicates of one combination: jobs that are left, and the accuracies that are there."""

    arena: object
    jobs: deque[Job] = field(default_factory=deque)
    scores: dict[int, float] = field(default_factory=dict)
    there: bool = False  # some of it has a result, be it a failure
    under_way: int = 0  # seeds


class Budgeted(Order):
    """An order that chooses each job by the results of those before, while `left_seconds()` lasts. It may be asked
    again when it had nothing: results of what was under way may have opened a pair.

    `results`: those that lie in the folder; what is there of the plan counts, and tells what trials cost.
    """

    chooses = True

    def __init__(
        self,
        plan: Plan,
        *,
        suite: Suite,
        budget: Budget,
        results: Sequence[Result],
        left_seconds: Callable[[], float],
    ) -> None:
        self._budget, self._left_seconds = budget, left_seconds
        starting = budget.seconds - left_seconds()
        self._reserve = min(max(LEAST_RESERVE_SECONDS, RESERVE_STARTS * starting), MOST_RESERVE_SHARE * budget.seconds)
        self._arena = _arena_of(suite)
        self._cells: dict[str, _Cell] = {}
        wanted = {planned.trial.trial_id for planned in plan.to_run}
        for trial in suite.trials():
            cell = self._cells.setdefault(trial.cell_id, _Cell(self._arena(trial)))
            cell.there = cell.there or trial.trial_id not in wanted
        for job in jobs(plan.to_run):
            self._cells[job[0].trial.cell_id].jobs.append(job)
        here = [result for result in results if result.environment_id in plan.environments]
        self._costs = Costs()
        self._costs.add(past_jobs(here))
        self._count(result for result in here if result.code_id in plan.codes and result.trial_id not in wanted)
        self._first = self._first_round()
        self._shortened: set[str] = set()
        self._out_of_time = False
        self.why: Why = ""

    def __iter__(self) -> Iterator[Job]:
        while (cell := self._next()) is not None:
            cell.under_way += len(cell.jobs[0])
            yield cell.jobs.popleft()

    def groups(self) -> Iterator[Group]:
        """Each job by itself: it is chosen by the results of those before."""
        for job in self:
            yield (job,)

    def limit_seconds(self, job: Job) -> float:
        """Returns its own limit, or what is left of the budget and a little more: so the run ends in time."""
        own = super().limit_seconds(job)
        most = max(1.0, self._left_seconds() - self._reserve + OVER_SHARE * self._budget.seconds)
        if most < own:
            self._shortened.add(job[0].trial.trial_id)
        return min(own, most)

    def cut(self, job: Job) -> str:
        if job[0].trial.trial_id not in self._shortened:
            return ""
        self._out_of_time = True
        return f"the budget of {time_text(self._budget.seconds)} was spent while it ran; the same command runs it again"

    def tell(self, results: Sequence[Result]) -> None:
        self._costs.add(past_jobs(results))
        self._count(results)
        for result in results:
            cell = self._cells[result.trial.cell_id]
            cell.under_way = max(0, cell.under_way - 1)

    def spent(self, seconds: float) -> Budget:
        """The budget with what became of it; `seconds`: how long the run took."""
        open_now = sum(len(open_pairs(arena, indifference=INDIFFERENCE)) for arena in self._arenas())
        return Budget(self._budget.seconds, round(seconds, 1), self.why, open_now)

    def _next(self) -> _Cell | None:
        left = self._left_seconds() - self._reserve
        fitting = (cell for cell in self._first if left > 0 and (self._seconds(cell) or 0.0) <= left)
        if (cell := next(fitting, None)) is None:
            return self._most_decisive(left)
        self._first.remove(cell)
        return cell

    def _most_decisive(self, left: float) -> _Cell | None:
        """The cell whose next seed is expected to decide most for its time, of those that end in time."""
        rates: dict[str, float] = {}
        for arena in self._arenas():
            rates |= decisions_per_second(arena, indifference=INDIFFERENCE)
        for name in sorted(rates, key=lambda name: -rates[name]):
            if (self._seconds(self._cells[name]) or 0.0) <= left:
                return self._cells[name]
        self.why = "time" if rates or self._first or self._out_of_time else "settled"
        return None

    def _first_round(self) -> list[_Cell]:
        """Cells that have no result, in the order of the plan; the cheapest first where they do not all fit."""
        found = [cell for cell in self._cells.values() if cell.jobs and not cell.there]
        costs = [self._seconds(cell) for cell in found]
        if sum(seconds or 0.0 for seconds in costs) > self._left_seconds() - self._reserve:
            found.sort(key=lambda cell: self._seconds(cell) or 0.0)
        return found

    def _arenas(self) -> Iterable[list[Contestant[str]]]:
        found: dict[object, list[Contestant[str]]] = {}
        for name, cell in self._cells.items():
            if cell.scores:
                seconds = self._seconds(cell) if cell.jobs else None
                if cell.jobs and seconds is None:
                    seconds = 1.0  # nothing like it has told its time; then all count alike
                found.setdefault(cell.arena, []).append(Contestant(name, cell.scores, seconds, cell.under_way))
        return found.values()

    def _seconds(self, cell: _Cell) -> float | None:
        """Returns the seconds that the cell's next job is expected to take; None where nothing like it has run."""
        job = cell.jobs[0]
        trial = job[0].trial
        known = self._costs.job(kind_of(trial, seeds=len(job)), length_of(trial))
        return known.seconds if known else None

    def _count(self, results: Iterable[Result]) -> None:
        for result in results:
            cell = self._cells.get(result.trial.cell_id)
            if cell is not None and result.status == "ok" and METRIC in result.metrics:
                cell.scores[result.trial.seed] = result.metrics[METRIC]


def _arena_of(suite: Suite) -> Callable[[Trial], object]:
    """What two trials have in common whose models are compared: all axes but model and seed. Where there is one model,
    its settings are what is compared, on one data set and device."""
    names = [axis.name for axis in suite.axes if axis.name not in ("model", "seed")]
    if len(suite.axis("model")) == 1:
        names = ["dataset", "device"]

    def value(trial: Trial, name: str) -> object:
        found = getattr(trial, name) if "." not in name else trial.setting(name)
        return found.canonical if isinstance(found, Component) else found

    return lambda trial: tuple(value(trial, name) for name in names)
