"""Made data: any shape, any number of classes, learnable, the same for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.worker.datasets.splits import Splits
from bench.worker.datasets.synthetic import synthetic


def made(**settings: Any) -> Splits:
    splits: Splits = synthetic(Path("/nowhere"), **settings)
    return splits


@pytest.mark.parametrize("shape", [[1, 1, 1], [1, 8, 8], [3, 5, 7], [2, 1, 40]])
@pytest.mark.parametrize("classes", [2, 10, 37])
def test_has_the_shape_and_balanced_classes(shape: list[int], classes: int) -> None:
    splits = made(shape=shape, classes=classes, train=111, test=40)
    assert splits.train_images.shape == (111, *shape)
    assert splits.test_images.shape == (40, *shape)
    assert splits.train_images.dtype == np.uint8
    counts = np.bincount(splits.train_labels, minlength=classes)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_can_be_learned_by_the_nearest_mean(shape: tuple[int, ...]) -> None:
    def accuracy(**settings: Any) -> float:
        splits = made(shape=shape, **settings)
        flat, test = (images.reshape(len(images), -1) / 255 for images in (splits.train_images, splits.test_images))
        means = np.stack([flat[splits.train_labels == label].mean(axis=0) for label in range(10)])
        nearest = ((test[:, np.newaxis] - means) ** 2).sum(axis=2).argmin(axis=1)
        return float((nearest == splits.test_labels).mean())

    assert accuracy() > 0.9
    assert accuracy(noise=100.0) < 0.9  # noise makes it harder


def test_the_same_settings_are_the_same_data_and_others_are_others() -> None:
    assert np.array_equal(made().train_images, made().train_images)
    assert not np.array_equal(made().train_images, made(data_seed=1).train_images)
    assert np.array_equal(made().test_images, made(train=5000).test_images)


def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = made().train_images
    monkeypatch.setattr("bench.worker.datasets.splits.CHUNK_BYTES", 5000)
    assert np.array_equal(made().train_images, whole)


def test_is_the_same_for_ever() -> None:
    """Golden: another value means that results people have are of other data."""
    splits = made()
    content = splits.train_images.tobytes() + splits.test_labels.astype("<i8").tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "ba19ee66ceb81224"
