"""What runs in a trial's process, whatever it is: the order of events that a trial, all seeds together and a range test
share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from torch import nn

from bench.worker.common import randomness
from bench.worker.common.discover import load_plugin
from bench.worker.common.failures import Diverged
from bench.worker.common.messages import Channel, Request, TrialOutcome
from bench.worker.evaluate import inference
from bench.worker.evaluate.accuracy import Evaluation, Held
from bench.worker.measure import clock
from bench.worker.measure.memory import Peaks, TreePeak
from bench.worker.measure.watch import Watch
from bench.worker.train.loaders import Source
from bench.worker.train.loop import MOST_STEPS, EpochLog, Loop, Tally
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Step
from bench.worker.trial.data import Sizes
from bench.worker.trial.setup import TrialSetup, configure_torch, engine_and_device

SHORT_BATCH_STEPS = 2

Row = dict[str, float | None]
S = TypeVar("S", bound=Source)


class TrialRun(ABC):
    """What was asked for, under way. `go` fills the outcome; what it raises is what became of the trial."""

    def __init__(
        self, request: Request, channel: Channel, outcome: TrialOutcome, measured: Callable[[], object]
    ) -> None:
        self.request, self.channel, self.outcome, self.measured = request, channel, outcome, measured
        self.trial, self.train = request.trial, request.trial.train

    def go(self) -> None:
        for plugin in self.request.plugins:
            load_plugin(plugin)
        self.engine, self.device = engine_and_device(self.trial)
        self.outcome.threads = configure_torch(self.trial, self.device)
        with self.engine.open(self.request.scratch):
            self.run()

    @abstractmethod
    def run(self) -> None:
        """All that comes once engine and device are there."""

    def set_up(self, sizes: Sizes) -> TrialSetup:
        return TrialSetup(self.trial, self.engine, device=self.device, threads=self.outcome.threads, sizes=sizes)


class TrainingRun(TrialRun):
    """A run that warms up, trains and evaluates after each epoch."""

    setup: TrialSetup
    models: tuple[int, ...] = ()  # shape of a step's loss: one number, or one a model
    fitted_seconds = 0.0

    def begin_measuring(self, *, tree: TreePeak | None = None) -> None:
        """Open what is read beside the clock, and take the baseline of memory: from here on all that is held counts."""
        self.watch = Watch.over(self.device, energy=self.trial.measure.energy)
        self.peaks = Peaks(self.device, tree=tree)
        self.peaks.start()
        self.channel.progress(phase="warm-up")
        self.outcome.samples["warmup_seconds"] = []

    def tally(self) -> Tally:
        """New sums for an epoch."""
        return Tally()

    def loop(
        self,
        step: Step,
        source: Source,
        *,
        steps: int | None,
        steps_per_block: int,
        on_epoch: Callable[[EpochLog], object],
    ) -> Loop:
        return Loop(
            step=step,
            source=source,
            device=self.device,
            epochs=self.train.epochs,
            steps=steps,
            steps_per_block=steps_per_block,
            on_epoch=on_epoch,
            models=self.models,
            tally=self.tally,
        )

    def warm_up(self, step: Step, sources: Sequence[S], evaluate: Callable[[S], object]) -> float:
        """The declared steps on noise, through the very loop that trains; an evaluation after each size of batch.

        Returns what a step takes: the first full-size ones are cold, so it is the least of them.
        """
        steps, into = self.trial.measure.warmup_steps, self.outcome.samples["warmup_seconds"]

        def after(source: S) -> Callable[[EpochLog], object]:
            return lambda entry: evaluate(source)

        loops = [
            self.loop(step, source, steps=count, steps_per_block=1, on_epoch=after(source))
            for source, count in zip(sources, (steps, min(steps, SHORT_BATCH_STEPS)), strict=False)
        ]
        for loop in loops:
            with suppress(Diverged):  # noise may be too much for a learning rate that suits the data
                loop.run()
            into += loop.log.blocks.seconds
        return min(into[:steps], default=0.0)

    def training_loop(
        self, step: Step, source: Source, *, steps_per_block: int, on_epoch: Callable[[EpochLog], None]
    ) -> Loop:
        """The loop that trains; `on_epoch` is called outside of what memory is measured over."""
        randomness.seed_globals(self.trial.seed, randomness.TRAIN)
        epochs = self.setup.epochs

        def after_block(epoch: int, loss: float) -> None:
            self.peaks.observe()
            self.channel.progress(phase="training", epoch=epoch, epochs=epochs, loss=loss)

        def after_epoch(entry: EpochLog) -> None:
            self.peaks.pause()
            self.fitted_seconds += entry.seconds
            on_epoch(entry)
            self.peaks.resume()

        steps = self.train.steps
        loop = self.loop(step, source, steps=steps, steps_per_block=steps_per_block, on_epoch=after_epoch)
        loop.on_block, loop.watch = after_block, self.watch
        return loop

    def steps_per_block(self, step_seconds: float) -> int:
        return clock.steps_per_block(step_seconds, block_seconds=self.device.block_seconds, most=MOST_STEPS)

    def row(self, entry: EpochLog, seen: Mapping[str, Evaluation], *, loss: float, schedule: Schedule) -> Row:
        """What the curves of a model get after an epoch."""
        row: Row = {
            "epoch": entry.epoch,
            "train_loss": loss,
            "train_seconds": self.fitted_seconds,
            "learning_rate": schedule.learning_rate,
        }
        for name, found in seen.items():
            row |= {f"{name}_accuracy": found.accuracy} | ({f"{name}_loss": found.loss} if name != "train" else {})
        return row

    def measure_inference(self, model: nn.Module, split: Held) -> inference.Inference:
        return inference.measure(
            model, split, batch_size=self.trial.batch_size, device=self.device, precision=self.train.precision
        )


def not_finite(entry: EpochLog, seen: Mapping[str, Evaluation]) -> str:
    """Where an evaluation's loss is no finite number after an epoch, in one line; empty where all are."""
    for name, found in seen.items():
        if not math.isfinite(found.loss):
            return f"{name} loss is {found.loss} after epoch {entry.epoch}"
    return ""


def add_row(curves: dict[str, list[float | None]], row: Row) -> None:
    for name, value in row.items():
        curves.setdefault(name, []).append(value)
