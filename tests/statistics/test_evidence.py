"""What paired values say of a mean difference: by hand, by its intervals, and how many seeds would tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.statistics.accuracies import accuracy_difference, accuracy_evidence
from bench.statistics.evidence import Evidence, evidence_of
from bench.statistics.intervals import paired_t_interval, t_interval

DIFFERENCES = np.random.default_rng(8).normal(0.6, 1, 7)


def right(seeds: int, share: float) -> np.ndarray:
    return np.random.default_rng([seeds, round(1000 * share)]).random((seeds, 300)) < share


def test_without_overlap_it_is_students_test() -> None:
    found, reference = evidence_of(DIFFERENCES), stats.ttest_1samp(DIFFERENCES, 0.2)
    assert found.p_value(0.2) == pytest.approx(reference.pvalue)
    for p, side in ((found.p_greater(0.2), "greater"), (found.p_less(0.2), "less")):
        assert p == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0.2, alternative=side).pvalue)
    assert found.interval(0.9) == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(0.9))


def test_p_and_interval_agree_at_every_level() -> None:
    pairs = [accuracy_evidence(right(seeds, 0.9), right(seeds, 0.86)) for seeds in (3, 5, 10)]
    for found in [*pairs, evidence_of(DIFFERENCES, overlap=0.25)]:
        for confidence in (0.5, 0.9, 0.95, 0.99):
            low, high = found.interval(confidence) or (math.nan, math.nan)
            assert found.p_value(low) == pytest.approx(1 - confidence)
            assert found.p_greater(low) == pytest.approx((1 - confidence) / 2)
            assert found.p_less(high) == pytest.approx((1 - confidence) / 2)


def test_the_intervals_are_those_that_are_printed() -> None:
    a, b = right(5, 0.9), right(5, 0.8)
    assert accuracy_evidence(a, b).interval() == pytest.approx(accuracy_difference(a, b).ends)
    split = t_interval(DIFFERENCES, overlap=0.25)
    assert evidence_of(DIFFERENCES, overlap=0.25).interval() == pytest.approx(split.ends)
    assert evidence_of(DIFFERENCES).interval() == pytest.approx(paired_t_interval(DIFFERENCES, 0 * DIFFERENCES).ends)


@pytest.mark.parametrize("values", [[0.1], [0.1, 0.1], [0.1, 0.2], [0.1] * 5])
def test_too_few_can_tell_nothing(values: list[float]) -> None:
    found = evidence_of(values)
    assert not found.can_tell
    assert found.p_value() == found.p_greater() == found.p_less() == 1


def test_six_equal_differences_tell() -> None:
    assert evidence_of([0.1] * 6).p_value() == 0
    assert evidence_of([0.0] * 6).p_value() == 1
    assert evidence_of([0.0] * 6).is_tie


def test_equal_models_are_a_tie_and_one_seed_decides_nothing() -> None:
    same = right(5, 0.9)
    found = accuracy_evidence(same, same)
    assert found.is_tie
    assert (found.interval(), found.p_value()) == ((0, 0), 1)
    assert accuracy_evidence(right(1, 0.99), right(1, 0.2)).p_value() == 1


def test_opposite_in_every_example_is_no_evidence_of_spread() -> None:
    found = accuracy_evidence(np.ones((6, 40), dtype=bool), np.zeros((6, 40), dtype=bool))
    assert (found.interval(), found.p_value()) == (None, 1)


def test_more_seeds_make_their_own_part_smaller_alone() -> None:
    found = Evidence(0.01, 0.02, 4, 1e-4, 4e-5, 1000, "recipe")
    more = found.with_seeds(16)
    assert (more.own, more.shared) == (pytest.approx(2.5e-5), 4e-5)
    assert more.half() == pytest.approx(stats.t.ppf(0.975, more.freedom) * math.sqrt(6.5e-5))


def test_how_many_seeds_would_tell() -> None:
    found = evidence_of(DIFFERENCES[:4] - DIFFERENCES[:4].mean() + 0.4)
    needed = found.seeds_to_tell()
    assert needed is not None
    assert needed > 4
    ends = [found.with_seeds(n).interval() or (0, 0) for n in (needed - 1, needed)]
    assert ends[0][0] <= 0 < ends[1][0]


def test_no_number_of_seeds_tells_what_the_examples_hide() -> None:
    assert Evidence(0.01, 0.02, 4, 1e-4, 3e-5, 1000, "recipe").seeds_to_tell() is None  # 1.96 · √3e-5 > 0.01
    assert Evidence(0.01, 0.02, 4, 1e-4, 2e-5, 1000, "recipe").seeds_to_tell() is not None
    assert evidence_of([0.01, -0.01, 0.02], overlap=0.25).seeds_to_tell() is None
    assert evidence_of([0.0, 0.0, 0.0]).seeds_to_tell() is None
    assert evidence_of([0.1]).seeds_to_tell() is None
