"""Intervals of accuracies over seeds and examples: by hand, by their limits, and what is no table."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.accuracies import accuracy_difference, accuracy_interval
from bench.statistics.intervals import Estimate, interval_ends, paired_t_interval, t_interval

Right = NDArray[np.bool_]


def drawn(seeds: int, examples: int, *, share: float = 0.9, seed: int = 3) -> Right:
    draw = np.random.default_rng(seed)
    return draw.random((seeds, examples)) < np.clip(share + draw.normal(0, 0.2, examples), 0.05, 1)


def two_way(table: NDArray[np.float64]) -> tuple[float, float]:
    """V and its quantile as they are written down: loops over seeds, no shortcut."""
    seeds, examples = table.shape
    own = float(np.var([row.mean() for row in table], ddof=1)) / seeds
    v = float(np.var(table.mean(axis=0), ddof=1))
    w = float(np.mean([np.var(row, ddof=1) for row in table]))
    cov = max(0.0, (seeds * v - w) / ((seeds - 1) * examples))
    variance = max(own + cov, v / examples)
    freedom = variance**2 / (own**2 / (seeds - 1) + cov**2 / (examples - 1))
    return variance, max(stats.t.ppf(0.975, freedom), stats.t.ppf(0.975, seeds - 1) * math.sqrt(own / variance))


@pytest.mark.parametrize(("seeds", "examples"), [(2, 50), (3, 360), (10, 1000)])
def test_an_accuracy_by_its_formula(seeds: int, examples: int) -> None:
    right = drawn(seeds, examples)
    mean, (variance, q) = right.mean(), two_way(right.astype(float))
    m = min(right.size, mean * (1 - mean) / variance)
    centre, half = (
        (mean + q**2 / (2 * m)) / (1 + q**2 / m),
        q * math.sqrt(mean * (1 - mean) / m + q**2 / (4 * m**2)) / (1 + q**2 / m),
    )
    found = accuracy_interval(right)
    assert found.ends == pytest.approx((centre - half, centre + half))
    plain = t_interval(right.mean(axis=1))
    assert (found.mean, found.sd, found.n, found.over) == (
        pytest.approx(plain.mean), pytest.approx(plain.sd), seeds, "recipe",
    )  # fmt: skip


@pytest.mark.parametrize(("seeds", "examples"), [(2, 50), (3, 360), (10, 1000)])
def test_a_difference_by_its_formula(seeds: int, examples: int) -> None:
    a, b = drawn(seeds, examples), drawn(seeds, examples, share=0.8, seed=4)
    variance, q = two_way(a.astype(float) - b)
    found = accuracy_difference(a, b)
    assert found.mean == pytest.approx(a.mean() - b.mean())
    assert found.ends == pytest.approx((found.mean - q * math.sqrt(variance), found.mean + q * math.sqrt(variance)))
    assert accuracy_difference(b, a).low == pytest.approx(-found.high if found.high else None)


def test_one_seed_has_wilsons_interval_over_examples() -> None:
    right = drawn(1, 200)
    reference = stats.binomtest(int(right.sum()), 200).proportion_ci(method="wilson")
    found = accuracy_interval(right)
    assert found.ends == pytest.approx((reference.low, reference.high))
    assert (found.sd, found.n, found.over) == (None, 1, "examples")


def test_a_difference_of_one_seed_is_over_examples() -> None:
    a, b = drawn(1, 200), drawn(1, 200, seed=9)
    reference = stats.ttest_rel(a[0].astype(float), b[0].astype(float)).confidence_interval(0.95)
    found = accuracy_difference(a, b)
    assert found.ends == pytest.approx((reference.low, reference.high))
    assert found.over == "examples"
    assert not found.excludes(0)  # whatever the examples say, one seed decides nothing


def test_it_is_never_narrower_than_over_seeds_alone_or_over_examples_alone() -> None:
    for seed in range(200):
        draw = np.random.default_rng(seed)
        a, b = (draw.random((3, 60)) < draw.uniform(0.65, 0.75, (3, 1)) for _ in range(2))
        alone = paired_t_interval(a.mean(axis=1), b.mean(axis=1))
        found = accuracy_difference(a, b)
        assert found.half is not None
        assert alone.half is not None
        assert found.half >= alone.half - 1e-12
        assert found.half >= 1.96 * (a.astype(float) - b).mean(axis=0).std(ddof=1) / math.sqrt(60) - 1e-12


@pytest.mark.parametrize("value", [0, 1])
def test_all_right_and_all_wrong_have_an_interval_within_the_range(value: int) -> None:
    """V is 0: Wilson's interval over the examples, of which seeds that agree make no more."""
    found = accuracy_interval(np.full((5, 100), value))
    reference = stats.binomtest(100 * value, 100).proportion_ci(method="wilson")
    assert found.ends == pytest.approx((reference.low, reference.high))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.half is not None
    assert found.half > 0.01


def test_seeds_that_agree_count_as_one() -> None:
    right = np.repeat(drawn(1, 500), 4, axis=0)
    one, four = accuracy_interval(right[:1]), accuracy_interval(right)
    assert four.low == pytest.approx(one.low, abs=3e-4)
    assert four.high == pytest.approx(one.high, abs=3e-4)


def test_a_tie_is_a_tie_and_opposites_have_no_interval() -> None:
    right = drawn(4, 90)
    assert accuracy_difference(right, right) == Estimate(0.0, 0.0, 0.0, 0.0, 4, "recipe")
    opposite = accuracy_difference(np.ones((4, 90)), np.zeros((4, 90)))
    assert (opposite.mean, opposite.ends) == (1.0, None)
    assert not opposite.excludes(0)


def test_equal_seeds_decide_only_where_there_are_six() -> None:
    """Each seed answers alike: what they share tells the models apart, that seeds vary was not seen."""
    a, b = np.ones((1, 1000)), np.arange(1000)[None] % 4 > 0
    for seeds in (2, 3, 5, 6):
        assert accuracy_difference(np.repeat(a, seeds, 0), np.repeat(b, seeds, 0)).excludes(0) == (seeds >= 6)


def test_ends_of_a_difference_stay_within_one() -> None:
    found = accuracy_difference([[1, 1, 1], [1, 1, 1], [1, 1, 0]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]])
    assert found.high == 1
    assert found.low is not None
    assert -1 <= found.low < found.mean


def test_one_example_is_over_seeds() -> None:
    a, b = np.array([[1], [1], [0], [0], [1], [0]]), np.array([[0], [1], [0], [0], [1], [1]])
    found, reference = accuracy_difference(a, b), paired_t_interval(a[:, 0], b[:, 0])
    assert found.ends == pytest.approx(reference.ends)
    assert accuracy_interval(a).ends is not None
    assert accuracy_difference(a[:3], a[:3]).ends == (0.0, 0.0)


def test_the_table_may_be_large() -> None:
    right = drawn(30, 100_000)
    found = accuracy_interval(right)
    variance, _ = two_way(right.astype(float))
    assert found.half == pytest.approx(1.96 * math.sqrt(variance), rel=0.01)


@pytest.mark.parametrize(
    "value", [[1, 0], [[]], [], [[[1]]], [[2, 0]], [[-1, 0]], [[0.5, 1]], [[math.nan, 1]]], ids=str
)
def test_what_is_no_table_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"table|right or wrong"):
        accuracy_interval(value)  # type: ignore[arg-type]


def test_pairs_need_the_same_seeds_and_examples() -> None:
    with pytest.raises(ValueError, match="same seeds"):
        accuracy_difference(drawn(3, 10), drawn(4, 10))


def test_splits_that_overlap_by_hand() -> None:
    """Nadeau & Bengio: √(1/n + test/train) in place of √(1/n)."""
    values = [0.90, 0.93, 0.95]
    found = t_interval(values, overlap=0.25)
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) * math.sqrt(1 / 3 + 0.25)
    assert found.ends == pytest.approx((np.mean(values) - half, np.mean(values) + half))
    assert found.over == "split"
    paired = paired_t_interval(values, [0.0, 0.01, 0.02], overlap=0.25)
    assert paired.over == "split"
    assert paired.half is not None
    assert paired.half > paired_t_interval(values, [0.0, 0.01, 0.02]).half  # type: ignore[operator]


def test_more_splits_cannot_narrow_it_beyond_their_overlap() -> None:
    lows, highs = interval_ends([0.9] * 2, [0.02] * 2, [10, 1_000_000], overlap=0.25)
    assert (highs - lows)[1] / 2 == pytest.approx(1.96 * 0.02 * 0.5, rel=1e-3)
    assert (highs - lows)[0] < 1.5 * (highs - lows)[1]


def test_the_one_seed_of_a_split_has_no_interval() -> None:
    assert t_interval([0.9], overlap=0.2) == Estimate(0.9, None, None, None, 1, "split")


def test_the_example_of_the_documentation_is_so() -> None:
    """docs/comparing.md, what ± means here: from the stored answers of thirty seeds of two models on MNIST."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "comparing.md").read_text(encoding="utf-8")
    with np.load(Path(__file__).parent / "data" / "mnist_right.npz") as stored:
        right = {name: np.unpackbits(stored[name], count=300_000).reshape(10_000, 30).T for name in stored}
    for n in (5, 30):
        models = {name: table[:n] for name, table in right.items()}
        found = {name: (accuracy_interval(table), t_interval(table.mean(axis=1))) for name, table in models.items()}
        mlp, linear = models["mlp"], models["linear"]
        found["mlp − linear"] = (
            accuracy_difference(mlp, linear), paired_t_interval(mlp.mean(axis=1), linear.mean(axis=1)),
        )  # fmt: skip
        for name, (both, seeds) in found.items():
            ends = (f"{each.low:.4f} to {each.high:.4f}" for each in (seeds, both))
            assert " | ".join([f"| {n}", name, f"{both.mean:.4f}", *ends]) in page
