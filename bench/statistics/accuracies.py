"""Intervals of accuracies that hold both what other seeds and what other test images would give.

Trained models are readers, test images are cases: a fixed set of cases that every reader sees. The variance of the mean
is that of multi-reader multi-case studies with one treatment (Obuchowski & Rockette 1995; Hillis 2007, 2014): with S
seeds that reach the accuracies A_s, their variance over S, and the covariance of two seeds on the same images, which
more seeds do not make smaller. Over seeds alone, intervals held the accuracy on new images in 25 to 94 % of cases.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bench.statistics.evidence import Evidence
from bench.statistics.intervals import Estimate, sd_of

Table = NDArray[np.int8]  # (S, N): 0 or 1, or as a difference of two such -1 to 1


def accuracy_interval(right: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Accuracy of a recipe, with an interval for new seeds and new test images.

    `right` (S, N): whether the model of each seed classified each example of one test set right. Wilson's interval
    (1927) with m = g(1 - g) / V in place of the number of examples (an effective sample size: Korn & Graubard 1998), at
    most S·N, g being the grand mean; V and its quantile: `_two_way`. Where V is 0, m is N. Of one seed (`over` is
    "examples") it is Wilson's over N examples: what varies between seeds is not in it.
    Raises ValueError where `right` is no table of zeros and ones with at least one row and column.
    """
    table = _table(right)
    seeds, examples = table.shape
    means, mean = table.mean(axis=1), float(table.mean())
    size, quantile = float(examples), float(ndtri(0.5 + confidence / 2))
    found = _two_way(table)
    if seeds > 1 and found.variance > 0 and (half := found.half(confidence)) is not None:
        inside = min(max(mean, 0.5 / table.size), 1 - 0.5 / table.size)
        size, quantile = min(table.size, inside * (1 - inside) / found.variance), half / math.sqrt(found.variance)
    low, high = wilson(mean, size, quantile)
    return Estimate(mean, sd_of(means) if seeds > 1 else None, low, high, seeds, _over(seeds))


def accuracy_difference(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Accuracy of `a` less that of `b`, with an interval for new seeds and new test images.

    Both (S, N): the same seeds, the same examples, in the same order. Mean ± q · √V, with V and q of the differences
    a - b of each seed and example (`accuracy_evidence`). Where V is 0 the models answered alike everywhere, and the
    interval has no width; there is none where they differ in every example. Of one seed (`over` is "examples") it is
    over examples: it judges these two trained models.
    Raises ValueError where the two are no tables of zeros and ones, or not of one shape.
    """
    found = accuracy_evidence(a, b)
    low, high = found.interval(confidence) or (None, None)
    if low is not None and high is not None:
        low, high = max(-1.0, low), min(1.0, high)
    return Estimate(found.mean, found.sd, low, high, found.n, found.over)


def accuracy_evidence(a: ArrayLike, b: ArrayLike) -> Evidence:
    """What the same seeds and examples say of the accuracy of `a` less that of `b`: see `accuracy_difference`."""
    first, second = _table(a), _table(b)
    if first.shape != second.shape:
        raise ValueError(f"pairs need the same seeds and examples, not {first.shape} and {second.shape}")
    return _two_way(first - second)


def _two_way(table: Table) -> Evidence:
    """The grand mean of `table` (S, N) with its variance over seeds and examples; of one row over examples alone.

    `own` is s²/S, s² the variance of the seeds' means; `shared` the covariance of two seeds' means, which is that of
    two seeds on one example over N. With v the variance over examples of the mean over seeds, and w the mean over seeds
    of the variance over examples, S·v is w + (S - 1) · N · shared in expectation. Their sum is at least v/N, what the
    examples alone leave. `Evidence` keeps the interval as wide as over seeds alone, t(S - 1) · s/√S: where three seeds
    happen to lie close together, Satterthwaite's covered .92 for .95.
    """
    seeds, examples = table.shape
    means, mean, over = table.mean(axis=1), float(table.mean()), _over(seeds)
    sd = sd_of(means) if seeds > 1 else None
    own = sd**2 / seeds if sd is not None else 0.0
    if examples < 2:
        return Evidence(mean, sd, seeds, own, 0.0, examples if own == 0 else 0, over)
    of_examples = float((table.sum(axis=0, dtype=np.int64) / seeds).var(ddof=1))
    if seeds < 2:
        return Evidence(mean, None, 1, 0.0, of_examples / examples, examples, over)
    # Values are -1, 0 and 1: their squares are their sizes, and no copy of the table in floats is needed.
    within = float((np.abs(table).mean(axis=1) - means**2).mean()) * examples / (examples - 1)
    shared = max(0.0, (seeds * of_examples - within) / ((seeds - 1) * examples))
    return Evidence(mean, sd, seeds, own, shared, examples, over, least=of_examples / examples)


def wilson(mean: float, size: float, quantile: float) -> tuple[float, float]:
    """Ends of Wilson's interval (1927) of a share, of `size` independent values."""
    squared = quantile**2 / size
    half = quantile * math.sqrt(mean * (1 - mean) / size + squared / (4 * size))
    low, high = ((mean + squared / 2 + sign * half) / (1 + squared) for sign in (-1, 1))
    return max(0.0, min(mean, low)), min(1.0, max(mean, high))


def _over(seeds: int) -> Literal["examples", "recipe"]:
    return "recipe" if seeds > 1 else "examples"


def _table(values: ArrayLike) -> Table:
    given = np.asarray(values)
    if given.ndim != 2 or not given.size:
        raise ValueError(f"a table has a row for each seed and a column for each example, not the shape {given.shape}")
    if given.dtype != np.bool_ and not bool(np.all((given == 0) | (given == 1))):
        raise ValueError("an example is right or wrong: 1 or 0")
    table: Table = given.astype(np.int8)
    return table
