"""What every engine answers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from bench.base.records import Trial
from bench.worker.common.messages import Metrics
from bench.worker.devices.base import Device
from bench.worker.train.loaders import Source
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Recipe, Step


class Learner(NamedTuple):
    """A model, what changes its weights, one step of that, and what else changes as it trains."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    step: Step
    schedule: Schedule
    scaler: torch.amp.GradScaler | None  # of float16


class Engine(ABC):
    """One way to run a step. Built once a trial; its methods are called in the order of this class.

    `cannot` names every setting of [train] that the engine does not honour.
    """

    name: ClassVar[str]
    capturable: ClassVar[bool] = False  # whether the host may read nothing during the optimizer's step
    instruments: ClassVar[dict[str, str]] = {}  # metric that only this engine has → how it was read

    @abstractmethod
    def cannot(self, trial: Trial, device: Device) -> str:
        """Returns why this engine cannot run the trial, and what to do, in one line; empty where it can."""

    @contextmanager
    def open(self, scratch: Path | None) -> Iterator[None]:
        """Wraps all that the trial does. `scratch`: a folder that may not exist yet, and is removed after the trial."""
        yield

    def prepare(self, learner: Callable[[], Learner], sources: Sequence[Source], *, device: Device) -> Metrics:
        """Does what is needed once a process, on instances that are dropped, before the baseline of memory.

        `sources`: noise in every shape that a batch will have. Returns metrics.
        """
        return {}

    @abstractmethod
    def step(self, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, *, device: Device) -> Step:
        """Returns one step of `model` with `optimizer`."""

    def attach(self, learner: Learner, source: Source) -> None:
        """Called before the first step on `source`, outside every timed window. Leaves the weights as they are."""


def first_batch(source: Source) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """Returns the call that gives the first batch of an epoch of `source`."""
    return next(iter(source.epoch(steps_per_chunk=1)))[0].fetch
