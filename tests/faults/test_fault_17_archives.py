"""Fault 17, an archive with paths that escape: members are read by name to a cap, and never extracted."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.worker.datasets.cifar10 import SLACK_BYTES, read_members

WANTED = {"set/a": 5, "set/b": 3}
GOOD: list[tuple[str, bytes | tarfile.TarInfo]] = [("set/a", b"aaaaa"), ("set/b", b"bbb")]
LZMA_WINDOW_BYTES = 8 << 20
MakeTar = Callable[..., Path]


def special(name: str, kind: bytes, target: str) -> tuple[str, tarfile.TarInfo]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return name, info


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar.xz"])
def test_reads_what_is_wanted_and_writes_nothing(name: str, make_tar: MakeTar, tmp_path: Path) -> None:
    escaping = [("../../evil", b"x"), ("/tmp/bench-evil", b"x"), special("set/link", tarfile.SYMTYPE, "/etc/passwd")]
    path = make_tar(name, [*escaping, GOOD[1], ("set/other", b"other"), GOOD[0]])
    assert dict(read_members(path, WANTED)) == {"set/a": b"aaaaa", "set/b": b"bbb"}
    assert list(tmp_path.iterdir()) == [path]
    assert not Path("/tmp/bench-evil").exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([GOOD[0]], "found no set/b; needs all"),
        ([], "found no set/a, set/b"),
        ([("set/a", b"aaaaaa"), GOOD[1]], "set/a: found 6 bytes"),
        ([GOOD[0], GOOD[0], GOOD[1]], "set/a: found it twice"),
        ([special("set/a", tarfile.SYMTYPE, "/etc/passwd"), GOOD[1]], "set/a: found 0 bytes of tar type b'2'"),
        ([special("set/a", tarfile.LNKTYPE, "set/b"), GOOD[1]], "set/a: found 0 bytes of tar type b'1'"),
        ([special("set/a", tarfile.DIRTYPE, ""), GOOD[1]], "set/a: found 0 bytes of tar type b'5'"),
        ([special("set/a", tarfile.FIFOTYPE, ""), GOOD[1]], "set/a: found 0 bytes of tar type b'6'"),
        ([("./set/a", b"aaaaa"), GOOD[1]], "found no set/a"),
    ],
)
def test_refuses_in_one_line(members: list[tuple[str, bytes]], message: str, make_tar: MakeTar) -> None:
    with pytest.raises(DataError, match=f"x.tar.gz.*{message}"):
        list(read_members(make_tar("x.tar.gz", members), WANTED))


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar.xz"])
def test_cut_anywhere_is_one_typed_error(name: str, make_tar: MakeTar) -> None:
    path = make_tar(name, GOOD)
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        try:
            # Cut after the last wanted member, it is as good as whole.
            assert dict(read_members(path, WANTED)) == dict(GOOD)
        except DataError as error:
            assert name in str(error)  # noqa: PT017
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=name):
        list(read_members(path, WANTED))


def bombs() -> dict[str, bytes]:
    """What 200 MB of zeros behind a header can pretend to be."""
    unasked = tarfile.TarInfo("unasked")
    unasked.size = 200_000_000
    pax = tarfile.TarInfo("pax")
    pax.type, pax.size = tarfile.XHDTYPE, 200_000_000
    long_name = tarfile.TarInfo("long")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 200_000_000
    return {info.name: info.tobuf(tarfile.GNU_FORMAT) for info in (unasked, pax, long_name)} | {"zeros": b""}


@pytest.mark.parametrize("kind", ["unasked", "pax", "long", "zeros"])
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_bomb_is_read_to_the_cap(kind: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / ("x.tar.gz" if pack is gzip.compress else "x.tar.xz")
    path.write_bytes(pack(bombs()[kind] + bytes(30_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=path.name):
            list(read_members(path, WANTED))
        assert tracemalloc.get_traced_memory()[1] < 8 * SLACK_BYTES + LZMA_WINDOW_BYTES
    finally:
        tracemalloc.stop()
