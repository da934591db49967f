"""Seeds go where a pair is open, most where it is cheap to decide; what is decided gets none."""

from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.allocation import (
    MOST_NEEDED,
    Contestant,
    decisions_per_second,
    difference,
    needed,
    open_pairs,
)
from bench.statistics.intervals import t_interval

ALIKE = 0.001


def contestant(name: str, *scores: float, seconds: float | None = 1.0) -> Contestant[str]:
    return Contestant(name, dict(enumerate(scores)), seconds)


def names(arena: list[Contestant[str]]) -> set[tuple[str, str]]:
    return {(pair.first.name, pair.second.name) for pair in open_pairs(arena, indifference=ALIKE)}


def test_a_pair_is_open_while_its_interval_holds_nought() -> None:
    clear = contestant("clear", 0.99, 0.985, 0.99)
    near = contestant("near", 0.90, 0.92, 0.91)
    nearer = contestant("nearer", 0.91, 0.90, 0.92)
    assert names([clear, near, nearer]) == {("near", "nearer")}


def test_one_seed_decides_nothing_and_neither_do_two_that_agree_by_chance() -> None:
    assert names([contestant("a", 0.9), contestant("b", 0.5)]) == {("a", "b")}
    assert names([contestant("a", 0.9, 0.8), contestant("b", 0.8, 0.7)]) == {("a", "b")}
    assert names([contestant("a", 0.9, 0.8, 0.7), contestant("b", 0.8, 0.7, 0.6)]) == set()


def test_models_that_are_known_to_be_alike_are_decided() -> None:
    a = [0.9001, 0.9000, 0.9002, 0.9001, 0.9000]
    assert names([contestant("a", *a), contestant("b", *(each + 0.0002 for each in a))]) == set()


def test_what_is_needed_grows_with_the_noise_and_shrinks_with_the_difference() -> None:
    draw = np.random.default_rng(0)
    base = draw.normal(0, 1, 6)
    base -= base.mean()

    def count(mean: float, sd: float) -> int:
        return needed(t_interval(mean + sd * base / base.std(ddof=1)), indifference=0.0)

    assert count(0.02, 0.01) <= 6  # as many as there are: it is decided
    assert 6 < count(0.01, 0.01) < count(0.005, 0.01) < count(0.001, 0.01)
    # (sd / difference)²: half the difference takes four times as many seeds.
    assert count(0.001, 0.01) / count(0.002, 0.01) == pytest.approx(4, rel=0.15)
    assert count(1e-9, 0.01) == MOST_NEEDED


def test_as_many_as_are_needed_do_decide() -> None:
    sample = np.array([0.004, -0.001, 0.006, 0.003])
    count = needed(t_interval(sample), indifference=0.0)
    more = sample.mean() + sample.std(ddof=1) * _spread(count)
    fewer = sample.mean() + sample.std(ddof=1) * _spread(count - 1)
    assert t_interval(more).excludes(0.0)
    assert not t_interval(fewer).excludes(0.0)


def _spread(count: int) -> np.ndarray:
    values = np.linspace(-1, 1, count)
    return (values - values.mean()) / values.std(ddof=1)


def test_the_next_seed_goes_to_an_open_pair_and_to_the_one_of_it_that_is_behind() -> None:
    clear = contestant("clear", 0.99, 0.985, 0.99)
    near, nearer = contestant("near", 0.90, 0.92, 0.91, 0.93), contestant("nearer", 0.91, 0.90, 0.92)
    rates = decisions_per_second([clear, near, nearer], indifference=ALIKE)
    assert rates.keys() == {"nearer"}


def test_of_two_open_pairs_the_cheaper_one_comes_first() -> None:
    scores = ((0.90, 0.92, 0.91), (0.91, 0.90, 0.92))
    cheap = [contestant(f"cheap{i}", *own, seconds=1.0) for i, own in enumerate(scores)]
    dear = [contestant(f"dear{i}", *own, seconds=30.0) for i, own in enumerate(scores)]
    rates = decisions_per_second(cheap, indifference=ALIKE) | decisions_per_second(dear, indifference=ALIKE)
    assert min(rates["cheap0"], rates["cheap1"]) == pytest.approx(30 * max(rates["dear0"], rates["dear1"]))


def test_of_two_that_cost_the_same_the_one_that_serves_more_pairs_comes_first() -> None:
    middle = contestant("middle", 0.90, 0.92, 0.91)
    above, below = contestant("above", 0.92, 0.918, 0.922), contestant("below", 0.89, 0.887, 0.893)
    arena = [above, middle, below]
    assert names(arena) == {("above", "middle"), ("middle", "below")}
    rates = decisions_per_second(arena, indifference=ALIKE)
    assert max(rates, key=rates.__getitem__) == "middle"


def test_who_has_no_seed_left_cannot_go_on_and_holds_up_the_others() -> None:
    ended = contestant("ended", 0.90, 0.92, seconds=None)
    other = contestant("other", 0.91, 0.90)
    assert decisions_per_second([ended, other], indifference=ALIKE) == {}
    behind = contestant("behind", 0.91)
    assert decisions_per_second([ended, behind], indifference=ALIKE).keys() == {"behind"}


def test_seeds_that_are_not_shared_do_not_count() -> None:
    assert difference({0: 0.9}, {1: 0.8}) is None
    found = difference({0: 0.9, 1: 0.8, 2: 0.7}, {1: 0.7, 2: 0.6, 3: 0.1})
    assert found is not None
    assert (found.n, round(found.mean, 6)) == (2, 0.1)
    apart = [Contestant("a", {0: 0.9, 1: 0.8}, 1.0), Contestant("b", {2: 0.9, 3: 0.7}, 1.0)]
    assert decisions_per_second(apart, indifference=ALIKE).keys() == {"a", "b"}
