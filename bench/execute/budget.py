"""Which jobs a run with a budget takes: every cell once, then the seeds that are expected to decide most.

The order comes from bench.statistics.allocation, by the accuracy on the test set; when a pair is decided is said by
bench.results.decisions, which may be asked after every seed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.base.records import Result
from bench.execute.jobs import Group, Job, Order, jobs
from bench.execute.plan import Plan
from bench.planning.costs import Costs, kind_of, length_of, past_jobs
from bench.results.decisions import Pair, Scored, gives_up, ladder_of, paired, pairs_of, score
from bench.statistics.allocation import Contestant, Open, decisions_per_second
from bench.statistics.evidence import MOST_SEEDS
from bench.suite.plan import WITHIN, Budget, Decision, Suite, Why, time_text

# Kept for the report and the end of the process: so many times what starting took (on a machine where that took 6 s for
# other work, the report took 14), so many seconds at least, and no larger a share than that.
RESERVE_STARTS, LEAST_RESERVE_SECONDS, MOST_RESERVE_SHARE = 2.0, 2.0, 0.2
OVER_SHARE = 0.05  # of the budget: how far a job may go beyond it before it is ended


class TimeLimit:
    """What is left of a budget, less what is kept for the report; and what jobs are expected to take of it.

    `results`: those that tell what trials cost here.
    """

    def __init__(self, budget: Budget, *, results: Iterable[Result], left_seconds: Callable[[], float]) -> None:
        self.budget, self._left_seconds = budget, left_seconds
        starting = budget.seconds - left_seconds()
        self._reserve = min(max(LEAST_RESERVE_SECONDS, RESERVE_STARTS * starting), MOST_RESERVE_SHARE * budget.seconds)
        self._costs = Costs()
        self._costs.add(past_jobs(results))
        self._shortened: set[str] = set()
        self.ran_out = False  # while a job ran

    @property
    def left_seconds(self) -> float:
        return self._left_seconds() - self._reserve

    def limit_seconds(self, job: Job, own: float) -> float:
        """Returns its `own` limit, or what is left of the budget and a little more: so the run ends in time."""
        most = max(1.0, self.left_seconds + OVER_SHARE * self.budget.seconds)
        if most < own:
            self._shortened.add(job[0].trial.trial_id)
        return min(own, most)

    def cut(self, job: Job) -> str:
        """Why a job that took too long was ended, where it was for the budget; else an empty string."""
        if job[0].trial.trial_id not in self._shortened:
            return ""
        self.ran_out = True
        return f"the budget of {time_text(self.budget.seconds)} was spent while it ran; the same command runs it again"

    def tell(self, results: Sequence[Result]) -> None:
        self._costs.add(past_jobs(results))

    def seconds(self, job: Job) -> float | None:
        """Returns the seconds that a job is expected to take; None where nothing like it has run."""
        trial = job[0].trial
        known = self._costs.job(kind_of(trial, seeds=len(job)), length_of(trial))
        return known.seconds if known else None

    def spent(self, seconds: float, *, why: Why, open_pairs: int) -> Budget:
        """The budget with what became of it; `seconds`: how long the run took."""
        return Budget(self.budget.seconds, round(seconds, 1), why, open_pairs)


class LimitedOrder(Order):
    """An order that may have to keep a budget: `limit`, None where there is none. Nothing begins that is expected to
    end after it; `why` then is "time"."""

    def __init__(self, limit: TimeLimit | None) -> None:
        self._limit = limit
        self.why: Why = ""

    def limit_seconds(self, job: Job) -> float:
        own = super().limit_seconds(job)
        return own if self._limit is None else self._limit.limit_seconds(job, own)

    def cut(self, job: Job) -> str:
        return "" if self._limit is None else self._limit.cut(job)

    def tell(self, results: Sequence[Result]) -> None:
        if self._limit is not None:
            self._limit.tell(results)

    def is_late(self, group: Group) -> bool:
        """Whether there is a budget that the group would not keep."""
        if self._limit is None:
            return False
        expected = sum(self._limit.seconds(job) or 0.0 for job in group)
        late = self._limit.ran_out or not 0 < self._limit.left_seconds >= expected
        self.why = "time" if late else self.why
        return late


@dataclass
class _Cell:
    """Replicates of one combination: jobs that are left, its seeds in order, and the scores that are there."""

    jobs: deque[Job] = field(default_factory=deque)
    planned: list[int] = field(default_factory=list)
    scores: dict[int, Scored | None] = field(default_factory=dict)  # None: it has ended without one
    there: bool = False  # some of it has a result, be it a failure
    under_way: int = 0  # seeds

    @property
    def done(self) -> int:
        return sum(each is not None for each in self.scores.values())


class Budgeted(Order):
    """An order that chooses each job by the results of those before, while its time lasts. It may be asked again when
    it had nothing: results of what was under way may have opened a pair.

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
        here = [result for result in results if result.environment_id in plan.environments]
        self._limit = TimeLimit(budget, results=here, left_seconds=left_seconds)
        self._cells: dict[str, _Cell] = {}
        ladders: dict[object, dict[str, None]] = {}
        ladder = ladder_of(suite)
        wanted = {planned.trial.trial_id for planned in plan.to_run}
        ranked = {trial.cell_id for trial in suite.trials()}
        # Those at default settings too, where others were chosen: once, then as it goes.
        for trial in suite.trainings():
            cell = self._cells.setdefault(trial.cell_id, _Cell())
            cell.there = cell.there or trial.trial_id not in wanted
            cell.planned.append(trial.seed)
            if trial.cell_id in ranked:
                ladders.setdefault(ladder(trial), {})[trial.cell_id] = None
        self._pairs = pairs_of(map(list, ladders.values()), within=WITHIN)
        for job in jobs(plan.to_run):
            self._cells[job[0].trial.cell_id].jobs.append(job)
        self._count(result for result in here if result.code_id in plan.codes and result.trial_id not in wanted)
        self._first = self._first_round()
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
        return self._limit.limit_seconds(job, super().limit_seconds(job))

    def cut(self, job: Job) -> str:
        return self._limit.cut(job)

    def tell(self, results: Sequence[Result]) -> None:
        self._limit.tell(results)
        self._count(results)
        for result in results:
            cell = self._cells[result.trial.cell_id]
            cell.under_way = max(0, cell.under_way - 1)

    def spent(self, seconds: float) -> Budget:
        """The budget with what became of it; `seconds`: how long the run took."""
        return self._limit.spent(seconds, why=self.why, open_pairs=sum(pair.is_open for pair in self._told()))

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided of each pair that has accuracies on both sides, and what is open."""
        return tuple(pair.decision() for pair in self._told())

    def _told(self) -> list[Pair]:
        return [pair for pair in self._pairs if self._cells[pair.first].done and self._cells[pair.second].done]

    def _next(self) -> _Cell | None:
        left = self._limit.left_seconds
        fitting = (cell for cell in self._first if left > 0 and (self._seconds(cell) or 0.0) <= left)
        if (cell := next(fitting, None)) is None:
            return self._most_decisive(left)
        self._first.remove(cell)
        return cell

    def _most_decisive(self, left: float) -> _Cell | None:
        """The cell whose next seed is expected to decide most for its time, of those that end in time."""
        rates = decisions_per_second(self._open())
        for name in sorted(rates, key=lambda name: -rates[name]):
            if (self._seconds(self._cells[name]) or 0.0) <= left:
                return self._cells[name]
        self.why = "time" if rates or self._first or self._limit.ran_out else "settled"
        return None

    def _first_round(self) -> list[_Cell]:
        """Cells that have no result, in the order of the plan; the cheapest first where they do not all fit."""
        found = [cell for cell in self._cells.values() if cell.jobs and not cell.there]
        costs = [self._seconds(cell) for cell in found]
        if sum(seconds or 0.0 for seconds in costs) > self._limit.left_seconds:
            found.sort(key=lambda cell: self._seconds(cell) or 0.0)
        return found

    def _open(self) -> Iterator[Open[str]]:
        contestants = {name: self._contestant(name, cell) for name, cell in self._cells.items() if cell.done}
        for pair in self._told():
            if pair.is_open:
                count = pair.needed(MOST_SEEDS, *self._both(pair)) or MOST_SEEDS
                yield Open(contestants[pair.first], contestants[pair.second], max(count, pair.seeds + 1))

    def _contestant(self, name: str, cell: _Cell) -> Contestant[str]:
        seconds = None
        if cell.jobs and not gives_up(cell.scores):
            # Where nothing like it has told its time, all count alike.
            seconds = found if (found := self._seconds(cell)) is not None else 1.0
        return Contestant(name, cell.done, seconds, cell.under_way)

    def _seconds(self, cell: _Cell) -> float | None:
        """Returns the seconds that the cell's next job is expected to take; None where nothing like it has run."""
        return self._limit.seconds(cell.jobs[0])

    def _count(self, results: Iterable[Result]) -> None:
        changed = set()
        for result in results:
            cell = self._cells.get(result.trial.cell_id)
            if cell is not None and result.status != "interrupted":
                cell.scores[result.trial.seed] = score(result)
                changed.add(result.trial.cell_id)
        for pair in self._pairs:
            if pair.is_open and changed & {pair.first, pair.second}:
                self._look(pair)

    def _look(self, pair: Pair) -> None:
        """Looks after each seed of both."""
        first, second = self._both(pair)
        for count in range(pair.seeds + 1, len(first) + 1):
            pair.look(first[:count], second[:count])

    def _both(self, pair: Pair) -> tuple[list[Scored], list[Scored]]:
        """The scores of both, in the order of the plan: what has overtaken others waits for them."""
        a, b = self._cells[pair.first], self._cells[pair.second]
        order = [seed for seed in a.planned if seed in set(b.planned)]
        ended = [seed for seed in order if seed in a.scores and seed in b.scores]
        if ended != order[: len(ended)]:
            gap = next(place for place, seed in enumerate(order) if seed not in ended)
            ended = order[:gap]
        return paired(a.scores, b.scores, ended)
