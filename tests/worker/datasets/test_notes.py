"""What is said of a data set's parts: images that stand in both, classes without samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.registry import DATASETS
from bench.worker.common import discover
from bench.worker.datasets.notes import PIECE_BYTES, data_notes, repeated
from bench.worker.datasets.prepare import Prepared, Split, prepare

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (500, 1, 5, 5), dtype=np.uint8)  # 25 bytes an image: no whole number of words


def parts(
    train: Any, test: Any, *, names: int = 2, images: tuple[Any, Any] = (IMAGES, IMAGES[::-1] ^ 1), validation: Any = ()
) -> Prepared:
    """Parts with these labels, on images of which none is in both."""
    labels = [np.asarray(part, dtype=np.int64) for part in (train, validation, test)]
    pixels = (images[0], images[0], images[1])
    splits = [Split(pixel[: len(label)], label) for pixel, label in zip(pixels, labels, strict=True)]
    return Prepared(*splits, tuple(map(str, range(names))))


def repeats(train: np.ndarray, test: np.ndarray) -> list[str]:
    return data_notes(parts(np.arange(len(train)) % 2, np.arange(len(test)) % 2, images=(train, test)))


SAID = "test images are training images too, so the test accuracy says little of new images; "


@pytest.mark.parametrize(
    ("test", "count"),
    [(IMAGES, 500), (IMAGES[::-1][:100], 100), (np.concatenate([IMAGES[7:8]] * 3), 3)],
    ids=["the same file", "a part in another order", "one image three times"],
)
def test_test_images_that_are_training_images_are_counted(test: np.ndarray, count: int) -> None:
    (note,) = repeats(IMAGES, test)
    assert note.startswith(f"{count} of {count} {SAID}")


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 1, 1), (1, 28, 28)])
def test_images_of_any_type_and_size_are_compared_by_their_pixels(dtype: type, shape: tuple[int, ...]) -> None:
    train = (RNG.random((300, *shape)) * 200).astype(dtype)
    test = np.concatenate([train[100:150] + dtype(201), train[40:60]])
    assert repeated(train, test) == 20 + sum(np.any(np.all(train == each, axis=(1, 2, 3))) for each in test[:50])
    assert repeated(train, test[:0]) == 0


def test_minus_zero_is_zero() -> None:
    zeros = np.zeros((4, 1, 2, 2), dtype=np.float32)
    assert repeated(zeros, -zeros) == 4


def test_images_that_differ_in_one_bit_are_others_however_many_share_a_sum() -> None:
    train = np.zeros((256, 1, 8, 8), dtype=np.uint8)
    train[:, 0, 7, 7] = np.arange(256)  # the last byte of a word: the product keeps only 8 bits of it
    assert repeated(train[:128], train[128:]) == 0
    assert repeated(train[:128], train[100:]) == 28


def test_the_pieces_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.worker.datasets.notes.PIECE_BYTES", 77)
    assert PIECE_BYTES > 77
    assert repeated(IMAGES, IMAGES[100:107]) == 7


def test_a_few_natural_doubles_are_no_note_and_one_in_a_hundred_is() -> None:
    other = IMAGES[::-1] ^ 1
    for count, notes in ((0, 0), (4, 0), (5, 1)):
        assert len(repeats(IMAGES, np.concatenate([IMAGES[:count], other[count:]]))) == notes


@pytest.mark.parametrize("name", ["digits", "synthetic", "mnist", "fashion_mnist", "optdigits"])
def test_the_data_sets_of_bench_have_nothing_to_say(name: str, data_root: Path) -> None:
    discover.load_builtin()
    splits = DATASETS.get(name).build(data_root)
    for seed in range(3 if splits.test_fraction else 1):
        data = prepare(splits, seed=seed, train_limit=None, test_limit=None, validation_split=0.1)
        assert data_notes(data) == []


@pytest.mark.parametrize(
    ("train", "test", "names", "said"),
    [
        ([0, 254, 0], [0, 254], 255, "253 of 255 classes have no sample (1, 2, 3, 4, 5, …); number the classes from 0"),
        ([1, 2, 3], [1, 2], 4, "1 of 4 classes has no sample (0); number the classes from 0 on, without gaps"),
        ([0, 2, 4], [0, 2], 5, "2 of 5 classes have no sample (1, 3); number"),
        ([0, 1], [0, 1], 3, "1 of 3 classes has no sample (2); number"),
        ([0, 1, 1], [0, 2, 2], 3, "2 of 3 test images are of classes that no training image has (2), so no answer to"),
        ([0] * 5, [0] * 2, 1, "the data set has 1 class: there is nothing to tell apart, and every answer is right"),
    ],
)
def test_classes_without_samples_are_said(train: list[int], test: list[int], names: int, said: str) -> None:
    (note,) = data_notes(parts(train, test, names=names))
    assert note.startswith(said)


def test_a_class_that_only_the_validation_part_has_is_not_trained() -> None:
    (note,) = data_notes(parts([0, 0], [0, 1], validation=[1]))
    assert note.startswith("1 of 2 test images are of classes that no training image has (1)")
    assert data_notes(parts([0, 0], [0, 0], validation=[1])) == []


def test_a_class_without_test_samples_is_no_fault() -> None:
    assert data_notes(parts([0, 1], [0])) == []


def test_names_of_classes_are_short_and_printable() -> None:
    data = parts([0], [0], names=3)
    named = Prepared(data.train, data.validation, data.test, ("a", "x" * 500, "\x1b[31mred"))
    (note,) = data_notes(named)
    assert f"({'x' * 30}, \\x1b[31mred)" in note
