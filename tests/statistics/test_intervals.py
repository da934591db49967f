"""Intervals: hand values and scipy's own formulas. What they promise is simulated in test_coverage.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.base.metrics import BOUNDS, BUILT_IN, Bounds, Metric
from bench.statistics.intervals import (
    log_ratio,
    paired_t_interval,
    t_interval,
    t_quantile,
)


def test_t_interval_by_hand() -> None:
    found = t_interval([1.0, 2.0, 3.0])
    half = 4.302652729911275 / math.sqrt(3)  # t(0.975, 2 degrees) times sd 1 over the root of n
    assert (found.mean, found.sd, found.n) == (2.0, 1.0, 3)
    assert found.low == pytest.approx(2 - half)
    assert found.high == pytest.approx(2 + half)
    assert found.half == pytest.approx(half)


@pytest.mark.parametrize("n", [2, 5, 30])
def test_t_interval_is_that_of_scipy(n: int) -> None:
    sample = np.random.default_rng(n).normal(size=n)
    low, high = stats.t.interval(0.95, n - 1, loc=sample.mean(), scale=stats.sem(sample))
    found = t_interval(sample)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_quantile_takes_broken_degrees() -> None:
    assert t_quantile(3.7) == pytest.approx(stats.t.ppf(0.975, 3.7))


def test_one_value_has_no_interval() -> None:
    found = t_interval([0.9])
    assert (found.mean, found.sd, found.low, found.high, found.half) == (0.9, None, None, None, None)
    assert not found.excludes(0)


def test_equal_values_have_an_interval_without_width() -> None:
    found = t_interval([0.1] * 3)  # the mean of three 0.1 is not 0.1 to the last bit
    assert found.sd == 0
    assert found.low == found.high == pytest.approx(0.1)
    assert not paired_t_interval([0.1, 0.2], [0.1, 0.2]).excludes(0)


@pytest.mark.parametrize("bad", [[], [1.0, math.nan], [math.inf], [[1.0, 2.0]]])
def test_what_is_no_sample_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="sample"):
        t_interval(bad)


def test_pairs_need_the_same_length() -> None:
    with pytest.raises(ValueError, match="pairs"):
        paired_t_interval([1.0, 2.0], [1.0])


def test_paired_interval_is_that_of_the_differences() -> None:
    a, b = [0.95, 0.96, 0.97, 0.96], [0.90, 0.93, 0.93, 0.92]
    found = paired_t_interval(a, b)
    reference = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(reference.low), pytest.approx(reference.high))
    assert found.excludes(0)


def test_log_ratio_by_hand_and_by_scipy() -> None:
    a, b = [200.0, 220.0, 210.0], [100.0, 104.0, 98.0, 101.0]
    found = log_ratio(a, b)
    reference = stats.ttest_ind(np.log(a), np.log(b), equal_var=False).confidence_interval(0.95)
    assert found.ratio == pytest.approx(stats.gmean(a) / stats.gmean(b))
    assert found.low == pytest.approx(math.exp(reference.low))
    assert found.high == pytest.approx(math.exp(reference.high))
    assert found.excludes(1)


def test_log_ratio_of_single_values_has_no_interval() -> None:
    found = log_ratio([2.0], [1.0, 1.1])
    assert found.low is None
    assert found.high is None
    assert not found.excludes(1)


def test_log_ratio_without_spread() -> None:
    found = log_ratio([4.0, 4.0], [2.0, 2.0])
    assert (found.ratio, found.low, found.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))


def test_ratio_of_what_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        log_ratio([1.0, 0.0], [1.0, 2.0])


SPEEDS, SHARES = BOUNDS["samples/s"], BOUNDS["fraction"]


@pytest.mark.parametrize(
    ("values", "bounds", "low", "high"),
    [
        ([0.866, 0.097], SHARES, 0.0, 1.0),
        ([0.9, 0.96, 0.93], SHARES, 0.93 - 4.302652729911275 * 0.03 / math.sqrt(3), 1.0),
        ([1.0, 1.0], SHARES, 1.0, 1.0),
        ([0.0, 0.0], SHARES, 0.0, 0.0),
        ([2.0, 0.1], BOUNDS["nats"], 0.0, 1.05 + 12.706204736174698 * 1.9 / 2),
        ([-1.0, 1.0], BOUNDS[""], -12.706204736174698, 12.706204736174698),
        ([30.0, 10.0], SPEEDS, 20 * math.exp(-6.353102368087349), 20 * math.exp(6.353102368087349)),
        ([3e-9, 1e-9], BOUNDS["seconds"], 2e-9 * math.exp(-6.353102368087349), 2e-9 * math.exp(6.353102368087349)),
        ([0.0, 0.0], BOUNDS["bytes"], 0.0, 0.0),
        ([1e15, 1e15], SPEEDS, 1e15, 1e15),
        ([1.5, 1.5], SHARES, 1.5, 1.5),  # out of bounds, and measured all the same
    ],
)
def test_an_interval_ends_where_its_figure_does(values: list[float], bounds: Bounds, low: float, high: float) -> None:
    found = t_interval(values, bounds=bounds)
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_shares_differ_by_one_at_most() -> None:
    found = paired_t_interval([0.9, 0.1], [0.5, 0.5], bounds=SHARES)
    assert (found.mean, found.low, found.high) == (pytest.approx(0.0), -1.0, 1.0)


def test_every_metric_has_the_bounds_of_its_unit() -> None:
    own = {"r2", "mae", "rmse"}  # in the unit of the targets, which no table knows
    assert all(each.bounds == BOUNDS[each.unit] for name, each in BUILT_IN.items() if name not in own)
    assert [BUILT_IN[name].bounds for name in ("r2", "mae")] == [Bounds(most=1.0), Bounds(least=0.0)]
    logarithmic = {each.unit for each in BUILT_IN.values() if each.bounds.logarithmic}
    assert logarithmic == {"bytes", "samples/s", "seconds", "FLOP/s"}
    assert Metric("r2", "", True, False, "", bounds=Bounds(most=1.0)).bounds.most == 1.0


@pytest.mark.parametrize(
    ("values", "excludes"),
    [
        ([0.003, 0.003], False),
        ([0.1, 0.1 + 1e-17, 0.9 - 0.8], False),  # equal but for rounding
        ([0.003] * 5, False),
        ([0.003] * 6, True),
        ([0.003, 0.00300001], False),  # two values
        ([0.003, 0.0031, 0.0032], True),
        ([0.003], False),
        ([-1.0, 1.0, 0.5], False),
    ],
)
def test_few_values_without_spread_decide_nothing(values: list[float], excludes: bool) -> None:
    assert t_interval(values).excludes(0) is excludes


@pytest.mark.parametrize(
    ("a", "b", "excludes"),
    [
        ([2.0, 2.0], [1.0, 1.0], False),
        ([2.0] * 5, [1.0] * 6, False),
        ([2.0] * 6, [1.0] * 6, True),
        ([1.0] * 6, [1.0 + 1e-15] * 6, False),  # equal but for rounding
        ([2.0, 2.01], [1.0, 1.01], False),  # two values
        ([2.0, 2.01, 2.02], [1.0, 1.01], False),
        ([2.0, 2.01, 2.02], [1.0, 1.01, 1.02], True),
    ],
)
def test_few_ratios_or_ratios_without_spread_decide_nothing(a: list[float], b: list[float], excludes: bool) -> None:
    assert log_ratio(a, b).excludes(1) is excludes


def test_speeds_beyond_what_is_measured_have_a_ratio_all_the_same() -> None:
    found = log_ratio([1e-99, 1e99], [1.0, 1e99])
    assert (found.low, found.high) == (pytest.approx(math.exp(-700)), pytest.approx(math.exp(700)))
