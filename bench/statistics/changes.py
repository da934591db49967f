"""Where a series of figures changed its level: divisive estimation by the energy statistic."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST = 2  # values on each side of a change: one that stands alone is an outlier, not a level
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Change:
    """Before the value at `index` the level changed; `p`: how often a series without change looks so."""

    index: int
    p: float


def change_points(values: ArrayLike, *, alpha: float = 0.05, seed: int = 0) -> list[Change]:
    """Changes of level in `values` (n,), in order: E-divisive (Matteson & James 2014) with distances |x - y|.

    The split whose two sides are furthest apart by the energy statistic is a change where at most `alpha` of random
    orders of the same values have one as large; then each side is searched again. The p counts the order as it was
    among those drawn, so it is never 0 (Phipson & Smyth 2010). No shape of the noise is assumed, but that a series
    without a change could have come in any order: a slow drift is found as a change. With fewer than 4 values there is
    none; with fewer than about 8 none can be found at 0.05. Raises ValueError for values that are not a row of finite
    numbers, and for alpha outside of (0, 1).
    """
    sample: Numbers = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not bool(np.all(np.isfinite(sample))):
        raise ValueError("a series is a row of finite numbers")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
    draws = max(499, math.ceil(20 / alpha) - 1)
    found: list[Change] = []
    windows = [(0, len(sample))]
    generator = np.random.default_rng(seed)
    while windows:
        low, high = windows.pop()
        part = sample[low:high]
        if len(part) < 2 * LEAST or bool(np.all(part == part[0])):
            continue
        distances = np.abs(part[:, None] - part[None, :])
        at, size = _best(distances)
        orders = (generator.permutation(len(part)) for _ in range(draws))
        as_large = sum(_best(distances[np.ix_(order, order)])[1] >= size * (1 - 1e-12) for order in orders)
        p = (1 + as_large) / (1 + draws)
        if p <= alpha:
            found.append(Change(low + at, p))
            windows += [(low, low + at), (low + at, high)]
    return sorted(found, key=lambda change: change.index)


def _best(distances: Numbers) -> tuple[int, float]:
    """The split with the largest statistic, and the statistic. `distances` (n, n), symmetric, zero diagonal."""
    n = len(distances)
    at = np.arange(LEAST, n - LEAST + 1)
    # Sums over the blocks of a split, each pair once: before × before, after × after, before × after.
    corner = np.cumsum(np.cumsum(distances, axis=0), axis=1)
    total, first = corner[-1, -1], corner[at - 1, at - 1]
    across = corner[at - 1, -1] - first
    second = total - first - 2 * across
    m, k = at.astype(np.float64), (n - at).astype(np.float64)
    statistic = 2 * across / (m * k) - first / (m * (m - 1)) - second / (k * (k - 1))
    scaled = statistic * m * k / (m + k)
    best = int(np.argmax(scaled))
    return int(at[best]), float(scaled[best])
