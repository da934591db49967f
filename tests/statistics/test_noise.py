"""The smallest difference that can be told from noise: by hand, and against what a thing shows to itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.statistics.power import PER_SIDE, noise


def test_the_formula_by_hand() -> None:
    a, b = [100.0, 102.0, 104.0, 101.0, 99.0], [101.0, 103.0, 100.0, 98.0, 102.0]
    variances = [np.var(np.log(side), ddof=1) for side in (a, b)]
    half = stats.t.ppf(0.975, 8) * math.sqrt(np.mean(variances)) * math.sqrt(2 / 5)
    found = noise(a, b)
    assert found.smallest == pytest.approx(math.exp(half) - 1)
    assert found.log_sd == pytest.approx(math.sqrt(np.mean(variances)))
    assert not found.ratio.excludes(1)


def test_never_less_than_what_a_thing_showed_to_itself() -> None:
    """Steady on each side, 10 % apart: that is drift, and no difference below it may be believed."""
    found = noise([100.0, 100.1, 99.9], [110.0, 110.1, 109.9])
    assert found.ratio.excludes(1)
    assert found.smallest == pytest.approx(0.1, rel=0.01)
    assert noise([110.0, 110.1, 109.9], [100.0, 100.1, 99.9]).smallest == pytest.approx(found.smallest)


def test_more_processes_a_side_see_less() -> None:
    sides = [100.0, 104.0, 97.0, 101.0], [99.0, 103.0, 102.0, 98.0]
    assert noise(*sides, per_side=20).smallest < noise(*sides, per_side=5).smallest


@pytest.mark.parametrize("sides", [([1.0], [1.0, 2.0]), ([1.0, -1.0], [1.0, 2.0]), ([], [1.0, 2.0])])
def test_what_cannot_be_compared_is_refused(sides: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="process|positive|sample"):
        noise(*sides)


def test_it_covers_what_two_identical_suites_show() -> None:
    """In 95 of 100 cases the ratio of five processes to five others of the same trial lies within it."""
    draw = np.random.default_rng(0)
    covered = []
    for _ in range(2000):
        a, b, one, other = np.exp(0.05 * draw.standard_normal((4, PER_SIDE)))
        shown = abs(np.log(one).mean() - np.log(other).mean())
        covered.append(shown <= math.log1p(noise(a, b).smallest))
    assert 0.94 <= np.mean(covered) <= 0.985
