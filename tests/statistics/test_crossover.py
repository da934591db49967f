"""From where on one of two wins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.statistics.intervals import Ratio, log_ratio
from bench.statistics.ratios import Crossover, crossover


def ratios(*values: float, half: float = 1.0) -> list[Ratio]:
    return [Ratio(value, value / half, value * half) for value in values]


def test_between_two_values_it_is_straight_in_logarithms() -> None:
    found = crossover([16, 64, 256], ratios(0.25, 0.5, 2.0))
    assert found.at == pytest.approx(128)  # half way between 64 and 256
    assert found == Crossover(found.at, found.at, found.at)


def test_ends_that_were_not_reached() -> None:
    assert crossover([16, 64], ratios(1.5, 2.0)).at == 0
    assert crossover([16, 64], ratios(0.5, 0.9)).at == math.inf
    assert crossover([16, 64], ratios(2.0, 0.9)).at == math.inf  # not on at the largest
    found = crossover([16, 64], ratios(0.8, 1.25, half=1.5))
    assert (found.low, found.high) == (0, math.inf)


def test_a_dip_counts_from_the_last_one_on() -> None:
    assert 64 < crossover([16, 32, 64, 128], ratios(0.5, 2.0, 0.9, 3.0)).at < 128


def test_without_an_interval_there_is_none_for_it() -> None:
    assert crossover([1, 2], [Ratio(0.5, None, None), Ratio(2.0, 1.9, 2.1)]) == Crossover(
        pytest.approx(math.sqrt(2)), None, None
    )


def test_the_interval_holds_the_true_crossover() -> None:
    """True ratios rise as the batch size to the power of 0.5, and cross 1 at 100."""
    generator, sizes = np.random.default_rng(3), [16, 32, 64, 128, 256, 512]
    held = 0
    for _ in range(400):
        noise = np.exp(generator.normal(0, 0.1, (len(sizes), 2, 5)))
        pairs = zip(sizes, noise, strict=True)
        found = crossover(sizes, [log_ratio((size / 100) ** 0.5 * a, b) for size, (a, b) in pairs])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 100 <= found.high
    assert held >= 0.93 * 400


@pytest.mark.parametrize("values", [[1], [2, 1], [0, 1], [1, 1]])
def test_values_rise(values: list[float]) -> None:
    with pytest.raises(ValueError, match="crossover|rise"):
        crossover(values, ratios(*[1.0] * len(values)))
