"""The learning rate over a training: torch's schedulers, by the names of a suite."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler

from bench.base.records import TrainSettings
from bench.worker.common import checked


class Schedule:
    """Sets the learning rate of an optimizer, from the first step on; with `schedule = "none"` it never changes.

    step: times `schedule_factor` every `schedule_step_epochs` epochs.
    plateau: times `schedule_factor` where the validation loss was not better (by 1e-4 of itself) for more than
    `schedule_patience` epochs.
    cosine: from the learning rate down to 0 along half a cosine over `epochs` (Loshchilov & Hutter, arXiv 1608.03983,
    without restarts), epoch by epoch.
    onecycle: from a 25th of the learning rate up to it over three tenths of `steps`, then down to a 250,000th (Smith &
    Topin, arXiv 1708.07120, with torch's defaults), step by step. Momentum stays what the suite says.

    torch's scheduler works on an optimizer that trains nothing, and its rate is copied. On the real one it would wrap
    `step`, write settings of its own into the groups, and warn where a scaler of float16 skips the first step.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, settings: TrainSettings, *, epochs: int, steps: int) -> None:
        """`epochs` and `steps`: of the whole training."""
        self._optimizer, self._steps = optimizer, steps
        self._shadow = torch.optim.SGD([torch.zeros(())], lr=settings.learning_rate)
        self._scheduler = _scheduler(self._shadow, settings, epochs=epochs, steps=steps)
        self._shadow.step()  # else the scheduler warns that it came first
        self._each_step = settings.schedule == "onecycle"
        self.learning_rate = self._rate  # that the last step was taken with, or the first one will be
        self._set()

    @property
    def after_step(self) -> Callable[[], None] | None:
        """The call that ends each step; None where the rate changes between epochs only."""
        return self._next_step if self._each_step else None

    def after_epoch(self, *, validation_loss: float | None) -> None:
        """Sets the rate of the next epoch. Read `learning_rate`, which is this epoch's, before."""
        if self._scheduler is None or self._each_step:
            return
        if isinstance(self._scheduler, lr_scheduler.ReduceLROnPlateau):
            assert validation_loss is not None  # settings without a validation split were refused
            self._scheduler.step(validation_loss)
        else:
            self._scheduler.step()
        self.learning_rate = self._rate
        self._set()

    def state_dict(self) -> dict[str, Any]:
        """All that changes, as numbers and plain containers of them."""
        state = {} if self._scheduler is None else self._scheduler.state_dict()
        return {"scheduler": dict(state), "rate": self._rate, "learning_rate": self.learning_rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken, in the optimizer's learning rate too. ValueError: it is another one's."""
        checked.same_kinds(self.state_dict(), state)
        if self._scheduler is not None:
            self._scheduler.load_state_dict(state["scheduler"])
        self._shadow.param_groups[0]["lr"] = state["rate"]
        self.learning_rate = state["learning_rate"]
        self._set()

    @property
    def _rate(self) -> float:
        rate: float = self._shadow.param_groups[0]["lr"]
        return rate

    def _next_step(self) -> None:
        self.learning_rate = self._rate
        # The last rate stays: steps timed alone and those of a long warm-up go past the end of the training.
        if self._scheduler is not None and self._scheduler.last_epoch < self._steps - 1:
            self._scheduler.step()
            self._set()

    def _set(self) -> None:
        for group in self._optimizer.param_groups:
            if isinstance(group["lr"], torch.Tensor):  # a captured step reads it where it lies
                group["lr"].fill_(self._rate)
            else:
                group["lr"] = self._rate


def _scheduler(
    optimizer: torch.optim.Optimizer, settings: TrainSettings, *, epochs: int, steps: int
) -> lr_scheduler.LRScheduler | None:
    factor = settings.schedule_factor
    match settings.schedule:
        case "none":
            return None
        case "step":
            return lr_scheduler.StepLR(optimizer, settings.schedule_step_epochs, gamma=factor)
        case "plateau":
            return lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=settings.schedule_patience)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        case "onecycle":
            # Else it would set the momentum too, and with adam the first of its betas.
            return lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=steps, cycle_momentum=False)
