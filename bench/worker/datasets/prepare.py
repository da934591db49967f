"""From a data set to the samples of one trial: test part, limits and validation part, drawn by the trial's seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Json, Scaling
from bench.errors import BenchError
from bench.registry import DATASETS
from bench.worker.datasets.splits import Images, Labels, Splits

Indices: TypeAlias = npt.NDArray[np.int64]

TEST_DRAW, VALIDATION_DRAW = 1, 2  # purposes: each has a generator of its own, derived from the seed


class Split(NamedTuple):
    """Samples: images (N, C, H, W) and labels (N,)."""

    images: Images
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What one trial trains on, validates on (maybe nothing) and is tested on. Arrays may be read-only views."""

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


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

    Both draws are stratified: the share of each class is right within one sample. The set's own order is kept.
    Arrays are views wherever no draw was needed. Raises BenchError on a bad limit or share, or an empty part.
    """
    limits = {"train_limit": train_limit, "test_limit": test_limit}
    drawn = draw_parts(splits, seed=seed, validation_split=validation_split, **limits)
    own = Split(splits.train_images, splits.train_labels)
    test = own_test(splits, test_limit) if drawn.test is None else _take(own, drawn.test)
    return Prepared(_take(own, drawn.train), _take(own, drawn.validation), test, tuple(splits.class_names))


def own_test(splits: Splits, limit: int | None) -> Split:
    """The first N of the test samples that the set has of its own."""
    return Split(splits.test_images[:limit], splits.test_labels[:limit])


def draw_parts(
    splits: Splits, *, seed: int, train_limit: int | None, test_limit: int | None, validation_split: float
) -> Drawn:
    """The same as `prepare`, as places in the set. Raises the same."""
    for name, limit in (("train_limit", train_limit), ("test_limit", test_limit)):
        if limit is not None and limit < 1:
            raise BenchError(f"{name}: found {limit}; needs at least 1")
    if not 0 <= validation_split < 1:
        raise BenchError(f"validation_split: found {validation_split}; needs a number from 0 to below 1")
    labels, test = splits.train_labels, None
    kept, tested = np.arange(len(labels[:train_limit])), len(splits.test_labels[:test_limit])
    if splits.test_fraction is not None:
        drawn = draw(labels, splits.test_fraction, seed=seed, purpose=TEST_DRAW)
        kept, test = np.flatnonzero(~drawn)[:train_limit], np.flatnonzero(drawn)[:test_limit]
        tested = len(test)
    held_out = draw(labels[kept], validation_split, seed=seed, purpose=VALIDATION_DRAW)
    train, validation = kept[~held_out], kept[held_out]
    if 0 in (len(train), tested) or (validation_split > 0 and len(validation) == 0):
        sizes = f"{len(train)} to train, {len(validation)} to validate, {tested} to test"
        raise BenchError(f"this split of the data set leaves {sizes}; needs at least one of each")
    return Drawn(train, validation, test)


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
