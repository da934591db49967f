"""Arrays of numpy out of an .npz file, each checked before a byte of it is decompressed. Nothing is unpickled."""

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from bench.base import files
from bench.errors import DataError

MOST_MEMBERS = 1000
MOST_RATIO, RATIO_COUNTS_FROM_BYTES = 200, 1 << 30  # of an array, decompressed against compressed
LISTED_NAMES = 10
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error, ValueError)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive. Raises DataError, one line with the file's name, where it or an array in it is damaged."""
    try:
        with files.opened(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {files.why(error)}") from error
    except BROKEN as error:
        raise DataError(
            f"{path.name}: found a damaged .npz file ({error}); needs one that numpy.savez wrote"
        ) from error


def members(archive: zipfile.ZipFile, *, label: str) -> Mapping[str, zipfile.ZipInfo]:
    """The arrays by name. Raises DataError where there are too many, or two of one name."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in found:
            raise DataError(f"{label}: found two arrays called {name!r}; needs a name for each")
        found[name] = info
    if len(found) > MOST_MEMBERS:
        raise DataError(f"{label}: found {len(found):,} arrays; needs {MOST_MEMBERS:,} at most")
    return found


def names(found: Mapping[str, Any]) -> str:
    """The first names, for a message."""
    more = ", …" if len(found) > LISTED_NAMES else ""
    return f"{', '.join(list(found)[:LISTED_NAMES]) or 'nothing'}{more}"


def array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, label: str) -> npt.NDArray[Any]:
    """One array. Raises DataError where its header is not that of numbers, lies, or asks for more than there is."""
    needed, available = info.file_size, psutil.virtual_memory().available
    if needed > available // 2:
        raise DataError(f"{label}: found {needed:,} bytes; needs to fit half of the {available:,} of memory")
    if needed > RATIO_COUNTS_FROM_BYTES and needed > MOST_RATIO * max(1, info.compress_size):
        raise DataError(
            f"{label}: found {info.compress_size:,} bytes that become {needed:,}; needs {MOST_RATIO} times at most"
        )
    with archive.open(info) as file:
        shape, dtype, header_bytes = _header(file)
    if dtype.hasobject:
        raise DataError(f"{label}: found Python objects (ragged arrays?), which are not unpickled; store numbers")
    if min(shape, default=0) < 0 or header_bytes + math.prod(shape) * dtype.itemsize != needed:
        raise DataError(f"{label}: found {needed:,} bytes and a header that says {dtype} of {shape}; it is damaged")
    with archive.open(info) as file:
        found: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # the end: only there the checksum is compared
    return found


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type, and the length of the header. Raises ValueError where there is none."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the format")
    shape, _, dtype = readers[version](file)
    return shape, dtype, file.tell()
