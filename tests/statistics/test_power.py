"""What n could show: against the tests themselves, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.statistics.intervals import log_ratio, paired_t_interval
from bench.statistics.power import detectable_difference, detectable_ratio, fewest_pairs
from bench.statistics.tests import wilcoxon_exact


def test_fewest_pairs_are_those_from_which_the_test_can() -> None:
    assert (fewest_pairs(), fewest_pairs(comparisons=3), fewest_pairs(alpha=0.0625)) == (6, 7, 5)
    for alpha in (0.5, 0.1, 0.05, 0.01, 0.001):
        n = fewest_pairs(alpha=alpha)
        assert wilcoxon_exact(np.arange(1.0, n + 1), np.zeros(n)).could_show(alpha)
        assert n == 1 or not wilcoxon_exact(np.arange(1.0, n), np.zeros(n - 1)).could_show(alpha)


def four_in_five(rounds: int) -> Any:
    """0.8, within 0.025 or within three standard errors of few rounds."""
    return pytest.approx(0.8, abs=max(0.025, 3 * math.sqrt(0.8 * 0.2 / rounds)))


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_difference_of_that_size_is_found_four_times_in_five(n: int, rounds: Callable[..., int]) -> None:
    count = rounds(4000, few=500)
    draw, size = np.random.default_rng(n), detectable_difference(0.02, n)
    differences = draw.normal(size, 0.02, size=(count, n))
    found = np.mean([paired_t_interval(each, np.zeros(n)).excludes(0) for each in differences])
    assert found == four_in_five(count)


@pytest.mark.parametrize(("n", "others"), [(3, 3), (5, 5), (3, 10)])
def test_a_ratio_of_that_size_is_found_four_times_in_five(n: int, others: int, rounds: Callable[..., int]) -> None:
    count = rounds(4000, few=500)
    draw, size = np.random.default_rng(n), detectable_ratio(0.02, n, others=others)
    assert size is not None
    logs = draw.normal(0, 0.02, size=(count, n + others))
    found = np.mean([log_ratio(size * np.exp(each[:n]), np.exp(each[n:])).excludes(1) for each in logs])
    assert found == four_in_five(count)


def test_few_values_show_nothing() -> None:
    assert detectable_difference(0.02, 1) is detectable_difference(0.02, 2) is None
    assert detectable_ratio(0.02, 1) is detectable_ratio(0.02, 2) is None
    assert detectable_ratio(0.02, 5, others=1) is None


def test_no_spread_shows_everything() -> None:
    assert detectable_difference(0.0, 3) == 0
    assert detectable_ratio(0.0, 3) == 1


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="standard deviation"):
        detectable_difference(-1.0, 3)
    with pytest.raises(ValueError, match="at least 1"):
        detectable_ratio(0.1, 0)
    with pytest.raises(ValueError, match="alpha"):
        fewest_pairs(alpha=0)
    with pytest.raises(ValueError, match="power"):
        detectable_difference(0.1, 3, power=1.0)
