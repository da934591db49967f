"""From a data set to the samples of one trial: test part, limits and validation part, drawn by the trial's seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Json, Scaling, Task
from bench.errors import BenchError
from bench.registry import DATASETS
from bench.worker.datasets.splits import Inputs, Labels, Splits, Targets, outputs_of

Indices: TypeAlias = npt.NDArray[np.int64]

TEST_DRAW, VALIDATION_DRAW = 1, 2  # purposes: each has a generator of its own, derived from the seed


class Split(NamedTuple):
    """Samples: inputs (N, …), images or not, and their labels (N,), or the targets (N,) or (N, T) of a regression."""

    images: Inputs
    labels: Targets


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What one trial trains on, validates on (maybe nothing) and is tested on. Arrays may be read-only views."""

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    task: Task = "classification"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (C, H, W) of an image."""
        return self.train.images.shape[1:]

    @property
    def num_outputs(self) -> int:
        """How many numbers a model gives for a sample: one a class, or one a target."""
        return len(self.class_names) if self.task == "classification" else outputs_of(self.train.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Places (n,) in the set's own training samples; `test` is None where the set has test samples of its own."""

    train: Indices
    validation: Indices
    test: Indices | None


class BuiltSet(NamedTuple):
    """A data set, and the settings that every data set takes."""

    splits: Splits
    scaling: Scaling
    limits: dict[str, int | None]  # train_limit, test_limit


def build_set(name: str, settings: Mapping[str, Json], *, locations: Mapping[str, str], root: Path) -> BuiltSet:
    """Build a data set; `locations` are its settings that name a file. Raises Unavailable, DataError, BenchError."""
    own = dict(settings)
    limits = {key: own.pop(key, None) for key in ("train_limit", "test_limit")}
    scaling = own.pop("scaling", "unit")
    own |= {key: Path(path) for key, path in locations.items()}
    return BuiltSet(DATASETS.get(name).build(root, **own), scaling, limits)


def prepare(
    splits: Splits, *, seed: int, train_limit: int | None, test_limit: int | None, validation_split: float
) -> Prepared:
    """Draw the random test part if the set has none, then take the first N, then hold out the validation part.

    Both draws are stratified: the share of each class is right within one sample. In a regression, and where the set
    has groups, they are not; a group stays whole. The set's own order is kept.
    Arrays are views wherever no draw was needed. Raises BenchError on a bad limit or share, or an empty part.
    """
    limits = {"train_limit": train_limit, "test_limit": test_limit}
    drawn = draw_parts(splits, seed=seed, validation_split=validation_split, **limits)
    own = Split(splits.train_inputs, splits.train_targets)
    test = own_test(splits, test_limit) if drawn.test is None else _take(own, drawn.test)
    parts = _take(own, drawn.train), _take(own, drawn.validation), test
    return Prepared(*parts, tuple(splits.class_names), splits.task)


def own_test(splits: Splits, limit: int | None) -> Split:
    """The first N of the test samples that the set has of its own."""
    return Split(splits.test_inputs[:limit], splits.test_targets[:limit])


def draw_parts(
    splits: Splits, *, seed: int, train_limit: int | None, test_limit: int | None, validation_split: float
) -> Drawn:
    """The same as `prepare`, as places in the set. Raises the same."""
    for name, limit in (("train_limit", train_limit), ("test_limit", test_limit)):
        if limit is not None and limit < 1:
            raise BenchError(f"{name}: found {limit}; needs at least 1")
    if not 0 <= validation_split < 1:
        raise BenchError(f"validation_split: found {validation_split}; needs a number from 0 to below 1")
    count, test = len(splits.train_targets), None
    kept, tested = np.arange(min(count, train_limit or count)), len(splits.test_targets[:test_limit])
    if splits.test_fraction is not None:
        drawn = _drawn(splits, np.arange(count), splits.test_fraction, seed=seed, purpose=TEST_DRAW)
        kept, test = np.flatnonzero(~drawn)[:train_limit], np.flatnonzero(drawn)[:test_limit]
        tested = len(test)
    held_out = _drawn(splits, kept, validation_split, seed=seed, purpose=VALIDATION_DRAW)
    train, validation = kept[~held_out], kept[held_out]
    if 0 in (len(train), tested) or (validation_split > 0 and len(validation) == 0):
        sizes = f"{len(train)} to train, {len(validation)} to validate, {tested} to test"
        raise BenchError(f"this split of the data set leaves {sizes}; needs at least one of each")
    return Drawn(train, validation, test)


def _drawn(splits: Splits, places: Indices, fraction: float, *, seed: int, purpose: int) -> npt.NDArray[np.bool_]:
    """A mask over the training samples at `places` (n,): groups where the set has some, else by class, else any."""
    if splits.train_groups is not None:
        return draw_groups(splits.train_groups[places], fraction, seed=seed, purpose=purpose)
    strata = splits.train_targets[places] if splits.task == "classification" else np.zeros(len(places))
    return draw(strata.astype(np.int64), fraction, seed=seed, purpose=purpose)


def draw_groups(groups: Labels, fraction: float, *, seed: int, purpose: int) -> npt.NDArray[np.bool_]:
    """A mask (N,) of whole groups in random order, as long as they bring it nearer to fraction · N samples."""
    mask = np.zeros(len(groups), dtype=np.bool_)
    names, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    keys = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose]))).random(len(names))
    order = np.argsort(keys, kind="stable")
    sizes = np.concatenate([[0], counts[order].cumsum()])
    taken = order[: int(np.abs(sizes - fraction * len(groups)).argmin())]
    mask[np.isin(places, taken)] = True
    return mask


def draw(labels: Labels, fraction: float, *, seed: int, purpose: int) -> npt.NDArray[np.bool_]:
    """A mask (N,) of a stratified random sample of round(fraction · N) of the labels (N,).

    Each class gives its share by largest remainder, so none is off by a whole sample; ties go to the lower class.
    """
    mask = np.zeros(len(labels), dtype=np.bool_)
    if fraction == 0:
        return mask
    # One uniform key a sample, the smallest of each class are drawn: random() is the most stable of numpy's streams.
    keys = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose]))).random(len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    shares = counts * fraction
    wanted = np.floor(shares).astype(np.int64)
    missing = round(len(labels) * fraction) - int(wanted.sum())
    wanted[np.argsort(wanted - shares, kind="stable")[:missing]] += 1
    for label, number in zip(classes, wanted, strict=True):
        members = np.flatnonzero(labels == label)
        mask[members[np.argsort(keys[members], kind="stable")[:number]]] = True
    return mask


def _take(part: Split, indices: Indices) -> Split:
    """A view where the indices are a leading piece of the part (all of it, or none), else a copy."""
    if np.array_equal(indices, np.arange(len(indices))):
        return Split(part.images[: len(indices)], part.labels[: len(indices)])
    return Split(part.images[indices], part.labels[indices])
