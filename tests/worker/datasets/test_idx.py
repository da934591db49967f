"""The IDX files of MNIST and its kin, whole ones. Broken ones stand among the faults."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from bench.errors import Unavailable
from bench.registry import DATASETS
from bench.worker.datasets import idx


def load(root: Path) -> list[list[int]]:
    splits = DATASETS.get("mnist").build(root)
    assert splits.input_shape == (1, 5, 4)
    return [splits.train_images.ravel().tolist(), splits.test_labels.tolist()]


def test_gzipped_or_not_is_the_same_and_nothing_is_written(small_mnist: Path) -> None:
    listing = sorted(small_mnist.rglob("*"))
    packed = load(small_mnist)
    assert packed == [np.random.default_rng(3).integers(0, 256, 600, dtype=np.uint8).tolist(), list(range(10))]
    assert sorted(small_mnist.rglob("*")) == listing
    for path in list(small_mnist.rglob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert load(small_mnist) == packed


def test_is_decoded_once(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(small_mnist)
    monkeypatch.delattr(idx, "parse")
    assert load(small_mnist) == first


def test_a_missing_file_is_unavailable(small_mnist: Path) -> None:
    load(small_mnist)
    (small_mnist / "MNIST/raw/train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        Unavailable, match=r"MNIST is not under .*bench fetch mnist.*train-labels-idx1-ubyte.gz is missing"
    ):
        load(small_mnist)
