"""The order of a run while it searches: the trainings that the searches of its suite want, as far as they can begin.

Which those are is said by bench.tune.search. Each is a group by itself: nothing is timed, so nothing shares the time.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

from bench.base.records import NOT_THERE, Result, Trial
from bench.execute.budget import TimeLimit
from bench.execute.jobs import Group, Job, Order
from bench.execute.plan import Identifier, Plan, Planned
from bench.results.store import newest, to_repeat
from bench.suite.plan import Suite, Why
from bench.tune.search import Searches


def searches_as_known(
    suite: Suite, identifier: Identifier, *, results: Sequence[Result], fresh: bool, retry: Collection[str]
) -> Searches:
    """The searches of a suite as far as the results go that count as there, as for the plan of a run."""
    found, again = newest(results), to_repeat(results, retry)

    def known(trial: Trial) -> Result | None:
        key = identifier.planned(trial).key
        result = found.get(key)
        return None if result is None or result.status in NOT_THERE or fresh or key in again else result

    def runs(trial: Trial) -> bool:
        planned = identifier.planned(trial)
        return not (planned.skip or planned.fail)

    return Searches(suite, known, runs=runs)


class Searching(Order):
    """The trainings of `searches`, each when what it depends on has ended. May be asked again.

    `begins` is told what the results that were taken up have brought: the trainings that are next, before they run; or
    none. `limit`: of a budget; nothing begins that is expected to end after it.
    """

    def __init__(
        self,
        plan: Plan,
        searches: Searches,
        *,
        planned: Callable[[Trial], Planned],
        begins: Callable[[Sequence[Planned]], None],
        limit: TimeLimit | None = None,
    ) -> None:
        self.searches, self._planned, self._begins, self._limit = searches, planned, begins, limit
        self._ahead: deque[Job] = deque((each,) for each in plan.search)
        self.why: Why = ""

    def groups(self) -> Iterator[Group]:
        """What can begin now. May be asked again."""
        while (job := self._next()) is not None:
            yield (job,)

    def limit_seconds(self, job: Job) -> float:
        own = super().limit_seconds(job)
        return own if self._limit is None else self._limit.limit_seconds(job, own)

    def cut(self, job: Job) -> str:
        return "" if self._limit is None else self._limit.cut(job)

    def tell(self, results: Sequence[Result]) -> None:
        self.searches.tell(results)
        if self._limit is not None:
            self._limit.tell(results)
        if planned := [self._planned(trial) for trial in self.searches.next()]:
            self._ahead.extend((each,) for each in planned)
        self._begins(planned)

    def _next(self) -> Job | None:
        if not self._ahead or self._is_late(self._ahead[0]):
            return None
        return self._ahead.popleft()

    def _is_late(self, job: Job) -> bool:
        """Whether there is a budget that the job would not keep."""
        if self._limit is None:
            return False
        late = self._limit.ran_out or not 0 < self._limit.left_seconds >= (self._limit.seconds(job) or 0.0)
        self.why = "time" if late else self.why
        return late


def ahead_of(searches: Searches, *, after: bool) -> list[Trial]:
    """A training like each that searches that are under way still take, at the default settings: the rest of each, as
    far as a number of settings says it, and `after` it those of its winner."""
    found: list[Trial] = []
    for search in searches.cells:
        if search.wanted:
            tune, default = search.tune, search.default
            planned = tune.trials * tune.seeds if not tune.seconds else sum(len(each.trials) for each in search.tried)
            found += [default] * max(0, planned - sum(len(each.results) for each in search.tried))
            found += search.cell.trials * after
    return found
