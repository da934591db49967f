"""Spread by source: planted components of variance are found, and intervals hold them as often as they say.

Fast tests draw a few hundred designs; with `--rounds many` thousands, and the bounds are tight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from bench.statistics.sources import (
    Spread,
    differs,
    effects,
    spread_along,
    spread_in_blocks,
    spread_of_examples,
    spread_together,
    stands_apart,
)

Components = Mapping[tuple[int, ...], float]  # the axes that an effect is of → its sd
ALL = {(0,): 1.0, (1,): 0.5, (2,): 2.0, (0, 1): 0.7, (0, 1, 2): 1.0}
# One source rules; nothing but what happens when all three meet; two that act together; all at once.
PATTERNS: dict[str, Components] = {
    "one": {(0,): 1.0, (0, 1, 2): 0.2},
    "meeting": {(0, 1, 2): 1.0},
    "two": {(0, 1): 1.0, (0, 1, 2): 0.3},
    "all": ALL,
}


def crossings(shape: tuple[int, ...], components: Components, count: int, seed: int) -> Iterator[np.ndarray]:
    draw = np.random.default_rng(seed)
    for _ in range(count):
        table = np.zeros(shape)
        for axes, sd in components.items():
            table = table + sd * draw.normal(size=[size if axis in axes else 1 for axis, size in enumerate(shape)])
        yield table


def held(found: Spread, sd: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= sd <= found.high


def test_the_effects_of_a_table_by_hand() -> None:
    # The mean is 3; rows have the means 1 and 5, columns too; what is left is 1 or -1 in each place.
    found = effects([[0.0, 2.0], [2.0, 8.0]])
    assert found == {frozenset({0}): (16.0, 1), frozenset({1}): (16.0, 1), frozenset({0, 1}): (4.0, 1)}
    total = sum(squares for squares, _ in found.values())
    assert total == pytest.approx(np.var([0, 2, 2, 8]) * 4)


def test_one_source_alone_is_the_plain_sd_with_the_interval_of_chi_square() -> None:
    values = [0.91, 0.92, 0.90, 0.93, 0.89]
    found = spread_in_blocks([dict(enumerate(values))])
    assert found is not None
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    # Quantiles of chi-square with 4 degrees of freedom, from a table: 0.4844 and 11.1433.
    assert found.low == pytest.approx(found.sd * math.sqrt(4 / 11.1433), rel=1e-4)
    assert found.high == pytest.approx(found.sd * math.sqrt(4 / 0.4844), rel=1e-3)
    assert (found.freedom, found.levels, found.blocks, found.whole) == (4.0, 5, 1, True)


def test_two_values_and_equal_values_have_no_interval() -> None:
    for values in ({0: 0.9, 1: 0.8}, dict.fromkeys(range(9), 0.1 + 0.2)):
        found = spread_in_blocks([values])
        assert found is not None
        assert found.ends is None
    assert found.sd == 0
    assert spread_in_blocks([{0: 0.9}, {1: 0.8}]) is None


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("shape", [(3, 3, 3), (5, 5, 5)], ids=str)
def test_planted_components_are_found_and_held(
    shape: tuple[int, ...], pattern: str, rounds: Callable[..., int]
) -> None:
    components, count = PATTERNS[pattern], rounds(4000, few=250)
    truth = {
        axis: sum(sd**2 for axes, sd in components.items() if axis is None or axis in axes) for axis in (0, 1, None)
    }
    hits, means = dict.fromkeys(truth, 0.0), dict.fromkeys(truth, 0.0)
    for table in crossings(shape, components, count, seed=1):
        for axis, variance in truth.items():
            found = spread_together(table) if axis is None else spread_along(table, axis)
            hits[axis] += held(found, math.sqrt(variance)) / count
            means[axis] += found.variance / variance / count
    slack = 3.5 * math.sqrt(0.95 * 0.05 / count)
    for axis in truth:
        assert 0.92 - slack < hits[axis] < 0.965 + slack, (axis, hits[axis])
        # Of the least favourable pattern two values decide: variance of the variance 2/(levels - 1).
        assert abs(means[axis] - 1) < 4 * math.sqrt(2 / (shape[0] - 1) / count), (axis, means[axis])


def test_more_settings_of_the_others_tell_no_more_where_a_source_does_the_same_everywhere() -> None:
    values = np.array([0.91, 0.92, 0.90, 0.93, 0.89])
    one = spread_in_blocks([dict(enumerate(values))])
    many = spread_in_blocks([dict(enumerate(values + shift)) for shift in (0, 0.1, 0.2)])
    assert one is not None
    assert many is not None
    assert many.blocks == 3
    assert many.ends == pytest.approx(one.ends)


def test_blocks_that_lack_values_are_pooled_with_few_degrees_of_freedom() -> None:
    draw = np.random.default_rng(3)
    hits, count = 0, 300
    for _ in range(count):
        own, cross = draw.normal(size=6), 0.3 * draw.normal(size=(6, 4))
        blocks = [{level: own[level] + cross[level, block] for level in range(6)} for block in range(4)]
        del blocks[0][2], blocks[3][5]
        found = spread_in_blocks(blocks)
        assert found is not None
        assert (found.whole, found.freedom) == (False, 5)
        hits += held(found, math.sqrt(1 + 0.3**2))
    assert 0.91 <= hits / count <= 0.99


@pytest.mark.parametrize("levels", [5, 15, 20])
def test_equal_sources_are_called_different_in_one_of_twenty_at_most(levels: int, rounds: Callable[..., int]) -> None:
    draw, wrong, count = np.random.default_rng(2), 0, rounds(8000, few=500)
    for _ in range(count):
        a, b, c = (spread_in_blocks([dict(enumerate(draw.normal(size=levels)))]) for _ in range(3))
        assert a is not None
        assert b is not None
        assert c is not None
        wrong += min(differs(a, b), differs(a, c), differs(b, c)) <= 0.05 / 3
    assert wrong / count < 0.05 + 3 * math.sqrt(0.05 * 0.95 / count)


def test_a_larger_source_is_told_from_a_smaller_one() -> None:
    draw = np.random.default_rng(5)
    pairs = [[spread_in_blocks([dict(enumerate(sd * draw.normal(size=20)))]) for sd in (1, 3)] for _ in range(100)]
    assert sum(differs(a, b) < 0.05 / 3 for a, b in pairs if a and b) > 95
    still = spread_in_blocks([dict.fromkeys(range(9), 0.5)])
    few = spread_in_blocks([dict.fromkeys(range(4), 0.5)])
    moving = pairs[0][0]
    assert still is not None
    assert few is not None
    assert moving is not None
    assert differs(still, moving) == 0  # nine alike
    assert differs(few, moving) == differs(still, few) == 1


@pytest.mark.parametrize(("accuracy", "examples"), [(0.95, 360), (0.99, 10_000), (0.5, 100)])
def test_the_spread_of_test_examples_is_held(accuracy: float, examples: int, rounds: Callable[..., int]) -> None:
    count = rounds(20_000, few=2000)
    sd = math.sqrt(accuracy * (1 - accuracy) / examples)
    drawn = np.random.default_rng(4).binomial(examples, accuracy, size=count) / examples
    found = [spread_of_examples(float(each), examples) for each in drawn]
    hits = sum(each is not None and held(each, sd) for each in found) / count
    assert 0.93 < hits <= 1.0
    assert np.mean([each.sd for each in found if each]) == pytest.approx(sd, rel=0.02)


def test_a_perfect_model_may_err_on_other_examples() -> None:
    found = spread_of_examples(1.0, 359)
    assert found is not None
    assert found.sd == found.low == 0
    assert 0.003 < (found.high or 0) < 0.01
    assert spread_of_examples(1.0, 1) is None


def test_one_training_that_does_not_belong_to_the_others_is_named() -> None:
    values = [0.91, 0.92, 0.93, 0.705, 0.9, 0.92, 0.91]
    assert stands_apart(values) == 3
    assert stands_apart(values[:3] + values[4:]) is None
    assert stands_apart([0.9] * 9) is None
    draw = np.random.default_rng(6)
    assert sum(stands_apart(draw.normal(size=20)) is not None for _ in range(1000)) < 25
