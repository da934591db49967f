"""Two trained models on the examples of one test set. It judges those two models, not their architectures: another
seed gives other models, and what varies between seeds is in none of these figures.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.intervals import Estimate, Sample, paired_t_interval

FEWEST_EXAMPLES = 30  # below, a percentile interval promises more than it keeps: .75 for .95 at n = 3
FEW_VALUES = 64  # right minus right knows three values: then a resample is one draw of how often each occurs
CHUNK_DRAWS = 2**22


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, generator: np.random.Generator, resamples: int = 10_000, confidence: float = 0.95
) -> Estimate:
    """Mean of `a` - `b` over examples, (n,) each, in the same order, with the percentile interval of the bootstrap.

    `a` and `b` say of each example whether it was classified right (booleans, from the stored predictions), or how
    large its loss was. Examples are drawn with replacement, both models' answers together (Efron & Tibshirani 1993,
    chapter 13). The same state of `generator` gives the same interval. Below 30 examples there is none.
    Raises ValueError where the two are not of the same length, empty, or not finite, and for fewer than 1000 resamples.
    """
    if resamples < 1000:
        raise ValueError(f"an interval needs 1000 resamples or more, not {resamples}")
    first, second = (np.asarray(values, dtype=np.float64) for values in (a, b))
    plain = paired_t_interval(first, second)
    if plain.n < FEWEST_EXAMPLES:
        return Estimate(plain.mean, plain.sd, None, None, plain.n)
    means = np.concatenate(list(_resampled_means(first - second, resamples, generator)))
    low, high = np.quantile(means, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Estimate(plain.mean, plain.sd, float(low), float(high), plain.n)


def _resampled_means(differences: Sample, resamples: int, generator: np.random.Generator) -> Iterator[Sample]:
    """Means of `resamples` samples of n drawn from the n `differences`; in chunks, to bound the memory."""
    n = len(differences)
    values, counts = np.unique(differences, return_counts=True)
    few = len(values) <= FEW_VALUES
    rows = max(1, CHUNK_DRAWS // (len(values) if few else n))
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        if few:
            yield generator.multinomial(n, counts / n, size=size) @ values / n
        else:
            yield differences[generator.integers(n, size=(size, n))].mean(axis=1)
