"""The tables that scikit-learn ships: as they were measured, there without any data root."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from bench.errors import BenchError, DataError
from bench.registry import DATASETS, MODELS
from bench.worker.common.discover import load_builtin
from bench.worker.datasets.notes import data_notes
from bench.worker.datasets.prepare import prepare
from bench.worker.datasets.splits import Splits

load_builtin()


def build(name: str) -> Splits:
    splits = DATASETS.get(f"sklearn:{name}").build(Path("/nowhere"))
    assert isinstance(splits, Splits)
    return splits


@pytest.mark.parametrize(("name", "shape"), [("iris", (150, 4)), ("wine", (178, 13)), ("breast_cancer", (569, 30))])
def test_are_those_of_scikit_learn(name: str, shape: tuple[int, int], fresh_cache: Path) -> None:
    theirs, splits = getattr(sklearn.datasets, f"load_{name}")(), build(name)
    assert splits.train_inputs.shape == shape
    assert np.array_equal(splits.train_inputs, theirs.data.astype(np.float32))
    assert np.array_equal(splits.train_targets, theirs.target)
    assert list(splits.class_names) == theirs.target_names.tolist()


def test_diabetes_is_in_its_own_unit(fresh_cache: Path) -> None:
    theirs, splits = sklearn.datasets.load_diabetes(scaled=False), build("diabetes")
    assert np.array_equal(splits.train_inputs, theirs.data.astype(np.float32))
    assert np.array_equal(splits.train_targets, theirs.target)
    assert (splits.task, splits.num_outputs, splits.train_targets.dtype) == ("regression", 1, np.float32)
    assert splits.train_inputs[:, 0].max() == 79  # years: not the share of a norm over all samples


def test_the_seed_draws_a_stratified_test_part(fresh_cache: Path) -> None:
    first, again, other = (
        prepare(build("iris"), seed=seed, train_limit=None, test_limit=None, validation_split=0) for seed in (0, 0, 1)
    )
    assert np.bincount(first.test.labels).tolist() == [10, 10, 10]
    assert np.array_equal(first.test.images, again.test.images)
    assert not np.array_equal(first.test.images, other.test.images)


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_another_set_is_refused(name: str, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = getattr(sklearn.datasets, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    theirs.target[3] += 1
    monkeypatch.setattr(sklearn.datasets, f"load_{name}", lambda **_: theirs)
    with pytest.raises(DataError, match=f"sklearn:{name}: .*another set than the known one"):
        build(name)


def test_equal_flowers_in_both_parts_are_samples_not_images(fresh_cache: Path) -> None:
    notes = data_notes(prepare(build("iris"), seed=0, train_limit=None, test_limit=None, validation_split=0))
    assert [note.split(",")[0] for note in notes] == ["1 of 30 test samples are training samples too"]


def test_only_data_sets_are_named_so() -> None:
    with pytest.raises(BenchError, match="a name is"):
        MODELS.register("sklearn:svm")
    with pytest.raises(BenchError, match="a name is"):
        DATASETS.register("sklearn:../x")
    with pytest.raises(BenchError, match="unknown data set 'sklearn:iri'.*sklearn:iris"):
        DATASETS.get("sklearn:iri")
