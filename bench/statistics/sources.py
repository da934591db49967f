"""How much a source of chance (first weights, order, split) spreads a figure, as a standard deviation with an interval.

A source is one factor, each of its seeds a level, drawn at random. What is estimated is the spread between two
trainings that differ in that source alone: its own effect and all that depends on what it meets. It is what the mean of
k trainings that differ in it has 1/k of: the part that repeats would average away.

The question is that of Bouthillier et al. 2021 (arXiv 2103.03098). Where each source was varied alone this is
the plain sd, at one setting of the others. Where sources are crossed it is averaged over the settings of the others,
from the sums of squares of an analysis of variance with random effects (Searle, Casella & McCulloch 1992, chapter 4).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, fdtrc

from bench.statistics.accuracies import wilson
from bench.statistics.intervals import FEWEST, ROUNDING, sd_of, t_quantile

Sample = NDArray[np.float64]
LEVEL = 0.05
Block = Mapping[int, float]  # level (a seed) → value, of trainings that differ in one source alone


@dataclass(frozen=True, slots=True)
class Spread:
    """A standard deviation with its 95 % interval. `low`, `high` are None where it has none: fewer than 3 levels, or
    all values alike.

    freedom: degrees of freedom of its square. levels: how many values of the source, blocks: at how many settings of
    the others. whole: whether every block has every level.
    """

    sd: float
    low: float | None
    high: float | None
    freedom: float
    levels: int
    blocks: int = 1
    whole: bool = True

    @property
    def ends(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def variance(self) -> float:
        return self.sd**2


@dataclass(frozen=True, slots=True)
class Part:
    """A mean square with its degrees of freedom, and the share of it that is in a variance."""

    share: float
    square: float
    freedom: float

    @property
    def variance(self) -> float:
        return self.share * self.square


def spread_of(parts: Sequence[Part], *, levels: int, blocks: int = 1, whole: bool = True) -> Spread:
    """The root of the sum of `parts`, which are independent, with the interval of Graybill & Wang (1980, JASA 75:
    869-873), called modified large samples: each part's own distances to the ends of its chi-square interval, added as
    squares. Of one part it is that interval itself, which is exact for normal values.

    Satterthwaite's interval covered .87 to .98 for .95 where sources are crossed, this one .92 to .96
    (tests/statistics/test_sources.py). His degrees of freedom (1946) stay, for `differs`.
    """
    variance = sum(part.variance for part in parts)
    squares = sum(part.variance**2 / part.freedom for part in parts)
    freedom = variance**2 / squares if squares > 0 else sum(part.freedom for part in parts)
    sd = math.sqrt(max(0.0, variance))
    if sd == 0 or levels < FEWEST:
        return Spread(sd, None, None, freedom, levels, blocks, whole)
    # chdtri gives the point that chi-square exceeds with the probability given.
    below, above = (
        sum(((part.freedom / float(chdtri(part.freedom, tail)) - 1) * part.variance) ** 2 for part in parts)
        for tail in (LEVEL / 2, 1 - LEVEL / 2)
    )
    low, high = max(0.0, variance - math.sqrt(below)), variance + math.sqrt(above)
    return Spread(sd, math.sqrt(low), math.sqrt(high), freedom, levels, blocks, whole)


def effects(values: ArrayLike) -> dict[frozenset[int], tuple[float, int]]:
    """Sum of squares and degrees of freedom of every effect of a complete crossing, by the axes that make it.

    values: one an axis, of any number of axes, one training a place. The effect of a set of axes is the mean over the
    others less the effects of its subsets.
    """
    table = np.asarray(values, dtype=np.float64)
    axes = [axis for axis, size in enumerate(table.shape) if size > 1]
    parts: dict[frozenset[int], Sample] = {frozenset(): table.mean(keepdims=True)}
    found = {}
    for count in range(1, len(axes) + 1):
        for own in combinations(axes, count):
            others = tuple(axis for axis in range(table.ndim) if axis not in own)
            part = table.mean(axis=others, keepdims=True)
            for smaller, known in parts.items():
                if smaller < frozenset(own):
                    part = part - known
            parts[frozenset(own)] = part
            freedom = math.prod(table.shape[axis] - 1 for axis in own)
            repeats = table.size // part.size
            found[frozenset(own)] = float((part**2).sum()) * repeats, freedom
    return found


def spread_along(values: ArrayLike, axis: int) -> Spread:
    """Spread between trainings that differ along `axis` alone, of a complete crossing `values`: the pooled variance
    within its lines, which is the sum of squares of all effects with that axis over their degrees of freedom.

    Its interval is that over these effects: where a source does the same at every setting of the others, more settings
    tell no more of it.
    """
    table = np.asarray(values, dtype=np.float64)
    levels, blocks = table.shape[axis], table.size // table.shape[axis]
    own = [each for axes, each in effects(table).items() if axis in axes]
    total = blocks * (levels - 1)
    parts = [Part(freedom / total, squares / freedom, freedom) for squares, freedom in own]
    return spread_of(_without_rounding(parts, table), levels=levels, blocks=blocks)


def spread_together(values: ArrayLike) -> Spread:
    """Spread between trainings that differ along every axis, of a complete crossing: the sum of all components of
    variance, by the expected mean squares of random effects."""
    table = np.asarray(values, dtype=np.float64)
    found = effects(table)
    coefficients = dict.fromkeys(found, 0.0)
    for axes in found:  # its component: alternating sum of the mean squares of all effects that contain it
        per_level = math.prod(table.shape[axis] for axis in range(table.ndim) if axis not in axes)
        for larger in found:
            if axes <= larger:
                coefficients[larger] += (-1) ** len(larger - axes) / per_level
    parts = [Part(coefficients[axes], squares / freedom, freedom) for axes, (squares, freedom) in found.items()]
    levels = min(size for size in table.shape if size > 1)
    return spread_of(_without_rounding(parts, table), levels=levels)


def spread_in_blocks(blocks: Sequence[Block]) -> Spread | None:
    """Spread between trainings of one block, pooled over blocks; None where no block has two.

    Where every block has the same levels it is that of the crossing of levels and blocks. Else degrees of freedom are
    at most the number of different levels less one: those that blocks share may do the same in each.
    """
    kept = [block for block in blocks if len(block) > 1]
    if not kept:
        return None
    levels = dict.fromkeys(level for block in kept for level in block)
    if all(len(block) == len(levels) for block in kept):
        return spread_along([[block[level] for block in kept] for level in levels], 0)
    values = [np.array(list(block.values())) for block in kept]
    within = sum(len(each) - 1 for each in values)
    variance = sum(float(((each - each.mean()) ** 2).sum()) for each in values) / within
    parts = _without_rounding([Part(1.0, variance, min(within, len(levels) - 1))], np.concatenate(values))
    return spread_of(parts, levels=len(levels), blocks=len(kept), whole=False)


def _without_rounding(parts: Sequence[Part], values: Sample) -> list[Part]:
    """`parts`, 0 where one is no more than what floats leave of equal values."""
    least = (ROUNDING * float(np.abs(values).max())) ** 2
    return [part if part.square > least else replace(part, square=0.0) for part in parts]


def differs(one: Spread, other: Spread) -> float:
    """Two-sided p of the hypothesis that two sources spread alike: Fisher's F of their variances. 1 where one of them
    has too few values to say."""
    if min(one.levels, other.levels) < FEWEST or one.sd == other.sd:
        return 1.0
    large, small = (one, other) if one.sd > other.sd else (other, one)
    if small.sd == 0:  # all alike: by chance as little as its trainings are few
        return 0.0 if small.levels >= 2 * FEWEST else 1.0
    return min(1.0, 2 * float(fdtrc(large.freedom, small.freedom, large.variance / small.variance)))


def stands_apart(values: ArrayLike) -> int | None:
    """The place of the value (n,) that does not belong to the others, if one was normal: Grubbs' test (1969) at .01,
    either side. None where there is none, or fewer than 6 values."""
    sample = np.asarray(values, dtype=np.float64)
    n = len(sample)
    if n < 2 * FEWEST or sd_of(sample) == 0:
        return None
    distances = np.abs(sample - sample.mean()) / sd_of(sample)
    quantile = t_quantile(n - 2, confidence=1 - 0.01 / n)
    most = (n - 1) / math.sqrt(n) * math.sqrt(quantile**2 / (n - 2 + quantile**2))
    return int(distances.argmax()) if distances.max() > most else None


def spread_of_examples(accuracy: float, examples: int) -> Spread | None:
    """Spread of the accuracy of one trained model over other test sets of as many `examples`: √(p(1 - p) / N), with
    that of both ends of Wilson's interval of p. None of fewer than two examples.

    Where models answer alike it does not shrink with more of them.
    """
    if examples < 2:
        return None
    low, high = wilson(accuracy, float(examples), t_quantile(math.inf))
    ends = sorted(_binomial(share, examples) for share in (low, high))
    top = _binomial(0.5, examples) if low <= 0.5 <= high else ends[1]
    return Spread(_binomial(accuracy, examples), ends[0], top, math.inf, examples)


def _binomial(share: float, examples: int) -> float:
    return math.sqrt(max(0.0, share * (1 - share)) / examples)
