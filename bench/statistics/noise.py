"""How small a difference of throughput can be told from noise, from an A-against-A comparison."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.intervals import Ratio, log_ratio, t_quantile

PER_SIDE = 5  # processes on each side of the comparison that the smallest difference is stated for


@dataclass(frozen=True, slots=True)
class Noise:
    """What a comparison of a thing with itself showed.

    `log_sd`: sd of the logarithm of throughput between processes. `smallest`: a share, 0.03 is 3 %.
    """

    ratio: Ratio
    log_sd: float
    smallest: float


def noise(a: ArrayLike, b: ArrayLike, *, per_side: int = PER_SIDE) -> Noise:
    """From `a` (n,) and `b` (m,), one throughput a process, both of the same trial and taken in turns.

    The smallest difference is exp(h) - 1 with h = t(2k - 2) · s · √(2 / k), half of Welch's 95 % interval of the
    log-ratio of two samples of k = `per_side` processes with the pooled sd s (Kalibera & Jones 2013; Welch 1947), and
    never less than |log-ratio| of `a` against `b`: a difference that a thing showed to itself is no difference.
    Raises ValueError where either has fewer than two values, or one that is not positive.
    """
    ratio = log_ratio(a, b)
    if ratio.low is None:
        raise ValueError("an A-against-A comparison needs two processes on each side at least")
    logs = [np.log(np.asarray(side, dtype=np.float64)) for side in (a, b)]
    squares = sum(float(((side - side.mean()) ** 2).sum()) for side in logs)
    log_sd = math.sqrt(squares / (sum(map(len, logs)) - 2))
    half = t_quantile(2 * per_side - 2) * log_sd * math.sqrt(2 / per_side)
    return Noise(ratio, log_sd, math.expm1(max(half, abs(math.log(ratio.ratio)))))
