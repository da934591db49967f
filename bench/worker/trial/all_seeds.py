"""All trials of a cell in one process, side by side: the order of events is that of bench.worker.trial.trial.

What each seed learned is its own: accuracy, losses, curves, artifacts. What was timed, and the memory, is the cell's,
and stands in the record of every seed: it is one measurement, which the report counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from bench.worker.common import discover as components
from bench.worker.common import randomness
from bench.worker.common.channel import Channel
from bench.worker.common.failures import Diverged
from bench.worker.common.messages import Outcome, Request
from bench.worker.engines.vectorized import Stack, Tallies, losses, stacked_step
from bench.worker.evaluate import inference
from bench.worker.evaluate.accuracy import Evaluation, Held
from bench.worker.evaluate.diagnosis import FIRST_SAMPLES
from bench.worker.measure import clock
from bench.worker.measure.memory import Peaks
from bench.worker.measure.watch import Watch
from bench.worker.train import optimizers
from bench.worker.train.augment import augmentations_of
from bench.worker.train.loop import MOST_STEPS, EpochLog, FitLog, Loop
from bench.worker.train.optimizers import autocast
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Step
from bench.worker.trial import record
from bench.worker.trial.all_seeds_data import CellData, CellSource, CellSplit, load_cell
from bench.worker.trial.setup import SHORT_BATCH_STEPS, THROWAWAY_SAMPLES, Workshop, engine_and_device, set_up, warm_up

# What is one measurement of the whole cell. Figures of one model (inference, FLOPs) are measured on the first seed's.
TOGETHER = (
    "train_samples_per_second", "step_seconds", "epoch_seconds", "end_to_end_samples_per_second", "fit_seconds",
    "achieved_flops_per_second", "host_peak_bytes", "device_peak_allocated_bytes", "device_peak_reserved_bytes",
    "total_seconds", "energy_joules",
)  # fmt: skip
INFERENCE = ("inference_samples_per_second", "inference_latency_p50_seconds", "inference_latency_p95_seconds")


class Learners(NamedTuple):
    """The seeds' models, what changes their weights, one step of that, and the learning rate over the training."""

    stack: Stack
    optimizer: torch.optim.Optimizer
    step: Step
    schedule: Schedule


class Run:
    """The cell under way."""

    def __init__(self, request: Request, channel: Channel, outcome: Outcome, measured: Callable[[], object]) -> None:
        self.request, self.channel, self.measured = request, channel, measured
        self.requests = (request, *request.others)
        outcome.others = [Outcome() for _ in request.others]
        self.outcome, self.outcomes = outcome, (outcome, *outcome.others)
        self.trial, self.train = request.trial, request.trial.train
        self.seeds = [each.trial.seed for each in self.requests]
        self.out: dict[int, str] = {}
        self.last: list[Evaluation] = []
        self.before: list[np.ndarray | None] = [None] * len(self.requests)
        self.fitted_seconds = 0.0

    def go(self) -> None:
        try:
            self._go()
        finally:
            for place, reason in self.out.items():
                self.outcomes[place].status, self.outcomes[place].reason = "diverged", reason

    def _go(self) -> None:
        if self.request.checkpoints is not None:
            self.channel.progress(note="no checkpoints: engine 'vectorized' trains all seeds in one process anew")
        for plugin in self.request.plugins:
            components.load_plugin(plugin)
        self.engine, self.device = engine_and_device(self.trial)
        threads = set_up(self.trial, self.device)
        for outcome in self.outcomes:
            outcome.threads = threads
        data = load_cell(self.request, self.device.torch_device)
        names = data.class_names
        self.shop = Workshop(
            self.trial,
            self.engine,
            device=self.device,
            threads=threads,
            input_shape=data.input_shape,
            num_classes=len(names),
            train_size=data.train_size,
        )
        self.outcome.metrics["flops_per_sample"], _ = self.shop.warm_library()
        rehearsals = self._rehearsals(data.train_size)
        self._warm_mapping(rehearsals[0], data.test)
        self.watch = Watch.over(self.device, energy=self.trial.measure.energy)
        self.peaks = Peaks(self.device)
        self.peaks.start()
        step_seconds = self._warm_up(rehearsals)
        learners = self._learners()
        self.outcome.metrics |= record.size_of(learners.stack.unstacked(0))
        log = self._fit(learners, data=data, step_seconds=step_seconds)
        # Held until here, as in a trial.
        del rehearsals
        self.outcome.metrics |= record.state_of_stack(
            learners.stack.trained, learners.optimizer, models=len(self.seeds)
        )
        self._finish(learners.stack, data, log)

    def _learners(self) -> Learners:
        stack = Stack([self.shop.build(seed) for seed in self.seeds])
        optimizer = optimizers.make_optimizer(stack.trained, self.train)
        stack.train()
        schedule = self.shop.schedule(optimizer)
        recipe, device = self.shop.recipe(schedule), self.device.torch_device
        step = stacked_step(stack, optimizer, precision=self.train.precision, device=device, recipe=recipe)
        return Learners(stack, optimizer, step, schedule)

    def _rehearsals(self, train_size: int) -> list[CellSource]:
        """As Workshop.rehearsals, for every seed the same noise."""
        found = []
        for noise in self.shop.rehearsals(train_size):
            rows = torch.arange(noise.samples, device=self.device.torch_device)
            augmentations = augmentations_of(self.train, fill=self.shop.black(), seeds=self.seeds)
            source = CellSource(
                CellSplit(noise, rows), seeds=self.seeds, batch_size=noise.samples, augmentations=augmentations
            )
            found.append(source)
        return found

    def _warm_mapping(self, source: CellSource, test: CellSplit) -> None:
        """One step of every seed on two samples: touches the pages of torch.func, and finds what it does not take.

        Before it, what each model answers to its first samples; see Workshop.warm_library.
        """
        learners, rows = self._learners(), source.rows[:, :THROWAWAY_SAMPLES]
        if self.trial.measure.evaluate == "full":
            seen = evaluate(
                learners.stack, test.first(FIRST_SAMPLES), batch_size=THROWAWAY_SAMPLES, precision=self.train.precision
            )
            self.before = [found.logits.softmax(1).numpy() for found in seen]
        learners.step(source.fetch(rows.contiguous()))
        self.device.synchronize()

    def _warm_up(self, rehearsals: list[CellSource]) -> float:
        """See the trial's."""
        self.channel.progress(phase="warm-up")
        into = self.outcome.samples["warmup_seconds"] = []
        if not (steps := self.trial.measure.warmup_steps):
            return 0.0
        learners, loops = self._learners(), []
        for source, count in zip(rehearsals, (steps, min(steps, SHORT_BATCH_STEPS)), strict=False):
            split = CellSplit(source.pool, source.rows)

            def on_epoch(entry: EpochLog, split: CellSplit = split) -> None:
                self._evaluations(learners.stack, split)

            loops.append(self._loop(learners.step, source, steps=count, steps_per_block=1, on_epoch=on_epoch))
        return warm_up(loops, steps=steps, into=into)

    def _fit(self, learners: Learners, *, data: CellData, step_seconds: float) -> FitLog:
        randomness.seed_globals(self.trial.seed, randomness.TRAIN)
        per_block = clock.steps_per_block(step_seconds, block_seconds=self.device.block_seconds, most=MOST_STEPS)
        epochs = self.shop.epochs(data.train_size)

        def on_block(epoch: int, loss: float) -> None:
            self.channel.progress(phase="training", epoch=epoch, epochs=epochs, loss=loss)

        def on_epoch(entry: EpochLog) -> None:
            self.peaks.pause()
            self._evaluate(learners.stack, data, entry, learning_rate=learners.schedule.learning_rate)
            learners.schedule.after_epoch(validation_loss=None)
            self.peaks.resume()

        steps = self.train.steps
        loop = self._loop(learners.step, data.source, steps=steps, steps_per_block=per_block, on_epoch=on_epoch)
        loop.on_block, loop.watch, loop.tally = on_block, self.watch, lambda: Tallies(out=self.out)
        return loop.run()

    def _loop(
        self,
        step: Step,
        source: CellSource,
        *,
        steps: int | None,
        steps_per_block: int,
        on_epoch: Callable[[EpochLog], None],
    ) -> Loop:
        return Loop(
            step=step,
            source=source,
            device=self.device,
            epochs=self.train.epochs,
            steps=steps,
            steps_per_block=steps_per_block,
            on_epoch=on_epoch,
            models=(len(self.seeds),),
            tally=Tallies,
        )

    def _evaluations(self, stack: Stack, split: CellSplit) -> list[Evaluation]:
        return evaluate(stack, split, batch_size=self.trial.batch_size, precision=self.train.precision)

    def _evaluate(self, stack: Stack, data: CellData, entry: EpochLog, *, learning_rate: float) -> None:
        """After an epoch, outside every timed window: a row of curves for every seed that is left."""
        self.fitted_seconds += entry.seconds
        seen = {"train": self._evaluations(stack, data.probe)}
        if data.validation is not None:
            seen["validation"] = self._evaluations(stack, data.validation)
        seen["test"] = self.last = self._evaluations(stack, data.test)
        for place in range(len(self.seeds)):
            for name, found in seen.items():
                if not math.isfinite(found[place].loss):
                    self.out.setdefault(place, f"{name} loss is {found[place].loss} after epoch {entry.epoch}")
            if place not in self.out:
                row = {name: found[place] for name, found in seen.items()}
                self._row(place, entry, row, learning_rate=learning_rate)
        if len(self.out) == len(self.seeds):
            raise Diverged(self.out[0])

    def _row(self, place: int, entry: EpochLog, seen: dict[str, Evaluation], *, learning_rate: float) -> None:
        row: dict[str, float | None] = {
            "epoch": entry.epoch,
            "train_loss": entry.losses[place],
            "train_seconds": self.fitted_seconds,
            "learning_rate": learning_rate,
        }
        for name, found in seen.items():
            row |= {f"{name}_accuracy": found.accuracy} | ({f"{name}_loss": found.loss} if name != "train" else {})
        outcome, target = self.outcomes[place], self.trial.measure.target_accuracy
        for name, value in row.items():
            outcome.curves.setdefault(name, []).append(value)
        reached = target is not None and seen["test"].accuracy >= target
        if reached and "time_to_target_seconds" not in outcome.metrics:
            outcome.metrics["time_to_target_seconds"] = self.fitted_seconds

    def _finish(self, stack: Stack, data: CellData, log: FitLog) -> None:
        """One measurement of the cell into the record of every seed, then what is the seed's own."""
        whole = Outcome(metrics=dict(self.outcome.metrics), samples=dict(self.outcome.samples))
        whole.metrics.pop("time_to_target_seconds", None)
        images, labels = data.test.first(self.trial.batch_size).batch(0, self.trial.batch_size)
        first = Held.of(images[0] if images.dim() == 5 else images, labels, self.device.torch_device)
        found = inference.measure(
            stack.unstacked(0),
            first,
            batch_size=self.trial.batch_size,
            device=self.device,
            precision=self.train.precision,
        )
        count = len(self.seeds)
        record.fill(whole, trial=self.trial, log=log, found=found, peaks=self.peaks, watch=self.watch, models=count)
        self.measured()
        whole.instruments |= instruments(whole.instruments, count)
        for place, outcome in enumerate(self.outcomes):
            if place not in self.out:
                self._finish_one(place, outcome, whole, stack=stack, data=data)

    def _finish_one(self, place: int, outcome: Outcome, whole: Outcome, *, stack: Stack, data: CellData) -> None:
        outcome.metrics = whole.metrics | outcome.metrics | record.last_of(outcome.curves)
        outcome.samples, outcome.instruments = whole.samples, whole.instruments
        outcome.valid, outcome.validity_notes = whole.valid, whole.validity_notes
        record.save(
            self.requests[place],
            outcome,
            model=stack.unstacked(place),
            last=self.last[place],
            labels=data.test.labels(place),
            images=data.test_images(place),
            before=self.before[place],
            class_names=data.class_names,
        )


def instruments(known: dict[str, str], count: int) -> dict[str, str]:
    """How the cell's figures were read: of all seeds together."""
    together = f"of {count} seeds at once (engine 'vectorized')"
    found = {name: f"{known[name]}; {together}" if name in known else together for name in TOGETHER}
    return found | dict.fromkeys(INFERENCE, "of one model, that of the first seed")


@torch.no_grad()
def evaluate(stack: Stack, split: CellSplit, *, batch_size: int, precision: str) -> list[Evaluation]:
    """As `evaluate` of one model, for every seed."""
    stack.train(False)
    parts, labels = [], []
    for start in range(0, len(split), batch_size):
        images, wanted = split.batch(start, batch_size)
        with autocast(split.pool.device, precision):
            parts.append(stack.logits(images))
        labels.append(wanted.expand(stack.count, -1))
    stack.train(True)
    logits, right = torch.cat(parts, 1).float(), torch.cat(labels, 1)
    each = losses(logits.double(), right).tolist()
    hits = (logits.argmax(2) == right).sum(1).tolist()
    host = logits.cpu()
    return [Evaluation(loss, hit / len(split), host[k]) for k, (loss, hit) in enumerate(zip(each, hits, strict=True))]
