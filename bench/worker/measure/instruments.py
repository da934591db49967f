"""Models and a device that do a known thing, for `bench doctor`: what is put in has to be read back.

No trial of a suite knows them: the doctor names this module as a plugin. Delays are waited for on another clock than
the one that measures, so that a clock that is wrong cannot agree with itself.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from bench.registry import device, model
from bench.worker.devices.cpu import Cpu

# Batches of at most so many samples are the throw-away step, which is no step of anything.
THROWAWAY_SAMPLES = 2

# A clock that nobody adjusts, where there is one; Linux and macOS have it.
_RAW = getattr(time, "CLOCK_MONOTONIC_RAW", None)
_now = time.time if _RAW is None else partial(time.clock_gettime, _RAW)

Act = Callable[[torch.Tensor], object]  # of the images of a batch


def busy_wait(seconds: float) -> None:
    """Burn this thread's core for so long."""
    stop = _now() + seconds
    while _now() < stop:
        pass


class Known(nn.Module):
    """Does `act` in every real forward pass of training, and `act_thrown_away` in the throw-away step.

    It does next to nothing else, which would be noise: its answer is a bias alone.
    """

    def __init__(self, num_classes: int, act: Act, *, act_thrown_away: Act = lambda images: None) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_classes))
        self.act, self.act_thrown_away = act, act_thrown_away

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            (self.act if len(images) > THROWAWAY_SAMPLES else self.act_thrown_away)(images)
        return self.bias.expand(len(images), -1)


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

    def act(images: torch.Tensor) -> None:
        if first_seconds and not _slept:
            _slept.append(True)
            time.sleep(first_seconds)
        busy_wait(milliseconds / 1e3)

    return Known(num_classes, act)


_slept: list[bool] = []  # once this process has


@model("doctor-memory")
def memory(input_shape: tuple[int, int, int], num_classes: int, *, mebibytes: int = 0) -> nn.Module:
    """Allocates mebibytes in each forward pass, writes to every page of it, and lets it go.

    Twice as much in the throw-away step: a peak that is not reset after it is the wrong one.
    """

    def allocate(size: int) -> Act:
        return lambda images: torch.ones(size, dtype=torch.uint8, device=images.device)

    return Known(num_classes, allocate(mebibytes * 2**20), act_thrown_away=allocate(2 * mebibytes * 2**20))


@model("doctor-matmul")
def matmul(input_shape: tuple[int, int, int], num_classes: int, *, size: int = 1024) -> nn.Module:
    """Multiplies two (size, size) matrices in each step: 2·size³ operations, as fast as the library can."""
    known: Any = Known(num_classes, lambda images: torch.mm(known.left, known.right, out=known.product))
    for name in ("left", "right", "product"):
        known.register_buffer(name, torch.rand(size, size), persistent=False)
    return cast(nn.Module, known)


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

    def act(images: torch.Tensor) -> None:
        Late.pending_seconds += milliseconds / 1e3

    return Known(num_classes, act)
