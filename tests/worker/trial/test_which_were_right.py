"""A trial says which of its test examples were right, on which test set, and how many images it trained on."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.base.records import Component
from bench.worker.common.messages import TrialOutcome
from bench.worker.datasets.splits import digest_of

Run = Callable[..., TrialOutcome]
DIGITS = Component("digits", {"train_limit": 300, "test_limit": 77})


def from_file(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        found: np.ndarray = file["test/logits"][:].argmax(1) == file["test/labels"][:]
    return found


@pytest.mark.parametrize(
    "train", [{"epochs": 2}, {"epochs": 6, "validation_split": 0.25, "early_stopping_patience": 1}], ids=str
)
def test_the_bits_are_those_of_the_stored_answers(run_trial: Run, tmp_path: Path, train: dict[str, float]) -> None:
    outcome = run_trial(dataset=DIGITS, train=train, artifact=tmp_path / "a.h5")
    tested = outcome.answers
    assert tested is not None
    assert tested.each().tolist() == from_file(tmp_path / "a.h5").tolist()
    assert tested.count_right / 77 == outcome.metrics["test_accuracy"]
    assert (tested.examples, tested.trained_on) == (77, 225 if "validation_split" in train else 300)


@pytest.mark.parametrize("engine", ["eager", "vectorized"])
def test_seeds_that_draw_the_split_have_other_test_sets(run_trial: Run, tmp_path: Path, engine: str) -> None:
    own = Component("synthetic", {"train": 64, "test": 40})
    for dataset, sets in ((DIGITS, 2), (own, 1)):
        train = {"epochs": 1, "engine": engine}
        if engine == "vectorized":
            outcome = run_trial(dataset=dataset, train=train, artifact=tmp_path / "0", others={1: tmp_path / "1"})
            outcomes = [outcome, *outcome.others]
        else:
            outcomes = [run_trial(dataset=dataset, train=train, seed=k, artifact=tmp_path / str(k)) for k in (0, 1)]
        tested = [each.answers for each in outcomes]
        assert len({each.test_set for each in tested if each}) == sets
        for place, each in enumerate(tested):
            assert each is not None
            assert each.each().tolist() == from_file(tmp_path / str(place)).tolist()


def test_both_engines_name_a_test_set_alike(run_trial: Run) -> None:
    found = [run_trial(dataset=DIGITS, train={"epochs": 1, "engine": each}).answers for each in ("eager", "vectorized")]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].test_set == found[1].test_set


@pytest.mark.parametrize("changed", ["image", "label", "order", "kind", "shape"])
def test_another_test_set_has_another_digest(changed: str) -> None:
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 255, (20, 1, 4, 4), dtype=np.uint8), np.arange(20) % 10
    others = {
        "image": (np.where(np.arange(20)[:, None, None, None] == 7, images ^ 1, images), labels),
        "label": (images, np.where(np.arange(20) == 7, 0, labels)),
        "order": (images[::-1], labels[::-1]),
        "kind": (images.astype(np.float32), labels),
        "shape": (images.reshape(20, 1, 2, 8), labels),
    }
    assert digest_of(images, labels) == digest_of(images.copy(), labels.copy())
    assert digest_of(*others[changed]) != digest_of(images, labels)
