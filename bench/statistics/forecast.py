"""How long trials will take, from how long such trials took: a fixed part and a part that grows with their length.

A trial of e epochs takes F + e · (s + v): loading, building, warm-up, inference and diagnosis once; training (s) and
evaluation (v) every epoch. Trials say how long they trained: that is carried on in proportion to the epochs, the rest
along a line. Noise is taken as relative (it multiplies), and as one figure for all kinds of trials.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.intervals import sample_of, t_quantile

# What is taken for the noise before there is any: 10 %, worth as much as five processes of one trial would say. It
# keeps two trials that agree by chance from promising everything.
PRIOR_SD, PRIOR_FREEDOM = 0.1, 4


@dataclass(frozen=True, slots=True)
class Noise:
    """sd of the logarithm of a trial's seconds from one process to the next, and the degrees of freedom behind it."""

    log_sd: float = PRIOR_SD
    freedom: float = PRIOR_FREEDOM


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds that a trial is expected to take, with their standard error; the trial scatters around it by noise."""

    seconds: float
    error_seconds: float


@dataclass(frozen=True, slots=True)
class Span:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Span":
        """The same in another unit."""
        return Span(self.value * factor, self.low * factor, self.high * factor)


def noise_of(groups: Iterable[ArrayLike]) -> Noise:
    """Pooled over `groups`, each the seconds (n,) of equal trials; moderated by the prior, as variances of few values
    are (Smyth 2004): s² = (d₀·s₀² + Σ d·s²) / (d₀ + Σ d).

    Raises ValueError where a value is not positive.
    """
    squares, freedom = PRIOR_FREEDOM * PRIOR_SD**2, float(PRIOR_FREEDOM)
    for group in groups:
        logs = np.log(sample_of(group, positive=True))
        squares += float(((logs - logs.mean()) ** 2).sum())
        freedom += len(logs) - 1
    return Noise(math.sqrt(squares / freedom), freedom)


def forecast(lengths: ArrayLike, seconds: ArrayLike, *, fit_seconds: ArrayLike, at: float, noise: Noise) -> Forecast:
    """What a trial of length `at` (epochs, or steps) takes, from trials of `lengths` (n,) that took `seconds` (n,), of
    which `fit_seconds` (n,) trained.

    Raises ValueError where nothing is given, or a value is not positive.
    """
    length, whole, fit = (sample_of(values, positive=True) for values in (lengths, seconds, fit_seconds))
    if bool(np.all(length == at)):
        mean = float(whole.mean())
        return Forecast(mean, mean * noise.log_sd / math.sqrt(len(whole)))
    training = float(np.exp(np.log(fit / length).mean())) * at
    error = training * noise.log_sd / math.sqrt(len(fit))
    rest, rest_error = _line(length, np.maximum(whole - fit, 1e-6), at=at, log_sd=noise.log_sd)
    return Forecast(training + rest, math.hypot(error, rest_error))


def total(parts: Sequence[tuple[Forecast, int]], *, noise: Noise, confidence: float = 0.95) -> Span:
    """Seconds of all `parts`, each a forecast and how many such trials there are, with the interval of what they will
    take: the errors of the forecasts taken as one (a machine that was quick today was quick for all of them), the
    scatter of the trials as independent. Of the logarithm, so that no end is below 0."""
    value = sum(part.seconds * count for part, count in parts)
    if value <= 0:
        return Span(0.0, 0.0, 0.0)
    errors = sum(part.error_seconds * count for part, count in parts)
    scatter = sum(count * (noise.log_sd * part.seconds) ** 2 for part, count in parts)
    half = t_quantile(noise.freedom, confidence=confidence) * math.sqrt(errors**2 + scatter) / value
    return Span(value, value * math.exp(-half), value * math.exp(half))


def _line(lengths: NDArray[np.float64], seconds: NDArray[np.float64], *, at: float, log_sd: float) -> Sequence[float]:
    """A line by least squares, weighted for noise that is relative. Neither part of it is below 0."""
    if len(np.unique(lengths)) == 1:
        # One length says nothing of what grows: all of it or none, and nobody knows; sd of a uniform distribution.
        one = float(seconds.mean())
        ends = (one, one * at / float(lengths[0]))
        spread = abs(ends[1] - ends[0]) / math.sqrt(12)
        return sum(ends) / 2, math.hypot(spread, sum(ends) / 2 * log_sd / math.sqrt(len(seconds)))
    weights = 1 / (log_sd * seconds) ** 2
    design = np.column_stack([np.ones_like(lengths), lengths])
    inverse = np.linalg.inv(design.T @ (weights[:, None] * design))
    fixed, slope = inverse @ design.T @ (weights * seconds)
    point = np.array([1.0, at])
    error = math.sqrt(float(point @ inverse @ point))
    if slope < 0:
        fixed, slope = np.average(seconds, weights=weights), 0.0
    elif fixed < 0:
        fixed, slope = 0.0, np.average(seconds / lengths, weights=weights)
    return float(fixed + slope * at), error
