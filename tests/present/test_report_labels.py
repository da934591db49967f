"""Labels do not cover each other: geometry in pixels."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.present.label_places import Box, beside, spread, thinned


@given(st.lists(st.floats(0, 400), min_size=1, max_size=15))
def test_spread_keeps_the_gap_and_the_order(wanted: list[float]) -> None:
    placed = spread(wanted, gap=20, low=0, high=400)
    in_order = [placed[index] for index in sorted(range(len(wanted)), key=lambda at: wanted[at])]
    assert all(b - a >= 20 - 1e-9 for a, b in itertools.pairwise(in_order))
    assert min(placed) >= 0
    assert max(placed) <= 400 + 1e-9


def test_spread_leaves_alone_what_has_room() -> None:
    assert spread([10, 100, 300], gap=20, low=0, high=400) == pytest.approx([10, 100, 300])


def test_spread_centres_what_has_none() -> None:
    assert spread([100, 100, 100], gap=20, low=0, high=400) == pytest.approx([80, 100, 120])


@given(st.lists(st.tuples(st.floats(50, 750), st.floats(50, 350)), min_size=1, max_size=12))
def test_labels_beside_points_never_meet(points: list[tuple[float, float]]) -> None:
    sizes = [(60.0, 14.0)] * len(points)
    bounds = Box(0, 0, 800, 400)
    corners = beside(points, sizes, bounds=bounds)
    if corners is None:
        return
    boxes = [Box(x, y, x + 60, y + 14) for x, y in corners]
    assert not any(a.meets(b) for a, b in itertools.combinations(boxes, 2))
    assert all(box.inside(bounds) for box in boxes)


def test_labels_that_cannot_be_placed_are_given_up() -> None:
    assert beside([(50, 50)] * 30, [(60, 14)] * 30, bounds=Box(0, 0, 100, 100)) is None


def test_labels_avoid_obstacles() -> None:
    (corner,) = beside([(100, 100)], [(40, 10)], bounds=Box(0, 0, 300, 300), obstacles=[(120, 100)]) or [(0, 0)]
    assert corner[0] < 100


def test_ticks_are_thinned() -> None:
    assert thinned([0, 10, 50, 55, 100], [20] * 5, gap=2) == [True, False, True, False, True]
