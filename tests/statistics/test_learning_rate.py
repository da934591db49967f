"""The suggestion of a range test, on curves whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.statistics.learning_rate import suggest

RATES = np.logspace(-6, 1, 141)  # 20 a decade


def falling(at: float, *, up: float = 1.0) -> np.ndarray:
    """A loss that falls from 2 to 1 fastest at `at`, and rises steeply above `up`."""
    place = np.log10(RATES)
    return 1.5 - 0.5 * np.tanh(4 * (place - math.log10(at))) + np.maximum(0, place - math.log10(up)) ** 2 * 5


@pytest.mark.parametrize("at", [1e-4, 1e-3, 1e-2])
def test_the_steepest_descent_and_a_tenth_of_the_lowest(at: float) -> None:
    losses = falling(at)
    found = suggest(RATES.tolist(), losses.tolist())
    assert found is not None
    assert found.steepest == pytest.approx(at, rel=0.13)  # the nearest of 20 a decade
    assert found.tenth_of_lowest == pytest.approx(RATES[losses.argmin()] / 10)
    assert found.start == min(found.steepest, found.tenth_of_lowest)


def test_what_falls_behind_the_lowest_loss_does_not_count() -> None:
    losses = falling(1e-3, up=0.1)
    losses[-1] = losses[-2] - 5 * (losses[-2] - losses.min()) / 10  # a steep fall of what has diverged before
    found = suggest(RATES.tolist(), losses.tolist())
    assert found is not None
    assert found.steepest == pytest.approx(1e-3, rel=0.13)


def test_the_first_tenth_does_not_count() -> None:
    losses = falling(1e-3)
    losses[0] = 50.0
    found = suggest(RATES.tolist(), losses.tolist())
    assert found is not None
    assert found.steepest == pytest.approx(1e-3, rel=0.13)


def test_none_where_it_still_fell_at_the_end() -> None:
    rates, losses = RATES[:85].tolist(), falling(1e-2)[:85].tolist()  # up to 0.016
    assert suggest(rates, losses, ended=True) is None
    assert suggest(rates, losses, ended=False) is not None  # the next step was too much


@pytest.mark.parametrize("losses", [[1.0, 0.9, 0.8, 0.7], list(np.linspace(1, 2, 20)), [1.0] * 20, []])
def test_none_where_nothing_can_be_told(losses: list[float]) -> None:
    assert suggest(RATES[: len(losses)].tolist(), losses) is None
