"""The plain loop: blocks of steps between two readings of the clock, epochs, nothing else inside.

Not inside a block: loading (but for the gather of a resident set), transfer, reading the loss, evaluation, progress.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.worker.common import checked
from bench.worker.common.failures import Diverged
from bench.worker.devices.base import Device
from bench.worker.measure import clock
from bench.worker.measure.clock import Waits
from bench.worker.measure.watch import Watch
from bench.worker.train.loaders import Ready, Source
from bench.worker.train.steps import Step
from bench.worker.train.turns import NO_ROUND, Turns

# Most steps of a block: the places for their losses are made once.
MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class EpochLog:
    """One pass over the training set. `seconds` holds loading and transfer, and neither evaluation nor bookkeeping."""

    epoch: int
    loss: float  # running mean of what the steps gave, as the weights moved
    seconds: float
    block_seconds: float  # of that, inside blocks of steps; the rest was loading and transfer
    data_seconds: float  # of the rest, waiting for batches
    transfer_seconds: float | None  # of copies to the device; None where there are none, or where nobody can say
    samples: int
    steps: int
    whole: bool
    losses: tuple[float, ...] = ()  # of each of the models that train side by side, where there are several


@dataclass(slots=True)
class FitLog:
    """What training leaves behind."""

    blocks: clock.Blocks = field(default_factory=clock.Blocks)
    timing_only: clock.Blocks = field(default_factory=clock.Blocks)  # after the training, on a learner that was dropped
    epochs: list[EpochLog] = field(default_factory=list)
    alone_seconds: float | None = None  # of the device for a step, when it never waits for the host; where it can tell

    @property
    def steps(self) -> int:
        return sum(epoch.steps for epoch in self.epochs)

    @property
    def seconds(self) -> float:
        """First to last real step, evaluation excluded."""
        return sum(epoch.seconds for epoch in self.epochs)

    def state_dict(self) -> dict[str, Any]:
        """All but what the process itself has to measure, and the rounds of its blocks: they are of this group."""
        blocks = {name: values for name, values in checked.flat(self.blocks).items() if name != "rounds"}
        return {"blocks": blocks, "epochs": [checked.flat(epoch) for epoch in self.epochs]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind what `state` holds. Raises ValueError where it is no log, and changes nothing then."""
        blocks, epochs = state["blocks"], checked.all_built(EpochLog, state["epochs"])
        seconds, steps, samples = (checked.numbers(blocks[name]) for name in ("seconds", "steps", "samples"))
        checked.same_length({"seconds": seconds, "steps": steps, "samples": samples})
        if [each.epoch for each in epochs] != list(range(1, len(epochs) + 1)):
            raise ValueError("epochs that do not follow each other")
        rounds = [NO_ROUND] * len(seconds)  # those of another group
        self.blocks = clock.Blocks(seconds, checked.wholes(steps), checked.wholes(samples), rounds)
        self.epochs = epochs


class _Losses:
    """The losses of a block's steps, until it is over.

    On the host each is copied into a place that was there before: a small tensor kept a step lies in the gap that the
    last batch left, so that the next batch no longer fits there (the heap grew by 15 MiB for a linear model on MNIST).
    On a GPU small and large tensors lie apart, and a copy would be a launch.
    """

    def __init__(self, most: int, models: tuple[int, ...], *, on_host: bool) -> None:
        self._buffer = torch.zeros((most, *models), dtype=torch.float32)
        self._places = list(self._buffer.unbind()) if on_host else []
        self._kept: list[torch.Tensor] = []

    def run(self, step: Step, chunk: Sequence[Ready]) -> None:
        """The steps of the block: all that is timed."""
        if self._places:
            for place, ready in zip(self._places, chunk, strict=False):
                place.copy_(step(ready.fetch))
        else:
            self._kept = [step(ready.fetch) for ready in chunk]

    def values(self, count: int) -> list[Any]:
        """The losses of the last `count` steps, on the host: a number each, or a list of one a model."""
        if self._places:
            return self._buffer[:count].tolist()
        return torch.stack(self._kept).float().tolist()


@dataclass(slots=True)
class _Times:
    """Nanoseconds of an epoch: in timed blocks, and beside what counts."""

    timed: int = 0
    aside: int = 0


@dataclass(slots=True)
class Loop:
    """Trains for a number of epochs or of steps. Calls `on_block` and `on_epoch` outside every timed window."""

    step: Step
    source: Source
    device: Device
    epochs: int
    steps: int | None
    steps_per_block: int
    on_epoch: Callable[[EpochLog], object]
    on_block: Callable[[int, float], None] = lambda epoch, loss: None  # loss: its running mean
    watch: Watch = field(default_factory=Watch)
    models: tuple[int, ...] = ()  # shape of a step's loss: one number, or one a model
    tally: "Callable[[], Tally]" = lambda: Tally()
    turns: Turns = field(default_factory=lambda: Turns(timing_seconds=0.0))
    is_over: Callable[[], bool] = lambda: False  # asked before each epoch: whether to end before the last one
    log: FitLog = field(default_factory=FitLog)
    _losses: _Losses = field(init=False)

    def __post_init__(self) -> None:
        self._losses = _Losses(self.steps_per_block, self.models, on_host=self.device.is_host)

    def run(self) -> FitLog:
        """Go on behind the epochs of the log. Raises Diverged at the first loss that is not finite."""
        epoch = len(self.log.epochs)
        while (epoch < self.epochs if self.steps is None else self.log.steps < self.steps) and not self.is_over():
            epoch += 1
            self.watch.stretch_begins(leads_in=self.turns.leads_in)
            entry = self._epoch(epoch)
            self.watch.stretch_ends()
            self.log.epochs.append(entry)
            self.on_epoch(entry)
        return self.log

    def _epoch(self, epoch: int) -> EpochLog:
        tally, times, asleep = self.tally(), _Times(), self.turns.asleep_nanoseconds
        waits = Waits(self.source.transfers)
        start = clock.read(self.device)
        for chunk in waits.over(self._chunks()):
            for part, is_timed in self.turns.parts(chunk, self.watch):
                before = self._block(part, times, is_timed=is_timed)
                waits.device_is_done()
                samples = [ready.samples for ready in part]
                tally.add(self._losses.values(len(part)), samples, epoch=epoch, steps_before=self.log.steps)
                self.device.observe_memory()
                self.on_block(epoch, tally.mean_loss)
                times.aside += time.perf_counter_ns() - before
        times.aside += self.turns.asleep_nanoseconds - asleep
        charged = self.turns.lead.charge()  # in place of what the untimed steps took
        nanoseconds = clock.read(self.device) - start - times.aside + charged
        return EpochLog(
            epoch=epoch,
            loss=tally.mean_loss,
            seconds=nanoseconds / 1e9,
            block_seconds=(times.timed + charged) / 1e9,
            data_seconds=waits.data_nanoseconds / 1e9,
            transfer_seconds=waits.transfer_seconds if self.source.transfers and self.device.how_marks else None,
            samples=tally.samples,
            steps=tally.steps,
            whole=tally.samples == self.source.samples,
            losses=tally.losses,
        )

    def _block(self, part: Sequence[Ready], times: "_Times", *, is_timed: bool) -> int:
        """Takes the steps of `part`. Returns the moment from which on nothing counts until the next part."""
        if self.watch.reads_blocks and is_timed:
            self.device.synchronize()  # a transfer that is under way belongs to the epoch, not to the reading
            times.aside += self.watch.block_begins()
        began = clock.read(self.device)
        self._losses.run(self.step, part)
        block = clock.read(self.device) - began
        before, samples = time.perf_counter_ns(), sum(ready.samples for ready in part)
        self.turns.lead.add(nanoseconds=block, samples=samples, timed=is_timed)
        if not is_timed:
            return began
        self.watch.block_ends()
        times.timed += block
        self.log.blocks.add(nanoseconds=block, steps=len(part), samples=samples, round=self.turns.round)
        return before

    def _chunks(self) -> Iterator[list[Ready]]:
        """The chunks of an epoch, cut off where the number of steps is reached."""
        left = math.inf if self.steps is None else self.steps - self.log.steps
        for chunk in self.source.epoch(steps_per_chunk=self.steps_per_block):
            if left <= 0:
                return
            yield chunk if len(chunk) <= left else chunk[: int(left)]
            left -= len(chunk)


@dataclass(slots=True)
class Tally:
    """Running sums of an epoch, in float64 on the host."""

    loss: float = 0.0
    samples: int = 0
    steps: int = 0

    def add(self, losses: list[Any], samples: list[int], *, epoch: int, steps_before: int) -> None:
        """Take up the losses of a block's steps. Raises Diverged at the first that is not finite."""
        for loss, count in zip(losses, samples, strict=True):
            self.steps += 1
            if not math.isfinite(loss):
                raise Diverged(diverged(loss, step=steps_before + self.steps, epoch=epoch))
            self.loss += loss * count
            self.samples += count

    @property
    def mean_loss(self) -> float:
        return self.loss / self.samples if self.samples else math.nan

    @property
    def losses(self) -> tuple[float, ...]:
        """Mean loss of each model, where several train side by side."""
        return ()


def diverged(loss: float, *, step: int, epoch: int) -> str:
    """The one line that says where a loss stopped being finite."""
    return f"training loss is {loss} at step {step} (epoch {epoch}); try a smaller learning rate"
