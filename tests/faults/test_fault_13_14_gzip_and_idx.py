"""Faults 13 and 14: a broken gzip is one typed error; a bomb and a header that lies are read to a cap."""

from __future__ import annotations

import gzip
import struct
import tracemalloc

import pytest

from bench.errors import DataError
from bench.worker.datasets.idx import gunzip, parse


def content(shape: tuple[int, ...]) -> bytes:
    """An IDX file of that shape."""
    size = 1
    for length in shape:
        size *= length
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(at % 251 for at in range(size))


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
