"""Rule 12: a mean that hides two modes is flagged."""

from __future__ import annotations

import numpy as np

from bench.statistics.stability import stability


def test_two_modes_are_flagged() -> None:
    assert stability([1.0] * 10 + [1.5] * 10).stable is False


def test_steady_steps_are_not() -> None:
    assert stability(np.random.default_rng(0).normal(1.0, 0.01, size=50)).stable is True


def test_one_outlier_is_flagged_by_the_sd_alone() -> None:
    found = stability([1.0] * 19 + [3.0])
    assert found.iqr_share == 0
    assert found.stable is False


def test_nothing_can_be_said_of_one_value() -> None:
    assert stability([1.0]).stable is None
    assert stability([0.0, 0.0]).stable is None
