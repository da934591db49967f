"""Data that people have: one class, classes that a part lacks, one test image, test images that are trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.base.records import Component
from bench.registry import DATASETS
from bench.worker.datasets.splits import Splits
from bench.worker.evaluate import diagnosis

Labels = list[int]


@pytest.fixture
def run_on(run_trial: Any) -> Iterator[Callable[..., Any]]:
    """`run_on(train, test, names)` trains on images that show their label, with these labels."""
    sets = []

    def images_of(labels: Labels, *, seed: int) -> np.ndarray:
        images = np.random.default_rng(seed).integers(0, 40, (len(labels), 1, 4, 4), dtype=np.uint8)
        images.reshape(len(labels), 16)[np.arange(len(labels)), np.array(labels, dtype=int) % 16] += 200
        return images

    def run(labels: Labels, test: Labels | None, names: int, *, fraction: float | None = None, **how: Any) -> Any:
        def build(root: Path) -> Splits:
            trained, tested = images_of(labels, seed=0), images_of(test or [], seed=1)
            if fraction:
                trained[1::2] = trained[::2]  # each image twice
            return Splits(
                train_images=trained, train_labels=np.array(labels),
                test_images=trained[:0] if fraction else trained if test is None else tested,
                test_labels=np.array([], dtype=int) if fraction else np.array(labels if test is None else test),
                class_names=[str(k) for k in range(names)],
                maximum=255, licence="CC0", source="here", test_fraction=fraction,
            )  # fmt: skip

        sets.append(f"odd{len(sets)}")
        DATASETS.register(sets[-1])(build)
        how = {"train": {"epochs": 40, "learning_rate": 0.5}, "batch_size": 16} | how
        return run_trial("linear", dataset=Component(sets[-1]), **how)

    yield run
    for name in sets:
        DATASETS._entries.pop(name)


ALTERNATE = [0, 1] * 30


@pytest.mark.parametrize("engine", ["eager", "vectorized"])
@pytest.mark.parametrize(
    ("train", "test", "names", "accuracy", "said"),
    [
        ([0] * 60, [0] * 9, 1, 1.0, "the data set has 1 class: "),
        (ALTERNATE, [0] * 9, 2, 1.0, ""),
        (ALTERNATE, [1], 2, 1.0, ""),
        ([0] * 60, [0, 0, 1, 1], 2, 0.5, "2 of 4 test images are of classes that no training image has (1), "),
        ([1, 2] * 30, [1, 2], 3, 1.0, "1 of 3 classes has no sample (0); "),
        ([0, 254] * 30, [0, 254], 255, 1.0, "253 of 255 classes have no sample (1, 2, 3, 4, 5, …); "),
        (ALTERNATE, None, 2, 1.0, "60 of 60 test images are training images too, "),
    ],
    ids=["one class", "one class is tested", "one image", "a class is not trained", "from 1", "0 and 254", "repeated"],
)
def test_each_has_its_result_and_its_note(
    train: Labels, test: Labels | None, names: int, accuracy: float, said: str, engine: str, run_on: Any, tmp_path: Path
) -> None:
    how = {"train": {"epochs": 40, "learning_rate": 0.5, "engine": engine}}
    outcome = run_on(
        train,
        test,
        names,
        artifact=tmp_path / "a.h5",
        others={1: tmp_path / "b.h5"} if engine == "vectorized" else None,
        **how,
    )
    for each, file in zip((outcome, *outcome.others), ("a.h5", "b.h5"), strict=False):
        assert (each.status, each.reason) == ("ok", "")
        assert each.metrics["test_accuracy"] == accuracy
        assert "test_macro_f1" in each.metrics
        assert [note[: len(said)] for note in each.notes] == ([said] if said else [])
        with h5py.File(tmp_path / file) as found:
            assert float(found["diagnosis/top_k/accuracy"][0]) == accuracy


def test_each_seed_has_the_notes_on_its_own_split(run_on: Any) -> None:
    """Each image is there twice: a seed may draw one of them for its test part, or both, or none."""
    split = {"test": None, "names": 2, "fraction": 0.5}
    how = {"train": {"epochs": 1, "engine": "vectorized"}, "others": dict.fromkeys(range(1, 6))}
    outcome = run_on([0, 0, 0, 0, 1, 1, 1, 1], **split, **how)
    alone = [run_on([0, 0, 0, 0, 1, 1, 1, 1], **split, seed=seed, train={"epochs": 1}).notes for seed in range(6)]
    assert [each.notes for each in (outcome, *outcome.others)] == alone
    assert {note[:6] for notes in alone for note in notes} == {"2 of 4", "4 of 4"}


def test_notes_that_fail_leave_the_result_and_the_diagnosis(run_on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(data: object) -> None:
        raise MemoryError

    monkeypatch.setattr("bench.worker.trial.data.data_notes", fails)
    outcome = run_on(ALTERNATE, [0, 1], 2)
    assert (outcome.status, outcome.metrics["test_macro_f1"]) == ("ok", 1.0)
    assert outcome.notes == ["the data was not looked at: MemoryError"]


def test_a_diagnosis_that_fails_leaves_the_result(run_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(answers: object) -> None:
        raise IndexError("no such\nthing")

    monkeypatch.setattr(diagnosis, "per_class", fails)
    outcome = run_on(ALTERNATE, [0, 1], 2, artifact=tmp_path / "a.h5")
    assert (outcome.status, outcome.metrics["test_accuracy"]) == ("ok", 1.0)
    assert outcome.notes == ["not diagnosed: IndexError: no such thing"]
    assert "test_macro_f1" not in outcome.metrics
    with h5py.File(tmp_path / "a.h5") as file:
        assert "diagnosis" not in file or "per_class" not in file["diagnosis"]
        assert len(file["test/labels"]) == 2
