"""The cache folder, and digests of files that are remembered only while the file stays as it is."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from bench.base import cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def old_file(path: Path, content: bytes) -> Path:
    """A file that was last changed an hour ago: one that is settled."""
    path.write_bytes(content)
    hour_ago = path.stat().st_mtime - 3600
    os.utime(path, (hour_ago, hour_ago))
    return path


def test_the_folder_is_private(folder: Path) -> None:
    assert cache.cache_folder() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_folder_without_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_folder() == tmp_path / "xdg" / "bench-cache"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "bench-cache"


def test_a_folder_that_cannot_be_made_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert cache.cache_folder() == tmp_path / "tmp" / f"bench-cache-{os.getuid()}"
    (tmp_path / "tmp" / f"bench-cache-{os.getuid()}").rmdir()
    (tmp_path / "tmp" / f"bench-cache-{os.getuid()}").symlink_to(tmp_path)
    assert cache.cache_folder().name.startswith("bench-cache-")
    assert not cache.cache_folder().is_symlink()


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path, folder: Path) -> None:
    path = old_file(tmp_path / "a.h5", b"one")
    assert cache.file_sha256(path) == hashlib.sha256(b"one").hexdigest()
    memory = folder / "digests.json"
    memory.write_text(memory.read_text().replace(hashlib.sha256(b"one").hexdigest(), "f" * 64))
    assert cache.file_sha256(str(path)) == "f" * 64, "it was not read again"
    path.write_bytes(b"two")
    assert cache.file_sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path: Path, folder: Path) -> None:
    """Two writes within one tick of the file system's clock leave the same time stamp."""
    path = tmp_path / "a.h5"
    path.write_bytes(b"one")
    stamp = path.stat()
    cache.file_sha256(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert cache.file_sha256(path) == hashlib.sha256(b"two").hexdigest()
    assert not (folder / "digests.json").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"a": 1}', b"[" * 100_000])
def test_a_damaged_memory_is_written_again(damage: bytes, tmp_path: Path, folder: Path) -> None:
    path = old_file(tmp_path / "a.h5", b"one")
    cache.cache_folder()
    (folder / "digests.json").write_bytes(damage)
    for _ in range(2):
        assert cache.file_sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert [item.name for item in folder.iterdir()] == ["digests.json"]


def test_a_file_that_is_not_there(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cache.file_sha256(tmp_path / "none")
