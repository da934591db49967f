"""What nothing else beats in both of two figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(costs: ArrayLike, values: ArrayLike) -> list[int]:
    """Indices, the cheapest first, of those of n for which no other has at most its cost (n,) and at least its value
    (n,), and more or less of one of them. Two that are alike in both are both on it.

    Of means: nothing is said of whether the differences are real. Raises ValueError where the two are not of the same
    length, or one is not finite.
    """
    cost: NDArray[np.float64] = np.asarray(costs, dtype=np.float64)
    value: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != value.shape:
        raise ValueError(f"costs and values are rows of the same length, not {cost.shape} and {value.shape}")
    if not bool(np.all(np.isfinite(cost)) and np.all(np.isfinite(value))):
        raise ValueError("a front needs finite numbers; leave out what was not measured")
    cheap, good = cost[:, None], value[:, None]  # row i against column j
    beats = (cheap <= cost) & (good >= value) & ((cheap < cost) | (good > value))
    beaten = set(np.flatnonzero(np.any(beats, axis=0)).tolist())
    return [index for index in np.lexsort((-value, cost)).tolist() if index not in beaten]
