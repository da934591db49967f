"""Made data of any shape and number of classes, from which something can be learned."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Le, Len

from bench.registry import dataset
from bench.worker.datasets.splits import Images, Labels, Splits, row_slices

MEANS, TRAIN, TEST = 1, 2, 3  # purposes: each has a generator of its own, so that more images to train change no test

BLOCKS = 4  # a class's mean is a pattern of at most 4×4 blocks a channel: coarse, so that convolutions can use it
SIGNAL = 0.75  # standard deviation of the blocks' values, in units of noise = 1
GREY, CONTRAST = 128.0, 48.0  # levels of uint8: where 0 lies, and what 1 is
# Of images with more pixels than this both shrink, so that an image keeps its norm, and a learning rate fits.
FULL_PIXELS = 64


@dataset("synthetic")
def synthetic(
    root: Path,
    *,
    shape: Annotated[Sequence[Annotated[int, Ge(1)]], Len(3, 3)] = (1, 8, 8),
    classes: Annotated[int, Ge(2), Le(65_536)] = 10,
    train: Annotated[int, Ge(1)] = 1000,
    test: Annotated[int, Ge(1)] = 200,
    noise: Annotated[float, Ge(0)] = 1.0,
    data_seed: Annotated[int, Ge(0)] = 0,
) -> Splits:
    """Made images: each class a Gaussian cloud around a coarse pattern of its own; balanced classes.

    shape: (C, H, W). noise: standard deviation of each pixel, where that of the patterns is 0.75; more is harder.
    data_seed: another one gives other patterns and samples. root is not looked at.
    """
    means = _patterns(tuple(shape), classes=classes, rng=_generator(data_seed, MEANS))
    train_images, train_labels = _draw(means, count=train, noise=noise, rng=_generator(data_seed, TRAIN))
    test_images, test_labels = _draw(means, count=test, noise=noise, rng=_generator(data_seed, TEST))
    return Splits(
        train_images=train_images.reshape(-1, *shape),
        train_labels=train_labels,
        test_images=test_images.reshape(-1, *shape),
        test_labels=test_labels,
        class_names=[str(label) for label in range(classes)],
        maximum=255,
        licence="none: made by this program",
        source=f"Gaussian class means, data_seed {data_seed}",
    )


def _generator(data_seed: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([data_seed, purpose])))


def _patterns(shape: tuple[int, ...], *, classes: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """(classes, C·H·W): the mean of each class, blocks of equal value."""
    channels, height, width = shape
    rows, columns = min(height, BLOCKS), min(width, BLOCKS)
    blocks = SIGNAL * rng.standard_normal((classes, channels, rows, columns))
    pixels = blocks[:, :, np.arange(height) * rows // height][..., np.arange(width) * columns // width]
    return pixels.reshape(classes, -1)


def _draw(
    means: npt.NDArray[np.float64], *, count: int, noise: float, rng: np.random.Generator
) -> tuple[Images, Labels]:
    """Images (count, D) uint8 and labels, drawn in pieces: floats of the whole would take eight times the memory."""
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(means))
    images = np.empty((count, means.shape[1]), dtype=np.uint8)
    shrink = math.sqrt(FULL_PIXELS / max(FULL_PIXELS, means.shape[1]))
    for rows in row_slices(count, row_bytes=8 * means.shape[1]):
        piece = means[labels[rows]]
        piece += noise * rng.standard_normal(piece.shape)
        images[rows] = np.clip(np.rint(shrink * (GREY + CONTRAST * piece)), 0, 255)
    return images, labels
