"""The IDX files of MNIST and its kin: whole ones, and every way in which they were seen to be broken."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DataError, Unavailable
from bench.registry import DATASETS
from bench.worker.datasets import idx, mnist
from bench.worker.datasets.idx import IdxFile, gunzip, parse

SHAPES = {"train_images": (30, 5, 4), "train_labels": (30,), "test_images": (10, 5, 4), "test_labels": (10,)}


def content(shape: tuple[int, ...]) -> bytes:
    rng = np.random.default_rng(len(shape))
    values = (
        rng.integers(0, 256, shape, dtype=np.uint8) if len(shape) == 3 else np.arange(shape[0], dtype=np.uint8) % 10
    )
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values.tobytes()


@pytest.fixture
def root(tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small MNIST under a data root, as .gz, with its digests pinned."""
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    table = {}
    for key, shape in SHAPES.items():
        plain, packed = content(shape), gzip.compress(content(shape), mtime=0)
        name = mnist.FILES[key].name
        (folder / f"{name}.gz").write_bytes(packed)
        digests = [hashlib.sha256(part).hexdigest() for part in (plain, packed)]
        table[key] = IdxFile(name, shape, digests[0], digests[1], len(packed))
    monkeypatch.setattr(mnist, "FILES", table)
    return tmp_path / "data"


def load(root: Path) -> list[list[int]]:
    splits = DATASETS.get("mnist").build(root)
    assert splits.input_shape == (1, 5, 4)
    return [splits.train_images.ravel().tolist(), splits.test_labels.tolist()]


def test_gzipped_or_not_is_the_same_and_nothing_is_written(root: Path) -> None:
    listing = sorted(root.rglob("*"))
    packed = load(root)
    assert packed == [list(content(SHAPES["train_images"])[16:]), list(range(10))]
    assert sorted(root.rglob("*")) == listing
    for path in list(root.rglob("*.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert load(root) == packed


def test_is_decoded_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(root)
    monkeypatch.delattr(idx, "parse")
    assert load(root) == first


@pytest.mark.parametrize("before", [True, False], ids=["after a good load", "at the first load"])
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
def test_a_changed_byte_is_refused_by_name(root: Path, packed: bool, before: bool) -> None:
    path = root / "MNIST/raw/t10k-labels-idx1-ubyte.gz"
    if not packed:
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
        path = path.with_suffix("")
    if before:
        load(root)
    broken = bytearray(path.read_bytes())
    broken[-3] ^= 1
    path.write_bytes(broken)
    for _ in range(2):
        with pytest.raises(DataError, match=rf"{path.name}: found SHA-256 .*bench fetch mnist"):
            load(root)


def test_a_missing_file_is_unavailable(root: Path) -> None:
    load(root)
    (root / "MNIST/raw/train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        Unavailable, match=r"MNIST is not under .*bench fetch mnist.*train-labels-idx1-ubyte.gz is missing"
    ):
        load(root)


def test_a_file_cut_anywhere_is_refused_by_name(root: Path) -> None:
    path = root / "MNIST/raw/t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        os.truncate(path, 0)
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=path.name):
            load(root)


def test_gzip_cut_at_every_byte_is_one_typed_error() -> None:
    packed = gzip.compress(content((10, 5, 4)), mtime=0)
    for length in range(1, len(packed)):
        with pytest.raises(DataError, match="f.gz: found a damaged or truncated gzip file"):
            gunzip(packed[:length], limit_bytes=10_000, label="f.gz")
    assert gunzip(packed, limit_bytes=216, label="f.gz") == content((10, 5, 4))


def test_gzip_with_any_bit_turned_is_the_content_or_one_typed_error() -> None:
    plain = content((10,))
    packed = gzip.compress(plain, mtime=0)
    for place in range(8 * len(packed)):
        broken = bytearray(packed)
        broken[place // 8] ^= 1 << place % 8
        try:
            assert gunzip(bytes(broken), limit_bytes=len(plain), label="f.gz") == plain
        except DataError as error:
            assert str(error).startswith("f.gz: found")  # noqa: PT017  # some bits (the time stamp) change nothing


def test_a_gzip_bomb_is_read_to_the_cap() -> None:
    packed = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="more than 1000 bytes when decompressed"):
            gunzip(packed, limit_bytes=1000, label="f.gz")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (b"", "magic number of nothing"),
        (b"\0\0", "magic number 0000; needs 00000803"),
        (b"\x1f\x8b\x08\x00", "magic number 1f8b0800"),
        (struct.pack(">HBB3I", 0, 9, 3, 10, 5, 4) + bytes(200), "magic number 00000903"),
        (struct.pack(">HBB1I", 0, 8, 1, 200) + bytes(200), "magic number 00000801"),
        (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3) + bytes(200), "header that says"),
        (struct.pack(">HBB3I", 0, 8, 3, 10, 4, 5) + bytes(200), r"header that says \(10, 4, 5\); needs \(10, 5, 4\)"),
        (struct.pack(">HBB1I", 0, 8, 3, 10), "header that says"),
        (content((10, 5, 4))[:-1], "found 215 bytes; needs 216"),
        (content((10, 5, 4)) + b"\0", "found 217 bytes; needs 216"),
    ],
)
def test_a_header_that_lies_is_refused(broken: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"f: found .*{message}|f: {message}"):
        parse(broken, shape=(10, 5, 4), label="f")
