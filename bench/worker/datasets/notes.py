"""What a reader of an accuracy has to know of the data behind it: repeated images, classes without samples."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from bench.errors import escaped
from bench.worker.datasets.prepare import Prepared
from bench.worker.datasets.splits import Images

# Share of the test images that the training set has to the bit. The published sets have none; a few doubles in a large
# set of small drawings are natural.
REPEATED_SHARE = 0.01
SHOWN_CLASSES, SHOWN_CHARACTERS = 5, 30
PIECE_BYTES = 1 << 18  # small: pages that the heap keeps would hide memory that is measured later


def data_notes(data: Prepared) -> list[str]:
    """One line each. An image counts as repeated whatever its label is."""
    return [*_repeated_note(data), *_class_notes(data)]


def _repeated_note(data: Prepared) -> Iterator[str]:
    count, total = repeated(data.train.images, data.test.images), len(data.test.images)
    what = _noun(data)
    if count and count >= REPEATED_SHARE * total:
        figure = "R²" if data.task == "regression" else "accuracy"
        yield (
            f"{count:,} of {total:,} test {what} are training {what} too, so the test {figure} says little of new "
            f"{what}; test on {what} that are not trained on"
        )


def _noun(data: Prepared) -> str:
    return "images" if data.test.images.ndim == 4 else "samples"


def _class_notes(data: Prepared) -> Iterator[str]:
    if data.task == "regression":
        return
    train, validation, test = (
        np.bincount(part.labels, minlength=data.num_outputs) for part in (data.train, data.validation, data.test)
    )
    if data.num_outputs == 1:
        yield "the data set has 1 class: there is nothing to tell apart, and every answer is right"
    if len(empty := np.flatnonzero(train + validation + test == 0)):
        yield (
            f"{len(empty):,} of {data.num_outputs:,} classes {'has' if len(empty) == 1 else 'have'} no sample "
            f"({_listed(empty, data.class_names)}); number the classes from 0 on, without gaps"
        )
    unknown = np.flatnonzero((train == 0) & (test > 0))
    if len(unknown):
        what = _noun(data)
        yield (
            f"{test[unknown].sum():,} of {len(data.test.labels):,} test {what} are of classes that no training "
            f"{what[:-1]} has ({_listed(unknown, data.class_names)}), so no answer to them is right; "
            "train on every class"
        )


def _listed(classes: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    shown = [escaped(names[label][:SHOWN_CHARACTERS]) for label in classes[:SHOWN_CLASSES]]
    return ", ".join(shown) + (", …" if len(classes) > len(shown) else "")


def repeated(train: Images, test: Images) -> int:
    """How many test images the training set has, equal in every pixel.

    Sums of the bytes, multiplied by random odd numbers, leave few candidates; only these are hashed. On 70,000 images
    of MNIST 20 ms.
    """
    known, asked = _sums(train), _sums(test)
    # Unequal images may have one sum, equal ones have the same.
    rows, candidates = np.flatnonzero(np.isin(known, asked)), np.flatnonzero(np.isin(asked, known))
    found = set(digests(train, rows))
    return sum(digest in found for digest in digests(test, candidates))


def digests(images: Images, rows: Sequence[int] | npt.NDArray[np.int64] | None = None) -> Iterator[bytes]:
    """BLAKE2 of each image, or of those at `rows`."""
    for row in range(len(images)) if rows is None else rows:
        yield hashlib.blake2b(_positive_zero(images[row]).tobytes(), digest_size=16).digest()


def _sums(images: Images) -> npt.NDArray[np.uint64]:
    """(N,) one number an image, the same for equal ones."""
    row_bytes = images[:1].nbytes
    words = -(-row_bytes // 8)
    factors = np.random.Generator(np.random.PCG64(0)).integers(0, 2**63, words, dtype=np.uint64) * np.uint64(2)
    sums = np.empty(len(images), dtype=np.uint64)
    rows = max(1, PIECE_BYTES // max(1, row_bytes))
    padded = np.zeros((rows, 8 * words), dtype=np.uint8)
    for start in range(0, len(images), rows):
        piece = _positive_zero(images[start : start + rows])
        padded[: len(piece), :row_bytes] = np.ascontiguousarray(piece).reshape(len(piece), -1).view(np.uint8)
        sums[start : start + rows] = padded[: len(piece)].view(np.uint64) @ (factors + np.uint64(1))
    return sums


def _positive_zero(images: Images) -> Images:
    """-0.0 and 0.0 are one number, and two texts of bytes."""
    return images + np.float32(0) if images.dtype.kind == "f" else images
