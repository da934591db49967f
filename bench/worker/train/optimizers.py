"""Optimizers and precision: from the words of a suite to torch's objects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import torch

from bench.records import TrainSettings

AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def make_optimizer(
    parameters: Iterable[torch.Tensor], settings: TrainSettings, *, capturable: bool = False
) -> torch.optim.Optimizer:
    """The optimizer that `settings` names, with torch's own defaults for what a suite does not say.

    `capturable`: its count of steps lies on the device, so that a graph can hold its step (sgd has none).
    """
    rate, decay, momentum = settings.learning_rate, settings.weight_decay, settings.momentum
    match settings.optimizer:
        case "sgd":
            return torch.optim.SGD(parameters, lr=rate, momentum=momentum, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, capturable=capturable)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, capturable=capturable)
        case "rmsprop":
            return torch.optim.RMSprop(
                parameters, lr=rate, momentum=momentum, weight_decay=decay, capturable=capturable
            )
        case "lbfgs":
            # No weight decay and no momentum in this one: `refuse` has said so.
            return torch.optim.LBFGS(parameters, lr=rate)


def refuse(settings: TrainSettings) -> str:
    """Why these settings cannot be had together, in one line; empty where they can."""
    if settings.optimizer == "lbfgs" and (settings.weight_decay or settings.momentum):
        return "lbfgs has neither weight_decay nor momentum: leave them out"
    if settings.optimizer == "lbfgs" and settings.precision == "float16":
        return "lbfgs takes no scaled gradients: use float32 or bfloat16"
    if settings.optimizer in ("adam", "adamw") and settings.momentum:
        return f"{settings.optimizer} has no momentum: leave train.momentum out"
    return ""


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Mixed precision around a forward pass; nothing for float32 and tf32."""
    if precision not in AUTOCAST:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision])
