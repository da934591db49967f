"""`sklearn:iris` and others: the tables that scikit-learn ships, without a download. Numbers in their own units."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.base.records import Task
from bench.errors import DataError
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.splits import Splits

VERSION = 1  # of the decoder: raise it when the decoded arrays change
TEST_FRACTION = 0.2


class Table(NamedTuple):
    """One set: the digest of its float32 inputs and of its targets, its classes (none: a regression), its source."""

    inputs_sha256: str
    targets_sha256: str
    class_names: tuple[str, ...]
    source: str


IRIS = Table(
    "2374923a3acd29a63001946c3c216e2a5581864f01041c86c4b5211ec93885c2",
    "734737f11162991213afc3a96aa5e8823b2d9cdcfb8992df1e85a0bae44b2395",
    ("setosa", "versicolor", "virginica"),
    "R. A. Fisher: The use of multiple measurements in taxonomic problems, 1936 (as scikit-learn ships it)",
)
WINE = Table(
    "fdd1a162030a8e5bfa056d44269c822cf53565fb2f35e81dfd7d6856ee3def46",
    "b6514e07a6d27854e0da000ca82d8d8cc3d0cb904c51600344ca34f1ee04884b",
    ("class_0", "class_1", "class_2"),
    "M. Forina and others: Wine, UCI 1992 (as scikit-learn ships it)",
)
BREAST_CANCER = Table(
    "ace340f3a4f8924791b9c5559e8492e9a896f29b3332f303863c6b46256ad45a",
    "1763c0f8cd3f454b9eda72031113884593bb382411c0cd511e3ec6e7ac85cddb",
    ("malignant", "benign"),
    "W. Wolberg, O. Mangasarian, N. Street: Breast Cancer Wisconsin (Diagnostic), UCI 1995 (as scikit-learn ships it)",
)
DIABETES = Table(
    "364d6af10d06ac7ee663808f0facd92f57b939758169b67fb3e5c2b95521bbd5",
    "64c6aa6f4027afaed70d85b069db7079ab90ff693fe67e65c9550c8454b8f2af",
    (),
    "B. Efron and others: Least Angle Regression, Annals of Statistics 2004 (as scikit-learn ships it)",
)


@dataset("sklearn:iris")
def iris(root: Path) -> Splits:
    """Iris flowers, embedded: 150 of 4 lengths in cm, 3 classes of 50; a stratified 80/20 by the trial's seed."""
    return _splits("iris", IRIS, licence="CC BY 4.0")


@dataset("sklearn:wine")
def wine(root: Path) -> Splits:
    """Wines, embedded: 178 of 13 chemical measurements, 3 growers; a stratified 80/20 by the trial's seed."""
    return _splits("wine", WINE, licence="CC BY 4.0")


@dataset("sklearn:breast_cancer")
def breast_cancer(root: Path) -> Splits:
    """Breast tumours, embedded: 569 of 30 measurements, 2 classes; a stratified 80/20 by the trial's seed."""
    return _splits("breast_cancer", BREAST_CANCER, licence="CC BY 4.0")


@dataset("sklearn:diabetes")
def diabetes(root: Path) -> Splits:
    """Progression of diabetes after a year, embedded: a regression, 442 of 10 measurements; 80/20 by the trial's seed.

    The numbers are as they were measured, not as `load_diabetes` scales them by all samples, test samples too.
    """
    return _splits("diabetes", DIABETES, licence="not stated")


def _splits(name: str, table: Table, *, licence: str) -> Splits:
    """Everything as the training part, of which the trial's seed draws a test part.

    No maximum: each feature is scaled by its values in the trial's training part.
    Raises DataError where scikit-learn ships another set than the one that is known.
    """
    sources = {"inputs": table.inputs_sha256, "targets": table.targets_sha256}
    arrays = cached(f"sklearn-{name}", sources=sources, version=VERSION, decode=lambda: _decode(name, table))
    inputs, targets = arrays["inputs"], arrays["targets"]
    task: Task = "classification" if table.class_names else "regression"
    return Splits(
        train_inputs=inputs,
        train_targets=targets,
        test_inputs=inputs[:0],
        test_targets=targets[:0],
        class_names=table.class_names,
        target_names=() if table.class_names else ("progression",),
        task=task,
        test_fraction=TEST_FRACTION,
        licence=licence,
        source=table.source,
    )


def _decode(name: str, table: Table) -> Arrays:
    from sklearn import datasets  # takes a second to import: only where nothing is cached

    own: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}
    found = getattr(datasets, f"load_{name}")(**own)
    arrays = {
        "inputs": np.ascontiguousarray(found.data, dtype="<f4"),
        "targets": found.target.astype("<i8" if table.class_names else "<f4"),
    }
    digests = tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in arrays.values())
    if digests != (table.inputs_sha256, table.targets_sha256):
        raise DataError(f"sklearn:{name}: this scikit-learn ships another set than the known one; install another")
    return arrays
