"""Operation by operation, as Python comes to them: torch's own way."""

import torch
from torch import nn

from bench.base.records import Trial
from bench.worker.devices.base import Device
from bench.worker.engines.base import Engine
from bench.worker.train.steps import Recipe, Step, eager_step


class Eager(Engine):
    """The plain step of bench.worker.train.steps. It runs every trial."""

    name = "eager"

    def cannot(self, trial: Trial, device: Device) -> str:
        return ""

    def step(self, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, *, device: Device) -> Step:
        return eager_step(model, optimizer, recipe, device=device.torch_device)
