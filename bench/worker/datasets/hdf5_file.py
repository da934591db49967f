"""Images and labels out of one HDF5 file: every mismatch is one line, with what was found and what is needed.

A file of `bench convert` says more of itself, in attributes beside `images` and `labels`:

bench_layout = 1        the mark: without it no attribute counts, whatever it is called
image_shape             (C, H, W)
maximum                 what the scaling `unit` divides by
mean, sd                of each channel, for the scaling `standard`; absent where the data set leaves them open
class_names, licence, source
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import psutil

from bench.base.records import Json
from bench.errors import DataError
from bench.worker.datasets.splits import Images, Labels, Splits, row_slices

if TYPE_CHECKING:
    import h5py

CHANNEL_COUNTS = (1, 3, 4)  # grey, colour, colour with transparency
MAX_CLASSES = 65_536
LISTED_NAMES = 10
MARK, LAYOUT = "bench_layout", 1
MOST_VALUES = 65_536  # of one attribute: class names are the longest
MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Keys:
    """What to read: the names of the two arrays, and (C, H, W) where the user has said it."""

    images: str
    labels: str
    image_shape: tuple[int, ...] | None


class Samples(NamedTuple):
    """images (N, C, H, W), labels (N,), how many classes, whether the labels were one-hot, and what the file says of
    itself."""

    images: Images
    labels: Labels
    classes: int
    one_hot: bool
    facts: Mapping[str, Json]


class Layout(NamedTuple):
    """How one image lies in the file: its (C, H, W), and whether C comes last there."""

    shape: tuple[int, ...]
    channels_last: bool


def read(path: Path, keys: Keys) -> Samples:
    """Read one file, checked. Raises DataError, one line that names the file and the array."""
    with _opened(path) as file:
        label = path.name  # reasons are published: no folder of this machine
        images, labels = (_array(file, name, label=label) for name in (keys.images, keys.labels))
        images_label, labels_label = f"{label}: {keys.images}", f"{label}: {keys.labels}"
        facts = facts_of(file, label=label)
        shape = keys.image_shape or tuple(facts.get("image_shape", ())) or None
        how = layout(images.shape, image_shape=shape, label=images_label)
        if labels.shape[:1] != images.shape[:1]:
            raise DataError(f"{labels_label}: found {labels.shape}; needs {len(images)} labels, one an image")
        if len(images) == 0:
            raise DataError(f"{images_label}: found no image; needs at least one")
        numbers, classes, one_hot = _read_labels(labels, label=labels_label)
        classes = max(classes, len(facts.get("class_names", ())))  # the last ones may have no sample in this file
        return Samples(_read_images(images, how, label=images_label), numbers, classes, one_hot, facts)


def layout(shape: tuple[int, ...], *, image_shape: tuple[int, ...] | None, label: str) -> Layout:
    """How images of an array of this shape lie. Raises DataError where it cannot be told, or is not image_shape."""
    inner = tuple(shape[1:])
    if 0 in inner or len(shape) not in (2, 3, 4):
        raise DataError(f"{label}: found the shape {shape}; needs N×H×W, N×H×W×C, N×C×H×W, or N×D with image_shape")
    if image_shape is not None:
        channels, height, width = image_shape
        flat_or_grey = inner == (math.prod(image_shape),) or (channels == 1 and inner == (height, width))
        if flat_or_grey or inner == image_shape:
            return Layout(image_shape, channels_last=False)
        if inner == (height, width, channels):
            return Layout(image_shape, channels_last=True)
        raise DataError(f"{label}: found the shape {shape}; image_shape = {list(image_shape)} needs another")
    if len(inner) == 1:
        raise DataError(f"{label}: found flat images of {shape}; needs the setting image_shape = [C, H, W]")
    if len(inner) == 2:
        return Layout((1, *inner), channels_last=False)
    if _channels_last(inner, label=label, shape=shape):
        return Layout((inner[2], inner[0], inner[1]), channels_last=True)
    return Layout(inner, channels_last=False)


def _channels_last(inner: tuple[int, ...], *, label: str, shape: tuple[int, ...]) -> bool:
    first, middle, last = inner
    first_fits, last_fits = first in CHANNEL_COUNTS, last in CHANNEL_COUNTS
    if first_fits and last_fits:
        return first == middle and middle != last  # only the reading with C last has square images
    if first_fits or last_fits:
        return last_fits
    if first < min(middle, last):
        return False
    if last < min(first, middle):
        return True
    raise DataError(f"{label}: found the shape {shape}, C first or last? Needs the setting image_shape = [C, H, W]")


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    import h5py

    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except (OSError, RuntimeError) as error:
        detail = str(error).replace(str(path), path.name)
        raise DataError(f"{path.name}: cannot be read as HDF5: {detail}") from error


def _array(file: "h5py.File", name: str, *, label: str) -> "h5py.Dataset":
    import h5py

    try:
        found = file[name]
    except (KeyError, ValueError) as error:
        names = sorted(file)
        more = ", …" if len(names) > LISTED_NAMES else ""
        raise DataError(
            f"{label}: found no array {name!r}, only {', '.join(names[:LISTED_NAMES]) or 'nothing'}{more}; "
            "set `images` and `labels` to names that are there"
        ) from error
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{label}: {name}: found a {type(found).__name__.lower()}; needs an array")
    # The digest of the file is the identity of the data: what lies in another file is not covered by it.
    if found.is_virtual or found.external or found.file.filename != file.filename:
        raise DataError(f"{label}: {name}: found data that lies in another file; needs it in this one")
    return found


def _check_memory(array: "h5py.Dataset", *, label: str, bytes_per_element: int) -> None:
    # A file of a few bytes can claim any shape: chunks that were never written take no room.
    needed, available = math.prod(array.shape) * bytes_per_element, psutil.virtual_memory().available
    if needed > available:
        raise DataError(f"{label}: found the shape {array.shape}, {needed} bytes; needs to fit {available} of memory")


def _read_images(array: "h5py.Dataset", how: Layout, *, label: str) -> Images:
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise DataError(f"{label}: found {array.dtype}; needs uint8 or floats")
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32
    _check_memory(array, label=label, bytes_per_element=np.dtype(dtype).itemsize)
    images = np.empty((len(array), *how.shape), dtype=dtype)
    for rows in row_slices(len(array), row_bytes=math.prod(array.shape[1:]) * array.dtype.itemsize):
        piece = array[rows]
        turned = piece.transpose(0, 3, 1, 2) if how.channels_last else piece.reshape(-1, *how.shape)
        with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, and is refused below
            images[rows] = turned
        if not np.isfinite(images[rows]).all():
            raise DataError(f"{label}: found NaN, infinity or a number too large for float32; needs finite ones")
    return images


def _read_labels(array: "h5py.Dataset", *, label: str) -> tuple[Labels, int, bool]:
    """Class numbers (N,), how many classes there are, and whether they were one-hot."""
    columns = array.shape[1] if array.ndim == 2 else 1
    if array.ndim not in (1, 2) or columns > MAX_CLASSES or array.dtype.kind not in "iufb":
        raise DataError(f"{label}: found {array.dtype} of {array.shape}; needs N class numbers, or N×K one-hot")
    _check_memory(array, label=label, bytes_per_element=array.dtype.itemsize)
    table = array[()]
    if columns > 1:
        if not (((table == 0) | (table == 1)).all() and (np.count_nonzero(table, axis=1) == 1).all()):
            raise DataError(
                f"{label}: found {table.dtype} of {table.shape}; needs one 1 and else 0 in each row (one-hot)"
            )
        return table.argmax(axis=1).astype(np.int64), columns, True
    if not _whole(table):
        raise DataError(f"{label}: found {array.dtype} of {array.shape}; needs integers as class numbers")
    low, high = table.min().item(), table.max().item()
    if low < 0 or high >= MAX_CLASSES:
        raise DataError(f"{label}: found class numbers {low} to {high}; needs them from 0 to below {MAX_CLASSES}")
    return table.reshape(-1).astype(np.int64), int(high) + 1, False


def _whole(table: npt.NDArray[Any]) -> bool:
    """Integers, or float32 and float64 that hold nothing but whole numbers, as many tools write class numbers."""
    if table.dtype.kind in "iu":
        return True
    if table.dtype.kind != "f" or table.dtype.itemsize not in (4, 8):
        return False
    return bool(np.isfinite(table).all() and (table == np.floor(table)).all())


def attributes(splits: Splits) -> dict[str, Json]:
    """What is written of a data set into each of its files."""
    facts: dict[str, Json] = {
        MARK: LAYOUT,
        "image_shape": list(splits.input_shape),
        "maximum": float(splits.maximum),
        "class_names": list(splits.class_names),
        "licence": splits.licence,
        "source": splits.source,
    }
    return facts | {name: list(found) for name in ("mean", "sd") if (found := getattr(splits, name)) is not None}


def facts_of(file: "h5py.File", *, label: str) -> dict[str, Json]:
    """The attributes of a file with the mark, as JSON; empty without it. Raises DataError where one is not as above.

    Whether they fit the data is for `Splits` to check.
    """
    if MARK not in file.attrs:
        return {}
    version = _attribute(file, MARK, _integer, label=label)
    if version != LAYOUT:
        raise DataError(f"{label}: {MARK}: found {version}; this bench reads {LAYOUT}: convert the data set again")
    return {name: _attribute(file, name, kind, label=label) for name, kind in _KINDS.items() if name in file.attrs}


def _attribute(file: "h5py.File", name: str, kind: Callable[[Any], Json], *, label: str) -> Json:
    # A file may claim any shape: what is too large is not read.
    if int(np.prod(file.attrs.get_id(name).shape, dtype=np.float64)) > MOST_VALUES:
        raise DataError(f"{label}: attribute {name}: found more than {MOST_VALUES} values; convert the data set again")
    try:
        return kind(file.attrs[name])
    except (TypeError, ValueError, OverflowError, UnicodeError) as error:
        raise DataError(f"{label}: attribute {name}: {error}; convert the data set again") from error


def _integer(value: Any) -> int:
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "iu":
        raise TypeError(f"found {array.dtype} of {array.shape}, needs one integer")
    return int(array)


def _shape(value: Any) -> list[int]:
    array = np.asarray(value)
    if array.shape != (3,) or array.dtype.kind not in "iu" or (array < 1).any():
        raise TypeError(f"found {array.dtype} of {array.shape}, needs (C, H, W)")
    return [int(length) for length in array]


def _number(value: Any) -> float:
    array = np.asarray(value)
    if array.ndim or array.dtype.kind not in "iuf" or not np.isfinite(array):
        raise TypeError(f"found {array.dtype} of {array.shape}, needs one finite number")
    return float(array)


def _numbers(value: Any) -> list[float]:
    return [_number(each) for each in np.atleast_1d(np.asarray(value))]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS:
        raise TypeError(f"found no text of 1 to {MOST_CHARACTERS} characters")
    return value


def _texts(value: Any) -> list[str]:
    return [_text(each) for each in np.atleast_1d(np.asarray(value, dtype=object))]


_KINDS: Mapping[str, Callable[[Any], Json]] = {
    "image_shape": _shape,
    "maximum": _number,
    "mean": _numbers,
    "sd": _numbers,
    "class_names": _texts,
    "licence": _text,
    "source": _text,
}
