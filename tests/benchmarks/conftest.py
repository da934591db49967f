"""What the micro-benchmarks stand on. They are run by name, `python -m pytest tests/benchmarks`, and never by the test
run: a figure that is taken beside other work is worth nothing. See docs/benchmarks.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.execute.holder import Holder
from bench.execute.lock import MeasureLock
from bench.registry import MODELS
from bench.worker.common import discover
from bench.worker.train.loaders import Scale

CPU = torch.device("cpu")
CLASSES = 10


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Benchmarks get published: no host name."""
    machine_info.pop("node", None)


@pytest.fixture(scope="session", autouse=True)
def alone() -> Iterator[None]:
    """The lock that every run takes: neither disturbs the other."""
    lock = MeasureLock(holder=Holder("pytest tests/benchmarks"))
    if not lock.try_acquire():
        sys.__stderr__.write("waiting: a run is measuring on this machine\n")
        lock.acquire()
    yield
    lock.release()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """What is compared here is the cost of code, not how many cores are free."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Workshop:
    """Data in the shape of MNIST, and models of the registry."""

    device = CPU
    shape = (1, 28, 28)
    scale = Scale.on(CPU, [0.0], [255.0])

    def __init__(self) -> None:
        discover.load_builtin()

    def data(self, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Images (N, 1, 28, 28) uint8 and labels (N,) int64, of noise."""
        draw = np.random.default_rng(0)
        images = draw.integers(0, 256, size=(samples, *self.shape), dtype=np.uint8)
        return images, draw.integers(0, CLASSES, size=samples, dtype=np.int64)

    def model(self, name: str) -> nn.Module:
        """A model with the same weights each time."""
        torch.manual_seed(0)
        model: nn.Module = MODELS.get(name).build(self.shape, CLASSES)
        return model


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    return Workshop()
