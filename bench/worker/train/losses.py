"""What a model is trained on: the loss of its answers, by the task and `train.loss`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from bench.base.records import LOSSES, LossName, Task, TrainSettings

FOCUS = 2.0  # gamma of the focal loss; 2 is the value of its paper


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of outputs (N, K) and targets: class numbers (N,), or (N, K) of a regression.

    cross_entropy: in nats, of smoothed labels where that is asked for (Szegedy, arXiv 1512.00567).
    focal: (1 - p)^2 times the cross-entropy, p the probability of the label (Lin et al., arXiv 1708.02002), without
    weights of classes. mse: mean squared error; of a classification between the outputs as they are and 1 for the
    label, 0 for the others (Hui & Belkin, arXiv 2006.07322). l1: mean absolute error. huber: half the square up to 1,
    then linear, in standard deviations of the targets.
    """

    name: LossName = "cross_entropy"
    label_smoothing: float = 0.0

    @classmethod
    def of(cls, settings: TrainSettings, task: Task) -> "Loss":
        """What a trial is trained on; `refuse` has refused what is not of the task."""
        return cls(settings.loss or LOSSES[task][0], settings.label_smoothing)

    @property
    def unsmoothed(self) -> "Loss":
        """The same for evaluation: of the labels as they are."""
        return Loss(self.name)

    @property
    def mean(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """The function of outputs and targets that gives the mean over the batch, ()."""
        if self.name == "cross_entropy":  # torch's own, without a call of ours around it
            return partial(functional.cross_entropy, label_smoothing=self.label_smoothing)
        return lambda outputs, targets: self.each(outputs, targets).mean()

    def each(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Of each sample, (N,); over the outputs of a sample it is their mean."""
        if self.name in ("cross_entropy", "focal"):
            entropy = functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=self.label_smoothing)
            return entropy if self.name == "cross_entropy" else (1 - (-entropy).exp()) ** FOCUS * entropy
        if not targets.is_floating_point():
            targets = functional.one_hot(targets, outputs.shape[-1]).to(torch.float32)
        # Half precision has 11 digits: squares of differences need more.
        outputs = outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
        targets = targets.to(outputs.dtype)
        match self.name:
            case "l1":
                each = functional.l1_loss(outputs, targets, reduction="none")
            case "huber":
                each = functional.huber_loss(outputs, targets, reduction="none")
            case _:
                each = functional.mse_loss(outputs, targets, reduction="none")
        return each.mean(1)


CROSS_ENTROPY = Loss()


def refuse(settings: TrainSettings, task: Task) -> str:
    """Why a data set of `task` cannot be trained so, in one line; empty where it can."""
    if settings.loss is not None and settings.loss not in LOSSES[task]:
        return f"train.loss = {settings.loss!r}: the data set is a {task}; it has {', '.join(LOSSES[task])}"
    if settings.label_smoothing and task != "classification":
        return f"train.label_smoothing: the data set is a {task}, which has no labels: leave it out"
    return ""
