"""Optimizers and precision: from the words of a suite to torch's objects."""

import contextlib
from collections.abc import Iterable
from typing import Any

import torch

from bench.base.records import TrainSettings

BETAS = TrainSettings().betas
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def make_optimizer(
    parameters: Iterable[torch.Tensor],
    settings: TrainSettings,
    *,
    capturable: bool = False,
    rate: torch.Tensor | None = None,
) -> torch.optim.Optimizer:
    """The optimizer that `settings` names, with torch's defaults for the rest.

    `capturable`: its count of steps lies on the device, so that a graph can hold its step (sgd has none). `rate`: the
    learning rate () on the device, where a graph reads it at each replay.
    """
    lr = settings.learning_rate if rate is None else rate
    decay, momentum = settings.weight_decay, settings.momentum
    first, second = settings.betas
    adam: dict[str, Any] = {"betas": (first, second), "weight_decay": decay, "capturable": capturable}
    match settings.optimizer:
        case "sgd":
            return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=decay, nesterov=settings.nesterov)
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, **adam)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=lr, **adam)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, lr=lr, momentum=momentum, weight_decay=decay, capturable=capturable)
        case "lbfgs":
            # `refuse` has refused weight decay and momentum.
            return torch.optim.LBFGS(parameters, lr=lr)


def refuse(settings: TrainSettings) -> str:
    """Why these settings do not go together, in one line; empty where they do."""
    if settings.optimizer == "lbfgs" and (refused := _refused_by_lbfgs(settings)):
        return refused
    if settings.optimizer in ("adam", "adamw") and settings.momentum:
        return f"{settings.optimizer} has no momentum: leave train.momentum out"
    if settings.nesterov and settings.optimizer != "sgd":
        return f"{settings.optimizer} has no Nesterov momentum: leave train.nesterov out"
    if settings.nesterov and not settings.momentum:
        return "nesterov is a kind of momentum: set train.momentum above 0, or leave train.nesterov out"
    if settings.betas != BETAS and settings.optimizer not in ("adam", "adamw"):
        return f"{settings.optimizer} has no betas: leave train.betas out"
    if settings.label_smoothing and settings.loss not in (None, "cross_entropy"):
        return f"loss {settings.loss!r} has no smoothed labels: leave train.label_smoothing out"
    watches = "schedule 'plateau'" if settings.schedule == "plateau" else "early stopping"
    if (settings.schedule == "plateau" or settings.early_stopping_patience) and not settings.validation_split:
        return f"{watches} watches the validation loss: set train.validation_split above 0"
    return ""


def _refused_by_lbfgs(settings: TrainSettings) -> str:
    if settings.weight_decay or settings.momentum:
        return "lbfgs has neither weight_decay nor momentum: leave them out"
    if settings.precision == "float16":
        return "lbfgs takes no scaled gradients: use float32 or bfloat16"
    if settings.l1:
        return "lbfgs needs a loss without kinks, and train.l1 has them: leave it out"
    if settings.gradient_clip:
        return "lbfgs learns the curvature from its gradients, which clipping would bend: leave train.gradient_clip out"
    return ""


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Mixed precision for a forward pass; nothing for float32 and tf32."""
    if precision not in AUTOCAST:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision])
