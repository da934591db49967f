"""Models over data sets: one figure a data set and model, the mean over its seeds. The data set is the replicate.

From six data sets on: pairwise Wilcoxon with Holm, average ranks, groups that cannot be told apart. Below six there is
no claim of rank (an exact signed-rank test could not reach 0.05 there), only `performance_profile`. `pareto_front` is
of two figures of each model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.statistics.tests import holm, wilcoxon_exact

FEWEST_DATASETS = 6


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models over the data sets: two-sided `p`, and `adjusted_p` for the number of pairs (Holm).

    `smallest_adjusted_p` is the least that `adjusted_p` could have been with so many data sets and pairs.
    """

    first: str
    second: str
    p: float
    adjusted_p: float
    smallest_adjusted_p: float
    n: int  # data sets on which they differ

    def differs(self, alpha: float = 0.05) -> bool:
        """Whether the two can be told apart."""
        return self.adjusted_p <= alpha

    def could_show(self, alpha: float = 0.05) -> bool:
        """Whether there are data sets enough to reach `alpha` at all."""
        return self.smallest_adjusted_p <= alpha


@dataclass(frozen=True, slots=True)
class CriticalDifference:
    """What a critical-difference diagram shows. `names` from the best to the worst, with their `average_ranks`
    (1: the best on every data set) over `n` data sets.

    `groups` are the largest sets of two or more models of which no two can be told apart, each in the order of
    `names`; they need not be neighbours. Where `could_show` is False, no pair of so many models could have been told
    apart, and who is in no group is no finding.
    """

    names: tuple[str, ...]
    average_ranks: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]
    n: int
    could_show: bool


def average_ranks(scores: ArrayLike, *, higher_is_better: bool = True) -> NDArray[np.float64]:
    """Rank of each model, averaged over data sets: scores (data sets, models) → (models,), 1 the best; ties share the
    mean of their ranks (Friedman 1937; Demšar 2006). Raises ValueError where a score is missing or not finite."""
    table = _table(scores)
    signed = -table if higher_is_better else table
    below = (signed[:, None, :] < signed[:, :, None]).sum(axis=2)
    equal = (signed[:, None, :] == signed[:, :, None]).sum(axis=2)
    ranks: NDArray[np.float64] = (below + (equal + 1) / 2).mean(axis=0)
    return ranks


def pairwise_wilcoxon(scores: ArrayLike, names: Sequence[str]) -> tuple[Pair, ...]:
    """Every two models by Wilcoxon's signed-rank test over data sets, adjusted by Holm.

    Unlike a test of mean ranks, what its p says of A and B does not hang on which other models stand beside them
    (Benavoli, Corani & Mangili 2016).

    scores: (data sets, models), seeds averaged. Raises ValueError where a score is missing or not finite, a name
    occurs twice, or there are not as many names as models.
    """
    table = _table(scores)
    if len(names) != table.shape[1] or len(set(names)) != len(names):
        raise ValueError(f"{table.shape[1]} models need as many names, each once: {', '.join(names)}")
    both = list(combinations(range(len(names)), 2))
    outcomes = [wilcoxon_exact(table[:, i], table[:, j]) for i, j in both]
    adjusted = holm([outcome.p for outcome in outcomes])
    # Holm's p grows with every p that goes in: from the smallest of each test comes the smallest of each pair.
    smallest = holm([outcome.smallest_p for outcome in outcomes])
    return tuple(
        Pair(names[i], names[j], outcome.p, p, least, outcome.n)
        for (i, j), outcome, p, least in zip(both, outcomes, adjusted, smallest, strict=True)
    )


def critical_difference(
    scores: ArrayLike, names: Sequence[str], *, higher_is_better: bool = True, alpha: float = 0.05
) -> CriticalDifference:
    """The data of a critical-difference diagram (Demšar 2006) whose groups come from `pairwise_wilcoxon`.

    scores: (data sets, models), seeds averaged. Raises ValueError as that does, for fewer than two models, and for
    fewer than six data sets: from so few no claim of rank is made.
    """
    table = _table(scores)
    if len(table) < FEWEST_DATASETS:
        raise ValueError(
            f"{len(table)} data sets allow no claim of rank: it takes {FEWEST_DATASETS}; show performance profiles"
        )
    if table.shape[1] < 2:
        raise ValueError("ranks need at least two models")
    pairs = pairwise_wilcoxon(table, names)
    ranks = dict(zip(names, average_ranks(table, higher_is_better=higher_is_better).tolist(), strict=True))
    order = sorted(ranks, key=lambda name: ranks[name])
    alike = {frozenset((pair.first, pair.second)) for pair in pairs if not pair.differs(alpha)}
    return CriticalDifference(
        names=tuple(order),
        average_ranks=tuple(ranks[name] for name in order),
        groups=_groups(order, alike),
        pairs=pairs,
        n=len(table),
        could_show=any(pair.could_show(alpha) for pair in pairs),
    )


def _groups(order: Sequence[str], alike: set[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """The maximal cliques of two or more of the graph `alike` (Bron & Kerbosch 1973), in `order`."""
    near = {name: {other for other in order if frozenset((name, other)) in alike} for name in order}
    found: list[tuple[str, ...]] = []

    def grow(clique: set[str], open_: set[str], done: set[str]) -> None:
        if not open_ and not done and len(clique) > 1:
            found.append(tuple(name for name in order if name in clique))
        # A pivot with many neighbours keeps the tree small: thirty models that are all alike are one clique.
        pivot = max(open_ | done, key=lambda name: (len(near[name] & open_), name), default=None)
        for name in [each for each in order if each in open_ and (pivot is None or each not in near[pivot])]:
            grow(clique | {name}, open_ & near[name], done & near[name])
            open_, done = open_ - {name}, done | {name}

    grow(set(), set(order), set())
    place = {name: index for index, name in enumerate(order)}
    return tuple(sorted(found, key=lambda group: [place[name] for name in group]))


def _table(scores: ArrayLike) -> NDArray[np.float64]:
    table: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"scores are a table (data sets, models), not of shape {table.shape}")
    if not bool(np.all(np.isfinite(table))):
        raise ValueError("every model needs a finite score on every data set; leave out what one of them lacks")
    return table


@dataclass(frozen=True, slots=True)
class Profile:
    """`shares` (models, m): the share of problems on which a model's cost is at most `factors` (m,) times the least of
    any model there. At factor 1: how often it is the best; for large factors: how often it gets there at all."""

    factors: NDArray[np.float64]
    shares: NDArray[np.float64]


def performance_profile(costs: ArrayLike, *, factors: ArrayLike | None = None) -> Profile:
    """Profiles of `costs` (problems, models), all positive, lower is better (Dolan & Moré 2002, equation 2.1).

    They rank nothing, and hold from one data set on. A cost that is infinite or NaN is a failure: it is within no
    factor, and its problem stays in the count. A figure of which more is better is turned into a cost first (error for
    accuracy). factors: where to look; by default every factor at which a share rises, so that the steps are exact.
    Raises ValueError where a cost is zero or negative, or a factor is below 1.
    """
    table = np.array(costs, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"costs are a table (problems, models), not of shape {table.shape}")
    table[np.isnan(table)] = np.inf
    if table.min() <= 0:
        raise ValueError("a cost is positive: the ratio to the best one is taken")
    best = table.min(axis=1, keepdims=True)
    solved = np.isfinite(table)
    ratios = np.divide(table, best, out=np.full(table.shape, np.inf), where=solved)
    at = np.unique(np.append(ratios[solved], 1.0)) if factors is None else np.asarray(factors, dtype=np.float64)
    if at.ndim != 1 or not bool(np.all(at >= 1)):
        raise ValueError("factors are a row of numbers of at least 1: no cost is below the least one")
    shares: NDArray[np.float64] = (ratios[:, :, None] <= at).mean(axis=0)
    return Profile(at, shares)


def pareto_front(costs: ArrayLike, values: ArrayLike) -> list[int]:
    """Indices, the cheapest first, of those of n for which no other has at most its cost (n,) and at least its value
    (n,), and more or less of one of them. Two that are alike in both are both on it.

    Of means: nothing is said of whether the differences are real. Raises ValueError where the two are not of the same
    length, or one is not finite.
    """
    cost: NDArray[np.float64] = np.asarray(costs, dtype=np.float64)
    value: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != value.shape:
        raise ValueError(f"costs and values are rows of the same length, not {cost.shape} and {value.shape}")
    if not bool(np.all(np.isfinite(cost)) and np.all(np.isfinite(value))):
        raise ValueError("a front needs finite numbers; leave out what was not measured")
    cheap, good = cost[:, None], value[:, None]  # row i against column j
    beats = (cheap <= cost) & (good >= value) & ((cheap < cost) | (good > value))
    beaten = set(np.flatnonzero(np.any(beats, axis=0)).tolist())
    return [index for index in np.lexsort((-value, cost)).tolist() if index not in beaten]
