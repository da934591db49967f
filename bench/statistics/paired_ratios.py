"""How many times as fast one trial is as another that shared its time: both trained by turns, in the same rounds.

What a machine does for longer than a round (drift, another guest for some seconds) is in both speeds of a round alike,
and not in their ratio: Bulej et al., Duet Benchmarking, ICPE 2020.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.intervals import FEWEST, Ratio, Sample, ratio_of, sd_of, t_quantile

# Rounds of one seed may be alike as neighbours. By simulation (tests/statistics/test_paired_ratios.py): with a
# correlation of .5 and 12 rounds 3 batches cover .93, 5 cover .88; of .7 and 20 rounds .92 and .86. Three cost half as
# wide an interval again, so there are more of them where rounds are many.
FEWEST_BATCHES, MOST_BATCHES, ROUNDS_A_BATCH = 3, 5, 10


class Rounds(NamedTuple):
    """The numbers of the rounds that a trial was timed in (r,), rising, and the logarithm of its speed in each (r,)."""

    numbers: NDArray[np.float64]
    logs: Sample


def rounds_of(seconds: ArrayLike, amounts: ArrayLike, rounds: ArrayLike) -> Rounds:
    """The speeds of a trial by round, from its timed blocks (b,): amount over time of the blocks of a round together.

    Raises ValueError where the three are not of one length, or a time or an amount is not above 0.
    """
    seconds, amounts, rounds = (np.asarray(each, dtype=np.float64) for each in (seconds, amounts, rounds))
    if not seconds.shape == amounts.shape == rounds.shape:
        raise ValueError("each block has a time, an amount and a round")
    if not ((seconds > 0).all() and (amounts > 0).all() and np.isfinite(rounds).all()):
        raise ValueError("a block has a time and an amount above 0")
    numbers, place = np.unique(rounds, return_inverse=True)
    return Rounds(numbers, np.log(np.bincount(place, amounts)) - np.log(np.bincount(place, seconds)))


def log_ratios(a: Rounds, b: Rounds) -> Sample:
    """The logarithm of how many times `a` is `b`, (r,), of each round that both were timed in, in their order."""
    _, first, second = np.intersect1d(a.numbers, b.numbers, assume_unique=True, return_indices=True)
    found: Sample = a.logs[first] - b.logs[second]
    return found


def paired_ratio(seeds: Sequence[Sample], *, confidence: float = 0.95) -> Ratio | None:
    """How many times A is B, from the log-ratios of the rounds (r,) of each seed that both trained by turns.

    A seed's log-ratio is the mean over its rounds. Over seeds: their mean with Student's t-interval, the seed being the
    replicate. Of one seed: over its rounds, by batch means. None where no seed has three rounds. Not the ratio of all
    samples over all time: where one of the two stalls for a moment now and then, that scatters twice as much.
    """
    kept = [rounds for rounds in seeds if len(rounds) >= FEWEST]
    if not kept:
        return None
    if len(kept) == 1:
        (rounds,) = kept
        return ratio_of(float(rounds.mean()), _half_width(rounds, confidence), n=len(rounds), over="rounds")
    means, n = np.array([rounds.mean() for rounds in kept]), len(kept)
    half = t_quantile(n - 1, confidence=confidence) * sd_of(means) / n**0.5
    return ratio_of(float(means.mean()), half, n=n, over="seeds")


def _half_width(rounds: Sample, confidence: float) -> float:
    """Half the interval of the mean of `rounds`, which are in their order: with m batches of about as many rounds and e
    the sum of a batch less what the mean gives it, t(m - 1) · √(m/(m - 1) · Σ e²) / n (Schmeiser 1982)."""
    n = len(rounds)
    m = min(max(n // ROUNDS_A_BATCH, FEWEST_BATCHES), MOST_BATCHES)
    sums = np.bincount(np.arange(n) * m // n, rounds - rounds.mean(), minlength=m)
    return t_quantile(m - 1, confidence=confidence) * float(np.sqrt(m / (m - 1) * (sums**2).sum())) / n
