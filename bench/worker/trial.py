"""One trial, in the order in which things happen. Runs in a process of its own.

    settings → data → [baseline of memory] → model, warm-up → training, an evaluation an epoch → inference → record

Everything that could leak into the trial after it (threads, generators, switches of torch) dies with the process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bench.errors import BenchError, Unavailable
from bench.registry import DEVICES, METRICS, MODELS
from bench.worker import artifacts, components, randomness, record
from bench.worker.channel import Channel
from bench.worker.data import TrialData, load
from bench.worker.devices.base import Device
from bench.worker.evaluate import diagnosis, inference
from bench.worker.evaluate.accuracy import Evaluation, Held, evaluate, first_answers
from bench.worker.failures import Diverged, classify, readable_traceback, refuse_answer
from bench.worker.measure import clock, flops
from bench.worker.measure.environment import physical_cores
from bench.worker.measure.memory import Peaks
from bench.worker.measure.split import Transfers, seconds_alone
from bench.worker.measure.tree import TreePeak
from bench.worker.measure.watch import Watch
from bench.worker.messages import Outcome, Request
from bench.worker.record import Learner
from bench.worker.train import loaders, optimizers
from bench.worker.train.loop import MOST_STEPS, EpochLog, FitLog, Loop, Step, eager_step

THROWAWAY_SAMPLES, SHORT_BATCH_STEPS = 2, 2


def run(request: Request, channel: Channel, *, started_ns: int) -> Outcome:
    """Run the trial and turn every way in which it can end into an outcome. `started_ns`: perf_counter_ns then."""
    outcome = Outcome()
    try:
        _Run(request, channel, outcome).go()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a model that says sys.exit() has raised, too
        outcome.status, outcome.reason = classify(error)
        if outcome.status == "failed":
            outcome.traceback = readable_traceback(error)
    outcome.metrics["total_seconds"] = (time.perf_counter_ns() - started_ns) / 1e9
    return outcome


class _Run:
    """The trial under way."""

    def __init__(self, request: Request, channel: Channel, outcome: Outcome) -> None:
        self.request, self.channel, self.outcome = request, channel, outcome
        self.trial, self.train = request.trial, request.trial.train
        self.curves: dict[str, list[float | None]] = outcome.curves
        self.last: Evaluation | None = None
        self.diagnosis: dict[str, Any] = {}
        self.reached_seconds: float | None = None
        self.fitted_seconds = 0.0
        self.alone_seconds: float | None = None

    def go(self) -> None:
        for plugin in self.request.plugins:
            components.load_plugin(plugin)
        self.device = self._set_up()
        data = load(self.request, self.device.torch_device)
        self.input_shape, self.num_classes = data.input_shape, len(data.class_names)
        self._warm_library(data)
        rehearsals = self._rehearsals(data.train_size)
        self.watch = Watch.over(self.device, energy=self.trial.measure.energy)
        self.peaks = Peaks(self.device, tree=TreePeak() if self._has_loader_workers() else None)
        self.peaks.start()
        step_seconds = self._warm_up(rehearsals)
        learner = self._learner()
        self.outcome.metrics |= record.size_of(learner.model)
        log = self._fit(learner, data=data, step_seconds=step_seconds)
        # Held until here: memory that is freed after the baseline would hide as much of what training takes.
        del rehearsals
        self.outcome.metrics |= record.state_of(learner)
        model = learner.model
        found = inference.measure(
            model, data.test, batch_size=self.trial.batch_size, device=self.device, precision=self.train.precision
        )
        self.outcome.metrics |= record.last_of(self.curves) | {"time_to_target_seconds": self.reached_seconds}
        record.fill(self.outcome, trial=self.trial, log=log, found=found, peaks=self.peaks, watch=self.watch)
        self._save(model, data)

    def _set_up(self) -> Device:
        """Threads, precision, determinism; what cannot be had is `skipped`."""
        settings = self.train
        device: Device = DEVICES.get(self.trial.device).build()
        if settings.engine != "eager":
            raise Unavailable(f"engine {settings.engine!r} is not in this version of bench: use 'eager'")
        if missing := device.unavailable() or device.cannot(settings.precision):
            raise Unavailable(missing)
        if refused := optimizers.refuse(settings):
            raise BenchError(refused)
        self.outcome.threads = settings.threads or physical_cores()
        torch.set_num_threads(self.outcome.threads)
        device.set_precision(settings.precision)
        device.set_deterministic(settings.deterministic)
        torch.use_deterministic_algorithms(settings.deterministic)
        # Filling every new tensor with NaN finds bugs in models, and costs a third of a small step.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        return device

    def _has_loader_workers(self) -> bool:
        return self.train.loader == "dataloader" and self.train.num_workers > 0

    def _build(self) -> nn.Module:
        """A new instance, with the weights that the seed gives."""
        randomness.seed_globals(self.trial.seed, randomness.INIT)
        build = MODELS.get(self.trial.model.name).build
        model = build(self.input_shape, self.num_classes, **self.trial.model.settings)
        if not isinstance(model, nn.Module):
            found = type(model).__name__
            raise BenchError(f"model {self.trial.model.name!r}: its builder gave {found}, not a torch.nn.Module")
        return model.to(self.device.torch_device)

    def _learner(self) -> Learner:
        model = self._build()
        parameters = [p for p in model.parameters() if p.requires_grad]
        if not parameters:
            raise BenchError(f"model {self.trial.model.name!r} has no parameter to train")
        optimizer = optimizers.make_optimizer(parameters, self.train)
        model.train()
        step = eager_step(model, optimizer, precision=self.train.precision, device=self.device.torch_device)
        return Learner(model, optimizer, step)

    def _synthetic(self, samples: int) -> loaders.Batch:
        """A batch of noise in the shape of the data; it has a generator of its own."""
        noise = randomness.generator(self.trial.seed, randomness.WARMUP)
        images = torch.rand((samples, *self.input_shape), generator=noise, dtype=torch.float32)
        labels = torch.randint(self.num_classes, (samples,), generator=noise)
        return images.to(self.device.torch_device), labels.to(self.device.torch_device)

    def _warm_library(self, data: TrialData) -> None:
        """One step of another instance on two samples: touches the pages of the libraries, and counts the FLOPs.

        It has the weights that the model will start with, and says what that one would answer before training.
        """
        model, _, step = self._learner()
        images, labels = self._synthetic(THROWAWAY_SAMPLES)

        def loss() -> torch.Tensor:
            logits = model(images)
            refuse_answer(self.trial.model.name, logits, images=images, num_classes=self.num_classes)
            return functional.cross_entropy(logits, labels)

        self.outcome.metrics["flops_per_sample"] = flops.count(loss, samples=len(images)) or None
        if self.trial.measure.evaluate == "full":
            # By two samples, as the step: more would take memory before the baseline.
            before = first_answers(model, data.test, batch_size=THROWAWAY_SAMPLES, precision=self.train.precision)
            self.diagnosis = {"first_batch/before": before}
        step(lambda: (images, labels))
        self.device.synchronize()

    def _rehearsals(self, train_size: int) -> list[loaders.Resident]:
        """Noise to warm up on: a full batch, and what the last batch of an epoch has, where that is smaller.

        The second shape matters: libraries prepare each shape when they first see it.
        """
        full = min(self.trial.batch_size, train_size)
        sizes = [full] + ([last] if (last := train_size % full) else [])
        device = self.device.torch_device
        plain = loaders.Scale.on(device, [0.0] * self.input_shape[0], [1.0] * self.input_shape[0])
        found = []
        for size in sizes:
            images, labels = (tensor.cpu().numpy() for tensor in self._synthetic(size))
            seed = self.trial.seed
            found.append(loaders.Resident(images, labels, device=device, scale=plain, batch_size=size, seed=seed))
        return found

    def _warm_up(self, rehearsals: list[loaders.Resident]) -> float:
        """The declared steps on synthetic data, through the very loop that trains. Returns seconds of a step.

        On an instance that is then dropped: a new one with the same seed has bitwise the weights, buffers and
        optimizer that it would have had. To copy them before and back after would show in the memory that is measured.
        """
        self.channel.progress(phase="warm-up")
        blocks = self.outcome.samples["warmup_seconds"] = []
        if not (steps := self.trial.measure.warmup_steps):
            return 0.0
        model, _, step = self._learner()
        for source, count in zip(rehearsals, (steps, min(steps, SHORT_BATCH_STEPS)), strict=False):
            held = Held.around(source)

            def on_epoch(entry: EpochLog, held: Held = held) -> None:
                evaluate(model, held, batch_size=self.trial.batch_size, precision=self.train.precision)

            loop = self._loop(step, source, steps=count, steps_per_block=1, on_epoch=on_epoch)
            with suppress(Diverged):  # noise may be too much for a learning rate that suits the data
                loop.run()
            blocks += loop.log.blocks.seconds
        # The first full-size steps are cold: what a step takes is the least of them.
        step_seconds = min(blocks[:steps], default=0.0)
        if self.device.can_hold:
            (ready,) = next(rehearsals[0].epoch(steps_per_chunk=1))
            fetch = ready.fetch if self.train.loader == "resident" else loaders.given(ready.fetch())
            self.alone_seconds = seconds_alone(lambda: step(fetch), self.device, step_seconds=step_seconds)
        return step_seconds

    def _fit(self, learner: Learner, *, data: TrialData, step_seconds: float) -> FitLog:
        randomness.seed_globals(self.trial.seed, randomness.TRAIN)
        if self.train.loader == "resident":
            per_block = clock.steps_per_block(step_seconds, block_seconds=self.device.block_seconds, most=MOST_STEPS)
        else:  # batches wait in memory for their block: no more of them than the clock needs
            per_block = clock.fewest_steps(step_seconds)
            data.source.transfers = Transfers(self.device)

        def on_block(epoch: int, loss: float) -> None:
            self.peaks.observe()
            self.channel.progress(phase="training", epoch=epoch, epochs=self._epochs(data.train_size), loss=loss)

        def on_epoch(entry: EpochLog) -> None:
            self.peaks.pause()
            self._evaluate(learner.model, data, entry)
            self.peaks.resume()

        steps = self.train.steps
        loop = self._loop(learner.step, data.source, steps=steps, steps_per_block=per_block, on_epoch=on_epoch)
        loop.on_block, loop.watch, loop.log.alone_seconds = on_block, self.watch, self.alone_seconds
        return loop.run()

    def _loop(
        self,
        step: Step,
        source: loaders.Source,
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
        )

    def _epochs(self, train_size: int) -> int:
        if self.train.steps is None:
            return self.train.epochs
        return -(-self.train.steps // -(-train_size // self.trial.batch_size))

    def _evaluate(self, model: nn.Module, data: TrialData, entry: EpochLog) -> None:
        """After an epoch, outside every timed window. Leaves the generators as they were."""
        self.fitted_seconds += entry.seconds
        row: dict[str, float | None] = {
            "epoch": entry.epoch,
            "train_loss": entry.loss,
            "train_seconds": self.fitted_seconds,
        }
        for name, split in (("train", data.probe), ("validation", data.validation), ("test", data.test)):
            if split is not None:
                seen = evaluate(model, split, batch_size=self.trial.batch_size, precision=self.train.precision)
                if not math.isfinite(seen.loss):
                    raise Diverged(f"{name} loss is {seen.loss} after epoch {entry.epoch}")
                row |= {f"{name}_accuracy": seen.accuracy} | ({f"{name}_loss": seen.loss} if name != "train" else {})
                self.last = seen
        for name, value in row.items():
            self.curves.setdefault(name, []).append(value)
        target = self.trial.measure.target_accuracy
        if target is not None and self.reached_seconds is None and row["test_accuracy"] is not None:
            self.reached_seconds = self.fitted_seconds if row["test_accuracy"] >= target else None

    def _save(self, model: nn.Module, data: TrialData) -> None:
        """Metrics of plugins, and the file of arrays."""
        assert self.last is not None
        labels = data.test.labels.cpu()
        if self.trial.measure.evaluate == "full":
            self.diagnosis |= diagnosis.diagnose(self.last.logits.numpy(), labels.numpy(), images=data.test_images)
            self.outcome.metrics |= diagnosis.summary(self.diagnosis)
        for entry in METRICS:
            value = float(entry.build(self.last.logits, labels))
            if not math.isfinite(value):
                raise BenchError(f"metric {entry.name!r} gave {value}: a figure that was measured is finite")
            self.outcome.metrics[entry.name] = value
        if self.request.artifact is not None:
            artifacts.write(
                self.request.artifact,
                model=model,
                logits=self.last.logits,
                labels=labels,
                class_names=data.class_names,
                curves=self.curves,
                diagnosis=self.diagnosis,
                attributes=self.request.attributes,
            )
