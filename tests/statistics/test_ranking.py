"""Models over data sets: from six on, groups that cannot be told apart; below six a refusal."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bench.statistics import ranking
from bench.statistics.ranking import average_ranks, critical_difference, pairwise_wilcoxon

BETTER_EVERYWHERE = np.linspace(0.5, 0.9, 10)[:, None] + [0.0, 0.02, 0.05] + np.arange(10)[:, None] * [0, 1e-4, 3e-4]


def test_average_ranks_by_hand() -> None:
    assert average_ranks([[0.9, 0.8, 0.7], [0.9, 0.9, 0.1]]).tolist() == [1.25, 1.75, 3.0]
    assert average_ranks([[1.0, 2.0]], higher_is_better=False).tolist() == [1.0, 2.0]


def test_five_data_sets_allow_no_claim() -> None:
    with pytest.raises(ValueError, match="5 data sets allow no claim of rank"):
        critical_difference(BETTER_EVERYWHERE[:5], ["a", "b", "c"])
    assert critical_difference(BETTER_EVERYWHERE[:6], ["a", "b", "c"]).n == 6


def test_who_is_better_everywhere_is_told_apart() -> None:
    found = critical_difference(BETTER_EVERYWHERE, ["a", "b", "c"])
    assert (found.names, found.average_ranks, found.groups) == (("c", "b", "a"), (1.0, 2.0, 3.0), ())
    assert all(pair.p == 2 / 2**10 and pair.adjusted_p == 3 * pair.p for pair in found.pairs)
    assert critical_difference(-BETTER_EVERYWHERE, ["a", "b", "c"], higher_is_better=False).names == ("c", "b", "a")


def test_six_data_sets_cannot_tell_three_models_apart() -> None:
    """0.03125 times three pairs is 0.094: that nothing was told apart is said of n, not of the models."""
    found = critical_difference(BETTER_EVERYWHERE[:6], ["a", "b", "c"])
    assert found.groups == (("c", "b", "a"),)
    assert not found.could_show
    assert [pair.smallest_adjusted_p for pair in found.pairs] == [pytest.approx(0.09375)] * 3
    assert critical_difference(BETTER_EVERYWHERE[:7], ["a", "b", "c"]).could_show
    assert critical_difference(BETTER_EVERYWHERE[:6, :2], ["a", "b"]).could_show


def test_a_pair_never_falls_below_what_it_could() -> None:
    scores = np.round(np.random.default_rng(5).normal(size=(8, 5)), 1)  # with ties, so that n differs from pair to pair
    for pair in pairwise_wilcoxon(scores, "abcde"):
        assert pair.smallest_adjusted_p <= pair.adjusted_p
        assert pair.p <= pair.adjusted_p


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_the_largest_sets_that_are_all_alike(seed: int) -> None:
    draw, names = np.random.default_rng(seed), "abcdefg"
    alike = {frozenset(pair) for pair in combinations(names, 2) if draw.random() < 0.6}
    whole = [
        set(group)
        for size in range(2, 8)
        for group in combinations(names, size)
        if all(frozenset(pair) in alike for pair in combinations(group, 2))
    ]
    found = ranking._groups(names, alike)
    assert sorted(map(sorted, found)) == sorted(
        sorted(each) for each in whole if not any(each < other for other in whole)
    )
    assert all(list(group) == sorted(group) for group in found)


def test_thirty_models_that_are_all_alike_are_one_group() -> None:
    names = [f"m{index:02}" for index in range(30)]
    assert critical_difference(np.random.default_rng(0).normal(size=(6, 30)), names).groups[0:1] != ()
    assert ranking._groups(names, {frozenset(pair) for pair in combinations(names, 2)}) == (tuple(names),)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="finite score"):
        average_ranks([[1.0, np.nan]])
    with pytest.raises(ValueError, match="table"):
        average_ranks([1.0, 2.0])
    with pytest.raises(ValueError, match="each once"):
        pairwise_wilcoxon(BETTER_EVERYWHERE, ["a", "a", "b"])
    with pytest.raises(ValueError, match="two models"):
        critical_difference(BETTER_EVERYWHERE[:, :1], ["a"])
