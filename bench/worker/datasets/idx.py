"""The IDX files of MNIST and its kin, gzipped or not. Format: http://yann.lecun.com/exdb/mnist (big-endian header)."""

import gzip
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import DataError
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import Download, check_pinned, not_there, read_pinned, shown

VERSION = 1  # of the decoder: raise it when the decoded arrays change
UNSIGNED_BYTE = 0x08


@dataclass(frozen=True, slots=True)
class IdxFile:
    """A published file: its name without .gz, the shape of its array, the digests of both forms, length of the .gz."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    gz_sha256: str
    gz_bytes: int

    @property
    def size_bytes(self) -> int:
        """Length of the decompressed file: magic number, one dimension each, one byte an element."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


NAMES = {
    "train_images": ("train-images-idx3-ubyte", (60_000, 28, 28)),
    "train_labels": ("train-labels-idx1-ubyte", (60_000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10_000,)),
}


def idx_files(
    *, sha256: Mapping[str, str], gz_sha256: Mapping[str, str], gz_bytes: Mapping[str, int]
) -> dict[str, IdxFile]:
    """The four files of a set that is laid out as MNIST is: their digests, and the lengths of the .gz."""
    return {key: IdxFile(*named, sha256[key], gz_sha256[key], gz_bytes[key]) for key, named in NAMES.items()}


def load(root: Path, *, name: str, title: str, folder: str, files: Mapping[str, IdxFile]) -> Mapping[str, Any]:
    """The arrays of a set, images as (N, 1, H, W) uint8 and labels as (N,) int64, by the keys of `files`.

    root: the data root, never written to. folder: where in it the files lie.
    Raises Unavailable where a file is missing, DataError, which names the file, where one is not the published one.
    """
    paths = {}
    for key, file in files.items():
        path = root / folder / f"{file.name}.gz"
        path = path if path.is_file() else path.with_suffix("")
        if not path.is_file():
            raise not_there(title, name=name, root=root, missing=f"{folder}/{file.name}.gz")
        check_pinned(path, file.gz_sha256 if path.suffix == ".gz" else file.sha256, name=name)
        paths[key] = path

    def decode() -> Arrays:
        arrays = {key: _read(path, files[key], name=name) for key, path in paths.items()}
        return {
            key: array.astype(np.int64) if array.ndim == 1 else array[:, np.newaxis] for key, array in arrays.items()
        }

    return cached(name, sources={key: file.sha256 for key, file in files.items()}, version=VERSION, decode=decode)


def published(source: Any, *, folder: str, files: Mapping[str, IdxFile]) -> Sequence[Download]:
    """What to download, with the mirrors and checksums of `source`, a data set class of torchvision's."""
    sizes = {f"{file.name}.gz": file.gz_bytes for file in files.values()}
    urls = {name: tuple(mirror + name for mirror in source.mirrors) for name in sizes}
    return [
        Download(PurePosixPath(folder, name), urls[name], sizes[name], f"md5:{md5}") for name, md5 in source.resources
    ]


def gunzip(content: bytes, *, limit_bytes: int, label: str) -> bytes:
    """Decompress, to a limit: 200 KiB of gzip can stand for 200 MiB. Raises DataError on a bad or too long file."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as file:
            found = file.read(limit_bytes + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{label}: found a damaged or truncated gzip file ({error}); needs a whole one") from error
    if len(found) > limit_bytes:
        raise DataError(f"{label}: found more than {limit_bytes} bytes when decompressed; needs no more than that")
    return found


def parse(content: bytes, *, shape: tuple[int, ...], label: str) -> npt.NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, read-only. Raises DataError where its header does not say `shape`.

    Nothing is allocated by what the header claims: it can claim 2^61 bytes.
    """
    magic = struct.pack(">HBB", 0, UNSIGNED_BYTE, len(shape))
    header = magic + struct.pack(f">{len(shape)}I", *shape)
    if content[: len(magic)] != magic:
        raise DataError(f"{label}: found the magic number {content[:4].hex() or 'of nothing'}; needs {magic.hex()}")
    if content[: len(header)] != header:
        claimed = struct.unpack(f">{len(shape)}I", content[4 : len(header)].ljust(4 * len(shape), b"\0"))
        raise DataError(f"{label}: found a header that says {claimed}; needs {shape}")
    needed = len(header) + math.prod(shape)
    if len(content) != needed:
        raise DataError(f"{label}: found {len(content)} bytes; needs {needed}")
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)


def _read(path: Path, file: IdxFile, *, name: str) -> npt.NDArray[np.uint8]:
    if path.suffix == ".gz":
        packed = read_pinned(path, file.gz_sha256, limit_bytes=file.gz_bytes, name=name)
        content = gunzip(packed, limit_bytes=file.size_bytes, label=shown(path))
    else:
        content = read_pinned(path, file.sha256, limit_bytes=file.size_bytes, name=name)
    return parse(content, shape=file.shape, label=shown(path))
