"""A user's own data in HDF5 files. What may lie in them is checked in `hdf5_file`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
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
from bench.worker.datasets.hdf5_file import ChannelOrder, Keys, Samples, read
from bench.worker.datasets.splits import Images, Splits, row_slices

MOST_IN_FEW = 1000  # classes, where there are fewer images: more are numbers that count something else
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
    test_images: Annotated[str, MinLen(1)] | None = None,
    test_labels: Annotated[str, MinLen(1)] | None = None,
    layout: ChannelOrder | None = None,
) -> Splits:
    """Your own images in an HDF5 file: arrays of images and of labels, with test arrays or a random test part.

    images: name of an array N×H×W, N×H×W×C, N×C×H×W, or flat N×D with image_shape; uint8, or floats (to float32).
    labels: name of an array of N class numbers (from 0; whole floats and bools are taken too), or N×K one-hot.
    image_shape: (C, H, W); needed for flat images.
    layout: "channels_first" or "channels_last": where C is. Needed where neither image_shape nor the array tells: it
    does where exactly one of the first and the last dimension is 1, 2, 3 or 4. Flat images are C first without it.
    test_path: a second file with the test arrays. test_images, test_labels: their names there, else in `path`; without
    them they are called as in `path`. Without test arrays, test_fraction is drawn at random by the trial's seed.
    The maximum (scaling `unit`) is 255 for uint8; for floats 1 where all lie in [0, 1], else the largest absolute
    value of the file at `path`. A file that `bench convert` wrote says these things itself (see `hdf5_facts`).
    Raises Unavailable where a file is missing, DataError where it is not as above.
    """
    if test_path is None and (test_images is None) != (test_labels is None):
        raise DataError(f"hdf5: found one of test_images and test_labels; set both, the test arrays of {path.name}")
    keys = Keys(images, labels, tuple(image_shape) if image_shape else None, layout)
    test_keys = replace(
        keys, images=test_images or images, labels=test_labels or labels, settings=("test_images", "test_labels")
    )
    tested = (test_path or path, test_keys) if test_path or test_images else None
    arrays = _load(path, keys, test=tested)
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
        test_fraction=None if tested else test_fraction,
    )


def _load(path: Path, keys: Keys, *, test: tuple[Path, Keys] | None) -> Arrays:
    """The arrays of both parts; `test`: the file of the test arrays, and what they are called."""
    parts = {"train": (path, keys)} | ({"test": test} if test else {})
    sources = {part: _digest(file) for part, (file, _) in parts.items()}
    sources |= {f"{part} keys": canonical_json(asdict(names)) for part, (_, names) in parts.items()}

    def decode() -> Arrays:
        train = read(path, keys, other=test[0] if test else None)
        arrays: dict[str, npt.NDArray[Any]] = {"train_images": train.images, "train_labels": train.labels}
        names = train.facts.get("class_names") or [str(label) for label in range(train.classes)]
        if train.classes > max(MOST_IN_FEW, len(train.labels)):
            found = f"found {train.classes:,} classes in {len(train.labels):,} images"
            raise DataError(f"{path.name}: {keys.labels}: {found}; number those that it has from 0 on, without gaps")
        maximum = train.facts.get("maximum") or _maximum(train.images)
        facts = {**train.facts, "class_names": names, "maximum": maximum}
        arrays["said"] = np.frombuffer(canonical_json(facts).encode(), dtype=np.uint8)
        if test:
            tested = read(*test, other=path if test[0] != path else None)
            _check_alike(train, tested, label=test[0].name)
            arrays |= {"test_images": tested.images, "test_labels": tested.labels}
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
        how = "give each class images to train on"
        raise DataError(f"{label}: found {test.classes} classes; needs {train.classes} as in the training part: {how}")


def _maximum(images: Images) -> float:
    """255 for uint8; 1 for floats within [0, 1]; else the largest absolute value (1 where all are 0)."""
    if images.dtype == np.uint8:
        return 255.0
    pieces = [images[rows] for rows in row_slices(len(images), row_bytes=images[0].nbytes)]
    low, high = float(min(piece.min() for piece in pieces)), float(max(piece.max() for piece in pieces))
    return 1.0 if low >= 0 and high <= 1 else max(-low, high)
