"""Models and a device that do a known thing, for `bench doctor`: what is put in has to be read back.

No trial of a suite knows them: the doctor names this module as a plugin. Delays are waited for on another clock than
the one that measures, so that a clock that is wrong cannot agree with itself.
"""

from __future__ import annotations

import os
import time

import torch
from torch import nn

from bench.registry import device, model
from bench.worker.devices.cpu import Cpu

# Batches of at most so many samples are the throw-away step, which is no step of anything.
THROWAWAY_SAMPLES = 2

_RAW = getattr(time, "CLOCK_MONOTONIC_RAW", None)  # not adjusted by anybody; Linux and macOS have it


def busy_wait(seconds: float) -> None:
    """Burn this thread's core for so long."""
    stop = _now() + seconds
    while _now() < stop:
        pass


def _now() -> float:
    return time.time() if _RAW is None else time.clock_gettime(_RAW)


class _Known(nn.Module):
    """Does `act` in every real forward pass of training; and next to nothing else, which would be noise: its answer
    is a bias alone."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and len(images) > THROWAWAY_SAMPLES:
            self.act(images)
        return self.bias.expand(len(images), -1)

    def act(self, images: torch.Tensor) -> None:
        """What is injected."""


@model("doctor-wait")
def wait(
    input_shape: tuple[int, int, int],
    num_classes: int,
    *,
    milliseconds: float = 0.0,
    first_seconds: float = 0.0,
    cpu: int = -1,
) -> nn.Module:
    """Waits in each step, milliseconds; sleeps first_seconds in the process's first, which is the warm-up's.

    cpu: the core that the process is to run on; -1 leaves that to the system.
    """
    if cpu >= 0:
        os.sched_setaffinity(0, {cpu})
    return _Waits(num_classes, seconds=milliseconds / 1e3, first_seconds=first_seconds)


class _Waits(_Known):
    steps_of_the_process = 0

    def __init__(self, num_classes: int, *, seconds: float, first_seconds: float) -> None:
        super().__init__(num_classes)
        self.seconds, self.first_seconds = seconds, first_seconds

    def act(self, images: torch.Tensor) -> None:
        _Waits.steps_of_the_process += 1
        if _Waits.steps_of_the_process == 1 and self.first_seconds:
            time.sleep(self.first_seconds)
        busy_wait(self.seconds)


@model("doctor-memory")
def memory(input_shape: tuple[int, int, int], num_classes: int, *, mebibytes: int = 0) -> nn.Module:
    """Allocates mebibytes in each forward pass, writes to every page of it, and lets it go.

    Twice as much in the throw-away step: a peak that is not reset after it is the wrong one.
    """
    return _Allocates(num_classes, mebibytes=mebibytes)


class _Allocates(_Known):
    def __init__(self, num_classes: int, *, mebibytes: int) -> None:
        super().__init__(num_classes)
        self.bytes = mebibytes * 2**20

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and len(images) <= THROWAWAY_SAMPLES:
            _allocate(2 * self.bytes, images.device)
        return super().forward(images)

    def act(self, images: torch.Tensor) -> None:
        _allocate(self.bytes, images.device)


def _allocate(size: int, device: torch.device) -> None:
    torch.ones(size, dtype=torch.uint8, device=device)


@model("doctor-matmul")
def matmul(input_shape: tuple[int, int, int], num_classes: int, *, size: int = 1024) -> nn.Module:
    """Multiplies two (size, size) matrices in each step: 2·size³ operations, as fast as the library can."""
    return _Multiplies(num_classes, size=size)


class _Multiplies(_Known):
    left: torch.Tensor
    right: torch.Tensor
    product: torch.Tensor

    def __init__(self, num_classes: int, *, size: int) -> None:
        super().__init__(num_classes)
        for name in ("left", "right", "product"):
            self.register_buffer(name, torch.rand(size, size), persistent=False)

    def act(self, images: torch.Tensor) -> None:
        torch.mm(self.left, self.right, out=self.product)


@device("doctor-late")
class Late(Cpu):
    """A device that has done nothing of what it was asked for until somebody waits for it, as a GPU may."""

    name, torch_name = "doctor-late", "cpu"
    pending_seconds = 0.0

    def synchronize(self) -> None:
        seconds, Late.pending_seconds = Late.pending_seconds, 0.0
        busy_wait(seconds)  # a sleep would be longer than it was told to be


@model("doctor-late")
def late(input_shape: tuple[int, int, int], num_classes: int, *, milliseconds: float = 0.0) -> nn.Module:
    """Leaves milliseconds of work a step for the fake device to do later."""
    return _LeavesWork(num_classes, seconds=milliseconds / 1e3)


class _LeavesWork(_Known):
    def __init__(self, num_classes: int, *, seconds: float) -> None:
        super().__init__(num_classes)
        self.seconds = seconds

    def act(self, images: torch.Tensor) -> None:
        Late.pending_seconds += self.seconds
