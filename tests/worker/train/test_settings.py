"""Settings of training seen from a trial: curves, early stopping, what is refused, and what is reported."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.base.records import Component
from bench.worker.common.messages import TrialOutcome

# 320 samples in batches of 64: 5 steps an epoch; with a fifth held out 256 samples, 4 steps.
STEPS_PER_EPOCH = 5
HALF_A_COSINE = [0.05 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]
# A rate at which the validation loss goes up again.
OVERSHOOTS = {"learning_rate": 1.0, "epochs": 30, "validation_split": 0.2}


def ok(outcome: TrialOutcome) -> TrialOutcome:
    assert outcome.status == "ok", outcome.traceback or outcome.reason
    return outcome


def file_of(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with h5py.File(path) as file:
        found = {f"weights/{name}": file["weights"][name][()] for name in file["weights"]}
        return found | {name: file["test"][name][()] for name in ("logits", "labels")}


@pytest.mark.parametrize(
    ("train", "rates"),
    [
        ({}, [0.1, 0.1, 0.1, 0.1]),
        ({"schedule": "step", "schedule_step_epochs": 2, "schedule_factor": 0.5}, [0.1, 0.1, 0.05, 0.05]),
        ({"schedule": "cosine"}, HALF_A_COSINE),
        ({"schedule": "cosine", "steps": 20}, HALF_A_COSINE),
        ({"schedule": "cosine", "loader": "dataloader"}, HALF_A_COSINE),
    ],
)
def test_the_learning_rate_of_an_epoch_is_in_the_curves(
    run_trial: Any, train: dict[str, Any], rates: list[float]
) -> None:
    outcome = ok(run_trial(train={"epochs": 4} | train if "steps" not in train else train))
    assert outcome.curves["learning_rate"] == pytest.approx(rates)


@pytest.mark.parametrize("train", [{"epochs": 4}, {"steps": 20}])
def test_one_cycle_goes_by_steps_and_ends_with_the_last(run_trial: Any, train: dict[str, Any]) -> None:
    outcome = ok(run_trial(train={"schedule": "onecycle"} | train))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20, cycle_momentum=False)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        cycle.step()
    # Of the last step of each epoch.
    assert outcome.curves["learning_rate"] == pytest.approx(rates[STEPS_PER_EPOCH - 1 :: STEPS_PER_EPOCH])
    assert outcome.curves["learning_rate"][-1] < 1e-6


def test_a_plateau_is_one_of_the_validation_loss(run_trial: Any) -> None:
    outcome = ok(run_trial("mlp", train={**OVERSHOOTS, "schedule": "plateau", "schedule_patience": 0}))
    losses, rates = outcome.curves["validation_loss"], outcome.curves["learning_rate"]
    best, wanted = float("inf"), [1.0]
    for loss in losses[:-1]:
        worse = loss > best * (1 - 1e-4)  # torch's threshold
        best = best if worse else loss
        wanted.append(max(wanted[-1] * 0.1, 0.0) if worse else wanted[-1])
    assert wanted[-1] < 1.0
    # Below 1e-8 the scheduler leaves a rate as it is.
    assert rates == pytest.approx(wanted, abs=1e-7)


def test_early_stopping_ends_and_what_is_judged_are_the_best_weights(run_trial: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    outcome = ok(run_trial("mlp", artifact=path, train={**OVERSHOOTS, "early_stopping_patience": 2}))
    losses = outcome.curves["validation_loss"]
    best = losses.index(min(losses)) + 1
    assert 1 < best == len(losses) - 2 < 28  # two epochs that were not better, and no more
    assert (outcome.metrics["best_epoch"], outcome.metrics["epochs_trained"]) == (best, len(losses))
    for name in ("test_accuracy", "test_loss", "train_loss"):
        assert outcome.metrics[name] == outcome.curves[name][best - 1] != outcome.curves[name][-1]
    # The file is that of the best weights: those that a training of so many epochs ends with, to the bit.
    until = tmp_path / "b.h5"
    shorter = ok(run_trial("mlp", artifact=until, train=OVERSHOOTS | {"epochs": best}))
    kept, wanted = file_of(path), file_of(until)
    assert all(np.array_equal(kept[name], wanted[name]) for name in wanted)
    assert outcome.metrics["test_macro_f1"] == shorter.metrics["test_macro_f1"]
    assert "best_epoch" not in shorter.metrics


def test_without_a_stop_the_best_weights_are_judged_too(run_trial: Any) -> None:
    outcome = ok(run_trial("mlp", train={**OVERSHOOTS, "epochs": 13, "early_stopping_patience": 100}))
    losses, tested = outcome.curves["validation_loss"], outcome.curves["test_loss"]
    assert outcome.metrics["epochs_trained"] == len(losses) == 13
    assert outcome.metrics["best_epoch"] == losses.index(min(losses)) + 1 != 13
    # It is not the epoch that the test set would have chosen.
    assert tested.index(min(tested)) + 1 != outcome.metrics["best_epoch"]


def test_what_is_reported_is_plain_cross_entropy(run_trial: Any, tmp_path: Path) -> None:
    """Of the test set neither smoothed nor with the penalty; of the training set smoothed, without the penalty."""
    train = {"label_smoothing": 0.3, "l1": 0.01, "validation_split": 0.2}
    outcome = ok(run_trial(artifact=tmp_path / "a.h5", train=train))
    found = file_of(tmp_path / "a.h5")
    logits, labels = torch.from_numpy(found["logits"]), torch.from_numpy(found["labels"])
    assert outcome.metrics["test_loss"] == pytest.approx(float(functional.cross_entropy(logits, labels)), abs=1e-6)
    # With a rate of nearly nothing the weights stay: then the losses of training are those of the initial model.
    still = {"learning_rate": 1e-12, "epochs": 1}
    plain, smooth, drawn = (
        ok(run_trial(train=still | asked)).metrics["train_loss"]
        for asked in ({}, {"label_smoothing": 0.3}, {"l1": 10.0})
    )
    assert drawn == plain
    assert abs(smooth - plain) > 1e-4


REFUSED = [
    ({"optimizer": "lbfgs", "learning_rate": 0.5, "gradient_clip": 1.0}, "leave train.gradient_clip out"),
    ({"optimizer": "lbfgs", "learning_rate": 0.5, "l1": 0.1}, "train.l1 has them: leave it out"),
    ({"optimizer": "lbfgs", "learning_rate": 0.5, "nesterov": True}, "leave train.nesterov out"),
    ({"optimizer": "lbfgs", "learning_rate": 0.5, "betas": [0.5, 0.9]}, "leave train.betas out"),
    ({"optimizer": "adam", "nesterov": True}, "leave train.nesterov out"),
    ({"nesterov": True}, "set train.momentum above 0"),
    ({"betas": [0.5, 0.9]}, "leave train.betas out"),
    ({"schedule": "plateau"}, "schedule 'plateau' watches the validation loss: set train.validation_split above 0"),
    ({"early_stopping_patience": 3}, "early stopping watches the validation loss: set train.validation_split above 0"),
]


@pytest.mark.parametrize(("train", "words"), REFUSED)
def test_what_cannot_be_had_together_is_refused_in_one_line(
    run_trial: Any, register: Any, train: dict[str, Any], words: str
) -> None:
    def never(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        raise AssertionError("a model was built")

    register("never", never)
    outcome = run_trial("never", train=train)
    assert outcome.status == "failed"
    assert words in outcome.reason
    assert "\n" not in outcome.reason


@pytest.mark.parametrize(
    "train",
    [
        {"optimizer": "lbfgs", "learning_rate": 0.5, "label_smoothing": 0.1, "schedule": "onecycle"},
        {"optimizer": "rmsprop", "learning_rate": 0.01, "schedule": "step", "l1": 1e-4, "gradient_clip": 1.0},
        {"precision": "bfloat16", "l1": 1e-4, "gradient_clip": 1.0, "schedule": "onecycle"},
        {"precision": "float16", "l1": 1e-4, "gradient_clip": 1.0, "schedule": "onecycle"},
        {"precision": "float16", "schedule": "cosine"},
        {"loader": "dataloader", "gradient_clip": 1.0, "schedule": "onecycle", "label_smoothing": 0.1},
    ],
)
def test_other_optimizers_precisions_and_loaders_learn_with_them(run_trial: Any, train: dict[str, Any]) -> None:
    assert ok(run_trial("linear", train={"epochs": 8, "learning_rate": 0.5} | train)).metrics["test_accuracy"] > 0.5


def test_warm_up_moves_no_schedule_and_no_weight(run_trial: Any, tmp_path: Path) -> None:
    """More steps of warm-up than the training has: with one cycle they reach its end."""
    asked = {
        "schedule": "onecycle",
        "momentum": 0.9,
        "epochs": 2,
        "validation_split": 0.2,
        "early_stopping_patience": 1,
    }
    cold = ok(run_trial("mlp", artifact=tmp_path / "a.h5", train=asked, measure={"warmup_steps": 0}))
    warm = ok(run_trial("mlp", artifact=tmp_path / "b.h5", train=asked, measure={"warmup_steps": 50}))
    assert cold.curves["learning_rate"] == warm.curves["learning_rate"]
    a, b = file_of(tmp_path / "a.h5"), file_of(tmp_path / "b.h5")
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_early_stopping_keeps_what_batch_norm_remembers(run_trial: Any, register: Any, tmp_path: Path) -> None:
    def normed(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        c, h, w = input_shape
        return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, 32), nn.BatchNorm1d(32), nn.Linear(32, num_classes))

    register("normed", normed)
    data = Component("synthetic", {"train": 320, "test": 100})
    asked = {**OVERSHOOTS, "early_stopping_patience": 1}
    outcome = ok(run_trial("normed", dataset=data, artifact=tmp_path / "a.h5", train=asked))
    counted = int(file_of(tmp_path / "a.h5")["weights/2.num_batches_tracked"])
    assert counted == 4 * outcome.metrics["best_epoch"] < 4 * outcome.metrics["epochs_trained"]
