"""A trial's diagnosis as it lies in its HDF5 file, which may come from a stranger: arrays are read, nothing else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Result
from bench.errors import BenchError

if TYPE_CHECKING:
    import h5py

Array: TypeAlias = npt.NDArray[Any]

ABSENT = "the trial's file is not there"
WITHOUT_FILES = "results that were copied without artifacts/ have figures only"
CONFUSION = "test/confusion_matrix"
MOST_VALUES = 50_000_000  # of one array: a file that claims more is not read
UNREADABLE = (OSError, KeyError, ValueError, AttributeError, TypeError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one name: values of any shape, and their statistics with `histogram_counts`, `histogram_edges`."""

    name: str
    values: Array
    statistics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """One trial and what lies in its file.

    confusion (K, K): row the true class. logits (N, K), labels (N,). `arrays` by place: `per_class/recall`, `roc/area`
    and so on, empty where the trial was not diagnosed.
    """

    result: Result
    class_names: tuple[str, ...]
    logits: Array
    labels: Array
    confusion: Array
    arrays: Mapping[str, Array]
    layers: tuple[Layer, ...]

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """(N,) which examples of the test set were classified right."""
        right: npt.NDArray[np.bool_] = self.logits.argmax(axis=1) == self.labels
        return right

    def __getitem__(self, place: str) -> Array:
        return self.arrays[place]


def by_class(path: Path, figure: str) -> dict[str, float]:
    """One of the figures per class (`f1`, `recall`, `precision`) by the name of the class. Raises BenchError."""
    with _opened(path) as file:
        return dict(zip(_class_names(file), map(float, _array(file, f"diagnosis/per_class/{figure}")), strict=True))


def layers(path: Path) -> list[Layer]:
    """The described weights of a trial, layer by layer. Raises BenchError."""
    with _opened(path) as file:
        return _layers(file)


def summary(path: Path) -> tuple[list[str], list[list[int]], list[tuple[int, float, float]]]:
    """Class names, confusion matrix (row: the true class), and of each bin of confidence that is not empty: count, mean
    confidence, accuracy. Raises BenchError."""
    with _opened(path) as file:
        names = ("count", "confidence", "accuracy") if "diagnosis/calibration" in file else ()
        parts = [_array(file, f"diagnosis/calibration/{name}").tolist() for name in names]
        bins = [found for found in zip(*parts, strict=True) if found[0]]
        return list(_class_names(file)), _array(file, CONFUSION).tolist(), bins


def read(result: Result, path: Path) -> Diagnosed:
    """What lies in `path`, the file of `result`. Raises BenchError where it is not there, cut off, or undiagnosed."""
    if not path.is_file():
        raise BenchError(f"{path}: {ABSENT}; {WITHOUT_FILES}: run the suite again with --fresh")
    with _opened(path) as file:
        return _from_file(file, result)


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    import h5py

    if not path.is_file():
        raise BenchError(f"{path}: {ABSENT}")
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except UNREADABLE as error:
        raise BenchError(
            f"{path}: no file of a trial, cut off, or without a diagnosis ({error}); run the suite again with --fresh"
        ) from error


def _from_file(file: "h5py.File", result: Result) -> Diagnosed:
    matrix = file[CONFUSION]
    logits, labels = _array(file, "test/logits"), _array(file, "test/labels")
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or matrix.shape != (logits.shape[1],) * 2:
        raise ValueError(f"logits {logits.shape}, labels {labels.shape} and confusion matrix {matrix.shape} do not fit")
    places = [f"{part}/{name}" for part, group in file.get("diagnosis", {}).items() for name in group]
    return Diagnosed(
        result=result,
        class_names=_class_names(file),
        logits=logits,
        labels=labels,
        confusion=_array(file, CONFUSION),
        arrays={place: _array(file, f"diagnosis/{place}") for place in places},
        layers=tuple(_layers(file)),
    )


def _class_names(file: "h5py.File") -> tuple[str, ...]:
    return tuple(str(name) for name in file[CONFUSION].attrs["class_names"])


def _layers(file: "h5py.File") -> list[Layer]:
    return [_layer(file, name) for name in file["weights"] if "l2_norm" in file["weights"][name].attrs]


def _layer(file: "h5py.File", name: str) -> Layer:
    return Layer(name, _array(file, f"weights/{name}"), dict(file["weights"][name].attrs))


def _array(file: "h5py.File", place: str) -> Array:
    """The array at `place`, out of this very file. Links lead to other files, and so may a data set's storage."""
    import h5py

    at = ""
    for part in place.split("/"):
        at = f"{at}/{part}"
        if not isinstance(file.get(at, getlink=True), h5py.HardLink):
            raise ValueError(f"{place} is a link")
    found = file[place]
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual or found.size > MOST_VALUES:
        raise ValueError(f"{place} is no array that lies in the file, or too large")
    array: Array = found[()]
    return np.asarray(array)
