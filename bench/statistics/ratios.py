"""What ratios of two speeds allow to be said: which is faster, and from where on along an axis of numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bench.statistics.intervals import Ratio

# `doubtful` says of what the ratio is of that it is no ground for a verdict: no interval gives it.
Verdict = Literal["faster", "slower", "same", "ambiguous", "doubtful"]


def verdict(ratio: Ratio, *, smallest_difference: float | None = None, higher_is_better: bool = True) -> Verdict:
    """Faster, slower, same or ambiguous: what the interval of `ratio` (A over B) says of A.

    `smallest_difference` is the share that this machine can tell from noise, as the doctor found it (0.03: 3 %).

    same       the whole interval lies within ± that share, as factors: from 1 / (1 + share) to 1 + share, so that
               A against B and B against A always say the same. Not even the far end of the interval is a difference
               that could be seen here (equivalence by interval inclusion: Schuirmann 1987; Kalibera & Jones 2013).
               Never without the doctor's word: not to have seen a difference is not to have seen that there is none.
    faster,    the interval excludes 1, and is not `same`
    slower
    ambiguous  everything else: no interval, or one that holds 1 and more than noise

    `higher_is_better`: True for a ratio of throughputs, False for one of times. Raises ValueError where
    `smallest_difference` is not a positive number.
    """
    if smallest_difference is not None and not 0 < smallest_difference < math.inf:
        raise ValueError(f"the smallest difference is a positive share, such as 0.03, not {smallest_difference}")
    if ratio.low is None or ratio.high is None:
        return "ambiguous"
    band = None if smallest_difference is None else 1 + smallest_difference
    if band is not None and 1 / band <= ratio.low and ratio.high <= band:
        return "same"
    if not ratio.excludes(1):
        return "ambiguous"
    return "faster" if (ratio.low > 1) == higher_is_better else "slower"


@dataclass(frozen=True, slots=True)
class Crossover:
    """From `at` on the ratio is above 1, at every larger value that was tried.

    0: at all values. Infinity: not at the largest one. `low` and `high`: its interval, with ends of the same meaning;
    None where a ratio has no interval.
    """

    at: float
    low: float | None
    high: float | None


def crossover(values: Sequence[float], ratios: Sequence[Ratio]) -> Crossover:
    """From which of `values` (m,), positive and rising, on `ratios` (m,) stay above 1.

    Between two values the logarithm of the ratio is taken to be straight in the logarithm of the value. The interval
    is where the bounds of the ratios' own intervals cross 1: from where the upper bounds stay above it, to where the
    lower bounds do (inversion of pointwise intervals, as Fieller 1954 does for a straight line). So each end is as
    certain as one ratio is, not both and all together.
    Raises ValueError for fewer than two values, or values that do not rise.
    """
    if len(values) != len(ratios) or len(values) < 2:
        raise ValueError("a crossover needs a ratio at each of two values or more")
    if values[0] <= 0 or any(second <= first for first, second in pairwise(values)):
        raise ValueError("values are positive and rise")
    lows = [each.low for each in ratios if each.low is not None]
    highs = [each.high for each in ratios if each.high is not None]
    known = len(lows) == len(highs) == len(ratios)
    return Crossover(
        at=_stays_above(values, [each.ratio for each in ratios]),
        low=_stays_above(values, highs) if known else None,
        high=_stays_above(values, lows) if known else None,
    )


def _stays_above(values: Sequence[float], ratios: Sequence[float]) -> float:
    """From where on `ratios` stay above 1; 0 where all do, infinity where the last does not."""
    below = [index for index, ratio in enumerate(ratios) if ratio <= 1]
    if not below:
        return 0.0
    last = below[-1]
    if last == len(values) - 1:
        return math.inf
    start, end = math.log(ratios[last]), math.log(ratios[last + 1])
    share = -start / (end - start)
    return math.exp(math.log(values[last]) + share * (math.log(values[last + 1]) - math.log(values[last])))
