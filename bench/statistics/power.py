"""The smallest difference that can be told from noise: with n seeds, and on this machine (A against A)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, fdtri, ndtr, stdtrit  # scipy.stats would take half a second to import

from bench.statistics.intervals import FEWEST, Ratio, log_ratio, t_quantile

F_POINTS, SPREAD_POINTS = 200, 1000
PER_SIDE = 5  # processes on each side of the A-against-A comparison that the smallest difference is stated for
POWER = 0.8  # Cohen 1988: a difference of this size is found in four of five experiments


def fewest_pairs(*, alpha: float = 0.05, comparisons: int = 1) -> int:
    """Pairs that differ from which on an exact signed-rank, sign or McNemar test can reach `alpha` at all: the fewest n
    with 2^(1 - n) <= alpha / comparisons (the first step of Holm 1979, where there are several comparisons).

    6 for one comparison, 7 for the three of three models. Raises ValueError outside 0 < alpha < 1, comparisons >= 1.
    """
    if not 0 < alpha < 1 or comparisons < 1:
        raise ValueError("alpha lies between 0 and 1, and there is at least one comparison")
    return max(1, math.ceil(1 - math.log2(alpha / comparisons)))


def detectable_difference(sd: float, n: int, *, confidence: float = 0.95, power: float = POWER) -> float | None:
    """Smallest mean difference of `n` pairs, whose differences have the standard deviation `sd`, that the paired
    t-interval tells from 0 with probability `power` (noncentral t: Cohen 1988, chapter 2). In the unit of `sd`.

    None below three pairs, which exclude nothing. Raises ValueError for a negative `sd`, or n < 1.
    """
    _check(sd, n)
    if n < FEWEST:
        return None
    critical = np.array([t_quantile(n - 1, confidence=confidence)])
    return sd / math.sqrt(n) * _errors_off(critical, n - 1, chance=1 - confidence, power=power)


def detectable_ratio(
    log_sd: float, n: int, *, others: int | None = None, confidence: float = 0.95, power: float = POWER
) -> float | None:
    """Smallest ratio (1.05: 5 % faster) of the speeds of `n` and of `others` processes (default: as many) that the
    interval of `log_ratio` tells from 1 with probability `power`.

    log_sd: standard deviation between processes of the logarithm of the speed (near enough the coefficient of
    variation), taken as the same on both sides. None where either has fewer than three processes, which exclude
    nothing. Raises ValueError for a negative `log_sd`, or fewer than one process.

    Welch's interval does not know that the spreads are the same, and pays for it: its critical value hangs on the ratio
    of the two spreads that were seen, which follows F. Their sum is independent of that ratio, so the power is the mean
    over F of that of Student's t with n + others - 2 degrees of freedom (Lee & Gurland 1975).
    """
    others = n if others is None else others
    _check(log_sd, min(n, others))
    if min(n, others) < FEWEST:
        return None
    freedom = n + others - 2
    seen = fdtri(n - 1, others - 1, _middles(F_POINTS))  # s_a² / s_b²
    pooled = ((n - 1) * seen + (others - 1)) / freedom
    shares = np.stack([seen / n, np.ones(F_POINTS) / others])
    welch = shares.sum(axis=0) ** 2 / (shares**2 / np.array([[n - 1], [others - 1]])).sum(axis=0)
    error = math.sqrt(1 / n + 1 / others)
    critical = stdtrit(welch, 0.5 + confidence / 2) * np.sqrt(shares.sum(axis=0) / pooled) / error
    return math.exp(log_sd * error * _errors_off(critical, freedom, chance=1 - confidence, power=power))


def _check(sd: float, n: int) -> None:
    if not 0 <= sd < math.inf or n < 1:
        raise ValueError("a standard deviation is 0 or more and finite, and n at least 1")


def _errors_off(critical: NDArray[np.float64], freedom: int, *, chance: float, power: float) -> float:
    """Standard errors that a mean has to lie off 0 for |t| to exceed its critical value with probability `power`, on
    the average over the equally likely values `critical` (m,); by bisection."""
    if not chance < power < 1:
        raise ValueError(f"power lies between {chance:g}, what chance alone gives, and 1")
    # By quadrature over the spread that is seen: scipy's noncentral t (1.17) is NaN or wrong at one degree of freedom.
    spread = np.sqrt(chdtri(freedom, _middles(SPREAD_POINTS)) / freedom)
    limits = np.outer(critical, spread)

    def found(shift: float) -> float:
        return float(np.mean(ndtr(shift - limits) + ndtr(-shift - limits)))

    low, high = 0.0, 1.0
    while found(high) < power:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < power else (low, middle)
    return high


def _middles(count: int) -> NDArray[np.float64]:
    """Probabilities in the middle of `count` equal parts of 0 to 1."""
    return (np.arange(count, dtype=np.float64) + 0.5) / count


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
    squares = [float(((side - side.mean()) ** 2).sum()) for side in logs]
    log_sd = math.sqrt(sum(squares) / (sum(map(len, logs)) - 2))
    half = t_quantile(2 * per_side - 2) * log_sd * math.sqrt(2 / per_side)
    return Noise(ratio, log_sd, math.expm1(max(half, abs(math.log(ratio.ratio)))))
