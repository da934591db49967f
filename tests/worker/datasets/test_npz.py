"""Arrays of numpy: MedMNIST's layout, others, and what is refused in one line before anything is trained."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError, Unavailable
from bench.worker.datasets import npz_file
from bench.worker.datasets.npz import npz

pytestmark = pytest.mark.usefixtures("fresh_cache")


def part(count: int, *, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 5, 6, 3), dtype=np.uint8), np.arange(count)[:, None] % 3


def medmnist() -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for seed, (name, count) in enumerate((("train", 30), ("val", 9), ("test", 12))):
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = part(count, seed=seed)
    return arrays


def written(folder: Path, arrays: dict[str, Any]) -> Path:
    np.savez_compressed(folder / "made.npz", **arrays)
    return folder / "made.npz"


def test_reads_the_layout_of_medmnist(tmp_path: Path) -> None:
    arrays = medmnist()
    splits = npz(tmp_path, path=written(tmp_path, arrays))
    assert np.array_equal(splits.train_images, arrays["train_images"].transpose(0, 3, 1, 2))
    assert np.array_equal(splits.test_images, arrays["test_images"].transpose(0, 3, 1, 2))
    assert np.array_equal(splits.test_labels, arrays["test_labels"][:, 0])
    assert (splits.maximum, splits.test_fraction, list(splits.class_names)) == (255, None, ["0", "1", "2"])
    both = npz(tmp_path, path=tmp_path / "made.npz", with_validation=True)
    assert np.array_equal(both.train_images[30:], arrays["val_images"].transpose(0, 3, 1, 2))


def test_one_part_is_split_by_the_seed(tmp_path: Path) -> None:
    images, labels = part(30, seed=0)
    grey = (images[..., 0] / 7).astype(np.float64)
    splits = npz(tmp_path, path=written(tmp_path, {"x": grey, "y": labels}), test_fraction=0.3)
    assert splits.train_images.shape == (30, 1, 5, 6)
    assert (splits.train_images.dtype, splits.maximum, splits.test_fraction) == (np.float32, None, 0.3)
    assert np.array_equal(splits.train_images[:, 0], grey.astype(np.float32))


def changed(**arrays: Any) -> Callable[[Path], Path]:
    """The file with other arrays; None leaves one out."""
    return lambda folder: written(folder, {k: v for k, v in (medmnist() | arrays).items() if v is not None})


def bytes_of(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = written(folder, medmnist())
        path.write_bytes(change(path.read_bytes()))
        return path

    return write


def zipped(members: list[tuple[str, bytes]]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "made.npz", "w") as archive:
            for name, content in members:
                archive.writestr(name, content)
        return folder / "made.npz"

    return write


def npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def lying_header() -> bytes:
    return npy(np.zeros((10, 8, 8), np.uint8)).replace(b"(10, 8, 8)", b"(9999, 8,)")


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "made.npz")
    return folder / "made.npz"


NAN = np.full((30, 5, 6, 3), np.nan, dtype=np.float32)
BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "made.npz", "is not there"),
    "pipe": (pipe, "is not there"),
    "empty file": (bytes_of(lambda content: b""), "damaged .npz"),
    "truncated": (bytes_of(lambda content: content[: len(content) // 2]), "damaged .npz"),
    "changed byte": (bytes_of(lambda content: content[:400] + b"~~~~" + content[404:]), "damaged .npz"),
    "no labels": (changed(train_labels=None), "no array 'train_labels'"),
    "other names": (zipped([("a.npy", npy(np.zeros(3)))]), "found a; needs arrays called"),
    "objects": (changed(train_labels=np.array([[1], [2, 3]] * 15, dtype=object)), "not unpickled"),
    "NaN": (changed(train_images=NAN), "NaN"),
    "NaN label": (changed(train_labels=np.full(30, np.nan)), "needs integers"),
    "texts": (changed(train_labels=np.array(["cat", "dog"] * 15)), "found texts"),
    "one class": (changed(train_labels=np.zeros(30, int), test_labels=np.zeros(12, int)), "one class"),
    "class in test only": (changed(test_labels=np.arange(12)), "found 12 classes; the training part has 3"),
    "lengths": (changed(train_labels=np.arange(29) % 3), "needs a label for each"),
    "negative": (changed(train_labels=np.arange(30) % 3 - 1), "class numbers -1"),
    "other size": (changed(test_images=np.zeros((12, 7, 8, 3), np.uint8)), "as in the training part"),
    "flat": (changed(train_images=np.zeros((30, 90), np.uint8)), "flat images"),
    "two names": (zipped([("x.npy", npy(np.zeros(3))), ("x", npy(np.zeros(3)))]), "two arrays called 'x'"),
    "lying header": (
        zipped([("x.npy", lying_header()), ("y.npy", npy(np.zeros(10, int)))]),
        "a header that says uint8",
    ),
    "no array": (zipped([("x.npy", b"hello"), ("y.npy", b"")]), "damaged"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", BAD)
def test_what_is_bad_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    make, message = BAD[kind]
    path = make(tmp_path)
    with pytest.raises((BenchError, Unavailable), match=message) as caught:
        npz(tmp_path, path=path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_bomb_is_refused_before_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_file, "RATIO_COUNTS_FROM_BYTES", 1 << 20)
    path = changed(train_images=np.zeros((30, 300, 300, 3), np.uint8))(tmp_path)
    with pytest.raises(BenchError, match="bytes that become 8,100,128; needs 200 times at most"):
        npz(tmp_path, path=path)


def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """Fuzzed: $BENCH_FUZZ_ROUNDS more rounds by hand."""
    content = written(tmp_path, medmnist()).read_bytes()
    for seed in range(int(os.environ.get("BENCH_FUZZ_ROUNDS", "60"))):
        rng = np.random.default_rng(seed)
        damaged = bytearray(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.2 else content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 9)):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / "made.npz").write_bytes(damaged)
        with suppress(BenchError):  # anything else is a bug
            npz(tmp_path, path=tmp_path / "made.npz")
