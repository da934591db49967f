"""Early stopping: when to end, and the weights of the best epoch."""

import copy
import math
from typing import Any

import torch
from torch import nn

from bench.worker.common import checked


class EarlyStopping:
    """Keeps the weights of the epoch with the least validation loss, on the host, and says when training is to end:
    once `patience_epochs` epochs in a row brought no smaller one (Prechelt, "Early Stopping - But When?", 1998).
    """

    def __init__(self, model: nn.Module, *, patience_epochs: int) -> None:
        self._model, self._patience_epochs = model, patience_epochs
        self._best: dict[str, Any] = {}  # parameters and buffers by name
        self.best_epoch = 0  # counted from 1; 0 before the first
        self.best_loss = math.inf
        self.waited_epochs = 0  # since the best one

    def after_epoch(self, epoch: int, *, validation_loss: float) -> None:
        """Take up what an epoch brought. `epoch` counts from 1."""
        if validation_loss < self.best_loss:
            self.best_epoch, self.best_loss, self.waited_epochs = epoch, validation_loss, 0
            self._keep()
        else:
            self.waited_epochs += 1

    @property
    def is_over(self) -> bool:
        """Whether training is to end."""
        return self.waited_epochs >= self._patience_epochs

    def restore(self) -> None:
        """Gives the model the best weights back, bit by bit; leaves it as it is where there was no epoch."""
        if self._best:
            self._model.load_state_dict(self._best)

    def state_dict(self) -> dict[str, Any]:
        """All that changes; `weights` are the tensors themselves, on the host: save them at once."""
        return {
            "weights": self._best,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "waited_epochs": self.waited_epochs,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; the model keeps the weights that it has. ValueError: it is another one's."""
        checked.same_kinds({**self.state_dict(), "weights": {}}, {**state, "weights": {}})
        if state["weights"]:
            checked.same_tensors(self._model.state_dict(), state["weights"])
        self._best = {name: _on_host(value) for name, value in state["weights"].items()}
        self.best_epoch, self.best_loss = state["best_epoch"], state["best_loss"]
        self.waited_epochs = state["waited_epochs"]

    def _keep(self) -> None:
        for name, value in self._model.state_dict().items():
            kept = self._best.get(name)
            if isinstance(kept, torch.Tensor) and isinstance(value, torch.Tensor) and kept.shape == value.shape:
                kept.copy_(value)  # into the place that is there: memory that comes and goes leaves gaps
            else:
                self._best[name] = _on_host(value)


def _on_host(value: Any) -> Any:
    """A copy: of a tensor, or of whatever else a module keeps in its state."""
    return value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else copy.deepcopy(value)
