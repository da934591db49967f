"""Keep, revert or undecided: a decision over many tests with one error rate.

A test is of one cell and one metric, and has a margin: what is worse by less does not matter. Two hypotheses stand
against each other at that margin (the shifted null of Schuirmann 1987): "it is no worse than that", whose rejection
asks for a revert, and "it is worse than that", whose rejection lets it be kept. A revert takes one rejection among all
tests, so these p values are adjusted (Holm 1979); to keep takes the rejection of every test, each at the full level:
all of them have to be wrong for a wrong keep (Berger 1982).
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from bench.statistics.evidence import MOST_SEEDS, Evidence
from bench.statistics.intervals import FEWEST, FEWEST_EQUAL, ROUNDING, sample_of, sd_of
from bench.statistics.sequential import half_width_factor, half_with_shared
from bench.statistics.tests import holm

LEVEL = 0.05
CONFIDENCE = 1 - 2 * LEVEL  # of an interval with a one-sided test of LEVEL at each end
Decision = Literal["keep", "revert", "undecided"]
Told = Literal["worse", "fine", "open"]


def tell(worse: Sequence[float], fine: Sequence[float]) -> list[tuple[Told, float]]:
    """What each of k tests says, with its p of "no worse than the margin" after Holm's adjustment over all k: "worse"
    where that is at most LEVEL, "fine" where its p of "worse than the margin" is at most LEVEL, else "open"."""
    return [(_told(p <= LEVEL, q <= LEVEL), p) for p, q in zip(holm(worse), fine, strict=True)]


def decide(told: Sequence[Told]) -> Decision:
    """revert where a test says "worse", keep where each says "fine" and there is one at least, else undecided."""
    if "worse" in told:
        return "revert"
    return "keep" if told and all(each == "fine" for each in told) else "undecided"


def _told(worse: bool, fine: bool) -> Told:
    return "worse" if worse else "fine" if fine else "open"


def first_told(distances: ArrayLike, *, tests: int) -> tuple[Told, int]:
    """What values that were looked at one after the other say at the first look that says something, and how many
    there were by then; "open" and all of them where none does.

    `distances` (n,): how far each lies above the margin, in the order in which they came. "worse" where their mean is
    shown to lie below 0 at LEVEL / `tests`, "fine" where above it at LEVEL: one-sided, at all looks together, by the
    interval of `sequential_test` at twice that level. (By symmetry each end is crossed first half as often as one of
    them; where the true mean is further on the good side, less often.) Equal values tell nothing below six of them.
    """
    sample = sample_of(distances)
    n = np.arange(1, len(sample) + 1)
    base = float(sample[0])
    means = np.cumsum(sample - base) / n
    squares = np.maximum(0.0, np.cumsum((sample - base) ** 2) - n * means**2)
    means += base
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.sqrt(squares / (n - 1) / n)
    for count, mean, error in zip(n.tolist(), means.tolist(), errors.tolist(), strict=True):
        if count < FEWEST:
            continue
        if error * math.sqrt(count) <= ROUNDING * max(abs(mean), abs(base)):
            if count >= FEWEST_EQUAL and mean > 0:
                return "fine", count
        elif mean < -error * _factor(count, LEVEL / tests):
            return "worse", count
        elif mean > error * _factor(count, LEVEL):
            return "fine", count
    return "open", len(sample)


def first_told_of_examples(
    differences: ArrayLike, evidence: Callable[[int], Evidence], *, margin: float, tests: int
) -> tuple[Told, bool]:
    """What differences of accuracy that were looked at one after the other say first of new seeds and of new test
    examples at once, and whether more seeds may still tell where that is "open".

    `differences` (n,), after less before; `evidence(k)`: what the first k say. Where `first_told` says something of
    these examples, it is told at the first look from there on that says it of new ones, too: beyond `half_with_shared`,
    and by the one-sided p of one look.
    """
    values = sample_of(differences)
    told, count = first_told(values + margin, tests=tests)
    if told == "open":
        return told, True
    level = LEVEL / tests if told == "worse" else LEVEL

    def says(found: Evidence) -> bool:
        p = found.p_less(-margin) if told == "worse" else found.p_greater(-margin)
        half = half_with_shared(found, 2 * level) if found.own > 0 else 0.0
        return p <= level and abs(found.mean + margin) > half

    if any(says(evidence(k)) for k in range(count, len(values) + 1)):
        return told, False
    return "open", says(evidence(len(values)).with_seeds(MOST_SEEDS))


@lru_cache(maxsize=4096)
def _factor(n: int, level: float) -> float:
    return half_width_factor(n, min(0.999, 2 * level))


def sequential_ends(values: ArrayLike) -> tuple[float, float] | None:
    """Both ends of the interval behind `first_told` at LEVEL on either side; None where so few values have none."""
    sample = sample_of(values)
    if len(sample) < FEWEST or math.isinf(factor := _factor(len(sample), LEVEL)):
        return None
    half = factor * sd_of(sample) / math.sqrt(len(sample))
    mean = float(sample.mean())
    return mean - half, mean + half


def unpaired(a: ArrayLike, b: ArrayLike) -> Evidence:
    """What two independent samples (n,) and (m,) say of the mean of `a` less that of `b`: Welch's standard error with
    min(n, m) - 1 degrees of freedom, which is never too many. Of a sample of one value nothing can be told."""
    first, second = sample_of(a), sample_of(b)
    few = min(len(first), len(second))
    mean = float(first.mean() - second.mean())
    if few < 2:
        return Evidence(mean, None, 1, 0.0, 0.0, 0, "seeds")
    variance = sum(sd_of(each) ** 2 / len(each) for each in (first, second))
    return Evidence(mean, math.sqrt(variance * few), few, variance, 0.0, 0, "seeds")


def p_of_endings(seeds: int) -> float:
    """p of the hypothesis that a seed fails no more often after a change than before it, where all of `seeds` ended
    well before and failed after. With one chance f of failing that has the probability (f · (1 - f))^seeds, which is
    4^-seeds at most, and less where the two trials of a seed tend to end alike; 1 below three seeds."""
    return 1.0 if seeds < FEWEST else 4.0**-seeds
