"""A trial's diagnosis as it lies in its HDF5 file, which may come from a stranger: arrays are read, nothing else."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base import files, hdf5
from bench.base.records import Result
from bench.errors import BenchError

if TYPE_CHECKING:
    import h5py

Array: TypeAlias = npt.NDArray[Any]

ABSENT = "the trial's file is not there"
WITHOUT_FILES = "results that were copied without artifacts/ have figures only"
CONFUSION = "test/confusion_matrix"
PER_CLASS = ("precision", "recall", "f1", "accuracy", "support")
# The arrays of a diagnosis with their lengths: K classes, others as they are, but one letter is one length in a part.
# Capital part: whole numbers, of "label" and "answer" those of classes. See bench.worker.evaluate.diagnosis.
SHAPES: Mapping[str, str] = {
    **{f"per_class/{name}": "K" for name in PER_CLASS},
    "roc/false_positive_rate": "KP", "roc/true_positive_rate": "KP", "roc/area": "K",
    "precision_recall/recall": "KP", "precision_recall/precision": "KP", "precision_recall/area": "K",
    "calibration/count": "B", "calibration/confidence": "B", "calibration/accuracy": "B", "calibration/edges": "E",
    "calibration/expected_error": "", "calibration/log_loss": "",
    "confidence/right": "B", "confidence/wrong": "B", "confidence/edges": "E",
    "top_k/accuracy": "T",
    "errors/index": "M", "errors/label": "M", "errors/answer": "M", "errors/confidence": "M", "errors/images": "MCHW",
    "confusions/label": "M", "confusions/answer": "M", "confusions/count": "M", "confusions/mean_image": "MCHW",
    "first_batch/images": "MCHW", "first_batch/labels": "M", "first_batch/after": "MK", "first_batch/before": "MK",
}  # fmt: skip
# Of a model that was asked before it was trained; of inputs that are images.
MAYBE = frozenset({"first_batch/before", "first_batch/images", "errors/images", "confusions/mean_image"})
COUNTS = frozenset({"count", "support", "right", "wrong", "index"})
CLASSES = frozenset({"label", "labels", "answer"})
STATISTICS = ("mean", "sd", "minimum", "maximum", "l2_norm", "near_zero", "histogram_counts", "histogram_edges")


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


@dataclass(frozen=True, slots=True)
class Regressed:
    """One trial of a regression and what lies in its file: predictions and targets (N, T), in the unit of the targets.
    `arrays`: see bench.worker.evaluate.residuals; empty where the trial was not diagnosed."""

    result: Result
    target_names: tuple[str, ...]
    predictions: Array
    targets: Array
    worst: Array  # (E,) places of the largest errors
    layers: tuple[Layer, ...]


def by_class(path: Path, figure: str) -> dict[str, float]:
    """One of the figures per class (`f1`, `recall`, `precision`) by the name of the class. Raises BenchError."""
    with _opened(path) as file:
        names, _ = _confusion(file)
        found = _diagnosis(file, f"per_class/{figure}", {"K": len(names)})
        if not np.isfinite(found).all():
            raise ValueError(f"{figure} of a class is no number")
        return dict(zip(names, found.tolist(), strict=True))


def layers(path: Path) -> list[Layer]:
    """The described weights of a trial, layer by layer. Raises BenchError."""
    with _opened(path) as file:
        return _layers(file)


def summary(path: Path) -> tuple[list[str], list[list[int]], list[tuple[int, float, float]]]:
    """Class names, confusion matrix (row: the true class), and of each bin of confidence that is not empty: count, mean
    confidence, accuracy. Raises BenchError."""
    with _opened(path) as file:
        names, confusion = _confusion(file)
        bins = []
        if "diagnosis" in file and "diagnosis/calibration" in file:
            count, *shares = (
                _diagnosis(file, f"calibration/{name}", {}) for name in ("count", "confidence", "accuracy")
            )
            kept = (count > 0) & np.isfinite(shares).all(axis=0)
            bins = list(zip(*(each[kept].tolist() for each in (count, *shares)), strict=True))
        return list(names), confusion.tolist(), bins


def read(result: Result, path: Path) -> Diagnosed:
    """What lies in `path`, the file of `result`. Raises BenchError where it is not there, cut off, or undiagnosed."""
    with _opened(path, absent=f"{ABSENT}; {WITHOUT_FILES}: run the suite again with --fresh") as file:
        return _from_file(file, result)


def read_regression(result: Result, path: Path) -> Regressed:
    """What lies in `path`, the file of `result`. Raises BenchError where it is not there, cut off, or undiagnosed."""
    with _opened(path, absent=f"{ABSENT}; {WITHOUT_FILES}: run the suite again with --fresh") as file:
        predictions, targets = (hdf5.array(file, f"test/{name}", kinds="f") for name in ("predictions", "targets"))
        names = hdf5.texts(hdf5.attribute(file["test/predictions"], "target_names"))
        if predictions.ndim != 2 or predictions.shape != targets.shape or predictions.shape[1] != len(names):
            raise ValueError(f"predictions {predictions.shape}, targets {targets.shape}, {len(names)} names")
        if not predictions.size or not (np.isfinite(predictions).all() and np.isfinite(targets).all()):
            raise ValueError("no test set, or predictions that are no numbers")
        worst = hdf5.array(file, "diagnosis/residuals/worst", kinds="iu")
        if worst.ndim != 1 or (worst.size and not 0 <= worst.min() <= worst.max() < len(targets)):
            raise ValueError("places that the test set does not have")
        layers = tuple(layer for layer in _layers(file) if len(layer.statistics) == len(STATISTICS))
        return Regressed(result, tuple(names), predictions, targets, worst, layers)


@contextmanager
def _opened(path: Path, *, absent: str = ABSENT) -> "Iterator[h5py.File]":
    """The file; what is wrong with it is a BenchError."""
    try:
        with hdf5.opened(path, inside=path.parents[2]) as file:  # <results>/artifacts/<run>/<trial>.h5
            yield file
    except FileNotFoundError as error:
        raise BenchError(f"{path}: {absent}") from error
    except hdf5.UNREADABLE as error:
        raise BenchError(
            f"{path}: no file of a trial, cut off, or without a diagnosis ({files.why(error)}); "
            "run the suite again with --fresh"
        ) from error


def _from_file(file: "h5py.File", result: Result) -> Diagnosed:
    names, confusion = _confusion(file)
    logits, labels = hdf5.array(file, "test/logits", kinds="f"), hdf5.array(file, "test/labels", kinds="iu")
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or logits.shape != (len(labels), len(names)):
        raise ValueError(f"logits {logits.shape}, labels {labels.shape} and {len(names)} classes do not fit")
    if not len(labels) or not np.isfinite(logits).all() or labels.min() < 0 or labels.max() >= len(names):
        raise ValueError("no test set, logits that are no numbers, or labels that are no classes")
    there = "diagnosis" in file
    part: dict[str, dict[str, int]] = {}
    arrays = {
        place: _diagnosis(file, place, part.setdefault(place.partition("/")[0], {"K": len(names)}))
        for place in SHAPES
        if there and not (place in MAYBE and f"diagnosis/{place}" not in file)
    }
    return Diagnosed(
        result=result,
        class_names=names,
        logits=logits,
        labels=labels,
        confusion=confusion,
        arrays=arrays,
        layers=tuple(layer for layer in _layers(file) if len(layer.statistics) == len(STATISTICS)),
    )


def _diagnosis(file: "h5py.File", place: str, lengths: dict[str, int]) -> Array:
    """One array of a diagnosis, checked. `lengths`: those of its part by their letters; new ones are added."""
    name, shape = place.rpartition("/")[2], SHAPES[place]
    found = hdf5.array(file, f"diagnosis/{place}", kinds="iu" if name in COUNTS | CLASSES else "iuf")
    fits = found.ndim == len(shape) and all(
        lengths.setdefault(letter, length) == length for letter, length in zip(shape, found.shape, strict=True)
    )
    if not fits or ({"B", "E"} <= lengths.keys() and lengths["E"] != lengths["B"] + 1):
        raise ValueError(f"{place} is {found.shape}")
    if name in COUNTS | CLASSES and found.size and found.min() < 0:
        raise ValueError(f"{place} is below zero")
    if name in CLASSES and found.size and found.max() >= lengths["K"]:
        raise ValueError(f"{place} is no class")
    if name in ("edges", "images", "mean_image", "expected_error", "log_loss") and not np.isfinite(found).all():
        raise ValueError(f"{place} is not finite")
    return found


def _confusion(file: "h5py.File") -> tuple[tuple[str, ...], Array]:
    """The names of the K classes, and the confusion matrix (K, K)."""
    matrix = hdf5.array(file, CONFUSION, kinds="iu")
    names = hdf5.texts(hdf5.attribute(file[CONFUSION], "class_names"))
    if matrix.shape != (len(names),) * 2 or matrix.size == 0 or matrix.min() < 0:
        raise ValueError(f"the confusion matrix is {matrix.shape}, of {len(names)} classes")
    return tuple(names), matrix


def _layers(file: "h5py.File") -> list[Layer]:
    names = [name for name in file["weights"] if "l2_norm" in hdf5.dataset(file, f"weights/{name}").attrs]
    return [_layer(file, name) for name in names]


def _layer(file: "h5py.File", name: str) -> Layer:
    place, values = f"weights/{name}", hdf5.array(file, f"weights/{name}", kinds="f")
    found: dict[str, Any] = {}
    for key in (key for key in STATISTICS if key in file[place].attrs):
        read = np.asarray(hdf5.attribute(file[place], key))
        if read.dtype.kind not in "iuf" or read.dtype.itemsize > 8 or not np.isfinite(read).all():
            raise ValueError(f"{key} of {place} is no number")
        if read.ndim != key.startswith("histogram"):
            raise ValueError(f"{key} of {place} is no number")
        found[key] = read if read.ndim else read.item()
    if len(found.get("histogram_edges", [0])) != len(found.get("histogram_counts", ())) + 1:
        raise ValueError(f"the histogram of {place} has no ends")
    return Layer(hdf5.texts(name)[0], values, found)
