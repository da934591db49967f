"""Performance profiles, by hand from the definition of Dolan and Moré."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.ranking import performance_profile

COSTS = [[1.0, 2.0], [4.0, 2.0], [3.0, 3.0], [5.0, np.inf]]


def test_profile_by_hand() -> None:
    found = performance_profile(COSTS)
    assert found.factors.tolist() == [1.0, 2.0]
    assert found.shares.tolist() == [[0.75, 1.0], [0.5, 0.75]]


def test_profile_at_given_factors() -> None:
    found = performance_profile(COSTS, factors=[1, 1.9, 2, 1000])
    assert found.shares.tolist() == [[0.75, 0.75, 1.0, 1.0], [0.5, 0.5, 0.75, 0.75]]


def test_a_failure_stays_in_the_count() -> None:
    """Also where nobody got there, and where it was not measured."""
    assert performance_profile([[1.0, np.nan], [np.inf, np.inf]]).shares.tolist() == [[0.5], [0.0]]
    assert performance_profile([[np.inf, np.nan]]).shares.tolist() == [[0.0], [0.0]]


def test_shares_are_those_of_counting() -> None:
    costs = np.random.default_rng(0).exponential(size=(30, 4))
    found = performance_profile(costs)
    for model in range(4):
        for factor, share in list(zip(found.factors, found.shares[model], strict=True))[::7]:
            within = sum(row[model] / min(row) <= factor for row in costs)
            assert share == pytest.approx(within / 30)
    assert np.all(np.diff(found.shares, axis=1) >= 0)
    assert found.shares[:, 0].sum() == pytest.approx(1)  # without ties, one is the best


@pytest.mark.parametrize(("costs", "factors"), [([[0.0, 1.0]], None), ([[1.0, 2.0]], [0.5]), ([1.0], None)])
def test_what_has_no_profile_is_refused(costs: list[float], factors: list[float] | None) -> None:
    with pytest.raises(ValueError, match=r"positive|at least 1|table"):
        performance_profile(costs, factors=factors)
