"""How good the best of k settings is, of n that were tried."""

import math
from collections.abc import Sequence


def expected_best(values: Sequence[float], k: int) -> float:
    """The mean of the largest of k values over all subsets of k of the n `values`: drawn without replacement.

    The expected validation performance of Dodge et al. (2019), "Show Your Work", arXiv 1909.03004, in its unbiased
    form. Their estimator draws with replacement and is too low; the correction is that of Tang et al. (2020), "Showing
    Your Work Doesn't Always Work", arXiv 2004.13705. With values in rising order, x(i) is the largest of a subset of k
    in C(i - 1, k - 1) of the C(n, k) subsets. Raises ValueError where k is below 1 or above n.
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"the best of {k} of {n} values: there is no such")
    subsets = math.comb(n, k)
    return math.fsum(
        value * (math.comb(rank - 1, k - 1) / subsets) for rank, value in enumerate(sorted(values), 1) if rank >= k
    )


def expected_bests(values: Sequence[float]) -> list[float]:
    """`expected_best` of 1, 2, … n of `values`."""
    return [expected_best(values, k) for k in range(1, len(values) + 1)]
