"""Where one more seed decides most: which pairs of contestants are open, and what it will take to tell them apart.

Contestants are compared by seed (common random numbers), by the t-interval of the differences. After Chen, Lin,
Yücesan & Chick (2000), "Simulation budget allocation for further enhancing the efficiency of ordinal optimization",
Discrete Event Dynamic Systems 10: a pair needs replicates in proportion to (sd / difference)², so time goes to pairs
that are close and noisy. After Kim & Nelson (2001), "A fully sequential procedure for indifference-zone selection in
simulation", ACM TOMACS 11: a difference that nobody cares for need not be resolved. What they guarantee of a correct
selection is not claimed: the order here is greedy, and looks again after every seed.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.statistics.intervals import Estimate, paired_t_interval, t_quantile

MOST_NEEDED = 1000  # seeds; who needs more is not going to be told apart
NO_SPREAD = 1e-9  # differences that are the same but for their last bits

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Contestant(Generic[Name]):
    """Scores by seed; what one more seed costs, None where it has no seed left; how many seeds are under way."""

    name: Name
    scores: Mapping[int, float]
    next_seconds: float | None
    under_way: int = 0

    @property
    def seeds(self) -> int:
        """Those that it has, and is going to have."""
        return len(self.scores) + self.under_way


def difference(a: Mapping[int, float], b: Mapping[int, float]) -> Estimate | None:
    """`a` less `b` over the seeds that both have; None where they share none."""
    shared = sorted(a.keys() & b.keys())
    return paired_t_interval([a[seed] for seed in shared], [b[seed] for seed in shared]) if shared else None


def needed(found: Estimate | None, *, indifference: float) -> int:
    """Seeds that a pair needs to be decided, if its mean and sd stay what they are, at most MOST_NEEDED; not more than
    `found.n` where it is decided: its 95 % interval does not hold 0, or lies within ± `indifference`."""
    if found is None or found.sd is None:
        return 2
    if found.sd < NO_SPREAD:  # two differences may be equal by chance
        return 3
    n = found.n
    while True:
        half = t_quantile(n - 1) * found.sd / math.sqrt(n)
        if half < abs(found.mean) or abs(found.mean) + half <= indifference:
            return n
        if n >= MOST_NEEDED:
            return MOST_NEEDED
        n = max(n + 1, n * 11 // 10)  # one by one at first, then in steps of a tenth


@dataclass(frozen=True)
class Open(Generic[Name]):
    """A pair that is not decided: the two, and how many seeds of both it needs by what is known now."""

    first: Contestant[Name]
    second: Contestant[Name]
    needed: int

    @property
    def seconds(self) -> float | None:
        """What deciding it is expected to cost; None where neither can go on."""
        both = (self.first, self.second)
        missing = [max(0, self.needed - each.seeds) for each in both]
        if not any(missing) and not any(each.under_way for each in both):
            missing = [1, 1]  # as many seeds as it takes, but not the same ones
        left = [n * each.next_seconds for n, each in zip(missing, both, strict=True) if each.next_seconds is not None]
        return sum(left) or None

    def advanced_by(self, one: Contestant[Name]) -> bool:
        """Whether a seed of `one` brings it on: both need it, so `one` is not ahead, and the other can follow."""
        other = self.second if one is self.first else self.first
        return one.seeds < other.seeds or (one.seeds == other.seeds and other.next_seconds is not None)


def open_pairs(arena: Sequence[Contestant[Name]], *, indifference: float) -> list[Open[Name]]:
    """The pairs of contestants that are not decided."""
    found = []
    for index, first in enumerate(arena):
        for second in arena[index + 1 :]:
            estimate = difference(first.scores, second.scores)
            count = needed(estimate, indifference=indifference)
            if estimate is None or count > estimate.n:
                found.append(Open(first, second, count))
    return found


def decisions_per_second(arena: Sequence[Contestant[Name]], *, indifference: float) -> dict[Name, float]:
    """Who can go on, with what a seed of it brings: the sum over the open pairs that it advances of one decision over
    the seconds that the pair still costs. Who decides nothing is not in it."""
    found: dict[Name, float] = {}
    for pair in open_pairs(arena, indifference=indifference):
        seconds = pair.seconds
        for one in (pair.first, pair.second):
            if seconds and one.next_seconds is not None and pair.advanced_by(one):
                found[one.name] = found.get(one.name, 0.0) + 1 / seconds
    return found
