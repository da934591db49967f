"""What nothing else beats in both of two figures."""

from __future__ import annotations

import random

import pytest

from bench.statistics.ranking import pareto_front


def test_by_hand() -> None:
    #        cheap, poor   dear, good   beaten by both   as dear as 1 and worse
    costs, values = [1.0, 5.0, 6.0, 5.0], [0.8, 0.9, 0.7, 0.85]
    assert pareto_front(costs, values) == [0, 1]
    assert pareto_front([3.0], [0.1]) == [0]
    assert pareto_front([], []) == []


def test_two_that_are_alike_are_both_on_it() -> None:
    assert pareto_front([1.0, 1.0, 2.0], [0.9, 0.9, 0.9]) == [0, 1]


def test_against_the_definition() -> None:
    draw = random.Random(1)
    for _ in range(100):
        points = [(draw.randint(1, 6), draw.randint(1, 6)) for _ in range(8)]
        on = {
            index
            for index, (cost, value) in enumerate(points)
            if not any(c <= cost and v >= value and (c, v) != (cost, value) for c, v in points)
        }
        found = pareto_front(*zip(*points, strict=True))
        assert set(found) == on
        assert [points[index][0] for index in found] == sorted(points[index][0] for index in found)


@pytest.mark.parametrize(("costs", "values"), [([1.0], [1.0, 2.0]), ([float("nan")], [1.0]), ([[1.0]], [[1.0]])])
def test_what_is_no_row_of_numbers_is_refused(costs: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match="front|rows"):
        pareto_front(costs, values)
