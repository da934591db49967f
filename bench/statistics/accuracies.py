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

from bench.statistics.intervals import Estimate, sd_of, t_quantile

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
    if seeds > 1 and (found := _two_way(table, confidence)):
        inside = min(max(mean, 0.5 / table.size), 1 - 0.5 / table.size)
        size, quantile = min(table.size, inside * (1 - inside) / found[0]), found[1]
    low, high = _wilson(mean, size, quantile)
    return Estimate(mean, sd_of(means) if seeds > 1 else None, low, high, seeds, _over(seeds))


def accuracy_difference(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Accuracy of `a` less that of `b`, with an interval for new seeds and new test images.

    Both (S, N): the same seeds, the same examples, in the same order. Mean ± q · √V, with V and q of the differences
    a - b of each seed and example (`_two_way`). Where V is 0 the models answered alike everywhere, and the interval has
    no width; there is none where they differ in every example. Of one seed (`over` is "examples") it is over examples:
    it judges these two trained models.
    Raises ValueError where the two are no tables of zeros and ones, or not of one shape.
    """
    first, second = _table(a), _table(b)
    if first.shape != second.shape:
        raise ValueError(f"pairs need the same seeds and examples, not {first.shape} and {second.shape}")
    table = first - second
    seeds = len(table)
    means, mean = table.mean(axis=1), float(table.mean())
    sd = sd_of(means) if seeds > 1 else None
    found = _two_way(table, confidence)
    if found is None:
        end = 0.0 if mean == 0 else None
        return Estimate(mean, sd, end, end, seeds, _over(seeds))
    half = found[1] * math.sqrt(found[0])
    return Estimate(mean, sd, max(-1.0, mean - half), min(1.0, mean + half), seeds, _over(seeds))


def _two_way(table: Table, confidence: float) -> tuple[float, float] | None:
    """Variance V of the grand mean of `table` (S, N) over seeds and examples, and the quantile q for its root; None
    where V is 0. Of one row it is over examples.

    V = s²/S + cov: s² is the variance of the seeds' means, cov the covariance of two seeds' means, which is that of two
    seeds on one example over N. With v the variance over examples of the mean over seeds, and w the mean over seeds of
    the variance over examples, S·v is w + (S - 1) · N · cov in expectation. V is at least v/N, what the examples alone
    leave. q is t's, with degrees of freedom by Satterthwaite (1946); but q · √V is at least t(S - 1) · s/√S, the
    interval over seeds alone: where three seeds happen to lie close together, Satterthwaite's covered .92 for .95.
    """
    seeds, examples = table.shape
    means = table.mean(axis=1)
    own = sd_of(means) ** 2 / seeds if seeds > 1 else 0.0
    if examples < 2:
        return (own, t_quantile(seeds - 1, confidence=confidence)) if own > 0 else None
    of_examples = float((table.sum(axis=0, dtype=np.int64) / seeds).var(ddof=1))
    if seeds < 2:
        found = of_examples / examples
        return (found, t_quantile(examples - 1, confidence=confidence)) if found > 0 else None
    # Values are -1, 0 and 1: their squares are their sizes, and no copy of the table in floats is needed.
    within = float((np.abs(table).mean(axis=1) - means**2).mean()) * examples / (examples - 1)
    shared = max(0.0, (seeds * of_examples - within) / ((seeds - 1) * examples))
    variance = max(own + shared, of_examples / examples)
    if variance == 0:
        return None
    parts = own**2 / (seeds - 1) + shared**2 / (examples - 1)
    freedom = variance**2 / parts if parts > 0 else examples - 1.0
    over_seeds = t_quantile(seeds - 1, confidence=confidence) * math.sqrt(own / variance)
    return variance, max(t_quantile(freedom, confidence=confidence), over_seeds)


def _wilson(mean: float, size: float, quantile: float) -> tuple[float, float]:
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
