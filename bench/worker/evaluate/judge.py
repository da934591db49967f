"""What answers to a split are worth, by the task: its loss, and the scores that stand in curves and records."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from bench.base.metrics import SCORES
from bench.base.records import Task
from bench.worker.datasets.scaling import Affine
from bench.worker.train.losses import CROSS_ENTROPY, Loss


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean loss and scores of one model on a split; a score that is not defined there is None.

    outputs: (N, K) float32 on the host: logits, or predictions of a regression in the unit of its targets.
    right: (N,) which were classified right; None of a regression.
    """

    loss: float
    scores: Mapping[str, float | None]
    outputs: torch.Tensor
    right: torch.Tensor | None = None

    def figures(self) -> dict[str, float | None]:
        """By the names that they have on a test set: `test_accuracy`, `test_loss`, `r2`."""
        return {"test_loss": self.loss} | {metric_of(name): value for name, value in self.scores.items()}


def metric_of(score: str) -> str:
    """What a score on the test set is called as a metric."""
    return "test_accuracy" if score == "accuracy" else score


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges outputs (N, K) against targets as the loss takes them: (N,), or (N, T) scaled by `unit` in a regression.

    loss: that of the training, of labels as they are.
    """

    task: Task = "classification"
    loss: Loss = CROSS_ENTROPY
    unit: Affine | None = None

    def __call__(self, outputs: torch.Tensor, targets: torch.Tensor) -> Evaluation:
        mean = self.loss.mean(outputs.double(), targets)
        if self.task == "classification":
            return of_classes(outputs, targets, loss=float(mean))
        predictions = self.in_own_unit(outputs)
        scores = dict(zip(SCORES["regression"], regression_scores(predictions, self.in_own_unit(targets)), strict=True))
        return Evaluation(float(mean), scores, predictions.float())

    def in_own_unit(self, scaled: torch.Tensor) -> torch.Tensor:
        """(N, T) float64 on the host: scaled targets, or answers to them, in the unit of the targets."""
        assert self.unit is not None
        shift, scale = (torch.tensor(each, dtype=torch.float64) for each in (self.unit.shift, self.unit.scale))
        return scaled.detach().double().cpu() / scale + shift


def of_classes(logits: torch.Tensor, labels: torch.Tensor, *, loss: float) -> Evaluation:
    """The evaluation of logits (N, K) against labels (N,)."""
    right = (logits.argmax(1) == labels).cpu()
    return Evaluation(loss, {"accuracy": int(right.sum()) / len(right)}, logits.cpu(), right)


def regression_scores(predictions: torch.Tensor, targets: torch.Tensor) -> tuple[float | None, float, float]:
    """R², mean absolute error and root mean squared error, from (N, T) float64; means over the T targets of each.

    R² is 1 - sum of squared errors / sum of squares around the mean of `targets`, as scikit-learn's r2_score; None
    where a target is constant.
    """
    errors = predictions - targets
    squares, around = errors.square().sum(0), (targets - targets.mean(0)).square().sum(0)
    r2 = None if (around == 0).any() else float((1 - squares / around).mean())
    return r2, float(errors.abs().mean()), float((squares / len(errors)).sqrt().mean())
