"""What the file of a trial says of the weights, layer by layer: figures by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bench.worker.trial import artifacts


def test_weight_statistics_are_those_by_hand() -> None:
    found = artifacts.attributes_of(np.array([[3.0, -4.0], [0.0, 0.0]], np.float32))
    assert found["l2_norm"] == pytest.approx(5.0)
    assert (found["mean"], found["minimum"], found["maximum"]) == (-0.25, -4.0, 3.0)
    assert found["near_zero"] == 0.5
    assert found["histogram_counts"].sum() == 4
    assert artifacts.statistics(np.zeros(3))["near_zero"] == 1.0


def test_spread_is_of_the_weights_that_there_are_and_near_zero_is_relative() -> None:
    found = artifacts.statistics(np.array([1.0, 3.0]))
    assert found["sd"] == 1.0  # of these two, not of what they would be a sample of
    layer = np.array([1.0, 0.001, -1.0, 0.02])
    for scale in (1e-6, 1.0, 1e6):
        assert artifacts.statistics(scale * layer)["near_zero"] == 0.25


@pytest.mark.parametrize("array", [np.array([1, 2]), np.array([]), np.array([np.nan, 1.0])])
def test_what_has_no_statistics_is_left_alone(array: npt.NDArray[Any]) -> None:
    assert not artifacts.is_shown(array)
