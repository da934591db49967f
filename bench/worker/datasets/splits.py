"""What a data set's builder returns, checked where it is built."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from bench.base.records import Task
from bench.errors import DataError

Inputs: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Images: TypeAlias = Inputs  # (N, C, H, W)
Labels: TypeAlias = npt.NDArray[np.int64]
Targets: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float32]

CHUNK_BYTES = 1 << 25  # large arrays are looked at in pieces: a mask or a copy of the whole would double the memory
OLD_NAMES = {
    "train_inputs": "train_images", "train_targets": "train_labels",
    "test_inputs": "test_images", "test_targets": "test_labels",
}  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True, slots=True, init=False)
class Splits:
    """A data set: training and test part, and what there is to know of it.

    train_inputs, test_inputs: (N, …), uint8 or float32, C-contiguous; a read-only memory map stays one. Images are
    (N, C, H, W), features (N, D). The first dimension of a sample is its channels, or its features.
    train_targets, test_targets: of a classification (N,), int64, from 0 to len(class_names) - 1; of a regression (N,)
    or (N, T), float32, in their own unit.
    class_names: of a classification. target_names: of a regression, one a target; "target" where they are left out.
    maximum: what the scaling `unit` divides by. None: a channel is scaled by its values in the trial's training part.
    mean, sd: of each channel after division by maximum, for the scaling `standard`; None: computed from train_inputs.
    test_fraction: where set, train_* holds everything and test_* nothing, and the trial's seed draws the test part.
    train_groups: (N,) integers, or None: samples of one group (a person) never lie in two parts that a seed draws.

    Numpy arrays and torch tensors are accepted, labels of any integer type, targets of a regression of any real type.
    train_images, train_labels, test_images and test_labels are other names of the four arrays.
    Raises DataError, one line with what was found and what is needed.
    """

    train_inputs: Inputs
    train_targets: Targets
    test_inputs: Inputs
    test_targets: Targets
    class_names: Sequence[str]
    maximum: float | None
    licence: str
    source: str
    mean: Sequence[float] | None
    sd: Sequence[float] | None
    test_fraction: float | None
    task: Task
    target_names: Sequence[str]
    train_groups: Labels | None

    def __init__(
        self,
        *,
        licence: str,
        source: str,
        train_inputs: Any = None,
        train_targets: Any = None,
        test_inputs: Any = None,
        test_targets: Any = None,
        train_images: Any = None,
        train_labels: Any = None,
        test_images: Any = None,
        test_labels: Any = None,
        class_names: Sequence[object] = (),
        maximum: float | None = None,
        mean: Sequence[float] | None = None,
        sd: Sequence[float] | None = None,
        test_fraction: float | None = None,
        task: Task = "classification",
        target_names: Sequence[object] = (),
        train_groups: Any = None,
    ) -> None:
        new = (train_inputs, train_targets, test_inputs, test_targets)
        old = (train_images, train_labels, test_images, test_labels)
        for name, array, other in zip(OLD_NAMES, new, old, strict=True):
            if (array is None) == (other is None):
                found = "neither" if array is None else "both"
                raise DataError(f"{name}: found {found} of {name} and {OLD_NAMES[name]}; needs one of them")
            self._set(name, other if array is None else array)
        given: dict[str, object] = {
            "class_names": tuple(map(str, class_names)),
            "target_names": tuple(map(str, target_names)),
        }
        given |= {"licence": licence, "source": source, "maximum": maximum, "mean": mean, "sd": sd, "task": task}
        given |= {"test_fraction": test_fraction, "train_groups": train_groups}
        for name, value in given.items():
            self._set(name, value)
        self._check()

    @property
    def train_images(self) -> Inputs:
        return self.train_inputs

    @property
    def train_labels(self) -> Any:
        return self.train_targets

    @property
    def test_images(self) -> Inputs:
        return self.test_inputs

    @property
    def test_labels(self) -> Any:
        return self.test_targets

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) of an image."""
        return self.train_inputs.shape[1:]

    @property
    def num_outputs(self) -> int:
        """How many numbers a model gives for a sample: one a class, or one a target."""
        return len(self.class_names) if self.task == "classification" else len(self.target_names)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        if self.task not in get_args(Task):
            raise DataError(f"task: found {self.task!r}; needs classification or regression")
        for part in ("train", "test"):
            self._check_part(part)
        self._check_names()
        self._check_parts()
        if not self.licence or not self.source:
            raise DataError("licence and source: needs a text for each that says where the data set comes from")
        if self.test_fraction is not None and not 0 < self.test_fraction < 1:
            raise DataError(f"test_fraction: found {self.test_fraction}; needs a number between 0 and 1")
        self._check_scaling()
        if self.train_groups is not None:
            self._set("train_groups", _groups(self.train_groups, count=len(self.train_inputs)))

    def _check_part(self, part: str) -> None:
        inputs = _inputs(getattr(self, f"{part}_inputs"), what=part)
        value, noun = getattr(self, f"{part}_targets"), "labels"
        if self.task == "classification":
            targets: Targets = _labels(value, what=f"{part} labels", classes=len(self.class_names))
        else:
            targets, noun = _regression_targets(value, what=f"{part} targets"), "targets"
        if len(inputs) != len(targets):
            found = f"found {len(inputs)} {_noun(inputs)} and {len(targets)} {noun}"
            raise DataError(f"{part}: {found}; needs as many of each")
        self._set(f"{part}_inputs", inputs)
        self._set(f"{part}_targets", targets)

    def _check_names(self) -> None:
        if self.task == "classification":
            if self.target_names:
                raise DataError(f"target_names: found {len(self.target_names)} in a classification; needs class_names")
            return
        if self.class_names:
            raise DataError(f"class_names: found {len(self.class_names)} in a regression; needs none")
        count = outputs_of(self.train_targets)
        if len(self.test_targets) and outputs_of(self.test_targets) != count:
            found = f"found {outputs_of(self.test_targets)} a sample"
            raise DataError(f"test targets: {found}; needs {count} as in the training part")
        names = self.target_names or (("target",) if count == 1 else tuple(f"target {n + 1}" for n in range(count)))
        if len(names) != count:
            raise DataError(f"target_names: found {len(names)}; needs {count}, one a target")
        self._set("target_names", names)

    def _check_parts(self) -> None:
        train, test = self.train_inputs, self.test_inputs
        what = _noun(train)
        if len(train) == 0 or 0 in train.shape:
            least = "image with pixels" if what == "images" else "sample with values"
            raise DataError(f"train {what}: found the shape {train.shape}; needs at least one {least}")
        if test.shape[1:] != train.shape[1:] or test.dtype != train.dtype:
            raise DataError(
                f"test {_noun(test)}: found {test.dtype} of {test.shape[1:]}; needs {train.dtype} of "
                f"{train.shape[1:]} as in the training part"
            )
        if (len(test) == 0) != (self.test_fraction is not None):
            raise DataError(
                f"test part: found {len(test)} {what} and test_fraction {self.test_fraction}; needs one of the two"
            )

    def _check_scaling(self) -> None:
        if self.maximum is None:
            if self.mean is not None or self.sd is not None:
                raise DataError("mean and sd: found without maximum, which they are of a share of; set maximum")
            return
        if not (math.isfinite(self.maximum) and self.maximum > 0):
            raise DataError(f"maximum: found {self.maximum}; needs a finite number above 0")
        for name in ("mean", "sd"):
            self._set(name, _per_channel(getattr(self, name), what=name, channels=self.input_shape[0]))
        if self.sd is not None and min(self.sd) <= 0:
            raise DataError(f"sd: found {min(self.sd)}; needs a number above 0 for each channel")


def outputs_of(targets: Targets) -> int:
    """How many targets each sample of a regression has, from (N,) or (N, T)."""
    return 1 if targets.ndim == 1 else targets.shape[1]


def digest_of(inputs: Inputs, targets: Targets) -> str:
    """First 16 hex digits of the SHA-256 of inputs (N, …) and targets (N,) or (N, T) as they lie."""
    found = hashlib.sha256(f"{inputs.dtype.str} {inputs.shape}".encode())
    for rows in row_slices(len(inputs), row_bytes=inputs[:1].nbytes):
        found.update(np.ascontiguousarray(inputs[rows]).data)
    found.update(np.ascontiguousarray(targets, dtype="<f4" if targets.dtype.kind == "f" else "<i8").data)
    return found.hexdigest()[:16]


def row_slices(length: int, *, row_bytes: int) -> Iterator[slice]:
    """Slices that cover `length` rows, each of CHUNK_BYTES at most where a row is no longer than that."""
    rows = max(1, CHUNK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + rows, length)) for start in range(0, length, rows))


def _noun(array: npt.NDArray[Any]) -> str:
    return "images" if array.ndim == 4 else "inputs"


def _inputs(value: object, *, what: str) -> Inputs:
    array = _as_numpy(value)
    what = f"{what} {_noun(array)}"
    if array.ndim < 2 or array.dtype not in (np.uint8, np.float32):
        raise DataError(
            f"{what}: found {array.dtype} of {array.shape}; needs uint8 or float32 of (N, …), images of (N, C, H, W)"
        )
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


def _regression_targets(value: object, *, what: str) -> npt.NDArray[np.float32]:
    array = _as_numpy(value)
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiub" or (array.ndim == 2 and array.shape[1] == 0):
        raise DataError(f"{what}: found {array.dtype} of {array.shape}; needs numbers of (N,) or (N, T)")
    with np.errstate(over="ignore"):
        found: npt.NDArray[np.float32] = np.ascontiguousarray(array, dtype=np.float32)
    if bad := np.count_nonzero(~np.isfinite(found)):
        raise DataError(f"{what}: found {bad:,} NaN or infinite in float32; needs finite numbers")
    return found


def _groups(value: object, *, count: int) -> Labels:
    array = _as_numpy(value)
    if array.shape != (count,) or array.dtype.kind not in "iub":
        raise DataError(f"train_groups: found {array.dtype} of {array.shape}; needs integers of ({count},)")
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
