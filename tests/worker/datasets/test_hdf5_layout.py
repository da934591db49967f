"""What a converted file says of itself is read only with the mark, and only where it is what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.errors import DataError
from bench.worker.datasets import convert
from bench.worker.datasets.hdf5 import hdf5
from bench.worker.datasets.prepare import Split
from bench.worker.datasets.splits import Splits

IMAGES = np.random.default_rng(0).integers(0, 9, (12, 8, 4, 4), dtype=np.uint8)  # 8 channels: C last would be guessed
SAID = {
    "bench_layout": 1,
    "image_shape": [8, 4, 4],
    "maximum": 8.0,
    "class_names": ["ä", "b", "c", "not here"],
    "licence": "CC0",
    "source": "made here",
    "mean": [0.1] * 8,
    "sd": [1 / 3] * 8,
}


@pytest.fixture(autouse=True)
def _fresh(fresh_cache: Path) -> None:
    """Each file is decoded, none found in the cache."""


def made(path: Path, **changed: Any) -> Path:
    """A file as `bench convert` writes it, with other attributes; None leaves one out."""
    said = {name: value for name, value in (SAID | changed).items() if value is not None}
    convert._write(path, Split(IMAGES, np.arange(12) % 3), facts=said)
    return path


def load(path: Path, **settings: Any) -> Splits:
    splits: Splits = hdf5(path.parent, path=path, **settings)
    return splits


def test_all_that_is_said_is_read(tmp_path: Path) -> None:
    splits = load(made(tmp_path / "a.h5"))
    assert np.array_equal(splits.train_images, IMAGES)
    assert splits.class_names == ("ä", "b", "c", "not here")
    assert (splits.maximum, splits.licence, splits.source) == (8.0, "CC0", "made here")
    assert (splits.mean, splits.sd) == ((0.1,) * 8, (1 / 3,) * 8)


def test_a_test_file_may_lack_the_last_classes_and_have_those_that_the_training_file_lacks(tmp_path: Path) -> None:
    test = tmp_path / "test.h5"
    convert._write(test, Split(IMAGES[:2], np.array([0, 3])), facts=SAID)
    assert load(made(tmp_path / "a.h5"), test_path=test).test_labels.tolist() == [0, 3]


def test_without_the_mark_no_attribute_counts(tmp_path: Path) -> None:
    splits = load(made(tmp_path / "a.h5", bench_layout=None))
    assert (splits.maximum, splits.class_names, splits.mean) == (255.0, ("0", "1", "2"), None)
    assert splits.input_shape == (4, 8, 4)  # the guess


def test_the_setting_wins_over_the_file(tmp_path: Path) -> None:
    path = made(tmp_path / "a.h5", mean=None, sd=None)
    assert load(path, image_shape=[4, 8, 4]).input_shape == (4, 8, 4)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bench_layout": 2}, "bench_layout: found 2; this bench reads 1"),
        ({"bench_layout": "new"}, "bench_layout: "),
        ({"image_shape": [8, 4]}, "image_shape: "),
        ({"image_shape": [8, 4, 5]}, "image_shape = [8, 4, 5]"),
        ({"maximum": float("nan")}, "maximum: "),
        ({"maximum": -1.0}, "maximum: found -1.0"),
        ({"mean": [0.5]}, "mean: found"),
        ({"mean": "half"}, "mean: "),
        ({"sd": [0.0] * 8}, "sd: found"),
        ({"class_names": [1, 2, 3]}, "class_names: "),
        ({"class_names": ["a", "b"]}, "needs 0 to 1"),
        ({"source": "x" * 5000}, "source: found no text"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_in_one_line(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as found:
        load(made(tmp_path / "a.h5", **changed))
    assert said in str(found.value)


def test_an_attribute_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:  # an older one has no attribute of more than 64 KiB
        file["images"], file["labels"] = IMAGES, np.arange(12) % 3
        file.attrs["bench_layout"] = 1
        file.attrs["mean"] = np.zeros(70_000)
    with pytest.raises(DataError, match="mean: found more than 65536 values"):
        load(path)


def test_a_full_disk_leaves_the_old_file_and_nothing_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match="cannot be written .No space left on device."):
        made(path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.glob("*.h5*")] == [("a.h5", b"old")]
    assert not list(tmp_path.glob(".a*"))
