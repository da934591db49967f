"""Images and labels out of one HDF5 file: every mismatch is one line, with what was found and what is needed."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import psutil

from bench.base import hdf5
from bench.base.records import Json
from bench.errors import DataError
from bench.worker.datasets.hdf5_facts import facts_of
from bench.worker.datasets.splits import Images, Labels, row_slices

if TYPE_CHECKING:
    import h5py

ChannelOrder: TypeAlias = Literal["channels_first", "channels_last"]

CHANNEL_COUNTS = (1, 2, 3, 4)  # grey, colour, either with transparency
MAX_CLASSES = 65_536
LISTED_NAMES = 10
SHOWN_TEXT = 30  # characters of a label


@dataclass(frozen=True, slots=True)
class Keys:
    """What to read: the names of the two arrays, and (C, H, W) and the place of C where the user has said them.

    `settings`: what the suite calls these names, for a message.
    """

    images: str
    labels: str
    image_shape: tuple[int, ...] | None
    order: ChannelOrder | None = None
    settings: tuple[str, str] = ("images", "labels")


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


def read(path: Path, keys: Keys, *, other: Path | None = None) -> Samples:
    """Read one file, checked. Raises DataError, one line that names the file and the array.

    `other`: the file of the other part, whose names are told too where a name is not there; of the training part it may
    be the same file.
    """
    with _opened(path) as file:
        label = path.name  # reasons are published: no folder of this machine
        try:
            images, labels = (_array(file, name, label=label) for name in (keys.images, keys.labels))
        except KeyError as missing:
            raise DataError(_not_there(file, missing.args[0], keys, label=label, other=other)) from missing
        images_label, labels_label = f"{label}: {keys.images}", f"{label}: {keys.labels}"
        facts = facts_of(file, label=label)
        shape, order = keys.image_shape, keys.order
        if shape is None and "image_shape" in facts:
            shape, order = tuple(facts["image_shape"]), order or "channels_first"
        how = layout(images.shape, image_shape=shape, order=order, label=images_label)
        if labels.shape[:1] != images.shape[:1]:
            raise DataError(f"{labels_label}: found {labels.shape}; needs {len(images)} labels, one an image")
        if len(images) == 0:
            raise DataError(f"{images_label}: found no image; needs at least one")
        numbers, classes, one_hot = read_labels(labels, label=labels_label)
        classes = max(classes, len(facts.get("class_names", ())))  # the last ones may have no sample in this file
        return Samples(read_images(images, how, label=images_label), numbers, classes, one_hot, facts)


def layout(
    shape: tuple[int, ...], *, image_shape: tuple[int, ...] | None, order: ChannelOrder | None, label: str
) -> Layout:
    """How images of an array of this shape lie. Raises DataError where it cannot be told, or is not what was said."""
    inner = tuple(shape[1:])
    if 0 in inner or len(shape) not in (2, 3, 4):
        raise DataError(f"{label}: found the shape {shape}; needs N×H×W, N×H×W×C, N×C×H×W, or N×D with image_shape")
    if image_shape is None and len(inner) == 1:
        raise DataError(f"{label}: found flat images of {shape}; needs the setting image_shape = [C, H, W]")
    if len(inner) == 2 and image_shape in (None, (1, *inner)):
        return Layout((1, *inner), channels_last=False)
    if image_shape is not None and inner == (math.prod(image_shape),):
        return Layout(image_shape, order == "channels_last")
    possible = [each for each in _readings(inner) if order is None or each.channels_last == (order == "channels_last")]
    if image_shape is not None:
        possible = [each for each in possible if each.shape == image_shape]
    elif order is None:
        likely = [each for each in possible if each.shape[0] in CHANNEL_COUNTS]
        possible = likely or possible
    if not possible:
        also = f', with layout = "{order}"' if order else ""
        shown = list(image_shape or ())
        raise DataError(f"{label}: found the shape {shape}; image_shape = {shown} needs another{also}")
    if len(possible) > 1:
        how = 'Set layout = "channels_first" or "channels_last"'
        raise DataError(f"{label}: found the shape {shape}, C first or last? {how}")
    return possible[0]


def _readings(inner: tuple[int, ...]) -> list[Layout]:
    """Images of three dimensions, with C first and with C last."""
    if len(inner) != 3:
        return []
    first, middle, last = inner
    return [Layout((first, middle, last), channels_last=False), Layout((last, first, middle), channels_last=True)]


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    try:
        with hdf5.opened(path) as file:
            yield file
    except (OSError, RuntimeError) as error:
        detail = str(error).replace(str(path), path.name)
        raise DataError(f"{path.name}: cannot be read as HDF5: {detail}") from error


def _not_there(file: "h5py.File", name: str, keys: Keys, *, label: str, other: Path | None) -> str:
    settings, beside = list(keys.settings), ""
    if other is not None and other.samefile(file.filename):  # both parts are in this file
        settings += ["test_images", "test_labels"]
    elif other is not None:
        with _opened(other) as second:
            beside = f" ({other.name} has {_names(second)})"
    return (
        f"{label}: found no array {name!r}, only {_names(file)}; set {_listed(settings)} to names that are "
        f"there{beside}"
    )


def _listed(names: list[str]) -> str:
    """``` `a`, `b` and `c` ```"""
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _names(file: "h5py.File") -> str:
    """The first arrays of a file, in groups too."""
    import h5py

    found: list[str] = []

    def note(name: str, item: object) -> bool | None:
        found.extend([name] if isinstance(item, h5py.Dataset) else [])
        return True if len(found) > LISTED_NAMES else None  # ends the visit: a stranger's file may hold millions

    with suppress(*hdf5.UNREADABLE):  # a damaged array ends the visit: those before it are named
        file.visititems(note)
    more = ", …" if len(found) > LISTED_NAMES else ""
    return f"{', '.join(found[:LISTED_NAMES]) or 'nothing'}{more}"


def _array(file: "h5py.File", name: str, *, label: str) -> "h5py.Dataset":
    try:
        # The digest of the file is the identity of the data: what lies in another file is not covered by it.
        return hdf5.dataset(file, name, soft_links=True)
    except ValueError as error:
        raise DataError(f"{label}: {error}") from error


def _check_memory(array: "h5py.Dataset | npt.NDArray[Any]", *, label: str, bytes_per_element: int) -> None:
    # A file of a few bytes can claim any shape: chunks that were never written take no room.
    needed, available = math.prod(array.shape) * bytes_per_element, psutil.virtual_memory().available
    if needed > available:
        raise DataError(f"{label}: found the shape {array.shape}, {needed} bytes; needs to fit {available} of memory")


def read_images(array: "h5py.Dataset | npt.NDArray[Any]", how: Layout, *, label: str) -> Images:
    """Images (N, C, H, W) of an array, uint8 or float32. Raises DataError where it holds no such numbers."""
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise DataError(f"{label}: found {array.dtype}; needs uint8 or floats: store images.astype('float32')")
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32
    _check_memory(array, label=label, bytes_per_element=np.dtype(dtype).itemsize)
    images = np.empty((len(array), *how.shape), dtype=dtype)
    channels, height, width = how.shape
    for rows in row_slices(len(array), row_bytes=math.prod(array.shape[1:]) * array.dtype.itemsize):
        turned = array[rows].reshape(-1, *((height, width, channels) if how.channels_last else how.shape))
        if how.channels_last:
            turned = turned.transpose(0, 3, 1, 2)
        with np.errstate(over="ignore"):  # a float64 too large for float32 becomes infinite, and is refused below
            images[rows] = turned
        if not np.isfinite(images[rows]).all():
            raise DataError(f"{label}: found NaN, infinity or a number too large for float32; needs finite ones")
    return images


def read_labels(array: "h5py.Dataset | npt.NDArray[Any]", *, label: str) -> tuple[Labels, int, bool]:
    """Class numbers (N,), how many classes there are, and whether they were one-hot."""
    columns = array.shape[1] if array.ndim == 2 else 1
    if array.dtype.kind in "SUO" and array.ndim in (1, 2):
        shown = ", ".join(repr(_as_text(each)) for each in array[:3].reshape(-1)[:3])
        how = "numpy.unique(texts, return_inverse=True)[1]"
        raise DataError(f"{label}: found texts ({shown}, …); needs class numbers: store {how}")
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
    low, high = (int(end) if table.dtype.kind == "b" else end.item() for end in (table.min(), table.max()))
    if low < 0 or high >= MAX_CLASSES:
        how = "store numpy.unique(labels, return_inverse=True)[1]"
        raise DataError(
            f"{label}: found class numbers {low} to {high}; needs them from 0 to below {MAX_CLASSES}: {how}"
        )
    return table.reshape(-1).astype(np.int64), int(high) + 1, False


def _whole(table: npt.NDArray[Any]) -> bool:
    """Integers, bools, or float32 and float64 of whole numbers only, as many tools write class numbers."""
    if table.dtype.kind in "iub":  # False and True are 0 and 1
        return True
    if table.dtype.kind != "f" or table.dtype.itemsize not in (4, 8):
        return False
    return bool(np.isfinite(table).all() and (table == np.floor(table)).all())


def _as_text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= SHOWN_TEXT else f"{text[:SHOWN_TEXT]}…"
