"""The order of a run that goes on until it is decided: the plan, then rounds of seeds for the models that are open.

Which those are is said by bench.results.decisions. The trials of a round share the time by turns as those of a seed do.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

from bench.base.records import NOT_THERE, Result, Trial
from bench.execute.budget import LimitedOrder, TimeLimit
from bench.execute.jobs import Group, groups, jobs
from bench.execute.plan import Identifier, Plan, Planned
from bench.present.format import listing, plural, printable
from bench.results.decisions import Known, Rounds
from bench.results.store import newest, to_repeat
from bench.suite.plan import Suite

MOST_NAMED = 4  # models of a round


def rounds_of(
    suite: Suite, identifier: Identifier, *, results: Sequence[Result], fresh: bool, retry: Collection[str]
) -> Rounds:
    """The state of a suite by the results that count as there, as for the plan of a run.

    What is ok and runs again all the same (its timing was disturbed) is known: it learns the same once more.
    """
    found, again = newest(results), to_repeat(results, retry)

    def known(trial: Trial) -> Known:
        planned = identifier.planned(trial)
        if planned.skip or planned.fail:
            return "never"
        result = found.get(planned.key)
        if result is None or result.status in NOT_THERE or fresh:
            return "to run"
        return result if result.status == "ok" or planned.key not in again else "to run"

    return Rounds(suite, known)


class UntilDecided(LimitedOrder):
    """The groups of `plan`, which has those of the round that `rounds` has begun, then those of one round after the
    other, each when the one before has ended.

    `begins` is told the trials of each round before they run. `limit`: of a budget; nothing begins that is expected to
    end after it.
    """

    def __init__(
        self,
        plan: Plan,
        rounds: Rounds,
        *,
        planned: Callable[[Trial], Planned],
        begins: Callable[[Sequence[Planned]], None],
        limit: TimeLimit | None = None,
    ) -> None:
        super().__init__(limit)
        self.rounds, self._planned, self._begins = rounds, planned, begins
        self._ahead: deque[Group] = deque(groups(jobs(plan.to_run)))

    def groups(self) -> Iterator[Group]:
        """What can begin now. May be asked again."""
        while (group := self._next()) is not None:
            yield group

    def tell(self, results: Sequence[Result]) -> None:
        self.rounds.tell(results)
        super().tell(results)

    def _next(self) -> Group | None:
        if not self._ahead:  # while trials of a round are under way there is no next one
            if planned := [self._planned(trial) for trial in self.rounds.next_round()]:
                self._begins(planned)
                self._ahead.extend(groups(jobs(planned)))
            elif self.rounds.ended:
                self.why = "settled"
        if not self._ahead or self.is_late(self._ahead[0]):
            return None
        return self._ahead.popleft()


def round_text(rounds: Rounds, planned: Sequence[Planned]) -> str:
    """`2 of 3 pairs are decided; seed 7 for mlp and cnn`: what a round is for."""
    done = sum(not pair.is_open for pair in rounds.pairs)
    models = list(dict.fromkeys(printable(each.trial.model.label) for each in planned))
    who = listing(models) if len(models) == len(planned) <= MOST_NAMED else plural(len(planned), "trial")
    of = plural(len(rounds.pairs), "pair")
    return f"{done:,} of {of} decided; another round: seed {planned[0].trial.seed} for {who}"
