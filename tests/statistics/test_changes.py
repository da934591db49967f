"""Change points: found where they are, rarely where there is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from bench.statistics.changes import change_points


def test_a_planted_step_is_found_where_it_is() -> None:
    generator = np.random.default_rng(1)
    series = np.log(100 + generator.normal(0, 2, 20))
    series[12:] += np.log(0.9)
    assert [change.index for change in change_points(series)] == [12]


def test_two_steps_are_found_in_order() -> None:
    series = np.concatenate([np.zeros(10), np.ones(10), np.full(10, -1.0)]) + np.random.default_rng(2).normal(
        0, 0.1, 30
    )
    assert [change.index for change in change_points(series, alpha=0.01)] == [10, 20]


def test_without_a_change_one_is_found_in_at_most_alpha_of_series(rounds: Callable[..., int]) -> None:
    """Series of noise: at 0.05 the number of those with a change is at most 18 of 200 with probability 0.99."""
    generator, series = np.random.default_rng(3), rounds(200, few=40)
    found = [bool(change_points(generator.standard_t(3, 12), alpha=0.05, seed=each)) for each in range(series)]
    assert sum(found) <= stats.binom.ppf(0.99, series, 0.05)


def test_eight_values_are_enough_and_four_are_not() -> None:
    step = [0.0, 0.01, 0.02, 0.03, 1.0, 1.01, 1.02, 1.03]
    assert [change.index for change in change_points(step)] == [4]
    assert change_points(step[2:6]) == []
    assert change_points([]) == change_points([1.0]) == change_points([1.0] * 20) == []


def test_one_value_that_stands_alone_is_no_level() -> None:
    series = np.zeros(16) + np.random.default_rng(4).normal(0, 0.01, 16)
    series[8] = 5.0
    assert change_points(series) == []


def test_it_is_the_energy_statistic() -> None:
    """Against the definition, sum by sum (Matteson & James 2014, equations 5 and 6)."""
    from bench.statistics.changes import _best

    series = np.random.default_rng(5).normal(size=9)
    sizes = {}
    for at in range(2, 8):
        x, y = series[:at], series[at:]
        across = np.abs(x[:, None] - y).mean()
        inside = [np.abs(part[:, None] - part)[np.triu_indices(len(part), 1)].mean() for part in (x, y)]
        sizes[at] = len(x) * len(y) / len(series) * (2 * across - sum(inside))
    at, size = _best(np.abs(series[:, None] - series))
    assert at == max(sizes, key=lambda each: sizes[each])
    assert size == pytest.approx(sizes[at])


@pytest.mark.parametrize("wrong", [[[1.0, 2.0]], [1.0, float("nan")]])
def test_what_is_no_series_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="row of finite numbers"):
        change_points(wrong)
    with pytest.raises(ValueError, match="between 0 and 1"):
        change_points([1.0, 2.0], alpha=0.0)
