"""Faults 33 and 34: HDF5 files with loader workers, and those whose shapes, types, names, lengths or labels are off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.errors import DataError
from bench.worker.datasets.hdf5 import hdf5
from bench.worker.datasets.hdf5_file import layout
from bench.worker.datasets.splits import Splits

COUNT = 20
NCHW = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 6, 5), dtype=np.uint8)
LABELS = np.arange(COUNT) % 4


@pytest.fixture(autouse=True)
def _fresh(fresh_cache: Path) -> None:
    """Each file is decoded, none found in the cache."""


def write(
    path: Path, images: Any = NCHW, labels: Any = LABELS, *, names: tuple[str, str] = ("images", "labels")
) -> Path:
    with h5py.File(path, "w") as file:
        file[names[0]], file[names[1]] = images, labels
    return path


def load(path: Path, **settings: Any) -> Splits:
    splits: Splits = hdf5(path.parent, path=path, **settings)
    return splits


SUITE = """
name = "mine"
[grid]
dataset = [{ name = "hdf5", path = "x.h5", layout = "channels_first" }, { name = "hdf5", path = "short.h5" }]
model = ["mlp"]
device = ["cpu"]
"train.num_workers" = [0, 2]
[train]
epochs = 2
threads = 1
loader = "dataloader"
"""


def test_0_and_2_workers_give_the_same_samples(project: Any) -> None:
    """Each image is its own number, so that a sample that came twice, or with another's label, shows in the weights.

    An HDF5 file that was opened before a fork shares its position with the copy: both then read wrong chunks.
    """
    numbers = np.arange(400)
    images = (numbers[:, None, None, None] * np.ones((1, 1, 4, 4)) % 251).astype(np.uint8)
    with h5py.File(project.folder / "x.h5", "w") as file:
        file.create_dataset("images", data=images, chunks=(7, 1, 4, 4), compression="gzip")
        file.create_dataset("labels", data=numbers % 10, chunks=(7,))
    (project.folder / "mine.toml").write_text(SUITE)
    write(project.folder / "short.h5", labels=LABELS[:19])
    assert project.run(project.folder / "mine.toml").code == 1
    rows = [row for row in project.rows() if "x.h5" in row["dataset_settings"]]
    short = [row for row in project.rows() if "x.h5" not in row["dataset_settings"]]
    assert {(row["status"], row["reason"], row["train_loss"]) for row in short} == {
        ("failed", "short.h5: labels: found (19,); needs 20 labels, one an image", "")
    }
    assert [row["train.num_workers"] for row in rows] == ["0", "2"]
    assert len({(row["train_loss"], row["test_loss"], row["test_accuracy"]) for row in rows}) == 1
    found = []
    for path in sorted((project.results / "mine/artifacts").rglob("*.h5")):
        with h5py.File(path) as file:
            found.append({name: file["weights"][name][()] for name in file["weights"]})
    assert len(found) == 2
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize(
    ("shape", "image_shape", "message"),
    [
        ((9, 16, 8, 8), None, "C first or last"),
        ((9, 64), None, r"found flat images of \(9, 64\); needs the setting image_shape"),
        ((9, 64), (1, 8, 9), r"found the shape \(9, 64\); image_shape = \[1, 8, 9\] needs another"),
        ((9, 3, 32, 32), (3, 32, 31), "needs another"),
        ((9,), None, "needs N×H×W"),
        ((), None, "needs N×H×W"),
        ((9, 1, 1, 8, 8), None, "needs N×H×W"),
        ((9, 0, 8), None, "needs N×H×W"),
    ],
)
def test_shapes_that_cannot_be_told_are_refused(
    shape: tuple[int, ...], image_shape: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(DataError, match=f"f: found .*{message}|f: {message}"):
        layout(shape, image_shape=image_shape, order=None, label="f")


NAN = NCHW.astype(np.float64)
NAN[19, 2, 5, 4] = np.nan
LARGE = NCHW.astype(np.float64)
LARGE[0, 0, 0, 0] = 1e300


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (NCHW.astype(np.int64), LABELS, "images: found int64; needs uint8 or floats"),
        (NCHW.astype(np.uint16), LABELS, "images: found uint16"),
        (NCHW.astype(complex), LABELS, "images: found complex128"),
        (NAN, LABELS, "images: found NaN"),
        (LARGE, LABELS, "images: found NaN, infinity or a number too large"),
        (NCHW, LABELS[:19], r"labels: found \(19,\); needs 20 labels"),
        (NCHW[:0], LABELS[:0], "images: found no image"),
        (NCHW, LABELS - 1, "labels: found class numbers -1 to 2"),
        (NCHW, LABELS + 65_533, "labels: found class numbers 65533 to 65536"),
        (NCHW, np.full(COUNT, 2**63, dtype=np.uint64), "labels: found class numbers 9223372036854775808"),
        (NCHW, LABELS / 2, "labels: found float64 .* needs integers"),
        (NCHW, np.where(LABELS > 2, np.nan, LABELS), "labels: found float64 .* needs integers"),
        (NCHW, np.where(LABELS > 2, np.inf, LABELS), "labels: found float64 .* needs integers"),
        (NCHW, LABELS.astype(np.float16), "labels: found float16 .* needs integers"),
        (NCHW, LABELS - 1.0, "labels: found class numbers -1.0 to 2.0"),
        (NCHW, LABELS * 1e300, r"labels: found class numbers 0.0 to 3e\+300"),
        (NCHW, LABELS.astype(bytes), r"labels: found texts \('0', '1', .*; needs class numbers: .*numpy.unique"),
        (NCHW, np.array(["cat", "dog"] * 10, dtype=h5py.string_dtype()), r"labels: found texts \('cat', 'dog', 'cat'"),
        (NCHW, np.zeros((COUNT, 2, 2), dtype=int), r"labels: found int64 of \(20, 2, 2\)"),
        (NCHW, np.zeros((COUNT, 4), dtype=int), "labels: found .* needs one 1 and else 0"),
        (NCHW, np.eye(4)[LABELS] * 0.9, "labels: found .*one-hot"),
        (NCHW, np.ones((COUNT, 2), dtype=int), "labels: found .*one-hot"),
        (NCHW, np.array(5), r"labels: found \(\); needs 20 labels"),
    ],
)
def test_a_mismatch_is_one_line(images: np.ndarray, labels: np.ndarray, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", images, labels)
    with pytest.raises(DataError, match=f"x.h5: {message}") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_wrong_name_lists_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", names=("x", "y"))
    with pytest.raises(DataError, match=r"x.h5: found no array 'images', only x, y; set `images` and `labels`"):
        load(path)
    with pytest.raises(DataError, match="found no array 'y/z'"):
        load(path, images="x", labels="y/z")
    with pytest.raises(DataError, match=r"x.h5: /: found a group; needs an array"):
        load(path, images="/", labels="y")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (NCHW[:, :1], LABELS, r"y.h5: found uint8 images of \(1, 6, 5\); needs uint8 images of \(3, 6, 5\)"),
        (NCHW / 255, LABELS, "y.h5: found float32 images"),
        (NCHW, LABELS + 1, "y.h5: found 5 classes; needs 4"),
        (NCHW, np.eye(3)[LABELS % 3], "y.h5: found 3 classes; needs 4"),
    ],
)
def test_a_test_file_of_another_kind_is_refused(
    images: np.ndarray, labels: np.ndarray, message: str, tmp_path: Path
) -> None:
    path, test_path = write(tmp_path / "x.h5"), write(tmp_path / "y.h5", images, labels)
    with pytest.raises(DataError, match=message):
        load(path, test_path=test_path)


def test_a_shape_that_lies_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (2**40, 28, 28), dtype=np.uint8, chunks=(1, 28, 28))
        file.create_dataset("labels", (2**40,), dtype=np.int64, chunks=(1000,))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"x.h5: (images|labels): found the shape .* needs to fit \d+ of memory"):
        load(path)
