"""From a data set to the samples of a trial: drawn by the seed, stratified, in the set's own order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.worker.datasets.prepare import Prepared, Split, draw, prepare
from bench.worker.datasets.splits import Splits

COUNT = 200


def made(*, test_fraction: float | None = None, labels: Sequence[int] | None = None) -> Splits:
    """Images whose only pixel is their place in the set, so that a sample can be told."""
    train_labels = np.array(labels if labels is not None else np.arange(COUNT) % 7, dtype=np.int64)
    images = np.arange(len(train_labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    test = slice(0, 0) if test_fraction else slice(0, 50)
    return Splits(
        train_images=images,
        train_labels=train_labels,
        test_images=images[test] + 1000,
        test_labels=train_labels[test],
        class_names=[str(label) for label in range(7)],
        maximum=1,
        licence="MIT",
        source="this test",
        test_fraction=test_fraction,
    )


def ready(
    splits: Splits, *, seed: int = 0, train: int | None = None, test: int | None = None, validation: float = 0.0
) -> Prepared:
    return prepare(splits, seed=seed, train_limit=train, test_limit=test, validation_split=validation)


def places(part: Split) -> list[int]:
    return part.images.reshape(-1).astype(int).tolist()


def test_nothing_drawn_is_nothing_copied() -> None:
    splits = made()
    found = ready(splits, train=100, test=20)
    assert np.shares_memory(found.train.images, splits.train_images)
    assert np.shares_memory(found.test.images, splits.test_images)
    assert places(found.train) == list(range(100))
    assert places(found.test) == [1000 + place for place in range(20)]
    assert places(found.validation) == []


def test_a_limit_beyond_the_set_is_the_set() -> None:
    assert len(ready(made(), train=10**9).train.labels) == COUNT


def test_the_test_part_is_drawn_by_seed_in_the_order_of_the_set() -> None:
    splits = made(test_fraction=0.2)
    first, again, other = (ready(splits, seed=seed) for seed in (5, 5, 6))
    assert places(first.test) == places(again.test) != places(other.test)
    assert len(first.test.labels) == 40
    assert sorted(places(first.test) + places(first.train)) == list(range(COUNT))
    for part in (first.train, first.test):
        assert places(part) == sorted(places(part))
        assert part.labels.tolist() == [place % 7 for place in places(part)]


def test_limits_take_the_first_after_the_draw() -> None:
    splits = made(test_fraction=0.2)
    whole, limited = ready(splits, seed=1), ready(splits, seed=1, train=30, test=10)
    assert places(limited.train) == places(whole.train)[:30]
    assert places(limited.test) == places(whole.test)[:10]


def test_validation_is_held_out_of_the_limited_training_part() -> None:
    for splits in (made(), made(test_fraction=0.25)):
        without, found = ready(splits, seed=2, train=100), ready(splits, seed=2, train=100, validation=0.3)
        assert places(found.test) == places(without.test)
        assert len(found.validation.labels) == 30
        assert sorted(places(found.train) + places(found.validation)) == places(without.train)
        assert places(found.validation) == sorted(places(found.validation))
        assert found.validation.labels.tolist() == [place % 7 for place in places(found.validation)]


def test_purposes_draw_apart() -> None:
    labels = np.zeros(1000, dtype=np.int64)
    masks = [draw(labels, 0.5, seed=0, purpose=purpose) for purpose in (1, 2)]
    assert 400 < (masks[0] == masks[1]).sum() < 600


@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=300),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_class_gets_its_share_within_one_sample(labels: list[int], fraction: float, seed: int) -> None:
    array = np.array(labels, dtype=np.int64)
    mask = draw(array, fraction, seed=seed, purpose=1)
    assert mask.sum() == round(len(labels) * fraction)
    for label in set(labels):
        assert abs((mask & (array == label)).sum() - fraction * labels.count(label)) < 1


def test_every_sample_is_drawn_equally_often() -> None:
    labels = np.repeat(np.arange(4), 25)
    hits = sum(draw(labels, 0.2, seed=seed, purpose=1).astype(int) for seed in range(2000))
    # Binomial with p = 0.2: sd = 18 around 400; six of them.
    assert abs(hits - 400).max() < 6 * 18


def test_one_seed_gives_one_split_for_ever() -> None:
    """Golden: another value here means that the results that people have are no longer of the same split."""
    drawn = np.flatnonzero(draw(np.arange(40) % 4, 0.25, seed=123, purpose=1))
    assert drawn.tolist() == [1, 4, 9, 14, 24, 26, 28, 33, 35, 39]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"train": 0}, "train_limit: found 0"),
        ({"test": -1}, "test_limit: found -1"),
        ({"validation": 1.0}, "validation_split: found 1.0"),
        ({"validation": float("nan")}, "validation_split: found nan"),
        ({"validation": 0.001}, "200 to train, 0 to validate"),
        ({"validation": 0.999}, "leaves 0 to train"),
    ],
)
def test_refuses_what_leaves_nothing(limits: dict[str, float], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        ready(made(), **limits)  # type: ignore[arg-type]


def test_refuses_a_set_too_small_to_split() -> None:
    with pytest.raises(BenchError, match="2 to train, 0 to validate, 0 to test"):
        ready(made(test_fraction=0.2, labels=[0, 1]))


def of_regression(**changes: Any) -> Splits:
    facts: dict[str, Any] = {
        "train_inputs": np.arange(90, dtype=np.float32).reshape(30, 3), "train_targets": np.arange(30) / 7,
        "test_inputs": np.zeros((0, 3), dtype=np.float32), "test_targets": np.zeros(0), "task": "regression",
        "licence": "MIT", "source": "this test", "test_fraction": 0.2,
    }  # fmt: skip
    return Splits(**(facts | changes))


def test_a_regression_is_split_by_seed_too() -> None:
    splits = of_regression()
    first, again, other = (ready(splits, seed=seed, validation=0.25) for seed in (5, 5, 6))
    assert [len(part.labels) for part in (first.train, first.validation, first.test)] == [18, 6, 6]
    assert first.test.labels.tolist() == again.test.labels.tolist() != other.test.labels.tolist()
    assert first.test.labels.dtype == np.float32
    assert (first.task, first.num_outputs, first.input_shape) == ("regression", 1, (3,))


def test_a_group_never_lies_in_two_parts() -> None:
    groups = np.arange(30) % 10
    splits = of_regression(train_groups=groups)
    found = [ready(splits, seed=seed, validation=0.25) for seed in range(10)]
    for parts in found:
        seen = [
            set(groups[(part.images[:, 0] / 3).astype(int)]) for part in (parts.train, parts.validation, parts.test)
        ]
        assert len(set.union(*seen)) == sum(map(len, seen)) == 10
        assert len(parts.test.labels) == 6
    assert len({tuple(parts.test.labels) for parts in found}) > 3
