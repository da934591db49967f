"""The order of a run while it searches: the trainings that the searches of its suite want, as far as they can begin.

Which those are is said by bench.tune.search. Each is a group by itself: nothing is timed, so nothing shares the time.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

from bench.base.records import NOT_THERE, Result, Trial
from bench.execute.budget import LimitedOrder, TimeLimit
from bench.execute.jobs import Group, Job
from bench.execute.plan import Identifier, Plan, Planned
from bench.results.store import newest, to_repeat
from bench.suite.plan import Suite
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


class Searching(LimitedOrder):
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
        super().__init__(limit)
        self.searches, self._planned, self._begins = searches, planned, begins
        self._ahead: deque[Job] = deque((each,) for each in plan.search)

    def groups(self) -> Iterator[Group]:
        """What can begin now. May be asked again."""
        while (job := self._next()) is not None:
            yield (job,)

    def tell(self, results: Sequence[Result]) -> None:
        self.searches.tell(results)
        super().tell(results)
        if planned := [self._planned(trial) for trial in self.searches.next()]:
            self._ahead.extend((each,) for each in planned)
        self._begins(planned)

    def _next(self) -> Job | None:
        if not self._ahead or self.is_late((self._ahead[0],)):
            return None
        return self._ahead.popleft()


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
