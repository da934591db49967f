"""All seeds of a cell in one process, side by side: the order of events is that of bench.worker.trial.trial.

Accuracy, losses, curves and artifacts are of each seed. Times and memory are of all seeds together, and stand in the
record of every seed: it is one measurement, which the report counts once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from bench.worker.common.failures import Diverged
from bench.worker.common.messages import TrialOutcome
from bench.worker.engines.vectorized import Stack, Tallies, losses, stacked_step
from bench.worker.evaluate.accuracy import Held
from bench.worker.evaluate.diagnosis import FIRST_SAMPLES
from bench.worker.evaluate.judge import Evaluation, Judge, of_classes
from bench.worker.train import optimizers
from bench.worker.train.augment import augmentations_of
from bench.worker.train.loop import EpochLog, FitLog
from bench.worker.train.optimizers import autocast
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Step
from bench.worker.trial import record
from bench.worker.trial.all_seeds_data import SeedsData, SeedsSource, SeedsSplit, load_all_seeds
from bench.worker.trial.run import TrainingRun, not_finite
from bench.worker.trial.setup import THROWAWAY_SAMPLES, evenly

# One measurement of all seeds. Figures of one model (inference, FLOPs) are measured on the first seed's.
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


class AllSeedsRun(TrainingRun):
    """All trials of a cell under way."""

    tally = Tallies

    def go(self) -> None:
        self.requests = (self.request, *self.request.others)
        self.outcome.others = [TrialOutcome() for _ in self.request.others]
        self.outcomes = (self.outcome, *self.outcome.others)
        self.init_seeds = [each.trial.init_seed for each in self.requests]
        self.order_seeds = [each.trial.order_seed for each in self.requests]
        self.models = (len(self.requests),)
        self.out: dict[int, str] = {}  # place of a seed that has diverged → why
        self.last: list[Evaluation] = []
        self.before: list[np.ndarray | None] = [None] * len(self.requests)
        if self.request.checkpoints is not None:
            self.channel.progress(note="no checkpoints: engine 'vectorized' trains all seeds in one process anew")
        try:
            super().go()
        finally:
            for place, reason in self.out.items():
                self.outcomes[place].status, self.outcomes[place].reason = "diverged", reason

    def run(self) -> None:
        for outcome in self.outcomes:
            outcome.threads = self.outcome.threads
        data = load_all_seeds(self.request, self.device.torch_device)
        self.setup, self.judges = self.set_up(data), data.judges
        self.outcome.metrics["flops_per_sample"], _ = self.setup.warm_library()
        noise = self._noise()
        self._warm_mapping(noise[0], data.test)
        self.begin_measuring()
        step_seconds = self._warmed_up(noise) if self.trial.measure.warmup_steps else 0.0
        learners = self._learners()
        for outcome, seed in zip(self.outcomes, self.init_seeds, strict=True):
            self.note_model(outcome, learners.stack.unstacked(0), seed=seed)
        self.outcome.metrics |= record.size_of(learners.stack.unstacked(0))
        log = self._train(learners, data, step_seconds=step_seconds)
        # Held until here, as in a trial.
        del noise
        self.outcome.metrics |= record.state_of_stack(
            learners.stack.trained, learners.optimizer, models=len(self.requests)
        )
        self._finish(learners.stack, data, log)

    def _learners(self) -> Learners:
        models = [self.setup.build(seed) for seed in self.init_seeds]
        dims = len(self.setup.input_shape)
        stack = Stack(models, writes_input=self.setup.tried.writes_input, sample_dims=dims)
        optimizer = optimizers.make_optimizer(stack.trained, self.train)
        stack.train()
        schedule = self.setup.schedule(optimizer)
        step = stacked_step(stack, optimizer, self.setup.recipe(schedule), device=self.device.torch_device)
        return Learners(stack, optimizer, step, schedule)

    def _noise(self) -> list[SeedsSource]:
        """As TrialSetup.noise_sources, for every seed the same noise."""
        sources = []
        for noise in self.setup.noise_sources():
            split = SeedsSplit(noise, torch.arange(noise.samples, device=self.device.torch_device))
            moved = augmentations_of(self.train, fill=self.setup.black, seeds=self.order_seeds)
            sources.append(SeedsSource(split, seeds=self.order_seeds, batch_size=noise.samples, augmentations=moved))
        return sources

    def _warm_mapping(self, source: SeedsSource, test: SeedsSplit) -> None:
        """Takes one step of every seed on two samples: touches the pages of torch.func, and finds what it refuses.

        Before it, asks each model for its first answers; see TrialSetup.warm_library.
        """
        learners, rows = self._learners(), source.rows[:, :THROWAWAY_SAMPLES]
        if self.trial.measure.evaluate == "full" and self.setup.judge.task == "classification":
            first, precision = test.first(FIRST_SAMPLES), self.train.precision
            size = evenly(len(test))
            answers = evaluate(learners.stack, first, batch_size=size, precision=precision, judges=self.judges)
            self.before = [found.outputs.softmax(1).numpy() for found in answers]
        learners.step(source.fetch(rows.contiguous()))
        self.device.synchronize()

    def _warmed_up(self, noise: list[SeedsSource]) -> float:
        """Warms up as a trial does, on instances that are then dropped. Returns seconds of a step."""
        learners = self._learners()
        return self.warm_up(
            learners.step, noise, lambda source: self._evaluations(learners.stack, SeedsSplit(source.pool, source.rows))
        )

    def _train(self, learners: Learners, data: SeedsData, *, step_seconds: float) -> FitLog:
        def on_epoch(entry: EpochLog) -> None:
            self._evaluate(learners, data, entry)
            learners.schedule.after_epoch(validation_loss=None)

        per_block = self.steps_per_block(step_seconds)
        loop = self.training_loop(learners.step, data.source, steps_per_block=per_block, on_epoch=on_epoch)
        loop.tally = lambda: Tallies(out=self.out)
        loop.run()
        self.go_on_for_timing(lambda: self._learners().step, loop)
        return loop.log

    def _evaluations(self, stack: Stack, split: SeedsSplit) -> list[Evaluation]:
        size, precision = self.trial.batch_size, self.train.precision
        return evaluate(stack, split, batch_size=size, precision=precision, judges=self.judges)

    def _evaluate(self, learners: Learners, data: SeedsData, entry: EpochLog) -> None:
        """After an epoch, outside every timed window. Adds to the curves of every seed that is left."""
        splits = {"train": data.probe, "validation": data.validation, "test": data.test}
        found = {n: self._evaluations(learners.stack, split) for n, split in splits.items() if split is not None}
        self.last = found["test"]
        for place, outcome in enumerate(self.outcomes):
            own = {name: each[place] for name, each in found.items()}
            if why := not_finite(own, epoch=entry.epoch):
                self.out.setdefault(place, why)
            if place in self.out:
                continue
            loss = entry.losses[place]
            self.add_to_curves(outcome.curves, own, epoch=entry.epoch, loss=loss, schedule=learners.schedule)
            if self.reaches_target(own["test"]):
                outcome.metrics.setdefault("time_to_target_seconds", self.fitted_seconds)
        if len(self.out) == len(self.requests):
            raise Diverged(self.out[0])

    def _finish(self, stack: Stack, data: SeedsData, log: FitLog) -> None:
        """Fills the record of every seed that is left: the one measurement of all seeds, then what is its own."""
        whole = TrialOutcome(metrics=dict(self.outcome.metrics), samples=dict(self.outcome.samples))
        whole.metrics.pop("time_to_target_seconds", None)
        images, labels = data.test.first(self.trial.batch_size).batch(0, self.trial.batch_size)
        is_shared = images.dim() == len(self.setup.input_shape) + 1
        first = Held(images if is_shared else images[0], labels, self.device.torch_device)
        found = self.measure_inference(stack.unstacked(0), first)
        count = len(self.requests)
        record.fill(whole, trial=self.trial, log=log, found=found, peaks=self.peaks, watch=self.watch, models=count)
        self.measured()
        whole.instruments |= instruments(whole.instruments, count)
        for place, outcome in enumerate(self.outcomes):
            if place in self.out:
                continue
            outcome.metrics = whole.metrics | outcome.metrics | record.last_of(outcome.curves)
            inputs, targets = data.test_samples(place)
            outcome.samples, outcome.instruments = whole.samples, whole.instruments
            outcome.valid, outcome.validity_notes = whole.valid, whole.validity_notes
            record.save(
                self.requests[place],
                outcome,
                model=stack.unstacked(place),
                last=self.last[place],
                targets=targets,
                inputs=inputs,
                before=self.before[place],
                data=data,
            )


def instruments(known: dict[str, str], count: int) -> dict[str, str]:
    """How the figures of all seeds together were read; `known`: how each was read by itself."""
    together = f"of {count} seeds at once (engine 'vectorized')"
    found = {name: f"{known[name]}; {together}" if name in known else together for name in TOGETHER}
    return found | dict.fromkeys(INFERENCE, "of one model, that of the first seed")


@torch.no_grad()
def evaluate(
    stack: Stack, split: SeedsSplit, *, batch_size: int, precision: str, judges: Sequence[Judge]
) -> list[Evaluation]:
    """As `evaluate` of one model, for every seed."""
    stack.train(False)
    parts, labels, of_one = [], [], 1 if judges[0].task == "classification" else 2
    for start in range(0, len(split), batch_size):
        images, wanted = split.batch(start, batch_size)
        with autocast(split.pool.device, precision):
            parts.append(stack.logits(images))
        own = wanted if wanted.dim() > of_one else wanted[None]
        labels.append(own.expand(stack.count, *own.shape[1:]))
    stack.train(True)
    outputs, targets = torch.cat(parts, 1).float(), torch.cat(labels, 1)
    if judges[0].task == "regression":
        return [judge(*of_seed) for judge, *of_seed in zip(judges, outputs, targets, strict=True)]
    each = losses(outputs.double(), targets, loss=judges[0].loss).tolist()  # as in training: a seed's bits are the same
    return [of_classes(*pair, loss=loss) for *pair, loss in zip(outputs, targets, each, strict=True)]
