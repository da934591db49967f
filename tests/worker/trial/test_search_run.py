"""A training that only serves a search: it learns as an ordinary one, is judged on the validation part, and ends where
it is behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.base.records import SearchRole, TrainSettings
from bench.worker.evaluate import accuracy
from bench.worker.trial.rungs import Rungs

TRAIN = {"validation_split": 0.2, "epochs": 8}
MEASURE = {"warmup_steps": 0, "evaluate": "accuracy"}


def test_it_reaches_what_an_ordinary_training_reaches_on_the_same_validation_part(
    run_trial: Any, tmp_path: Path
) -> None:
    ordinary = run_trial("mlp", train=TRAIN)
    found = run_trial("mlp", train=TRAIN, measure=MEASURE, search=SearchRole(), artifact=tmp_path / "a.h5")
    assert found.status == "ok", found.traceback or found.reason
    for name in ("validation_accuracy", "validation_loss", "train_loss"):
        assert found.curves[name] == ordinary.curves[name]
        assert found.metrics[name] == ordinary.curves[name][-1]
    assert found.metrics["epochs_trained"] == 8
    assert found.metrics["given_up_epoch"] is None
    at = ordinary.curves["validation_accuracy"]
    assert found.samples["rung_accuracy"] == [at[1], at[3]]
    assert not (tmp_path / "a.h5").exists()


def test_it_never_asks_for_the_test_set(run_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    evaluate = accuracy.evaluate
    monkeypatch.setattr(
        "bench.worker.trial.trial.evaluate",
        lambda m, split, **how: asked.append(len(split)) or evaluate(m, split, **how),
    )
    found = run_trial(train=TRAIN, measure=MEASURE, search=SearchRole())
    assert set(asked) == {64}  # a fifth of 320; the test set has 100
    assert not [name for name in (*found.metrics, *found.curves) if name.startswith("test_")]
    assert found.answers is None


def test_it_ends_at_the_first_rung_where_it_is_behind(run_trial: Any) -> None:
    whole = run_trial(train=TRAIN, measure=MEASURE, search=SearchRole())
    first, second = whole.samples["rung_accuracy"]
    for give_up, epochs in (
        ([(0.25, first), (0.5, second)], 8),  # as good as the others is not behind
        ([(0.25, first), (0.5, second + 0.01)], 4),
        ([(0.25, first + 0.01), (0.5, second + 0.01)], 2),
    ):
        found = run_trial(train=TRAIN, measure=MEASURE, search=SearchRole(tuple(give_up)))
        assert found.metrics["epochs_trained"] == len(found.curves["validation_accuracy"]) == epochs
        assert found.metrics["given_up_epoch"] == (epochs if epochs < 8 else None)
        assert found.metrics["validation_accuracy"] == whole.curves["validation_accuracy"][epochs - 1]
        assert len(found.samples["rung_accuracy"]) == (2 if epochs > 2 else 1)


def test_with_early_stopping_it_is_judged_by_its_best_epoch(run_trial: Any) -> None:
    train = {**TRAIN, "epochs": 30, "learning_rate": 2.0, "early_stopping_patience": 2}
    found = run_trial(train=train, measure=MEASURE, search=SearchRole())
    losses = found.curves["validation_loss"]
    best = losses.index(min(losses))
    assert best < len(losses) - 1
    assert found.metrics["validation_accuracy"] == found.curves["validation_accuracy"][best]


def test_a_training_that_diverges_fails(run_trial: Any) -> None:
    found = run_trial("mlp", train={**TRAIN, "learning_rate": 1e30}, measure=MEASURE, search=SearchRole())
    assert found.status == "diverged"


def test_without_a_sample_to_choose_by_it_fails(run_trial: Any) -> None:
    found = run_trial(train={"validation_split": 1e-9}, measure=MEASURE, search=SearchRole())
    assert (found.status, "0 to validate" in found.reason) == ("failed", True)


@pytest.mark.parametrize(
    ("train", "rungs"),
    [
        ({"epochs": 1}, {}),
        ({"epochs": 2}, {1: 2}),
        ({"epochs": 3}, {1: 1, 2: 1}),
        ({"epochs": 10}, {3: 1, 5: 1}),
        ({"steps": 25}, {1: 1, 2: 1}),  # ten steps an epoch
        ({"steps": 10}, {}),
    ],
)
def test_rungs_lie_at_shares_of_the_training_and_not_at_its_end(train: dict[str, int], rungs: dict[int, int]) -> None:
    settings, found = TrainSettings(**train), {}
    course = Rungs(SearchRole(), settings, steps_per_epoch=10)
    for epoch in range(1, 1 + (settings.epochs if settings.steps is None else -(-settings.steps // 10))):
        before = len(course.reached)
        course.after_epoch(epoch, score=0.5)
        found |= {epoch: new} if (new := len(course.reached) - before) else {}
    assert found == rungs
