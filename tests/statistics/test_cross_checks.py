"""The same figures from statsmodels and scikit-posthocs, which stand in for other people's reading of the papers."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from statsmodels.stats import contingency_tables, multitest, power, weightstats

from bench.statistics.intervals import log_ratio, paired_t_interval, t_interval
from bench.statistics.power import detectable_difference, detectable_ratio
from bench.statistics.ranking import average_ranks, critical_difference, pairwise_wilcoxon
from bench.statistics.tests import holm, mcnemar_exact

MODELS = ("linear", "mlp", "cnn", "tree")


def accuracies(datasets: int, *, seed: int = 0) -> np.ndarray:
    """(data sets, models): hard and easy data sets, better and worse models."""
    draw = np.random.default_rng(seed)
    return 0.7 + draw.normal(0, 0.1, (datasets, 1)) + draw.normal(0, 0.01, (datasets, 4)) + [0.0, 0.03, 0.05, 0.032]


@pytest.mark.parametrize("n", [3, 5, 10])
def test_t_interval(n: int) -> None:
    a, b = np.random.default_rng(n).normal(0.9, 0.01, size=(2, n))
    for found, sample in ((t_interval(a), a), (paired_t_interval(a, b), a - b)):
        low, high = weightstats.DescrStatsW(sample).tconfint_mean(alpha=0.05)
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_log_ratio() -> None:
    draw = np.random.default_rng(1)
    a, b = np.exp(draw.normal(11, 0.1, 4)), np.exp(draw.normal(11, 0.02, 9))
    compared = weightstats.CompareMeans.from_data(np.log(a), np.log(b))
    low, high = compared.tconfint_diff(alpha=0.05, usevar="unequal")
    found = log_ratio(a, b)
    assert (found.low, found.high) == (pytest.approx(math.exp(low)), pytest.approx(math.exp(high)))


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar(seed: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = draw.random(300) < 0.95, draw.random(300) < 0.92
    table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
    assert mcnemar_exact(a, b).p == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_holm(seed: int) -> None:
    values = np.random.default_rng(seed).random(10) ** 3
    assert holm(values.tolist()) == pytest.approx(multitest.multipletests(values, method="holm")[1])


@pytest.mark.parametrize("n", [3, 5, 10, 30])
def test_what_n_could_show(n: int) -> None:
    paired = power.TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert detectable_difference(0.02, n) == pytest.approx(0.02 * paired, rel=1e-3)
    ratio = detectable_ratio(0.02, n)
    assert ratio is not None
    both = power.TTestIndPower().solve_power(nobs1=n, alpha=0.05, power=0.8)
    # That is Student's, which knows that the spreads are the same; Welch's does not, and pays for it at small n.
    excess = math.log(ratio) / (0.02 * both)
    assert 1 < excess < {3: 1.2, 5: 1.05, 10: 1.01, 30: 1.001}[n]


@pytest.mark.parametrize("datasets", [6, 9, 15])
def test_pairwise_wilcoxon(datasets: int) -> None:
    scores = accuracies(datasets)
    frame = pd.DataFrame(scores, columns=list(MODELS)).melt(var_name="model", value_name="accuracy")
    reference = scikit_posthocs.posthoc_wilcoxon(
        frame, val_col="accuracy", group_col="model", method="exact", p_adjust="holm"
    )
    found = pairwise_wilcoxon(scores, MODELS)
    assert len(found) == 6
    for pair in found:
        assert pair.adjusted_p == pytest.approx(reference.loc[pair.first, pair.second])


def test_ranks_and_groups_are_those_of_a_diagram() -> None:
    scores = accuracies(12, seed=3)
    found = critical_difference(scores, MODELS)
    ranks = pd.DataFrame(scores, columns=list(MODELS)).rank(axis=1, ascending=False).mean()
    assert dict(zip(found.names, found.average_ranks, strict=True)) == pytest.approx(ranks.to_dict())
    adjusted = pd.DataFrame(1.0, index=list(MODELS), columns=list(MODELS))
    for pair in found.pairs:
        adjusted.loc[pair.first, pair.second] = adjusted.loc[pair.second, pair.first] = pair.adjusted_p
    alike = scikit_posthocs.sign_array(adjusted, alpha=0.05) == 0
    cliques = {
        frozenset(names)
        for size in (2, 3, 4)
        for names in combinations(MODELS, size)
        if all(alike[MODELS.index(a)][MODELS.index(b)] for a, b in combinations(names, 2))
    }
    largest = {each for each in cliques if not any(each < other for other in cliques)}
    assert {frozenset(group) for group in found.groups} == largest
    assert largest  # mlp and tree


def test_tied_ranks() -> None:
    scores = np.round(accuracies(20, seed=2), 2)
    reference = pd.DataFrame(scores).rank(axis=1, ascending=True).mean().to_numpy()
    assert average_ranks(scores, higher_is_better=False) == pytest.approx(reference)
