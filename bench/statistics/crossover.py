"""From where on one of two things wins, along an axis of numbers such as the batch size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bench.statistics.intervals import Ratio


@dataclass(frozen=True, slots=True)
class Crossover:
    """From `at` on the ratio is above 1, at every larger value that was tried.

    0: from the smallest value that was tried on, or before. Infinity: not at the largest one. `low` and `high`: the
    interval of it, ends read the same way; None where a ratio has none.
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
    lows, highs = [each.low for each in ratios if each.low is not None], [r.high for r in ratios if r.high is not None]
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
