"""The full set of 8×8 digits from UCI, of which scikit-learn ships the test part."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bench.errors import DataError
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import Download, check_pinned, downloads, not_there, read_pinned, shown
from bench.worker.datasets.splits import Splits

VERSION = 1  # of the decoder: raise it when the decoded arrays change
FOLDER = "optdigits"
URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/optdigits/"
SIDE, PIXELS, MAXIMUM, CLASSES = 8, 64, 16, 10


@dataclass(frozen=True, slots=True)
class TextFile:
    """A published file: one sample a line, 64 pixels and the class, comma between them."""

    name: str
    rows: int
    size_bytes: int
    sha256: str


FILES = (
    TextFile("optdigits.tra", 3_823, 563_639, "e1b683cc211604fe8fd8c4417e6a69f31380e0c61d4af22e93cc21e9257ffedd"),
    TextFile("optdigits.tes", 1_797, 264_712, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"),
)


@dataset("optdigits")
def optdigits(root: Path, *, split: Literal["random", "writers"] = "random") -> Splits:
    """Handwritten digits: 5,620 of 1×8×8 with values 0 to 16, 10 classes, from 43 writers.

    split: `random`, a stratified 80/20 by the trial's seed; `writers`, trained on 30 (3,823 images), tested on the
    13 others (1,797). Raises Unavailable where the files are missing, DataError where one is not the published one.
    """
    arrays = _load(root)
    images, labels = arrays["images"], arrays["labels"]
    train = FILES[0].rows if split == "writers" else len(images)
    return Splits(
        train_images=images[:train],
        train_labels=labels[:train],
        test_images=images[train:],
        test_labels=labels[train:],
        class_names=[str(digit) for digit in range(CLASSES)],
        maximum=MAXIMUM,
        licence="CC BY 4.0",
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI 1998",
        test_fraction=0.2 if split == "random" else None,
    )


@downloads("optdigits")
def files() -> Sequence[Download]:
    """UCI's, by pinned SHA-256."""
    return [
        Download(PurePosixPath(FOLDER, file.name), (URL + file.name,), file.size_bytes, f"sha256:{file.sha256}")
        for file in FILES
    ]


def parse(content: bytes, *, rows: int, label: str) -> npt.NDArray[np.uint8]:
    """(rows, 65) uint8 from the text of a file. Raises DataError where it is not such a table."""
    try:
        table = np.array([line.split(b",") for line in content.split()], dtype=np.int64)
    except ValueError as error:
        raise DataError(f"{label}: found a line that is not whole numbers and commas; needs {PIXELS + 1}") from error
    if table.shape != (rows, PIXELS + 1):
        raise DataError(f"{label}: found a table of {table.shape}; needs {(rows, PIXELS + 1)}")
    if table.min() < 0 or table[:, :PIXELS].max() > MAXIMUM or table[:, PIXELS].max() >= CLASSES:
        raise DataError(f"{label}: found values out of range; needs pixels 0 to {MAXIMUM}, classes 0 to {CLASSES - 1}")
    return table.astype(np.uint8)


def _load(root: Path) -> Arrays:
    """Images (5620, 1, 8, 8) and labels of both files, .tra first."""
    for file in FILES:
        path = root / FOLDER / file.name
        if not path.is_file():
            raise not_there("optdigits", name="optdigits", root=root, missing=f"{FOLDER}/{file.name}")
        check_pinned(path, file.sha256, name="optdigits")

    def decode() -> Arrays:
        tables: list[npt.NDArray[Any]] = []
        for file in FILES:
            path = root / FOLDER / file.name
            content = read_pinned(path, file.sha256, limit_bytes=file.size_bytes, name="optdigits")
            tables.append(parse(content, rows=file.rows, label=shown(path)))
        table = np.concatenate(tables)
        images = np.ascontiguousarray(table[:, :PIXELS]).reshape(-1, 1, SIDE, SIDE)
        return {"images": images, "labels": table[:, PIXELS].astype(np.int64)}

    return cached("optdigits", sources={file.name: file.sha256 for file in FILES}, version=VERSION, decode=decode)
