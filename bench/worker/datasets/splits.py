"""What a data set's builder returns, checked where it is built; and the scaling of its pixels."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Scaling
from bench.errors import BenchError, DataError

Images: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.int64]

CHUNK_BYTES = 1 << 25  # large arrays are looked at in pieces: a mask or a copy of the whole would double the memory


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Splits:
    """A data set: training and test part, and what there is to know of it.

    train_images, test_images: (N, C, H, W), uint8 or float32, C-contiguous; a read-only memory map stays one.
    train_labels, test_labels: (N,), int64, from 0 to len(class_names) - 1.
    maximum: what the scaling `unit` divides by.
    mean, sd: of each channel after division by maximum, for the scaling `standard`; None: computed from train_images.
    test_fraction: where set, train_* holds everything and test_* nothing, and the trial's seed draws the test part.

    Numpy arrays and torch tensors are accepted, labels of any integer type.
    Raises DataError, one line with what was found and what is needed.
    """

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    class_names: Sequence[str]
    maximum: float
    licence: str
    source: str
    mean: Sequence[float] | None = None
    sd: Sequence[float] | None = None
    test_fraction: float | None = None

    def __post_init__(self) -> None:
        self._set("class_names", tuple(str(name) for name in self.class_names))
        for part in ("train", "test"):
            images = _images(getattr(self, f"{part}_images"), what=f"{part} images")
            labels = _labels(getattr(self, f"{part}_labels"), what=f"{part} labels", classes=len(self.class_names))
            if len(images) != len(labels):
                raise DataError(f"{part}: found {len(images)} images and {len(labels)} labels; needs as many of each")
            self._set(f"{part}_images", images)
            self._set(f"{part}_labels", labels)
        self._check_parts()
        if not self.licence or not self.source:
            raise DataError("licence and source: needs a text for each that says where the data set comes from")
        if not (math.isfinite(self.maximum) and self.maximum > 0):
            raise DataError(f"maximum: found {self.maximum}; needs a finite number above 0")
        if self.test_fraction is not None and not 0 < self.test_fraction < 1:
            raise DataError(f"test_fraction: found {self.test_fraction}; needs a number between 0 and 1")
        for name in ("mean", "sd"):
            self._set(name, _per_channel(getattr(self, name), what=name, channels=self.input_shape[0]))
        if self.sd is not None and min(self.sd) <= 0:
            raise DataError(f"sd: found {min(self.sd)}; needs a number above 0 for each channel")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_parts(self) -> None:
        train, test = self.train_images, self.test_images
        if len(train) == 0 or 0 in train.shape:
            raise DataError(f"train images: found the shape {train.shape}; needs at least one image with pixels")
        if test.shape[1:] != train.shape[1:] or test.dtype != train.dtype:
            raise DataError(
                f"test images: found {test.dtype} of {test.shape[1:]}; needs {train.dtype} of {train.shape[1:]} "
                "as in the training part"
            )
        if (len(test) == 0) != (self.test_fraction is not None):
            raise DataError(
                f"test part: found {len(test)} images and test_fraction {self.test_fraction}; needs one of the two"
            )


@dataclass(frozen=True, slots=True)
class Affine:
    """The scaling of pixels, one number a channel: x_scaled = (x - shift) * scale, in float32."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]


def scaling(splits: Splits, name: Scaling) -> Affine:
    """`unit`: x / maximum; `standard`: (x / maximum - mean) / sd; `symmetric`: 2 x / maximum - 1.

    Raises BenchError for any other name.
    """
    channels, maximum = splits.input_shape[0], float(splits.maximum)
    match name:
        case "unit":
            return Affine((0.0,) * channels, (1 / maximum,) * channels)
        case "symmetric":
            return Affine((maximum / 2,) * channels, (2 / maximum,) * channels)
        case "standard":
            mean, sd = splits.mean, splits.sd
            if mean is None or sd is None:
                own_mean, own_sd = mean_and_sd(splits.train_images, maximum)
                mean, sd = mean or own_mean, sd or own_sd
            return Affine(tuple(m * maximum for m in mean), tuple(1 / (maximum * s) for s in sd))
    raise BenchError(f"scaling: found {name!r}; needs unit, standard or symmetric")


def mean_and_sd(images: Images, maximum: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and (population) standard deviation of each channel of (N, C, H, W) after division by maximum.

    Two passes in float64, in pieces. A channel that is constant gets the sd 1, so that it scales to 0.
    """
    count = images.size // images.shape[1]
    zero = np.zeros(images.shape[1])
    where = list(row_slices(len(images), row_bytes=8 * math.prod(images.shape[1:])))
    pieces = (images[rows].astype(np.float64) for rows in where)
    mean = sum((piece.sum(axis=(0, 2, 3)) for piece in pieces), zero) / count
    differences = (images[rows].astype(np.float64) - mean[:, None, None] for rows in where)
    variance = sum((np.square(piece).sum(axis=(0, 2, 3)) for piece in differences), zero) / count
    sd = np.sqrt(variance) / maximum
    sd[sd == 0] = 1.0
    return tuple((mean / maximum).tolist()), tuple(sd.tolist())


def digest_of(images: Images, labels: Labels) -> str:
    """First 16 hex digits of the SHA-256 of images (N, C, H, W) and labels (N,) as they lie."""
    found = hashlib.sha256(f"{images.dtype.str} {images.shape}".encode())
    for rows in row_slices(len(images), row_bytes=images[:1].nbytes):
        found.update(np.ascontiguousarray(images[rows]).data)
    found.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return found.hexdigest()[:16]


def row_slices(length: int, *, row_bytes: int) -> Iterator[slice]:
    """Slices that cover `length` rows, each of CHUNK_BYTES at most where a row is no longer than that."""
    rows = max(1, CHUNK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + rows, length)) for start in range(0, length, rows))


def _images(value: object, *, what: str) -> Images:
    array = _as_numpy(value)
    if array.ndim != 4 or array.dtype not in (np.uint8, np.float32):
        raise DataError(f"{what}: found {array.dtype} of {array.shape}; needs uint8 or float32 of (N, C, H, W)")
    array = np.ascontiguousarray(array)
    if array.dtype == np.float32:
        where = row_slices(len(array), row_bytes=array[:1].nbytes)
        if not all(np.isfinite(array[rows]).all() for rows in where):
            raise DataError(f"{what}: found NaN or infinity; needs finite numbers")
    return array


def _labels(value: object, *, what: str, classes: int) -> Labels:
    array = _as_numpy(value)
    if array.ndim != 1 or array.dtype.kind not in "iub":  # False and True are 0 and 1
        how = "labels.astype('int64')"
        if array.dtype.kind in "SUO":
            how = "numpy.unique(labels, return_inverse=True)[1]"
        elif array.ndim == 2:
            how = "labels.argmax(1)" if array.shape[1] > 1 else "labels.reshape(-1)"
        raise DataError(f"{what}: found {array.dtype} of {array.shape}; needs integers of (N,), as {how}")
    if len(array) and not (array.min() >= 0 and array.max() < classes):
        raise DataError(f"{what}: found {array.min()} to {array.max()}; needs 0 to {classes - 1}, one a class name")
    return np.ascontiguousarray(array, dtype=np.int64)


def _as_numpy(value: Any) -> npt.NDArray[Any]:
    """A view, no copy. A torch tensor is known by its methods, so that torch need not be imported here."""
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def _per_channel(value: Sequence[float] | None, *, what: str, channels: int) -> tuple[float, ...] | None:
    if value is None:
        return None
    numbers = tuple(float(number) for number in value)
    if len(numbers) != channels or not all(math.isfinite(number) for number in numbers):
        raise DataError(f"{what}: found {numbers}; needs {channels} finite numbers, one a channel")
    return numbers
