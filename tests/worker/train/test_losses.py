"""Losses by hand: each is its formula, for one model and for stacked ones, in any precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from bench.base.records import LOSSES, TrainSettings
from bench.worker.engines.vectorized import losses
from bench.worker.train.losses import Loss, refuse

CLASSIFIED, REGRESSED = LOSSES["classification"], LOSSES["regression"]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LOGITS, LABELS = 2 * drawn(40, 5), torch.arange(40) % 5
PREDICTIONS, TARGETS = 2 * drawn(40, 3, seed=1), drawn(40, 3, seed=2)


def by_hand(name: str, *, task: str) -> torch.Tensor:
    """(40,) from the formulas alone."""
    if task == "classification":
        p = LOGITS.softmax(1)
        own = p[torch.arange(40), LABELS]
        one_hot = torch.eye(5, dtype=torch.float64)[LABELS]
        return {
            "cross_entropy": -own.log(),
            "focal": -((1 - own) ** 2) * own.log(),
            "mse": ((LOGITS - one_hot) ** 2).mean(1),
        }[name]
    error = (PREDICTIONS - TARGETS).abs()
    each = {"mse": error**2, "l1": error, "huber": torch.where(error <= 1, error**2 / 2, error - 0.5)}[name]
    return each.mean(1)


CASES = [("classification", name) for name in CLASSIFIED] + [("regression", name) for name in REGRESSED]


@pytest.mark.parametrize(("task", "name"), CASES)
def test_a_loss_is_its_formula(task: str, name: Any) -> None:
    outputs, targets = (LOGITS, LABELS) if task == "classification" else (PREDICTIONS, TARGETS)
    wanted = by_hand(name, task=task)
    torch.testing.assert_close(Loss(name).each(outputs, targets), wanted)
    torch.testing.assert_close(Loss(name).mean(outputs, targets), wanted.mean())
    stacked = torch.stack([outputs, outputs + 1])
    found = losses(stacked, targets, loss=Loss(name))
    torch.testing.assert_close(found[0], wanted.mean())
    torch.testing.assert_close(found[1], Loss(name).mean(outputs + 1, targets))


@pytest.mark.parametrize(("task", "name"), CASES)
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_a_loss_has_gradients_in_half_precision(task: str, name: Any, precision: torch.dtype) -> None:
    outputs, targets = (LOGITS, LABELS) if task == "classification" else (PREDICTIONS, TARGETS.float())
    half = outputs.to(precision).requires_grad_()
    found = Loss(name).mean(half, targets)
    found.backward()
    assert half.grad is not None
    assert half.grad.isfinite().all()
    assert float(found.detach()) == pytest.approx(float(by_hand(name, task=task).mean()), rel=0.02)


def test_smoothed_labels_are_those_of_torch() -> None:
    smoothed = Loss("cross_entropy", label_smoothing=0.2)
    wanted = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.2)
    assert torch.equal(smoothed.mean(LOGITS, LABELS), wanted)
    assert torch.equal(smoothed.unsmoothed.mean(LOGITS, LABELS), functional.cross_entropy(LOGITS, LABELS))


def test_each_task_has_its_own_loss_and_refuses_those_of_the_other() -> None:
    for task, own in LOSSES.items():
        assert Loss.of(TrainSettings(), task).name == own[0]  # type: ignore[arg-type]
        for name in {*CLASSIFIED, *REGRESSED}:
            assert bool(refuse(TrainSettings(loss=name), task)) == (name not in own)  # type: ignore[arg-type]
