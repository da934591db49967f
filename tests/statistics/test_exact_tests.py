"""Exact tests, against scipy and by hand; each knows the smallest p that it can give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from bench.statistics.tests import holm, mcnemar_exact, wilcoxon_exact


def test_wilcoxon_cannot_go_below_a_sixteenth_at_five() -> None:
    found = wilcoxon_exact([1.1, 2.2, 3.3, 4.4, 5.5], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.p == found.smallest_p == 0.0625
    assert (found.n, found.could_show(0.05)) == (5, False)


def test_six_pairs_can() -> None:
    assert wilcoxon_exact(np.arange(6) * 1.1 + 1, np.arange(6)).could_show(0.05)


def test_wilcoxon_is_that_of_scipy() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 9))
    assert wilcoxon_exact(a, b).p == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)


def test_wilcoxon_with_ties_is_exact_too() -> None:
    differences = np.array([1.0, 1.0, 1.0, -1.0, 2.0, 2.0])
    ranks = stats.rankdata(np.abs(differences))
    total = ranks[differences > 0].sum()
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=6)]
    upper, lower = np.mean(np.array(sums) >= total), np.mean(np.array(sums) <= total)
    assert wilcoxon_exact(differences, np.zeros(6)).p == pytest.approx(min(1, 2 * min(upper, lower)))


def test_equal_pairs_say_nothing() -> None:
    found = wilcoxon_exact([1, 2], [1, 2])
    assert (found.p, found.smallest_p, found.n) == (1.0, 1.0, 0)


def test_mcnemar_is_the_binomial_of_the_disagreements() -> None:
    a = [True] * 9 + [False] * 2 + [True] * 50
    b = [False] * 9 + [True] * 2 + [True] * 50
    found = mcnemar_exact(a, b)
    assert found.n == 11
    assert found.p == pytest.approx(2 * sum([1, 11, 55]) / 2**11)  # 0, 1 or 2 of 11 on the rarer side
    assert found.smallest_p == pytest.approx(2 / 2**11)


def test_mcnemar_of_a_model_with_itself() -> None:
    assert mcnemar_exact([True, False], [True, False]).p == 1.0


def test_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        mcnemar_exact([True], [True, False])
    with pytest.raises(ValueError, match="same length"):
        wilcoxon_exact([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        wilcoxon_exact([1.0, np.nan], [1.0, 2.0])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
