"""Reads arrays out of HDF5 files that anybody may have made: what lies in this very file, and is as large as it says.

A file leads elsewhere by external and soft links, virtual data sets and external storage, and claims any size.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base import files

if TYPE_CHECKING:
    import h5py

Array: TypeAlias = npt.NDArray[Any]

MOST_VALUES = 50_000_000  # of one array that is read whole
MOST_OF_ATTRIBUTE = 65_536
MOST_LINKS = 8  # soft links of one place
# What a byte on disk may stand for: gzip reaches 1,032. What was never written takes no room, and may claim any.
MOST_PACKED, FREE_BYTES = 1100, 1 << 20
ELSEWHERE = "found data that lies in another file; needs it in this one"
LINK = "it is a link; needs the array itself"
# What h5py and numpy raise of a file that is none, cut off, or not as we ask.
UNREADABLE = (OSError, KeyError, ValueError, AttributeError, TypeError, RuntimeError, OverflowError, MemoryError)


@contextmanager
def opened(path: Path, *, inside: Path | None = None) -> "Iterator[h5py.File]":
    """The file, to read from. Raises OSError: no plain file, or no HDF5."""
    import h5py

    files.opened(path, inside=inside).close()  # h5py would wait for a pipe
    with h5py.File(path, "r", locking="best-effort") as file:
        yield file


def dataset(file: "h5py.File", place: str, *, soft_links: bool = False) -> "h5py.Dataset":
    """What lies at `place` in this file. KeyError: nothing; ValueError: no array, or one that lies elsewhere.

    `soft_links`: whether those within the file are followed.
    """
    import h5py

    at, parts, links = "", [part for part in place.split("/") if part], 0
    if "\0" in place:
        raise KeyError(place)
    while parts:
        here, at = at, f"{at}/{parts.pop(0)}"
        link = file.get(at, getlink=True)
        if link is None:
            raise KeyError(place)
        if soft_links and isinstance(link, h5py.SoftLink) and links < MOST_LINKS:
            start = "" if link.path.startswith("/") else here
            at, links, parts = "", links + 1, [*(part for part in f"{start}/{link.path}".split("/") if part), *parts]
        elif isinstance(link, h5py.ExternalLink):
            raise ValueError(f"{place}: {ELSEWHERE}: {LINK}")
        elif not isinstance(link, h5py.HardLink):
            raise ValueError(f"{place}: {LINK}")
    found = file[at or "/"]
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{place}: found a {type(found).__name__.lower()}; needs an array")
    if found.is_virtual or found.external:
        raise ValueError(f"{place}: {ELSEWHERE}")
    return found


def array(file: "h5py.File", place: str, *, kinds: str = "iuf") -> Array:
    """The whole array at `place`, of one of numpy's `kinds` of numbers. Raises as `dataset` does, and ValueError of
    another kind or more than the file holds."""
    found = dataset(file, place)
    if found.dtype.kind not in kinds or found.dtype.itemsize > 8 or found.shape is None:
        raise ValueError(f"{place} is {found.dtype}")
    room = max(FREE_BYTES, MOST_PACKED * found.id.get_storage_size())
    if found.size > MOST_VALUES or found.size * found.dtype.itemsize > room:
        raise ValueError(f"{place} claims {found.size:,} values")
    return np.asarray(found[()])


def attribute(node: Any, name: str) -> Any:
    """An attribute of a file, group or array. KeyError: none of that name; ValueError: it claims too many values."""
    about = node.attrs.get_id(name)
    if about.shape is None:
        raise ValueError("found nothing in it")
    if math.prod(about.shape) > MOST_OF_ATTRIBUTE or about.get_storage_size() > 16 * FREE_BYTES:
        raise ValueError(f"found more than {MOST_OF_ATTRIBUTE} values")
    return node.attrs[name]


def texts(value: Any) -> list[str]:
    """A list of texts, of which half characters are spelled out. ValueError: it is none."""
    found = np.atleast_1d(np.asarray(value, dtype=object)).tolist()
    if not all(isinstance(each, str) for each in found):
        raise ValueError("no list of texts")
    return [each.encode("utf-8", "backslashreplace").decode("utf-8") for each in found]
