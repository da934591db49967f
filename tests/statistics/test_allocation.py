"""Seeds go where a pair is open, most where it is cheap to decide; what is decided gets none."""

from __future__ import annotations

import pytest

from bench.statistics.allocation import Contestant, Open, decisions_per_second


def contestant(name: str, done: int, *, seconds: float | None = 1.0, under_way: int = 0) -> Contestant[str]:
    return Contestant(name, done, seconds, under_way)


def test_where_nothing_is_open_nobody_brings_anything() -> None:
    assert decisions_per_second([]) == {}


def test_the_next_seed_goes_to_the_one_of_an_open_pair_that_is_behind() -> None:
    near, nearer = contestant("near", 4), contestant("nearer", 3)
    assert decisions_per_second([Open(near, nearer, 8)]).keys() == {"nearer"}
    level = decisions_per_second([Open(near, contestant("nearer", 3, under_way=1), 8)])
    assert level.keys() == {"near", "nearer"}


def test_a_pair_brings_one_decision_for_the_seconds_that_both_still_need() -> None:
    rates = decisions_per_second([Open(contestant("a", 3, seconds=2.0), contestant("b", 3, seconds=5.0), 5)])
    assert rates == {"a": pytest.approx(1 / 14), "b": pytest.approx(1 / 14)}


def test_of_two_open_pairs_the_cheaper_one_comes_first() -> None:
    cheap = Open(contestant("cheap0", 3), contestant("cheap1", 3), 8)
    dear = Open(contestant("dear0", 3, seconds=30.0), contestant("dear1", 3, seconds=30.0), 8)
    rates = decisions_per_second([cheap, dear])
    assert rates["cheap0"] == rates["cheap1"] == pytest.approx(30 * rates["dear0"])


def test_of_two_that_cost_the_same_the_one_that_serves_more_pairs_comes_first() -> None:
    above, middle, below = (contestant(name, 3) for name in ("above", "middle", "below"))
    rates = decisions_per_second([Open(above, middle, 8), Open(middle, below, 8)])
    assert max(rates, key=rates.__getitem__) == "middle"


def test_a_pair_that_had_as_many_seeds_as_it_needs_but_not_the_same_ones_goes_on() -> None:
    assert decisions_per_second([Open(contestant("a", 5), contestant("b", 5), 5)]).keys() == {"a", "b"}


def test_who_has_no_seed_left_cannot_go_on_and_holds_up_the_others() -> None:
    ended = contestant("ended", 2, seconds=None)
    assert decisions_per_second([Open(ended, contestant("other", 2), 5)]) == {}
    assert decisions_per_second([Open(ended, contestant("behind", 1), 5)]).keys() == {"behind"}
