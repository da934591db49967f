"""What a trial makes before it trains: the device as the settings want it, models, optimizers, noise to warm up on."""

from __future__ import annotations

import os
from contextlib import suppress

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.base.records import Trial
from bench.errors import BenchError, Unavailable
from bench.registry import DEVICES, MODELS
from bench.worker.common import randomness
from bench.worker.common.failures import Diverged, refuse_answer
from bench.worker.devices.base import Device
from bench.worker.engines import ENGINES
from bench.worker.engines.base import Engine, Learner
from bench.worker.engines.eager import Eager
from bench.worker.evaluate.accuracy import Held, first_answers
from bench.worker.measure import flops
from bench.worker.measure.environment import physical_cores
from bench.worker.train import loaders, optimizers
from bench.worker.train.augment import Augmentation
from bench.worker.train.loop import Loop
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Recipe

THROWAWAY_SAMPLES = 2
SHORT_BATCH_STEPS = 2
# Numbers in a tensor from which on torch is sure to share an operation out (its grain is 32,768).
PARALLEL_SIZE = 1 << 17


def engine_and_device(trial: Trial) -> tuple[Engine, Device]:
    """What a trial runs on. Raises Unavailable where one cannot do what is asked, BenchError where settings clash."""
    settings = trial.train
    engine, device = ENGINES[settings.engine](), DEVICES.get(trial.device).build()
    for name, value in device.variables.items():  # before anything asks the driver
        os.environ.setdefault(name, value)
    if missing := device.unavailable() or device.cannot(settings.precision):
        raise Unavailable(missing)
    if refused := optimizers.refuse(settings):
        raise BenchError(refused)
    if missing := engine.cannot(trial, device):
        raise Unavailable(missing)
    return engine, device


def set_up(trial: Trial, device: Device) -> int:
    """Precision, determinism, for the whole process. Returns the number of threads, which `start_threads` starts."""
    settings = trial.train
    threads = settings.threads or physical_cores()
    # Not yet: between small operations the others spin, and where cores share what they are made of, that made loading
    # and building twice as slow (27 ms a trial).
    torch.set_num_threads(1)
    device.set_precision(settings.precision)
    device.set_deterministic(settings.deterministic)
    torch.use_deterministic_algorithms(settings.deterministic)
    # Filling every new tensor with NaN finds bugs in models, and costs a third of a small step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return threads


def start_threads(threads: int) -> None:
    """From here on operations run on so many threads, which are there before memory is measured."""
    torch.set_num_threads(threads)
    torch.ones(PARALLEL_SIZE).exp_()


class Workshop:
    """Makes instances of one trial's model; each is new, and has the weights that the seed gives."""

    def __init__(
        self,
        trial: Trial,
        engine: Engine,
        *,
        device: Device,
        threads: int,
        input_shape: tuple[int, int, int],
        num_classes: int,
        train_size: int,
    ) -> None:
        self.trial, self.train, self.engine, self.device = trial, trial.train, engine, device
        self.threads, self.train_size = threads, train_size
        self.input_shape, self.num_classes = input_shape, num_classes
        self.memory_format = loaders.FORMATS[trial.train.memory_format]

    def build(self, seed: int | None = None) -> nn.Module:
        """A new instance, with the weights that the seed (the trial's) gives."""
        randomness.seed_globals(self.trial.seed if seed is None else seed, randomness.INIT)
        build = MODELS.get(self.trial.model.name).build
        model = build(self.input_shape, self.num_classes, **self.trial.model.settings)
        if not isinstance(model, nn.Module):
            found = type(model).__name__
            raise BenchError(f"model {self.trial.model.name!r}: its builder gave {found}, not a torch.nn.Module")
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise BenchError(f"model {self.trial.model.name!r} has no parameter to train")
        placed: nn.Module = model.to(self.device.torch_device)
        if self.memory_format is torch.channels_last:
            placed = placed.to(memory_format=torch.channels_last)
        return placed

    def learner(self, engine: Engine | None = None) -> Learner:
        """A new instance with its optimizer, and a step of the trial's engine or of another one."""
        engine = engine or self.engine
        model = self.build()
        parameters = [p for p in model.parameters() if p.requires_grad]
        capturable = engine.capturable and self.device.counts_steps
        rate = self._rate_on_device() if engine.capturable and self.train.schedule != "none" else None
        optimizer = optimizers.make_optimizer(parameters, self.train, capturable=capturable, rate=rate)
        model.train()
        schedule = self.schedule(optimizer)
        scaler = torch.amp.GradScaler(self.device.torch_device.type) if self.train.precision == "float16" else None
        recipe = self.recipe(schedule, scaler)
        step = engine.step(model, optimizer, precision=self.train.precision, device=self.device, recipe=recipe)
        return Learner(model, optimizer, step, schedule, scaler)

    def _rate_on_device(self) -> torch.Tensor:
        return torch.tensor(self.train.learning_rate, dtype=torch.float32, device=self.device.torch_device)

    def schedule(self, optimizer: torch.optim.Optimizer) -> Schedule:
        """The learning rate over the training that the trial asks for; it belongs to `optimizer` from now on."""
        batches = -(-self.train_size // self.trial.batch_size)
        epochs = self.epochs(self.train_size)
        return Schedule(optimizer, self.train, epochs=epochs, steps=self.train.steps or epochs * batches)

    def recipe(self, schedule: Schedule, scaler: torch.amp.GradScaler | None = None) -> Recipe:
        """What a step of this trial is made of beside the model and its optimizer."""
        return Recipe(
            label_smoothing=self.train.label_smoothing,
            l1=self.train.l1,
            gradient_clip=self.train.gradient_clip,
            scaler=scaler,
            after_step=schedule.after_step,
        )

    def synthetic(self, samples: int) -> loaders.Batch:
        """A batch of noise in the shape of the data; it has a generator of its own."""
        noise = randomness.generator(self.trial.seed, randomness.WARMUP)
        images = torch.rand((samples, *self.input_shape), generator=noise, dtype=torch.float32)
        labels = torch.randint(self.num_classes, (samples,), generator=noise)
        device = self.device.torch_device
        return images.to(device, memory_format=self.memory_format), labels.to(device)

    def warm_library(self, test: Held | None = None) -> tuple[float | None, np.ndarray | None]:
        """One step of another instance on two samples: touches the pages of the libraries. Starts the threads.

        It has the weights that the model will start with. Returns FLOPs a sample, and what the model answers to the
        first samples of `test` before training.
        """
        learner = self.learner(Eager())
        model = learner.model
        images, labels = self.synthetic(THROWAWAY_SAMPLES)

        def loss() -> torch.Tensor:
            logits = model(images)
            self._refuse_answer(logits, images)
            return functional.cross_entropy(logits, labels)

        before = None if test is None else self._before(model, images, test)
        counted = flops.count(loss, samples=len(images)) or None
        start_threads(self.threads)
        learner.step(self._throwaway(images, labels))
        self.device.synchronize()
        return counted, before

    def _throwaway(self, images: torch.Tensor, labels: torch.Tensor) -> loaders.Fetch:
        augmentation = self.augmentation()
        if augmentation is None:
            return loaders.given((images, labels))
        return loaders.moved_about((images, labels), augmentation, chances=augmentation.chances(len(labels)))

    def _before(self, model: nn.Module, images: torch.Tensor, test: Held) -> np.ndarray:
        """Before the first pass in training mode: that would move what batch norm remembers."""
        model.eval()
        with torch.no_grad():
            self._refuse_answer(model(images), images)
        model.train()
        # By two samples, as the step: more would take memory before the baseline.
        return first_answers(model, test, batch_size=THROWAWAY_SAMPLES, precision=self.train.precision)

    def _refuse_answer(self, logits: object, images: torch.Tensor) -> None:
        refuse_answer(self.trial.model.name, logits, images=images, num_classes=self.num_classes)

    def rehearsals(self, train_size: int) -> list[loaders.Resident]:
        """Noise to warm up on: a full batch, and what the last batch of an epoch has, where that is smaller.

        The second shape matters: libraries prepare each shape when they first see it.
        """
        full = min(self.trial.batch_size, train_size)
        sizes = [full] + ([last] if (last := train_size % full) else [])
        device = self.device.torch_device
        plain = loaders.Scale.on(device, [0.0] * self.input_shape[0], [1.0] * self.input_shape[0])
        arrays = [[tensor.cpu().numpy() for tensor in self.synthetic(size)] for size in sizes]
        return [
            loaders.Resident(
                images,
                labels,
                device=device,
                scale=plain,
                batch_size=len(labels),
                seed=self.trial.seed,
                memory_format=self.memory_format,
                augmentation=self.augmentation(),
            )
            for images, labels in arrays
        ]

    def augmentation(self) -> Augmentation | None:
        """What the trial asks for, for noise; each with a generator of its own."""
        return Augmentation.of(self.train, fill=self.black(), seed=self.trial.seed, memory_format=self.memory_format)

    def black(self) -> torch.Tensor:
        """What lies outside of noise, (1, C, 1, 1)."""
        return torch.zeros((1, self.input_shape[0], 1, 1), device=self.device.torch_device)

    def epochs(self, train_size: int) -> int:
        """How many epochs training takes, the last one maybe cut short."""
        if self.train.steps is None:
            return self.train.epochs
        return -(-self.train.steps // -(-train_size // self.trial.batch_size))


def warm_up(loops: list[Loop], *, steps: int, into: list[float]) -> float:
    """Run the loops of a warm-up, the first of `steps` steps; the seconds of each step go to `into`.

    Returns what a step takes: the first full-size ones are cold, so it is the least of them.
    """
    for loop in loops:
        with suppress(Diverged):  # noise may be too much for a learning rate that suits the data
            loop.run()
        into += loop.log.blocks.seconds
    return min(into[:steps], default=0.0)
