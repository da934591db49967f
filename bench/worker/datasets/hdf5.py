"""A user's own data in HDF5 files. What may lie in them is checked in `hdf5_file`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Len, Lt, MinLen

from bench.base.cache import file_sha256
from bench.base.records import canonical_json
from bench.errors import DataError, Unavailable
from bench.registry import DATASETS, dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import unreadable
from bench.worker.datasets.hdf5_file import Keys, Samples, read
from bench.worker.datasets.splits import Images, Splits, row_slices

VERSION = 2  # of the decoder: raise it when the decoded arrays change


@dataset("hdf5")
def hdf5(
    root: Path,
    *,
    path: Path,
    test_path: Path | None = None,
    images: Annotated[str, MinLen(1)] = "images",
    labels: Annotated[str, MinLen(1)] = "labels",
    image_shape: Annotated[Sequence[Annotated[int, Ge(1)]], Len(3, 3)] | None = None,
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
) -> Splits:
    """Your own images in an HDF5 file: arrays of images and of labels, with a test file or a random test part.

    images: name of an array N×H×W, N×H×W×C, N×C×H×W, or flat N×D with image_shape; uint8, or floats (to float32).
    labels: name of an array of N class numbers (from 0; whole floats are taken too), or N×K one-hot.
    image_shape: (C, H, W); needed for flat images, and settles whether C comes first or last where both could be.
    Without it, C is the dimension that is 1, 3 or 4; where both could be, the reading with square images, else N×C×H×W.
    test_path: a second file with the same names; without it, test_fraction is drawn at random by the trial's seed.
    The maximum (scaling `unit`) is 255 for uint8; for floats 1 where all lie in [0, 1], else the largest absolute
    value of the file at `path`. A file that `bench convert` wrote says these things itself (see `hdf5_file`).
    Raises Unavailable where a file is missing, DataError where it is not as above.
    """
    arrays = _load(path, test_path, keys=Keys(images, labels, tuple(image_shape) if image_shape else None))
    facts = json.loads(arrays["said"].tobytes())
    train_images, train_labels = arrays["train_images"], arrays["train_labels"]
    return Splits(
        train_images=train_images,
        train_labels=train_labels,
        test_images=arrays.get("test_images", train_images[:0]),
        test_labels=arrays.get("test_labels", train_labels[:0]),
        class_names=facts["class_names"],
        maximum=facts["maximum"],
        mean=facts.get("mean"),
        sd=facts.get("sd"),
        licence=facts.get("licence", "not stated: the user's own file"),
        source=facts.get("source", " and ".join(file.name for file in (path, test_path) if file)),
        test_fraction=None if test_path else test_fraction,
    )


def _load(path: Path, test_path: Path | None, *, keys: Keys) -> Arrays:
    files = {"train": path} | ({"test": test_path} if test_path else {})
    sources = {part: _digest(file) for part, file in files.items()} | {"keys": canonical_json(asdict(keys))}

    def decode() -> Arrays:
        train = read(path, keys)
        arrays: dict[str, npt.NDArray[Any]] = {"train_images": train.images, "train_labels": train.labels}
        names = train.facts.get("class_names") or [str(label) for label in range(train.classes)]
        maximum = train.facts.get("maximum") or _maximum(train.images)
        facts = {**train.facts, "class_names": names, "maximum": maximum}
        arrays["said"] = np.frombuffer(canonical_json(facts).encode(), dtype=np.uint8)
        if test_path:
            test = read(test_path, keys)
            _check_alike(train, test, label=test_path.name)
            arrays |= {"test_images": test.images, "test_labels": test.labels}
        return arrays

    return cached("hdf5", sources=sources, version=VERSION, decode=decode)


def _digest(path: Path) -> str:
    if not path.is_file():
        name, how = path.stem.removesuffix("_test"), ""
        if name != "hdf5" and name in DATASETS:  # mnist.h5 and mnist_test.h5 are made of mnist
            how = f"; `python -m bench convert {name} FOLDER/{name}{path.suffix}` makes it, FOLDER being the suite's"
        raise Unavailable(
            f"hdf5: {path.name} is not there: put it where the suite says, or set `path` and `test_path` right{how}"
        )
    try:
        return file_sha256(path)
    except OSError as error:
        raise unreadable(Path(path.name), error) from error  # reasons are published: no folder of this machine


def _check_alike(train: Samples, test: Samples, *, label: str) -> None:
    """Raises DataError where the test file is not of the kind of the training file."""
    found, needed = (f"{part.images.dtype} images of {part.images.shape[1:]}" for part in (test, train))
    if found != needed:
        raise DataError(f"{label}: found {found}; needs {needed} as in the training file")
    if test.classes > train.classes or (test.one_hot and test.classes != train.classes):
        raise DataError(f"{label}: found {test.classes} classes; needs {train.classes} as in the training file")


def _maximum(images: Images) -> float:
    """255 for uint8; 1 for floats within [0, 1]; else the largest absolute value (1 where all are 0)."""
    if images.dtype == np.uint8:
        return 255.0
    pieces = [images[rows] for rows in row_slices(len(images), row_bytes=images[0].nbytes)]
    low, high = float(min(piece.min() for piece in pieces)), float(max(piece.max() for piece in pieces))
    return 1.0 if low >= 0 and high <= 1 else max(-low, high)
