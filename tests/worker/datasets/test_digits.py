"""The embedded digits: there without any data root, and without scikit-learn once they are cached."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from bench.errors import DataError
from bench.worker.datasets.digits import digits

SCRIPT = """
import sys
from pathlib import Path
from bench.worker.datasets.digits import digits
print(digits(Path("/nowhere")).train_images.shape, "sklearn" in sys.modules)
"""


def test_are_those_of_scikit_learn(fresh_cache: Path, tmp_path: Path) -> None:
    splits = digits(tmp_path / "none")
    theirs = sklearn.datasets.load_digits()
    assert np.array_equal(splits.train_images[:, 0], theirs.images)
    assert np.array_equal(splits.train_labels, theirs.target)
    assert (splits.maximum, splits.test_fraction, splits.train_images.dtype) == (16, 0.2, np.uint8)


def test_scikit_learn_is_imported_once_a_machine(fresh_cache: Path) -> None:
    for imported in (True, False):
        found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
        assert found.stdout.split() == ["(1797,", "1,", "8,", "8)", str(imported)]


def test_another_set_is_refused(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = sklearn.datasets.load_digits()
    theirs.images[5, 5, 5] += 1
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: theirs)
    with pytest.raises(DataError, match="ships another set"):
        digits(Path())
