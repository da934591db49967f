"""Performance profiles: how often a model is within a factor of the best. They rank nothing, and hold from one data set
on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Profile:
    """`shares` (models, m): the share of problems on which a model's cost is at most `factors` (m,) times the least of
    any model there. At factor 1: how often it is the best; for large factors: how often it gets there at all."""

    factors: NDArray[np.float64]
    shares: NDArray[np.float64]


def performance_profile(costs: ArrayLike, *, factors: ArrayLike | None = None) -> Profile:
    """Profiles of `costs` (problems, models), all positive, lower is better (Dolan & Moré 2002, equation 2.1).

    A cost that is infinite or NaN is a failure: it is within no factor, and its problem stays in the count. A figure
    of which more is better is turned into a cost first (time a sample for samples a second, error for accuracy).
    factors: where to look; by default every factor at which a share rises, so that the steps are exact.
    Raises ValueError where a cost is zero or negative, or a factor is below 1.
    """
    table = np.array(costs, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"costs are a table (problems, models), not of shape {table.shape}")
    table[np.isnan(table)] = np.inf
    if table.min() <= 0:
        raise ValueError("a cost is positive: the ratio to the best one is taken")
    best = table.min(axis=1, keepdims=True)
    solved = np.isfinite(table)
    ratios = np.divide(table, best, out=np.full(table.shape, np.inf), where=solved)
    at = np.unique(np.append(ratios[solved], 1.0)) if factors is None else np.asarray(factors, dtype=np.float64)
    if at.ndim != 1 or not bool(np.all(at >= 1)):
        raise ValueError("factors are a row of numbers of at least 1: no cost is below the least one")
    shares: NDArray[np.float64] = (ratios[:, :, None] <= at).mean(axis=0)
    return Profile(at, shares)
