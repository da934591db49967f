"""What a file of `bench convert` says of itself, in attributes beside `images` and `labels`:

bench_layout = 1        the mark: without it no attribute counts, whatever it is called
image_shape             (C, H, W)
maximum                 what the scaling `unit` divides by
mean, sd                of each channel, for the scaling `standard`; absent where the data set leaves them open
class_names, licence, source
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.base import hdf5
from bench.base.records import Json
from bench.errors import DataError
from bench.worker.datasets.splits import Splits

if TYPE_CHECKING:
    import h5py

MARK, LAYOUT = "bench_layout", 1
MOST_CHARACTERS = 1000


def attributes(splits: Splits) -> dict[str, Json]:
    """What is written of a data set into each of its files."""
    facts: dict[str, Json] = {
        MARK: LAYOUT,
        "image_shape": list(splits.input_shape),
        "class_names": list(splits.class_names),
        "licence": splits.licence,
        "source": splits.source,
    }
    if splits.maximum is not None:
        facts["maximum"] = float(splits.maximum)
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
    try:
        return kind(hdf5.attribute(file, name))
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
