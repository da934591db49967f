"""What a ratio of two speeds allows to be said."""

from __future__ import annotations

import math
from typing import Literal

from bench.statistics.intervals import Ratio

Verdict = Literal["faster", "slower", "same", "ambiguous"]


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
    if smallest_difference is not None:
        band = 1 + smallest_difference
        if 1 / band <= ratio.low and ratio.high <= band:
            return "same"
    if not ratio.excludes(1):
        return "ambiguous"
    return "faster" if (ratio.low > 1) == higher_is_better else "slower"
