"""CIFAR-10, the python version: a folder of pickles as torchvision lays it out, or the archive that holds them."""

import gzip
import io
import lzma
import math
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.base.cache import file_sha256
from bench.errors import DataError
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import (
    Download,
    check_content,
    check_pinned,
    downloads,
    not_there,
    read_pinned,
    shown,
    unreadable,
)
from bench.worker.datasets.restricted_pickle import loads
from bench.worker.datasets.splits import Splits

VERSION = 1  # of the decoder: raise it when the decoded arrays change
FOLDER = "cifar-10-batches-py"
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-10-python.tar.xz")
TAR_GZ_BYTES = 170_498_071
SLACK_BYTES = 1 << 20  # of an archive: for headers, padding, and small members that nobody asked for
ROWS, SHAPE, CLASSES = 10_000, (3, 32, 32), 10


@dataclass(frozen=True, slots=True)
class Member:
    """A published pickle: its length in bytes and its digest."""

    size_bytes: int
    sha256: str


# SHA-256 of the files whose MD5 torchvision pins.
MEMBERS: Mapping[str, Member] = {
    "data_batch_1": Member(31_035_704, "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd"),
    "data_batch_2": Member(31_035_320, "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8"),
    "data_batch_3": Member(31_035_999, "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9"),
    "data_batch_4": Member(31_035_696, "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b"),
    "data_batch_5": Member(31_035_623, "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154"),
    "test_batch": Member(31_035_526, "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831"),
    "batches.meta": Member(158, "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb"),
}
CLASS_NAMES = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"


@dataset("cifar10")
def cifar10(root: Path) -> Splits:
    """Small colour photographs: 50,000 to train, 10,000 to test, 3×32×32, 10 classes.

    Raises Unavailable where neither the folder nor an archive is under root, DataError where they are not as published.
    """
    folder = root / FOLDER
    archive = next((root / name for name in ARCHIVES if (root / name).is_file()), None)
    if all((folder / name).is_file() for name in MEMBERS):
        arrays = _from_folder(folder)
    elif archive is not None:
        arrays = _from_archive(archive)
    else:
        raise not_there("CIFAR-10", name="cifar10", root=root, missing=f"{FOLDER} or {ARCHIVES[0]}")
    return Splits(
        **arrays,
        class_names=CLASS_NAMES.split(","),
        maximum=255,
        mean=(0.4913996786151961, 0.48215840839460783, 0.44653091444546567),  # of the 50,000 training images
        sd=(0.24703223246328196, 0.2434851280000556, 0.26158784172796445),
        licence="no explicit licence; cite the technical report",
        source="A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, University of Toronto 2009",
    )


@downloads("cifar10")
def files() -> Sequence[Download]:
    """Torchvision's archive and checksum."""
    from torchvision.datasets import CIFAR10

    return [Download(PurePosixPath(CIFAR10.filename), (CIFAR10.url,), TAR_GZ_BYTES, f"md5:{CIFAR10.tgz_md5}")]


def batch(content: bytes, *, label: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images (10000, 3, 32, 32) and labels of one pickle. Raises DataError where something else is in it."""
    found = loads(content, label=label)
    data, labels = (found.get(b"data"), found.get(b"labels")) if isinstance(found, dict) else (None, None)
    if not isinstance(data, np.ndarray) or data.shape != (ROWS, math.prod(SHAPE)):
        raise DataError(f"{label}: found a pickle of something else; needs {ROWS} images of {SHAPE} and their labels")
    if not isinstance(labels, list) or len(labels) != ROWS:
        raise DataError(f"{label}: found no list of {ROWS} labels; needs one an image")
    if not all(type(number) is int and 0 <= number < CLASSES for number in labels):
        raise DataError(f"{label}: found labels out of range; needs 0 to {CLASSES - 1}")
    return data.reshape(ROWS, *SHAPE), np.array(labels, dtype=np.int64)


def _from_folder(folder: Path) -> Mapping[str, Any]:
    for name, member in MEMBERS.items():
        check_pinned(folder / name, member.sha256, name="cifar10")

    def contents() -> Iterable[tuple[str, bytes]]:
        for name, member in MEMBERS.items():
            path = folder / name
            yield name, read_pinned(path, member.sha256, limit_bytes=member.size_bytes, name="cifar10")

    sources = {name: member.sha256 for name, member in MEMBERS.items()}
    return cached("cifar10", sources=sources, version=VERSION, decode=lambda: _decode(contents(), shown(folder)))


def _from_archive(path: Path) -> Mapping[str, Any]:
    """The digest of the archive is part of the key: an archive that was not checked member by member has no arrays."""
    wanted = {f"{FOLDER}/{name}": member.size_bytes for name, member in MEMBERS.items()}
    try:
        sources = {"archive": file_sha256(path)}
    except OSError as error:
        raise unreadable(path, error) from error

    def contents() -> Iterable[tuple[str, bytes]]:
        for member, content in read_members(path, wanted):
            name = member.removeprefix(f"{FOLDER}/")
            check_content(content, MEMBERS[name].sha256, label=f"{shown(path)}: {member}", name="cifar10")
            yield name, content

    return cached("cifar10", sources=sources, version=VERSION, decode=lambda: _decode(contents(), shown(path)))


def _decode(contents: Iterable[tuple[str, bytes]], label: str) -> Arrays:
    """Unpickle what has been checked; batches.meta is checked, but what it says is known."""
    batches = {name: batch(content, label=f"{label}: {name}") for name, content in contents if name != "batches.meta"}
    train = [batches[f"data_batch_{number}"] for number in range(1, 6)]
    return {
        "train_images": np.concatenate([images for images, _ in train]),
        "train_labels": np.concatenate([labels for _, labels in train]),
        "test_images": batches["test_batch"][0],
        "test_labels": batches["test_batch"][1],
    }


def read_members(path: Path, wanted: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each wanted member, in the archive's order; wanted: name → most bytes that it may have.

    Nothing is extracted: a name can escape, a size can lie (PEP 706). path ends in .gz or .xz. No more is decompressed
    than all wanted members together justify.
    Raises DataError on a damaged archive, a missing, doubled or too long member, or one that is no plain file.
    """
    missing = dict(wanted)
    try:
        with (lzma.open if path.suffix == ".xz" else gzip.open)(path) as packed:
            stream = _Capped(packed, limit_bytes=sum(wanted.values()) + SLACK_BYTES, label=shown(path))
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    if member.name in wanted:
                        yield member.name, _content(archive, member, missing, label=f"{shown(path)}: {member.name}")
                    if not missing:
                        return
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise DataError(f"{shown(path)}: found a damaged or truncated archive ({error}); needs a whole one") from error
    raise DataError(f"{shown(path)}: found no {', '.join(sorted(missing))}; needs all of them")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, missing: dict[str, int], *, label: str) -> bytes:
    limit = missing.pop(member.name, None)
    if limit is None:
        raise DataError(f"{label}: found it twice; needs it once")
    if not member.isreg() or member.size > limit:
        kind = f"{member.size} bytes of tar type {member.type!r}"
        raise DataError(f"{label}: found {kind}; needs a file of {limit} bytes")
    file = archive.extractfile(member)
    content = file.read() if file else b""
    if len(content) != member.size:
        raise DataError(f"{label}: found {len(content)} bytes; its header says {member.size}")
    return content


class _Capped(io.RawIOBase):
    """Reads no more than so many bytes of another stream. Raises DataError when asked for more."""

    def __init__(self, stream: io.BufferedIOBase, *, limit_bytes: int, label: str) -> None:
        self._stream = stream
        self._left = limit_bytes
        self._label = label

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(found)
        if self._left < 0:
            raise DataError(f"{self._label}: found more than its members justify when decompressed; refused")
        return found
