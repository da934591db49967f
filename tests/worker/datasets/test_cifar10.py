"""CIFAR-10 as a folder, as .tar.gz and as .tar.xz; checked before anything is unpickled."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import DataError, Unavailable

ROWS = 20  # of each batch


def test_folder_and_archives_hold_the_same(small_cifar: Any, tmp_path: Path) -> None:
    contents = small_cifar.contents
    small_cifar.write(tmp_path / "a")
    small_cifar.write(tmp_path / "b", "cifar-10-python.tar.gz")
    small_cifar.write(tmp_path / "c", "cifar-10-python.tar.xz")
    folder, *archives = (small_cifar.load(tmp_path / name) for name in "abc")
    assert folder.train_images.shape == (5 * ROWS, 3, 32, 32)
    assert folder.test_images.shape == (ROWS, 3, 32, 32)
    first = np.frombuffer(contents["data_batch_1"], np.uint8)
    assert folder.train_images[0].tobytes() in first.tobytes()
    assert folder.train_images[ROWS].tobytes() in contents["data_batch_2"]
    for other in archives:
        assert np.array_equal(folder.train_images, other.train_images)
        assert np.array_equal(folder.train_labels, other.train_labels)
        assert np.array_equal(folder.test_images, other.test_images)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["cifar-10-python.tar.gz"]


@pytest.mark.parametrize(
    ("value", "message"),
    [([1, 2], "something else"), ({b"data": b"x", b"labels": [1]}, "asks for _codecs.encode"), ({}, "something else")],
)
def test_a_pickle_of_something_else_is_refused(value: object, message: str, small_cifar: Any, tmp_path: Path) -> None:
    small_cifar.contents["test_batch"] = pickle.dumps(value, 2)
    small_cifar.pin()
    small_cifar.write(tmp_path / "data")
    with pytest.raises(DataError, match=f"test_batch: found a pickle (of|that) {message}"):
        small_cifar.load(tmp_path / "data")


@pytest.mark.parametrize("labels", [[10] * ROWS, [1] * (ROWS - 1)])
def test_labels_that_do_not_fit_are_refused(
    labels: list[int], small_cifar: Any, make_batch: Callable[[np.ndarray, list[int]], bytes], tmp_path: Path
) -> None:
    small_cifar.contents["test_batch"] = make_batch(np.zeros((ROWS, 3072), dtype=np.uint8), labels)
    small_cifar.pin()
    small_cifar.write(tmp_path / "data")
    with pytest.raises(DataError, match=r"test_batch: found .*labels"):
        small_cifar.load(tmp_path / "data")


def test_a_folder_that_is_not_whole_gives_way_to_the_archive(small_cifar: Any, tmp_path: Path) -> None:
    folder = small_cifar.write(tmp_path / "data")
    (folder / "data_batch_3").unlink()
    with pytest.raises(Unavailable, match=r"CIFAR-10 is not under .*bench fetch cifar10"):
        small_cifar.load(tmp_path / "data")
    small_cifar.write(tmp_path / "data", "cifar-10-python.tar.gz")
    assert len(small_cifar.load(tmp_path / "data").train_images) == 5 * ROWS


def test_an_archive_cut_in_the_middle_is_refused(small_cifar: Any, tmp_path: Path) -> None:
    path = small_cifar.write(tmp_path / "data", "cifar-10-python.tar.xz")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"cifar-10-python.tar.xz: found a damaged or truncated archive"):
        small_cifar.load(tmp_path / "data")
