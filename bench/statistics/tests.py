"""Tests that are exact at few replicates. Each says the smallest p that it could have given: at n = 5 Wilcoxon cannot
go below 0.0625, and to call that "not significant" would be of n, not of the models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MOST_SIGN_FLIPS = 2**16


@dataclass(frozen=True, slots=True)
class ExactTest:
    """Two-sided p, the smallest p that this test can give with so many values, and how many pairs differ."""

    p: float
    smallest_p: float
    n: int

    def could_show(self, alpha: float = 0.05) -> bool:
        """Whether n is large enough for the test to reach `alpha` at all."""
        return self.smallest_p <= alpha


def wilcoxon_exact(a: ArrayLike, b: ArrayLike) -> ExactTest:
    """Wilcoxon's signed-rank test of `a` - `b`, (n,) each, paired by position; pairs without a difference are left out.

    Exact (Wilcoxon 1945), with ties by all sign flips up to n = 16; above that, ties take the normal approximation.
    Raises ValueError where the two are not of the same length or not finite.
    """
    from scipy import stats

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two rows of the same length are needed, not {first.shape} and {second.shape}")
    differences = first - second
    if not bool(np.all(np.isfinite(differences))):
        raise ValueError("a test needs finite numbers; what was not measured is left out")
    differences = differences[differences != 0]
    n = len(differences)
    if n == 0:
        return ExactTest(1.0, 1.0, 0)
    tied = len(np.unique(np.abs(differences))) < n
    if not tied:
        p = stats.wilcoxon(differences, method="exact").pvalue
    elif 2**n <= MOST_SIGN_FLIPS:
        p = stats.wilcoxon(differences, method=stats.PermutationMethod(n_resamples=MOST_SIGN_FLIPS)).pvalue
    else:
        p = stats.wilcoxon(differences, method="approx").pvalue
    return ExactTest(min(1.0, float(p)), _smallest_p(n), n)


def mcnemar_exact(a_right: ArrayLike, b_right: ArrayLike) -> ExactTest:
    """McNemar's test of two classifiers on one test set: (n,) booleans each, whether an example was classified right.

    Exact binomial of the examples on which they disagree (McNemar 1947). It judges these two trained models, not
    their architectures. Raises ValueError where the two are not of the same length.
    """
    from scipy import stats

    first, second = np.asarray(a_right, dtype=bool), np.asarray(b_right, dtype=bool)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two rows of the same length are needed, not {first.shape} and {second.shape}")
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    n = only_first + only_second
    if n == 0:
        return ExactTest(1.0, 1.0, 0)
    return ExactTest(float(stats.binomtest(only_first, n, 0.5).pvalue), _smallest_p(n), n)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in the order given: Holm's step-down method (Holm 1979)."""
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _smallest_p(n: int) -> float:
    """All `n` differences on one side: one of the 2^n equally likely outcomes, on either side."""
    return min(1.0, 2.0 ** (1 - n))
