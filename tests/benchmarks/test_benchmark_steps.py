"""One training step of each model by batch size: the suite's own, and the one that everybody writes, side by side."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
import torch
from torch import nn

from bench.worker.train.loaders import Resident
from bench.worker.train.steps import eager_step

SAMPLES = 4096


def suite_step(workshop: Any, model: nn.Module, batch_size: int) -> Callable[[], object]:
    """As a trial trains: the resident loader's batches through `eager_step`."""
    images, labels = workshop.data(SAMPLES)
    loader = Resident(images, labels, device=workshop.device, scale=workshop.scale, batch_size=batch_size, seed=0)
    [chunk] = loader.epoch(steps_per_chunk=SAMPLES)
    fetches = cycle([ready.fetch for ready in chunk])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    step = eager_step(model, optimizer, device=workshop.device)
    return lambda: step(next(fetches))


def hand_written_step(workshop: Any, model: nn.Module, batch_size: int) -> Callable[[], object]:
    """The same work without a line of the suite."""
    images, labels = (torch.from_numpy(array) for array in workshop.data(SAMPLES))
    images = images.float() / 255
    indices = cycle(torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(0)).split(batch_size))
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=0.01), nn.CrossEntropyLoss()

    def step() -> torch.Tensor:
        index = next(indices)
        optimizer.zero_grad()
        loss = criterion(model(images.index_select(0, index)), labels.index_select(0, index))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


@pytest.mark.parametrize("by", [suite_step, hand_written_step], ids=["suite", "by-hand"])
@pytest.mark.parametrize("batch_size", [16, 64, 512])
@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_step(benchmark: Any, workshop: Any, model: str, batch_size: int, by: Callable[..., Any]) -> None:
    benchmark.group = f"step: {model}, batch {batch_size}"
    step = by(workshop, workshop.model(model).train(), batch_size)
    for _ in range(5):
        step()
    assert torch.isfinite(benchmark(step))
