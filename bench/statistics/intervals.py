"""Estimates with their intervals. A sample too small for one has none: `low` and `high` are None, never made up.

The process is the unit of replication: what comes in is one number a trial, never the steps of one process.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit  # the t quantile itself: scipy.stats would take half a second to import

from bench.base.metrics import UNBOUNDED, Bounds

Sample = NDArray[np.float64]

FEWEST, FEWEST_EQUAL = 3, 6  # values, and values without any spread, that can exclude something: at n = 2 an interval
# without width excluded 0 in 10.9 % of pairs of a thing with itself
ROUNDING = 1e-12  # of floats: less spread than that, relative to the mean, is none
FEWEST_EXAMPLES = 30  # below, a percentile interval promises more than it keeps: .75 for .95 at n = 3
FEW_VALUES = 64  # right minus right knows three values: then a resample is one draw of how often each occurs
CHUNK_DRAWS = 2**22
MOST_LOG = 700.0  # a float ends at exp(709)


# What an interval of a mean is for: other seeds; of an accuracy new seeds and new test images, new test images for the
# one model that was trained, new seeds and new splits, or other seeds alone, because nothing else is known.
Meaning = Literal["seeds", "seeds_alone", "recipe", "examples", "split"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean (or a mean difference) of `n` values. `sd` (n - 1), `low` and `high` are None where n = 1.

    over: what its interval is for."""

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    n: int
    over: Meaning = "seeds"

    @property
    def ends(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def includes(self, value: float) -> bool:
        """Whether there is an interval, and `value` lies in it."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high

    def excludes(self, value: float) -> bool:
        """Whether there is an interval of values enough, and `value` lies outside of it."""
        if self.low is None or self.high is None or self.sd is None:
            return False
        equal = self.sd <= ROUNDING * abs(self.mean)
        return self.n >= (FEWEST_EQUAL if equal else FEWEST) and not self.low <= value <= self.high


# What the interval of a ratio is over: pairs of one seed each that trained by turns, the rounds of one such pair, or
# processes that ran one after the other.
Over = Literal["seeds", "rounds", "processes"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times one sample is another. `low` and `high` are None where either has fewer than two values.

    n: how many values it is over, of the smaller side."""

    ratio: float
    low: float | None
    high: float | None
    n: int = FEWEST
    over: Over = "processes"

    def excludes(self, value: float) -> bool:
        """Whether there is an interval of values enough, and `value` lies outside of it."""
        if self.low is None or self.high is None:
            return False
        rounding = ROUNDING * self.ratio
        fewest = FEWEST_EQUAL if self.high - self.low <= rounding else FEWEST
        return self.n >= fewest and not self.low - rounding <= value <= self.high + rounding


def interval_ends(
    means: ArrayLike,
    sds: ArrayLike,
    n: ArrayLike,
    *,
    bounds: Bounds = UNBOUNDED,
    overlap: float = 0.0,
    confidence: float = 0.95,
) -> tuple[Sample, Sample]:
    """Both ends of Student's t-intervals of `means`, of `n` values each with standard deviations `sds` (all (k,)):
    mean ± t(n - 1) · sd / √n (Student 1908), cut to `bounds`. Where these are logarithmic, that of the logarithm by the
    delta method: mean · exp(± t · sd / (mean · √n)). NaN where n = 1, or where a mean or sd is.

    `overlap`: test over training images, where each value comes of a random split of one set: √(1/n + overlap) then
    stands in place of 1/√n (Nadeau & Bengio 2003, Machine Learning 52:239-281): the splits share images, so that more
    of them cannot narrow it beyond t · sd · √overlap."""
    means, sds, n = (np.asarray(each, dtype=np.float64) for each in (means, sds, n))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        halves = stdtrit(n - 1, 0.5 + confidence / 2) * sds * np.sqrt(1 / n + overlap)
        # No cut takes away the mean itself: what lies out of bounds was measured all the same.
        lows = np.minimum(means, np.maximum(means - halves, bounds.least))
        highs = np.maximum(means, np.minimum(means + halves, bounds.most))
        if bounds.logarithmic:
            factors = np.exp(halves / means)
            lows, highs = (np.where(means > 0, by_factor, end)
                           for by_factor, end in ((means / factors, lows), (means * factors, highs)))  # fmt: skip
    return lows, highs


def t_interval(
    values: ArrayLike, *, bounds: Bounds = UNBOUNDED, overlap: float = 0.0, confidence: float = 0.95
) -> Estimate:
    """Mean of `values` (n,) with Student's t-interval, within `bounds`, of random splits with their `overlap`: see
    `interval_ends`.

    At n = 3, 5, 10 it covers what it says, which percentile bootstrap and ± 1.96 SE do not. Equal values have an
    interval without width. Raises ValueError where `values` is empty or not finite.
    """
    sample = sample_of(values)
    n, mean = len(sample), float(sample.mean())
    over: Meaning = "split" if overlap else "seeds"
    if n == 1:
        return Estimate(mean, None, None, None, 1, over)
    sd = sd_of(sample)
    low, high = interval_ends(mean, sd, n, bounds=bounds, overlap=overlap, confidence=confidence)
    return Estimate(mean, sd, float(low), float(high), n, over)


def paired_t_interval(
    a: ArrayLike, b: ArrayLike, *, bounds: Bounds = UNBOUNDED, overlap: float = 0.0, confidence: float = 0.95
) -> Estimate:
    """Mean of `a` - `b`, (n,) each, paired by position, with the t-interval of the differences. `bounds`: of the values
    themselves, so that shares differ by one at most.

    Raises ValueError where the two are not of the same length, empty, or not finite.
    """
    return t_interval(_differences(a, b), bounds=bounds.of_differences, overlap=overlap, confidence=confidence)


def log_ratio(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Ratio:
    """How many times `a` (n,) is `b` (m,), all positive and independent: geometric means, and Welch's interval of
    the difference of the logarithms, taken back by exp (Kalibera & Jones 2013; Welch 1947).

    Raises ValueError where a sample is empty, not finite or not positive.
    """
    samples = _logs(a), _logs(b)
    mean, n = float(samples[0].mean() - samples[1].mean()), min(map(len, samples))
    if n < 2:
        return ratio_of(mean, None, n=n)
    shares = [sd_of(sample) ** 2 / len(sample) for sample in samples]  # each one's part of the variance
    error = sum(shares)
    if error == 0:
        return ratio_of(mean, 0.0, n=n)
    freedom = error**2 / sum(share**2 / (len(sample) - 1) for share, sample in zip(shares, samples, strict=True))
    return ratio_of(mean, t_quantile(freedom, confidence=confidence) * math.sqrt(error), n=n)


def ratio_of(log: float, half: float | None, *, n: int, over: Over = "processes") -> Ratio:
    """The ratio with the logarithm `log` and half the interval of that, None where there is none."""
    low, high = (None, None) if half is None else (_exp(log - half), _exp(log + half))
    return Ratio(_exp(log), low, high, n, over)


def _exp(log: float) -> float:
    return math.exp(min(max(log, -MOST_LOG), MOST_LOG))


def t_quantile(freedom: float, *, confidence: float = 0.95) -> float:
    """What Student's t with `freedom` degrees stays within, on both sides, with probability `confidence`."""
    return float(stdtrit(freedom, 0.5 + confidence / 2))


def sd_of(sample: Sample) -> float:
    # The mean of equal numbers is not always that number, to the last bit; their spread is zero all the same.
    return 0.0 if bool(np.all(sample == sample[0])) else float(sample.std(ddof=1))


def sample_of(values: ArrayLike, *, positive: bool = False) -> Sample:
    """`values` as a row of at least one finite number. Raises ValueError where they are not, or not `positive`."""
    sample: Sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise ValueError(f"a sample is a row of at least one number, not of shape {sample.shape}")
    if not bool(np.all(np.isfinite(sample))):
        raise ValueError("a sample holds finite numbers; what was not measured is left out")
    if positive and sample.min() <= 0:
        raise ValueError("ratios and times need positive numbers")
    return sample


def _differences(a: ArrayLike, b: ArrayLike) -> Sample:
    first, second = sample_of(a), sample_of(b)
    if len(first) != len(second):
        raise ValueError(f"pairs need as many of one as of the other, not {len(first)} and {len(second)}")
    differences: Sample = first - second
    return differences


def _logs(values: ArrayLike) -> Sample:
    logs: Sample = np.log(sample_of(values, positive=True))
    return logs


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, generator: np.random.Generator, resamples: int = 10_000, confidence: float = 0.95
) -> Estimate:
    """Mean of `a` - `b` over examples, (n,) each, in the same order, with the percentile interval of the bootstrap.

    `a` and `b` say of each example whether it was classified right (booleans, from the stored predictions), or how
    large its loss was. Examples are drawn with replacement, both models' answers together (Efron & Tibshirani 1993,
    chapter 13). The same state of `generator` gives the same interval. Below 30 examples there is none. It judges these
    two trained models, not their architectures: what varies between seeds is not in it.
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
