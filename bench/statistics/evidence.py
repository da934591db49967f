"""What paired values say of a mean difference: p values and intervals of it at any level, by one rule.

The variance of the mean has two parts. Its own shrinks with more seeds; the part that seeds share (the test examples
that all of them saw, or random splits that overlap) does not.
"""

import math
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike
from scipy.special import stdtr  # the distribution itself: scipy.stats would take half a second to import

from bench.statistics.intervals import FEWEST, FEWEST_EQUAL, ROUNDING, Meaning, sample_of, sd_of, t_quantile

MOST_SEEDS = 1000  # beyond, no number of seeds is foretold


@dataclass(frozen=True, slots=True)
class Evidence:
    """A mean difference of `n` pairs of seeds, and its variance.

    `own`: the part of the variance that n seeds leave, s²/n. `shared`: the part that more seeds leave as it is.
    `examples`: how many test examples that part was estimated from; 0 where it comes from the seeds' own spread.
    `least`: the whole variance is no less, as estimated otherwise. `sd`: of the n differences; None where n is 1.
    `over`: what an interval is for.

    The mean over the root of the variance is taken to follow Student's t, with degrees of freedom by Satterthwaite
    (1946) where examples are known, else n - 1. It never says more than the seeds alone would, with `own` and n - 1.
    """

    mean: float
    sd: float | None
    n: int
    own: float
    shared: float
    examples: int
    over: Meaning
    least: float = 0.0

    @property
    def variance(self) -> float:
        return max(self.own + self.shared, self.least)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the root of `variance`."""
        if not self.examples:
            return self.n - 1.0
        if self.n < 2:
            return self.examples - 1.0
        parts = self.own**2 / (self.n - 1)
        parts += self.shared**2 / (self.examples - 1) if self.examples > 1 else 0.0
        return self.variance**2 / parts if parts > 0 else max(1.0, self.examples - 1.0)

    @property
    def can_tell(self) -> bool:
        """Whether so many pairs can exclude anything: three at least, and six where all of them are equal (two equal
        differences excluded 0 in 10.9 % of pairs of a thing with itself)."""
        if self.sd is None:
            return False
        return self.n >= (FEWEST_EQUAL if self.sd <= ROUNDING * abs(self.mean) else FEWEST)

    @property
    def is_tie(self) -> bool:
        """Whether nothing differs: no seed, and no example where they are known."""
        return self.mean == 0 and self.variance == 0

    def half(self, confidence: float = 0.95) -> float | None:
        """Half the width of the interval; None where the pairs do not give one."""
        if self.variance == 0:
            return 0.0 if self.mean == 0 or (not self.examples and self.n > 1) else None
        if not self.freedom > 0:
            return None
        half = t_quantile(self.freedom, confidence=confidence) * math.sqrt(self.variance)
        if self.n > 1:
            half = max(half, t_quantile(self.n - 1, confidence=confidence) * math.sqrt(self.own))
        return half

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Both ends, not cut to any bounds; None where the pairs do not give one."""
        half = self.half(confidence)
        return None if half is None else (self.mean - half, self.mean + half)

    def p_greater(self, value: float = 0.0) -> float:
        """One-sided p of the hypothesis that the difference is `value` or less; 1 where so few pairs cannot tell."""
        return self._p(self.mean - value)

    def p_less(self, value: float = 0.0) -> float:
        """One-sided p of the hypothesis that the difference is `value` or more; 1 where so few pairs cannot tell."""
        return self._p(value - self.mean)

    def p_value(self, value: float = 0.0) -> float:
        """Two-sided p of the hypothesis that the difference is `value`; 1 where so few pairs cannot tell."""
        return min(1.0, 2 * self._p(abs(self.mean - value)))

    def with_seeds(self, n: int) -> "Evidence":
        """What `n` seeds would say if mean and spread stayed what they are."""
        return replace(self, n=n, own=self.own * self.n / n)

    def seeds_to_tell(self, *, confidence: float = 0.95, most: int = MOST_SEEDS) -> int | None:
        """How many seeds, those that are there among them, would exclude 0 if mean and spread stayed what they are;
        None where `most` would not. It is an even chance: the next seeds scatter, too."""
        if self.mean == 0 or self.sd is None:
            return None

        def tells(n: int) -> bool:
            found = self.with_seeds(n)
            half = found.half(confidence)
            return found.can_tell and half is not None and half < abs(self.mean)

        low, high = max(self.n, FEWEST), most
        if not tells(high):
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if tells(middle) else (middle + 1, high)
        return low

    def _p(self, distance: float) -> float:
        if not self.can_tell or not self.freedom > 0:
            return 1.0
        if self.variance == 0:  # equal differences, six or more of them; with examples known they differ in all or none
            return 0.0 if distance > 0 and not self.examples else 1.0
        p = _above(distance / math.sqrt(self.variance), self.freedom)
        if self.own > 0:
            p = max(p, _above(distance / math.sqrt(self.own), self.n - 1))
        return p


def evidence_of(differences: ArrayLike, *, overlap: float = 0.0) -> Evidence:
    """What `differences` (n,), one a seed, say of their mean: Student's t, with `overlap` where each comes of a random
    split of one set (test over training images: see `interval_ends`). Raises ValueError where they are no row of finite
    numbers."""
    sample = sample_of(differences)
    n = len(sample)
    over: Meaning = "split" if overlap else "seeds"
    sd = sd_of(sample) if n > 1 else None
    square = (sd or 0.0) ** 2
    return Evidence(float(sample.mean()), sd, n, square / n, square * overlap, 0, over)


def _above(value: float, freedom: float) -> float:
    """Share of Student's t with `freedom` degrees that lies above `value`."""
    return float(stdtr(freedom, -value))
