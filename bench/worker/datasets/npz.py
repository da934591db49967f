"""A user's own images in an .npz file of numpy. How the file is read is in `npz_file`."""

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from annotated_types import Gt, Lt

from bench.errors import DataError
from bench.registry import dataset
from bench.worker.datasets import npz_file
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import digest_of_own
from bench.worker.datasets.hdf5_file import ChannelOrder, read_images, read_labels
from bench.worker.datasets.hdf5_file import layout as layout_of
from bench.worker.datasets.splits import Images, Labels, Splits

VERSION = 1  # of the decoder: raise it when the decoded arrays change
TRAIN = (("train_images", "train_labels"), ("x_train", "y_train"), ("images", "labels"), ("x", "y"))
TEST = (("test_images", "test_labels"), ("x_test", "y_test"))
VALIDATION = (("val_images", "val_labels"),)

Part: TypeAlias = tuple[Images, Labels, int]  # images (N, C, H, W), labels (N,), how many classes


@dataset("npz")
def npz(
    root: Path,
    *,
    path: Path,
    layout: ChannelOrder | None = None,
    with_validation: bool = False,
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
) -> Splits:
    """Your own images in a file of numpy.savez, as MedMNIST's: train_images, train_labels, test_images, test_labels.

    Also x_train, y_train, x_test, y_test; and images, labels or x, y, of which the trial's seed draws test_fraction.
    Images: N×H×W, N×H×W×C or N×C×H×W; uint8, or floats. Labels: N or N×1 class numbers from 0, or N×K one-hot.
    layout: "channels_first" or "channels_last", where the shape does not tell.
    with_validation: val_images and val_labels are trained on too; else they are left alone.
    The maximum (scaling `unit`) is 255 for uint8; of floats each channel is scaled by the trial's training part.
    Raises Unavailable where the file is missing, DataError where it is not as above.
    """
    settings = f"{layout} {with_validation}"

    def decode() -> Arrays:
        return _decode(path, order=layout, with_validation=with_validation)

    arrays = cached(
        "npz", sources={"file": digest_of_own(path, name="npz"), settings: ""}, version=VERSION, decode=decode
    )
    images, labels = arrays["train_images"], arrays["train_labels"]
    is_drawn = "test_images" not in arrays
    return Splits(
        train_images=images,
        train_labels=labels,
        test_images=images[:0] if is_drawn else arrays["test_images"],
        test_labels=labels[:0] if is_drawn else arrays["test_labels"],
        class_names=[str(number) for number in range(int(arrays["classes"][0]))],
        maximum=255 if images.dtype == np.uint8 else None,
        licence="not stated: the user's own file",
        source=path.name,
        test_fraction=test_fraction if is_drawn else None,
    )


def _decode(path: Path, *, order: ChannelOrder | None, with_validation: bool) -> Arrays:
    with npz_file.opened(path) as archive:
        found = npz_file.members(archive, label=path.name)

        def part(choices: tuple[tuple[str, str], ...]) -> Part | None:
            both = next((both for both in choices if any(name in found for name in both)), None)
            if both is None:
                return None
            if missing := [name for name in both if name not in found]:
                raise DataError(f"{path.name}: found no array {missing[0]!r}, only {npz_file.names(found)}; store it")
            arrays = (npz_file.array(archive, found[name], label=f"{path.name}: {name}") for name in both)
            return _part(*arrays, order=order, labels=(f"{path.name}: {both[0]}", f"{path.name}: {both[1]}"))

        train, test = part(TRAIN), part(TEST)
        validation = part(VALIDATION) if with_validation else None
        if train is None:
            needed = "train_images and train_labels, x_train and y_train, or images and labels"
            raise DataError(f"{path.name}: found {npz_file.names(found)}; needs arrays called {needed}")
        if with_validation and validation is None:
            raise DataError(f"{path.name}: found no val_images; leave out with_validation")
    return _joined(path, train, validation, test)


def _part(
    images: npt.NDArray[Any], numbers: npt.NDArray[Any], *, order: ChannelOrder | None, labels: tuple[str, str]
) -> Part:
    how = layout_of(images.shape, image_shape=None, order=order, label=labels[0])
    if numbers.shape[:1] != images.shape[:1] or len(images) == 0:
        raise DataError(f"{labels[1]}: found {numbers.shape} for {len(images)} images; needs a label for each, and one")
    classes, count, _ = read_labels(numbers, label=labels[1])
    return read_images(images, how, label=labels[0]), classes, count


def _joined(path: Path, train: Part, validation: Part | None, test: Part | None) -> Arrays:
    """The arrays of both parts. Raises DataError where the parts are not of one kind."""
    for name, other in (("validation", validation), ("test", test)):
        if other is None:
            continue
        have, needed = (f"{each[0].dtype} images of {each[0].shape[1:]}" for each in (other, train))
        if have != needed:
            raise DataError(f"{path.name}: {name} part: found {have}; needs {needed} as in the training part")
        if other[2] > train[2]:
            raise DataError(f"{path.name}: {name} part: found {other[2]} classes; the training part has {train[2]}")
    parts = [train, *([validation] if validation else [])]
    images, labels = (np.concatenate([each[index] for each in parts]) for index in (0, 1))
    if len(np.unique(labels)) < 2:
        raise DataError(f"{path.name}: found one class of training images; needs two or more to tell apart")
    found = {"train_images": images, "train_labels": labels, "classes": np.array([train[2]])}
    return found | ({} if test is None else {"test_images": test[0], "test_labels": test[1]})
