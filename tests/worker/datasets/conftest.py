"""Small files of the kinds that the data sets read."""

from __future__ import annotations

import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def old_pickle(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 wrote it in 2009, opcode by opcode: {'data': uint8 array, 'labels': list}."""
    rows, columns = images.shape
    shape = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    raw = images.tobytes()
    state = b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + state + b"U\x06labels" + numbers + b"u."


@pytest.fixture
def make_batch() -> Callable[[np.ndarray, list[int]], bytes]:
    return old_pickle


@pytest.fixture
def make_tar(tmp_path: Path) -> Callable[..., Path]:
    """(name, members) → path: an archive of (member name, content or a TarInfo that is no file)."""

    def make(name: str, members: list[tuple[str, bytes | tarfile.TarInfo]]) -> Path:
        path = tmp_path / name
        with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
            for member, content in members:
                if isinstance(content, tarfile.TarInfo):
                    archive.addfile(content)
                    continue
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return make
