"""Source files: shown without the home path, checked against pinned digests, read to a cap."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.worker.datasets.files import check_pinned, read_pinned, shown

CONTENT = b"some published bytes"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "data" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def test_home_is_shown_as_a_tilde(file: Path) -> None:
    assert shown(file) == "~/data/file.bin"
    assert shown(file.parent.parent) == "~"
    assert shown(Path("/elsewhere/x")) == "/elsewhere/x"
    assert shown(Path("relative/x")) == "relative/x"


def test_the_published_bytes_pass(file: Path) -> None:
    check_pinned(file, SHA256, name="made")
    assert read_pinned(file, SHA256, limit_bytes=len(CONTENT), name="made") == CONTENT


def test_others_are_refused_by_name(file: Path) -> None:
    check_pinned(file, SHA256, name="made")
    file.write_bytes(CONTENT.replace(b"some", b"same"))
    for check in (
        lambda: check_pinned(file, SHA256, name="made"),
        lambda: read_pinned(file, SHA256, limit_bytes=100, name="made"),
    ):
        with pytest.raises(DataError, match=r"~/data/file.bin: found SHA-256 .*run `bench fetch made`"):
            check()


def test_no_more_is_read_than_the_file_may_have(file: Path) -> None:
    with pytest.raises(DataError, match="more than 19 bytes"):
        read_pinned(file, SHA256, limit_bytes=19, name="made")


def test_a_file_that_cannot_be_read_is_one_line(file: Path) -> None:
    with pytest.raises(DataError, match="~/data: cannot be read: Is a directory"):
        read_pinned(file.parent, SHA256, limit_bytes=19, name="made")
    with pytest.raises(DataError, match="~/data/none: cannot be read: No such file"):
        check_pinned(file.parent / "none", SHA256, name="made")
