"""Where one more seed decides most: of the pairs of contestants that are open, by what it will take to decide them.

After Chen, Lin, Yücesan & Chick (2000), "Simulation budget allocation for further enhancing the efficiency of ordinal
optimization", Discrete Event Dynamic Systems 10: a pair needs replicates in proportion to (sd / difference)², so time
goes to pairs that are close to being decided, and cheap. What they guarantee of a correct selection is not claimed: the
order here is greedy, and looks again after every seed. When a pair is decided is not said here.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Contestant(Generic[Name]):
    """How many seeds it has; what one more costs, None where it has none left; how many are under way."""

    name: Name
    done: int
    next_seconds: float | None
    under_way: int = 0

    @property
    def seeds(self) -> int:
        """Those that it has, and is going to have."""
        return self.done + self.under_way


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


def decisions_per_second(pairs: Iterable[Open[Name]]) -> dict[Name, float]:
    """Who can go on, with what a seed of it brings: the sum over the open pairs that it advances of one decision over
    the seconds that the pair still costs. Who decides nothing is not in it."""
    found: dict[Name, float] = {}
    for pair in pairs:
        seconds = pair.seconds
        for one in (pair.first, pair.second):
            if seconds and one.next_seconds is not None and pair.advanced_by(one):
                found[one.name] = found.get(one.name, 0.0) + 1 / seconds
    return found
