"""Faster, slower, same, ambiguous."""

from __future__ import annotations

import pytest

from bench.statistics.intervals import Ratio
from bench.statistics.ratios import verdict


@pytest.mark.parametrize(
    ("low", "high", "smallest", "expected"),
    [
        (1.20, 1.28, 0.03, "faster"),
        (1.20, 1.28, None, "faster"),
        (0.70, 0.80, 0.03, "slower"),
        (0.70, 0.80, None, "slower"),
        (0.99, 1.02, 0.03, "same"),
        (0.99, 1.02, None, "ambiguous"),  # without the doctor's word it is never the same
        (0.99, 1.04, 0.03, "ambiguous"),
        (0.96, 1.02, 0.03, "ambiguous"),
        (0.50, 2.00, 0.03, "ambiguous"),
        (1.005, 1.02, 0.03, "same"),  # seen, and no more than noise here
        (1.01, 1.10, 0.03, "faster"),
        (1.0, 1.10, 0.03, "ambiguous"),
        (1.0, 1.0, 0.03, "same"),
        (1.0, 1.0, None, "ambiguous"),
        (1 / 1.03, 1.03, 0.03, "same"),
        (0.9705, 1.0, 0.03, "ambiguous"),  # 1 / 1.03 is 0.9709
    ],
)
def test_verdicts(low: float, high: float, smallest: float | None, expected: str) -> None:
    assert verdict(Ratio((low * high) ** 0.5, low, high), smallest_difference=smallest) == expected


def test_no_interval_is_no_verdict() -> None:
    assert verdict(Ratio(2.0, None, None), smallest_difference=0.03) == "ambiguous"


@pytest.mark.parametrize(("low", "high"), [(1.2, 1.3), (0.96, 0.97), (0.975, 1.02), (0.5, 0.6), (0.9, 1.2)])
def test_turned_round_it_says_the_opposite(low: float, high: float) -> None:
    mirror = {"faster": "slower", "slower": "faster", "same": "same", "ambiguous": "ambiguous"}
    there, back = Ratio(1.0, low, high), Ratio(1.0, 1 / high, 1 / low)
    for smallest in (None, 0.03):
        assert verdict(back, smallest_difference=smallest) == mirror[verdict(there, smallest_difference=smallest)]
        # A ratio of times is that of speeds, turned round.
        assert verdict(back, smallest_difference=smallest, higher_is_better=False) == verdict(
            there, smallest_difference=smallest
        )


@pytest.mark.parametrize("smallest", [0.0, -0.1, float("nan"), float("inf")])
def test_a_smallest_difference_is_a_positive_share(smallest: float) -> None:
    with pytest.raises(ValueError, match="smallest difference"):
        verdict(Ratio(1.0, 0.9, 1.1), smallest_difference=smallest)
