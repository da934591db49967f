"""The test that may be looked at after every seed: by its formula, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, stats

from bench.statistics.evidence import evidence_of
from bench.statistics.sequential import (
    G,
    fewest_seeds,
    half_width_factor,
    half_with_shared,
    seeds_to_be_alike,
    seeds_to_tell_apart,
    sequential_test,
    tells_apart,
)


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(4)


def mixture(values: np.ndarray) -> float:
    """The likelihood ratio as an integral over the prior of mean / sd: density of t, noncentral over central."""
    n = len(values)
    t = math.sqrt(n) * values.mean() / values.std(ddof=1)

    def weighed(effect: float) -> float:
        return float(stats.nct.pdf(t, n - 1, math.sqrt(n) * effect) * stats.norm.pdf(effect, scale=math.sqrt(G)))

    found, _ = integrate.quad(weighed, -12, 12, limit=400)
    return float(found / stats.t.pdf(t, n - 1))


@pytest.mark.parametrize("n", [4, 6, 12])
def test_at_the_end_of_its_interval_the_mixture_reaches_one_over_alpha(n: int, draw: np.random.Generator) -> None:
    values, alpha = draw.normal(0.3, 1, n), 0.1
    found = sequential_test(values, alpha=alpha)
    assert found.low is not None
    assert found.high is not None
    for end in (found.low, found.high):
        assert mixture(values - end) == pytest.approx(1 / alpha, rel=1e-4)


def test_what_it_says(draw: np.random.Generator) -> None:
    noise = draw.normal(0, 1, 20)
    noise -= noise.mean()
    assert sequential_test(noise + 3).outcome == "different"
    assert sequential_test(noise, within=0.1).outcome == "undecided"
    assert sequential_test(noise, within=5).outcome == "alike"
    assert sequential_test(noise + 3, within=5).outcome == "different"  # alike is said of what holds 0


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.1], [2.0] * 30, [0.0] * 30])
def test_too_few_and_equal_differences_decide_nothing(values: list[float]) -> None:
    found = sequential_test(values, within=10)
    assert (found.low, found.high, found.outcome) == (None, None, "undecided")


def test_a_smaller_alpha_needs_more() -> None:
    factors = [half_width_factor(10, alpha) for alpha in (0.1, 0.05, 0.01)]
    assert factors == sorted(factors)
    assert half_width_factor(10, 0.05) > stats.t.ppf(0.975, 9)


@pytest.mark.parametrize("alpha", [0, 1, -0.1])
def test_alpha_is_a_probability(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        sequential_test([1, 2, 3], alpha=alpha)


def test_looked_at_after_each_of_30_seeds_it_is_false_in_less_than_5_per_cent(
    rounds: Callable[..., int], draw: np.random.Generator
) -> None:
    """A t-interval that is looked at as often: about 26 %."""
    repeats = rounds(20_000, few=2_000)
    values = draw.normal(0, 1, (repeats, 30))
    false = np.zeros(repeats, dtype=bool)
    looked = np.zeros(repeats, dtype=bool)
    for n in range(2, 31):
        part = values[:, :n]
        errors = np.abs(part.mean(axis=1)) / (part.std(axis=1, ddof=1) / math.sqrt(n))
        false |= errors > half_width_factor(n, 0.05)
        looked |= errors > stats.t.ppf(0.975, n - 1)
    assert 0.005 < false.mean() <= 0.05
    assert looked.mean() > 0.2
    for row in values[:20]:  # the product's own word is that of the factor
        said = [sequential_test(row[:n]).outcome for n in range(2, 31)]
        expected = [
            abs(row[:n].mean()) > half_width_factor(n, 0.05) * row[:n].std(ddof=1) / math.sqrt(n) for n in range(2, 31)
        ]
        assert [each == "different" for each in said] == expected


def test_how_many_seeds_would_decide_by_what_is_there() -> None:
    assert [fewest_seeds(0.05 / pairs) for pairs in (1, 3, 15)] == [4, 4, 5]
    values = [0.010, 0.002, 0.008, 0.011, -0.002]
    count = seeds_to_tell_apart(evidence_of(values), alpha=0.05, most=100)
    assert count is not None
    assert count > 6
    mean, sd = np.mean(values), np.std(values, ddof=1)
    halves = [half_width_factor(n, 0.05) * sd / math.sqrt(n) for n in (count - 1, count)]
    assert halves[1] < mean <= halves[0]
    noisy = [0.010, -0.012, 0.008, -0.011, 0.006]
    assert seeds_to_tell_apart(evidence_of(noisy), alpha=0.05, most=100) is None
    alike = seeds_to_be_alike(noisy, alpha=0.05, within=0.005, most=100)
    assert alike is not None
    assert alike > 30  # the whole interval has to shrink into it
    assert seeds_to_be_alike(noisy, alpha=0.05, within=0.005, most=30) is None


def test_where_nothing_is_shared_the_interval_is_that_of_the_seeds(draw: np.random.Generator) -> None:
    values = draw.normal(0.3, 1, 12)
    test = sequential_test(values, alpha=0.02)
    assert test.high is not None
    assert half_with_shared(evidence_of(values), 0.02) == pytest.approx(test.high - test.mean)


def test_what_seeds_share_stays_in_the_interval_and_more_seeds_do_not_tell(draw: np.random.Generator) -> None:
    values = draw.normal(0.0, 1, 12)
    values = 0.9 + (values - values.mean()) / values.std(ddof=1)
    plain, shared = evidence_of(values), evidence_of(values, overlap=0.25)
    wide = half_with_shared(shared, 0.05)
    expected = half_with_shared(plain, 0.05) ** 2 + stats.t.ppf(0.975, 11) ** 2 * plain.own * 12 * 0.25
    assert wide == pytest.approx(math.sqrt(expected))
    assert seeds_to_tell_apart(plain, alpha=0.05, most=1000) is not None
    assert seeds_to_tell_apart(shared, alpha=0.05, most=1000) is None  # 0.9 sd, and 1.96 · √0.25 sd stay
    assert not tells_apart(shared, alpha=0.05)
    assert tells_apart(evidence_of(values + 1.0, overlap=0.25), alpha=0.05)
