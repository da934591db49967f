"""Keep, revert or undecided: by hand, and by simulation with these very functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bench.statistics.accuracies import accuracy_evidence
from bench.statistics.evidence import Evidence, evidence_of
from bench.statistics.gates import (
    LEVEL,
    Decision,
    Told,
    decide,
    first_told,
    first_told_of_examples,
    p_of_endings,
    sequential_ends,
    tell,
    unpaired,
)
from bench.statistics.sequential import sequential_test

MARGIN = math.log1p(0.02)
NOISES = (0.005, 0.02, 0.1)  # sd of a pair's log-ratio


def test_one_test_that_is_worse_reverts_and_keep_needs_them_all() -> None:
    assert decide(["fine", "fine"]) == "keep"
    assert decide(["fine", "open"]) == "undecided"
    assert decide(["fine", "open", "worse"]) == "revert"
    assert decide([]) == "undecided"


def test_what_is_worse_is_adjusted_by_holm_and_what_is_fine_is_not() -> None:
    told = tell([0.02, 0.03, 1.0], [1.0, 1.0, 0.04])
    assert [word for word, _ in told] == ["open", "open", "fine"]
    assert [p for _, p in told] == pytest.approx([0.06, 0.06, 1.0])
    assert [word for word, _ in tell([0.016, 0.024, 1.0], [1.0, 1.0, 1.0])] == ["worse", "worse", "open"]


@pytest.mark.parametrize("values", [[0.1], [0.1, 0.2], [0.1, 0.1, 0.1], [0.1] * 5])
def test_too_few_or_equal_values_tell_nothing(values: list[float]) -> None:
    assert first_told(values, tests=1) == ("open", len(values))
    assert first_told([-value for value in values], tests=1) == ("open", len(values))


def test_six_equal_values_tell_that_it_is_fine() -> None:
    assert first_told([0.005] * 7, tests=40) == ("fine", 6)
    assert first_told([-0.005] * 7, tests=1) == ("open", 7)


def test_the_first_look_that_tells_counts_whatever_comes_later() -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(-2, 1, 12)
    told, count = first_told(values, tests=4)
    assert told == "worse"
    assert count < 12
    assert first_told([*values, *[50.0] * 10], tests=4) == (told, count)
    assert first_told(values, tests=10**6)[1] > count


def test_it_looks_by_the_interval_of_the_sequential_test() -> None:
    values = np.random.default_rng(2).normal(0.5, 1, 30)
    told, count = first_told(values, tests=3)
    for n in range(3, len(values)):
        low = sequential_test(values[:n], alpha=2 * LEVEL).low
        assert (low is not None and low > 0) == (n == count) or n > count
    assert told == "fine"
    assert sequential_ends(values) == pytest.approx(
        (sequential_test(values, alpha=2 * LEVEL).low, sequential_test(values, alpha=2 * LEVEL).high)
    )
    assert sequential_ends(values[:2]) is None


def test_two_samples_that_are_not_paired() -> None:
    from scipy import stats

    draw = np.random.default_rng(3)
    a, b = draw.normal(0, 1, 8), draw.normal(1, 2, 5)
    found = unpaired(a, b)
    assert found.mean == pytest.approx(a.mean() - b.mean())
    exact = stats.ttest_ind(a, b, equal_var=False, alternative="less").pvalue
    assert exact <= found.p_less() <= 2 * exact  # 4 degrees of freedom in place of Welch's 5.3
    assert unpaired([1.0], b).p_less(99) == 1
    assert unpaired([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]).p_less(1.5) == 1  # without any spread, and fewer than six


def test_that_all_seeds_fail_is_less_likely_the_more_there_are() -> None:
    assert [p_of_endings(n) for n in (1, 2, 3, 5)] == [1, 1, 1 / 64, 1 / 1024]


def most_of(gates: int) -> float:
    """Three standard errors above the level."""
    return LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / gates)


def at_once(values: np.ndarray) -> Decision:
    """What a gate says of the log-ratios (cells, pairs)."""
    found = [evidence_of(each) for each in values]
    told = tell([each.p_less(-MARGIN) for each in found], [each.p_greater(-MARGIN) for each in found])
    return decide([word for word, _ in told])


def looked_at(values: np.ndarray) -> Decision:
    """What a gate that was looked at after each pair says of them in the end: a revert stops it."""
    return decide([first_told(each + MARGIN, tests=len(values))[0] for each in values])


@pytest.mark.parametrize("judged", [at_once, looked_at])
@pytest.mark.parametrize("cells", [12, 40])
def test_a_change_without_effect_is_reverted_in_one_gate_of_twenty_at_most(
    judged: Callable[[np.ndarray], Decision], cells: int, rounds: Callable[..., int]
) -> None:
    """The worst that still is no worse: every cell slower by just the margin; and an equal one, at three noises."""
    draw, gates = np.random.default_rng(5), rounds(2000, few=60)
    pairs = 5 if judged is at_once else 30
    for noise in NOISES:
        for shift in (0.0, -MARGIN):
            said = [judged(draw.normal(shift, noise, (cells, pairs))) for _ in range(gates)]
            assert said.count("revert") / gates <= most_of(gates), (noise, shift)


@pytest.mark.parametrize("judged", [at_once, looked_at])
def test_a_change_that_is_worse_is_kept_in_one_gate_of_twenty_at_most(
    judged: Callable[[np.ndarray], Decision], rounds: Callable[..., int]
) -> None:
    """The hardest case: one cell is slower by just the margin, and all others are much faster."""
    draw, gates = np.random.default_rng(6), rounds(4000, few=200)
    for noise in NOISES:
        values = draw.normal(0.2, noise, (gates, 12, 8))
        values[:, 0] = draw.normal(-MARGIN, noise, (gates, 8))
        kept = sum(judged(each) == "keep" for each in values)
        assert kept / gates <= most_of(gates), noise


def test_what_is_slower_by_more_is_reverted_and_what_is_equal_kept_where_the_noise_allows(
    rounds: Callable[..., int],
) -> None:
    draw, gates = np.random.default_rng(7), rounds(400, few=40)
    for judged, pairs in ((at_once, 8), (looked_at, 20)):
        for one, others, expected in ((-0.06, 0.0, "revert"), (0.0, 0.0, "keep")):
            values = draw.normal(others, 0.01, (gates, 12, pairs))
            values[:, 3] += one
            assert sum(judged(each) == expected for each in values) >= 0.8 * gates, (judged, expected)


def recipes(
    draw: np.random.Generator, *, seeds: int, examples: int, spread: float, less: float
) -> tuple[np.ndarray, np.ndarray]:
    """Which test examples (seeds, examples) two recipes get right. The second is less accurate by `less` on the whole
    population; seeds vary by `spread`; both find the same examples hard."""
    easy = draw.uniform(0.55, 0.9, examples)
    lost = 2 * less * draw.random(examples)  # more on some examples than on others
    chance = [easy + draw.normal(0, spread, (seeds, 1)) for _ in range(2)]
    first, second = (draw.random((seeds, examples)) < each for each in (chance[0], chance[1] - lost))
    return second, first


@pytest.mark.parametrize("cells", [12, 40])
def test_accuracies_over_seeds_and_images_keep_the_error_rate(cells: int, rounds: Callable[..., int]) -> None:
    """Every cell is less accurate by just the margin, at three spreads between seeds."""
    draw, gates, within = np.random.default_rng(8), rounds(1000, few=20), 0.005
    for spread in (0.0, 0.005, 0.03):
        reverts = 0
        for _ in range(gates):
            pairs = [recipes(draw, seeds=5, examples=500, spread=spread, less=within) for _ in range(cells)]
            found = [accuracy_evidence(*pair) for pair in pairs]
            told = tell([each.p_less(-within) for each in found], [each.p_greater(-within) for each in found])
            reverts += decide([word for word, _ in told]) == "revert"
        assert reverts / gates <= most_of(gates), spread


def test_accuracies_that_are_looked_at_after_each_seed_keep_the_error_rate(rounds: Callable[..., int]) -> None:
    """Four cells, less accurate by just the margin, up to twenty seeds on one test set each."""
    draw, gates, within, cells = np.random.default_rng(9), rounds(1000, few=20), 0.005, 4
    for spread in (0.0, 0.005, 0.03):
        said: list[Decision] = []
        for _ in range(gates):
            pairs = [recipes(draw, seeds=20, examples=400, spread=spread, less=within) for _ in range(cells)]
            said.append(decide([of_images(*pair, within=within, tests=cells) for pair in pairs]))
        assert said.count("revert") / gates <= most_of(gates), spread
        assert said.count("keep") / gates <= most_of(gates), spread


def of_images(after: np.ndarray, before: np.ndarray, *, within: float, tests: int) -> Told:
    differences = after.mean(axis=1) - before.mean(axis=1)
    return first_told_of_examples(
        differences, lambda k: accuracy_evidence(after[:k], before[:k]), margin=within, tests=tests
    )[0]


def test_where_no_number_of_seeds_would_tell_that_is_said() -> None:
    draw = np.random.default_rng(10)
    answers = np.ones((12, 40), dtype=bool), np.ones((12, 40), dtype=bool)
    answers[0][:, :2] = False
    answers[0][draw.random(12) < 0.5, 2] = False
    differences = answers[0].mean(axis=1) - answers[1].mean(axis=1)

    def evidence(k: int) -> Evidence:
        return accuracy_evidence(answers[0][:k], answers[1][:k])

    assert first_told(differences + 0.005, tests=1)[0] == "worse"
    assert first_told_of_examples(differences, evidence, margin=0.005, tests=1) == ("open", False)
    assert first_told_of_examples(differences[:3], evidence, margin=0.005, tests=1) == ("open", True)
