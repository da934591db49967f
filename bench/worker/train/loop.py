"""The plain loop: blocks of steps between two readings of the clock, epochs, nothing else inside.

Not inside a block: loading (but for the gather of a resident set), transfer, reading the loss, evaluation, progress.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from bench.worker.devices.base import Device
from bench.worker.failures import Diverged
from bench.worker.measure import clock, validity
from bench.worker.train.loaders import Fetch, Source
from bench.worker.train.optimizers import autocast

# What the steps of a block keep until it is over, to count right answers outside the timed window: no more than
# this, or it would show in the memory that is measured.
KEPT_LOGITS_BYTES = 1024**2

Done = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # loss (), logits (N, K), labels (N,): detached, on the device
Step = Callable[[Fetch], Done]


@dataclass(frozen=True, slots=True)
class EpochLog:
    """One pass over the training set. `seconds` holds loading and transfer, and neither evaluation nor bookkeeping."""

    epoch: int
    loss: float
    accuracy: float
    seconds: float
    samples: int
    steps: int
    whole: bool


@dataclass(slots=True)
class FitLog:
    """What training leaves behind."""

    blocks: clock.Blocks = field(default_factory=clock.Blocks)
    epochs: list[EpochLog] = field(default_factory=list)
    contention: validity.Contention = field(default_factory=validity.Contention)

    @property
    def steps(self) -> int:
        return sum(epoch.steps for epoch in self.epochs)

    @property
    def seconds(self) -> float:
        """First to last real step, evaluation excluded."""
        return sum(epoch.seconds for epoch in self.epochs)


def eager_step(model: nn.Module, optimizer: torch.optim.Optimizer, *, precision: str, device: torch.device) -> Step:
    """One step as everybody writes it: gather, forward, backward, optimizer. The loss is mean cross-entropy."""
    criterion = nn.CrossEntropyLoss()

    def forward(fetch: Fetch) -> Done:
        images, labels = fetch()
        logits = model(images)
        return criterion(logits, labels), logits, labels

    def mixed(fetch: Fetch) -> Done:
        with autocast(device, precision):
            return forward(fetch)

    lossy = mixed if precision in ("bfloat16", "float16") else forward
    if isinstance(optimizer, torch.optim.LBFGS):
        return _closure_step(lossy, optimizer)
    if precision == "float16":
        return _scaled_step(lossy, optimizer, device)

    def step(fetch: Fetch) -> Done:
        optimizer.zero_grad()
        loss, logits, labels = lossy(fetch)
        loss.backward()
        optimizer.step()
        return loss.detach(), logits.detach(), labels

    return step


def _scaled_step(lossy: Step, optimizer: torch.optim.Optimizer, device: torch.device) -> Step:
    scaler = torch.amp.GradScaler(device.type)

    def step(fetch: Fetch) -> Done:
        optimizer.zero_grad()
        loss, logits, labels = lossy(fetch)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach(), logits.detach(), labels

    return step


def _closure_step(lossy: Step, optimizer: torch.optim.LBFGS) -> Step:
    """LBFGS evaluates the loss several times a step; what is kept is the first, before the weights move."""

    def step(fetch: Fetch) -> Done:
        first: list[Done] = []

        def closure() -> torch.Tensor:
            optimizer.zero_grad()
            loss, logits, labels = lossy(fetch)
            loss.backward()
            if not first:
                first.append((loss.detach(), logits.detach(), labels))
            return loss

        optimizer.step(closure)
        return first[0]

    return step


@dataclass(slots=True)
class Loop:
    """Trains for a number of epochs or of steps, and tells `on_block` and `on_epoch`, outside every timed window."""

    step: Step
    source: Source
    device: Device
    epochs: int
    steps: int | None
    steps_per_block: int
    on_epoch: Callable[[EpochLog], None]
    on_block: Callable[[int, float], None] = lambda epoch, loss: None  # loss: its running mean
    log: FitLog = field(default_factory=FitLog)

    def run(self) -> FitLog:
        """Raises Diverged at the first loss that is not finite."""
        epoch = 0
        while not self._finished(epoch):
            epoch += 1
            waited = validity.run_queue_wait_seconds()
            entry = self._epoch(epoch)
            self.log.contention.add(before=waited, after=validity.run_queue_wait_seconds(), wall_seconds=entry.seconds)
            self.log.epochs.append(entry)
            self.on_epoch(entry)
        return self.log

    def _finished(self, epoch: int) -> bool:
        return epoch >= self.epochs if self.steps is None else self.log.steps >= self.steps

    def _epoch(self, epoch: int) -> EpochLog:
        tally, aside = _Tally(), 0
        start = clock.read(self.device)
        for chunk in self._chunks():
            block, done = self._block(chunk)
            before = time.perf_counter_ns()
            tally.add(done, epoch=epoch, steps_before=self.log.steps)
            self.log.blocks.add(nanoseconds=block, steps=len(chunk), samples=sum(len(entry[2]) for entry in done))
            self.device.observe_memory()
            self.on_block(epoch, tally.mean_loss)
            aside += time.perf_counter_ns() - before
        nanoseconds = clock.read(self.device) - start - aside
        return EpochLog(
            epoch=epoch,
            loss=tally.mean_loss,
            accuracy=tally.right / tally.samples,
            seconds=nanoseconds / 1e9,
            samples=tally.samples,
            steps=tally.steps,
            whole=tally.samples == self.source.samples,
        )

    def _chunks(self) -> Iterator[list[Fetch]]:
        """The chunks of an epoch, cut off where the number of steps is reached."""
        left = math.inf if self.steps is None else self.steps - self.log.steps
        for chunk in self.source.epoch(steps_per_chunk=self.steps_per_block):
            if left <= 0:
                return
            yield chunk if len(chunk) <= left else chunk[: int(left)]
            left -= len(chunk)

    def _block(self, chunk: list[Fetch]) -> tuple[int, list[Done]]:
        """Nanoseconds of the timed window, and what its steps gave."""
        step, done = self.step, []
        start = clock.read(self.device)
        for fetch in chunk:
            done.append(step(fetch))
        return clock.read(self.device) - start, done


@dataclass(slots=True)
class _Tally:
    """Running sums of an epoch, in float64 on the host."""

    loss: float = 0.0
    right: int = 0
    samples: int = 0
    steps: int = 0

    def add(self, done: list[Done], *, epoch: int, steps_before: int) -> None:
        losses = torch.stack([loss for loss, _, _ in done]).to("cpu", torch.float64).tolist()
        answers = torch.cat([logits for _, logits, _ in done]).argmax(1)
        self.right += int((answers == torch.cat([labels for _, _, labels in done])).sum())
        for loss, (_, _, labels) in zip(losses, done, strict=True):
            self.steps += 1
            if not math.isfinite(loss):
                step = steps_before + self.steps
                raise Diverged(f"training loss is {loss} at step {step} (epoch {epoch}); try a smaller learning rate")
            self.loss += loss * len(labels)
            self.samples += len(labels)

    @property
    def mean_loss(self) -> float:
        return self.loss / self.samples if self.samples else math.nan


def block_limit(*, batch_size: int, num_classes: int) -> int:
    """Most steps of a block whose kept logits stay within KEPT_LOGITS_BYTES."""
    return max(1, KEPT_LOGITS_BYTES // (batch_size * num_classes * 4))
