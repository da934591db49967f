"""The paired bootstrap over examples. Its coverage is simulated in test_coverage.py."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import paired_bootstrap

STEP = 0.0011  # an example more or less of a thousand


def answers(n: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.random(n) < 0.96, draw.random(n) < 0.93


def test_it_is_that_of_scipy() -> None:
    a, b = answers()
    found = paired_bootstrap(a, b, generator=np.random.default_rng(1), resamples=20_000)
    reference = stats.bootstrap(
        (a.astype(float) - b,),
        np.mean,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(2),
        batch=1000,
    ).confidence_interval
    assert found.mean == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == (pytest.approx(reference.low, abs=STEP), pytest.approx(reference.high, abs=STEP))


def test_few_values_and_many_are_drawn_alike() -> None:
    """Right and wrong are drawn as counts, losses by index: a hair of noise changes the way, and not the interval."""
    a, b = answers()
    few = paired_bootstrap(a, b, generator=np.random.default_rng(1), resamples=20_000)
    noise = np.random.default_rng(3).normal(0, 1e-9, size=len(a))
    many = paired_bootstrap(a + noise, b, generator=np.random.default_rng(1), resamples=20_000)
    assert (many.low, many.high) == (pytest.approx(few.low, abs=STEP), pytest.approx(few.high, abs=STEP))


def test_the_generator_is_all_that_it_draws_from() -> None:
    a, b = answers()
    state = np.random.get_state()[1].copy()
    first, again = (paired_bootstrap(a, b, generator=np.random.default_rng(5)) for _ in range(2))
    other = paired_bootstrap(a, b, generator=np.random.default_rng(6))
    assert first == again
    assert first.low != other.low or first.high != other.high
    assert np.array_equal(np.random.get_state()[1], state)


def test_pairs_make_it_narrow() -> None:
    """Two models that fail on the same examples differ by little, and that is seen; unpaired it would not be."""
    a, _ = answers()
    b = a.copy()
    b[np.flatnonzero(a)[:12]] = False
    assert paired_bootstrap(a, b, generator=np.random.default_rng(0)).excludes(0)
    shuffled = np.random.default_rng(1).permutation(b)
    assert not paired_bootstrap(a, shuffled, generator=np.random.default_rng(0)).excludes(0)


def test_a_model_and_itself() -> None:
    a, _ = answers()
    found = paired_bootstrap(a, a, generator=np.random.default_rng(0))
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_a_handful_of_examples_has_no_interval() -> None:
    found = paired_bootstrap([True] * 29, [False] * 29, generator=np.random.default_rng(0))
    assert (found.mean, found.low, found.high, found.n) == (1.0, None, None, 29)


def test_what_makes_no_pairs_is_refused() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="pairs"):
        paired_bootstrap([True] * 40, [True] * 41, generator=generator)
    with pytest.raises(ValueError, match="1000"):
        paired_bootstrap([True] * 40, [True] * 40, generator=generator, resamples=10)
