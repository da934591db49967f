"""The 8×8 digits that scikit-learn ships: no download, the default."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np

from bench.errors import DataError
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.splits import Splits

VERSION = 1  # of the decoder: raise it when the decoded arrays change
IMAGES_SHA256 = "8f26b2bd9d135c256808f68f14fdabddde6d9c7f869ae419704b051f0f14b3b3"
LABELS_SHA256 = "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21"


@dataset("digits")
def digits(root: Path, *, split: Literal["random"] = "random") -> Splits:
    """Handwritten digits, embedded: 1,797 of 1×8×8 with values 0 to 16, 10 classes.

    split: `random`, a stratified 80/20 by the trial's seed. root is not looked at.
    Raises DataError where scikit-learn ships another set than the one that is known.
    """
    sources = {"images": IMAGES_SHA256, "labels": LABELS_SHA256}
    arrays = cached("digits", sources=sources, version=VERSION, decode=_decode)
    images, labels = arrays["images"], arrays["labels"]
    return Splits(
        train_images=images,
        train_labels=labels,
        test_images=images[:0],
        test_labels=labels[:0],
        class_names=[str(digit) for digit in range(10)],
        maximum=16,
        licence="CC BY 4.0",
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI 1998 (the test part of it)",
        test_fraction=0.2,
    )


def _decode() -> Arrays:
    from sklearn.datasets import load_digits  # takes a second to import: only where nothing is cached

    found = load_digits()
    images = found.images.astype(np.uint8)[:, np.newaxis]
    labels = found.target.astype("<i8")
    digests = tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in (images, labels))
    if digests != (IMAGES_SHA256, LABELS_SHA256):
        raise DataError("digits: this scikit-learn ships another set of digits than the known one; install another")
    return {"images": images, "labels": labels}
