"""The expected best of k settings: against every subset, and unbiased where the truth is known."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from bench.statistics.expected_best import expected_best, expected_bests


@pytest.mark.parametrize("values", [[0.3], [0.9, 0.1, 0.5], [0.5, 0.5, 0.2, 0.2, 0.7, 0.0, 1.0, 0.31]])
def test_it_is_the_mean_over_every_subset(values: list[float]) -> None:
    for k in range(1, len(values) + 1):
        brute = np.mean([max(subset) for subset in combinations(values, k)])
        assert expected_best(values, k) == pytest.approx(brute, abs=1e-12)


def test_the_first_is_the_mean_the_last_the_best_and_none_is_below_the_one_before() -> None:
    values = np.random.default_rng(0).random(40).tolist()
    found = expected_bests(values)
    assert found[0] == pytest.approx(np.mean(values))
    assert found[-1] == max(values)
    assert all(a <= b for a, b in pairwise(found))


def test_it_is_unbiased_where_drawing_with_replacement_is_too_low() -> None:
    """Of uniform values the best of k is k / (k + 1) on average."""
    draw, k, n = np.random.default_rng(1), 6, 8
    samples = draw.random((4000, n))
    without = [expected_best(row.tolist(), k) for row in samples]
    again = np.sort(samples, axis=1) @ np.diff((np.arange(n + 1) / n) ** k)  # Dodge et al. as printed
    error = np.std(without) / np.sqrt(len(without))
    assert abs(np.mean(without) - k / (k + 1)) < 4 * error
    assert np.mean(again) < k / (k + 1) - 4 * error


@pytest.mark.parametrize("k", [0, -1, 4])
def test_more_than_there_are_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="no such"):
        expected_best([0.1, 0.2, 0.3], k)
