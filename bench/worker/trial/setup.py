"""What a trial makes before it trains: torch's settings, models, optimizers, noise to warm up on."""

import os

import numpy as np
import torch
from torch import nn

from bench.base.records import Trial
from bench.errors import BenchError, Unavailable
from bench.registry import DEVICES
from bench.worker.common import randomness
from bench.worker.common.inputs import give_own_memory
from bench.worker.devices.base import Device
from bench.worker.engines import ENGINES
from bench.worker.engines.base import Engine, Learner
from bench.worker.engines.eager import Eager
from bench.worker.evaluate.accuracy import Held, first_answers
from bench.worker.evaluate.diagnosis import FIRST_SAMPLES
from bench.worker.measure import flops
from bench.worker.measure.environment import physical_cores
from bench.worker.train import loaders, optimizers
from bench.worker.train.augment import Augmentation
from bench.worker.train.losses import Loss
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Recipe
from bench.worker.trial.data import Sizes
from bench.worker.trial.notes import Starts, an_hour_ahead
from bench.worker.trial.tried import Tried

THROWAWAY_SAMPLES = 2
# Numbers in a tensor from which on torch is sure to share an operation out (its grain is 32,768).
PARALLEL_SIZE = 1 << 17


def engine_and_device(trial: Trial) -> tuple[Engine, Device]:
    """What a trial runs on. Raises Unavailable where one of them cannot, BenchError where settings clash."""
    settings = trial.train
    engine, device = ENGINES[settings.engine](), _device_of(trial.device)
    for name, value in device.variables.items():  # before anything asks the driver
        os.environ.setdefault(name, value)
    if missing := device.unavailable() or device.cannot(settings.precision):
        raise Unavailable(missing)
    device.start()
    if refused := optimizers.refuse(settings):
        raise BenchError(refused)
    if missing := engine.cannot(trial, device):
        raise Unavailable(missing)
    return engine, device


def _device_of(name: str) -> Device:
    """`cuda`, or the second of them: `cuda:1`."""
    kind, _, number = name.partition(":")
    found: Device = DEVICES.get(kind).build()
    if number:
        found.take(int(number))
    return found


def configure_torch(trial: Trial, device: Device) -> int:
    """Sets precision and determinism of the process. Returns the number of threads, which `warm_library` starts."""
    settings = trial.train
    # Not more yet: between small operations they spin, which made loading and building twice as slow (27 ms a trial)
    # where two cores are threads of one.
    torch.set_num_threads(1)
    device.set_precision(settings.precision)
    device.set_deterministic(settings.deterministic)
    torch.use_deterministic_algorithms(settings.deterministic)
    # Filling every new tensor with NaN finds bugs in models, and costs a third of a small step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return settings.threads or physical_cores()


def evenly(samples: int) -> int:
    """By how many the first answers are asked for: two, or all of a small odd number, so that none is left alone."""
    count = min(FIRST_SAMPLES, samples)
    return count if count % THROWAWAY_SAMPLES else THROWAWAY_SAMPLES


class TrialSetup:
    """Makes instances of one trial's model; each is new, and has the weights that the seed gives."""

    def __init__(self, trial: Trial, engine: Engine, *, device: Device, threads: int, sizes: Sizes) -> None:
        self.trial, self.train, self.engine, self.device, self.threads = trial, trial.train, engine, device, threads
        self.train_size, self.input_shape = sizes.train_size, sizes.input_shape
        self.num_outputs, self.judge = sizes.num_outputs, sizes.judge
        self.loss = Loss.of(self.train, self.judge.task)
        self.starts = Starts()
        parts = {"training": sizes.train_size, "validation": sizes.validation_size, "test": sizes.test_size}
        self.tried = Tried(trial.model, self.input_shape, self.num_outputs, trial.batch_size, parts, self.judge.task)
        self.memory_format = loaders.FORMATS[trial.train.memory_format]
        self.steps_per_epoch = -(-self.train_size // trial.batch_size)
        steps = self.train.steps
        # The last epoch may be cut short.
        self.epochs = self.train.epochs if steps is None else -(-steps // self.steps_per_epoch)

    def build(self, seed: int | None = None) -> nn.Module:
        """A new instance, with the weights that the seed (the trial's `init_seed`) gives."""
        seed = self.trial.init_seed if seed is None else seed
        randomness.seed_globals(seed, randomness.INIT)
        torch_seed = torch.initial_seed()
        model = self.tried.built()
        self.starts.look_at(model, seed, torch_seed=torch_seed)
        placed: nn.Module = model.to(self.device.torch_device)
        if self.memory_format is torch.channels_last:
            placed = placed.to(memory_format=torch.channels_last)
        if self.tried.writes_input:
            self._protect_input(placed)
        return placed

    def _protect_input(self, model: nn.Module) -> None:
        # A resident set gathers a batch anew for every step; a loaded batch may be used by several.
        give_own_memory(model, in_training=self.train.loader != "resident")

    def learner(self, engine: Engine | None = None) -> Learner:
        """A new instance with its optimizer, and a step of the trial's engine or of another one."""
        engine = engine or self.engine
        model = self.build()
        parameters = [p for p in model.parameters() if p.requires_grad]
        capturable = engine.capturable and self.device.counts_steps
        rate = None
        if engine.capturable and self.train.schedule != "none":
            rate = torch.tensor(self.train.learning_rate, dtype=torch.float32, device=self.device.torch_device)
        optimizer = optimizers.make_optimizer(parameters, self.train, capturable=capturable, rate=rate)
        model.train()
        schedule = self.schedule(optimizer)
        scaler = torch.amp.GradScaler(self.device.torch_device.type) if self.train.precision == "float16" else None
        step = engine.step(model, optimizer, self.recipe(schedule, scaler), device=self.device)
        return Learner(model, optimizer, step, schedule, scaler)

    def schedule(self, optimizer: torch.optim.Optimizer) -> Schedule:
        """The learning rate over the training; it sets that of `optimizer` from now on."""
        steps = self.train.steps or self.epochs * self.steps_per_epoch
        return Schedule(optimizer, self.train, epochs=self.epochs, steps=steps)

    def recipe(self, schedule: Schedule, scaler: torch.amp.GradScaler | None = None) -> Recipe:
        """What the trial's settings ask of a step."""
        return Recipe(
            precision=self.train.precision,
            loss=self.loss,
            l1=self.train.l1,
            gradient_clip=self.train.gradient_clip,
            scaler=scaler,
            after_step=schedule.after_step,
        )

    def noise(self, samples: int) -> loaders.Batch:
        """A batch of noise in the shape of the data; it has a generator of its own."""
        generator = randomness.generator(self.trial.seed, randomness.WARMUP)
        images = torch.rand((samples, *self.input_shape), generator=generator, dtype=torch.float32)
        if self.judge.task == "classification":
            labels = torch.randint(self.num_outputs, (samples,), generator=generator)
        else:
            labels = torch.randn((samples, self.num_outputs), generator=generator)
        device = self.device.torch_device
        return images.to(device, memory_format=self.memory_format), labels.to(device)

    def noise_sources(self) -> list[loaders.Resident]:
        """Noise to warm up on: a full batch, and one like the last batch of an epoch where that is smaller.

        Libraries prepare each shape when they first see it.
        """
        channels, device = self.input_shape[0], self.device.torch_device
        unscaled = loaders.Scale.on(device, [0.0] * channels, [1.0] * channels, dims=len(self.input_shape))
        sizes = loaders.batch_sizes(self.train_size, self.trial.batch_size)
        arrays = [[tensor.cpu().numpy() for tensor in self.noise(size)] for size in sizes]
        return [
            loaders.Resident(
                images,
                labels,
                device=device,
                scale=unscaled,
                batch_size=len(labels),
                seed=self.trial.seed,
                memory_format=self.memory_format,
                augmentation=self._augmentation(),
            )
            for images, labels in arrays
        ]

    def warm_library(self, test: Held | None = None) -> tuple[float | None, np.ndarray | None]:
        """One step of another instance, with the same first weights, on two samples: touches the libraries' pages.

        Starts the threads. Returns FLOPs a sample, and the model's answers to the first samples of `test` before it
        trains.
        """
        with an_hour_ahead():  # this instance alone, which is not the one that counts
            learner = self.learner(Eager())
        model, torch_seed = learner.model, torch.initial_seed()
        images, labels = self.noise(THROWAWAY_SAMPLES)

        # Now, since the first pass in training mode moves the running statistics of batch norm.
        self.tried.evaluates(model, images, full=lambda: self.noise(self.trial.batch_size)[0])
        if self.tried.writes_input:
            self._protect_input(model)
        before = None
        if test is not None and self.judge.task == "classification":
            # By two samples, as the step: more would take memory before the baseline.
            size = evenly(len(test))
            before = first_answers(model, test, batch_size=size, precision=self.train.precision)
        counted = flops.count(lambda: self.loss.mean(self.tried.logits(model, images), labels), samples=len(images))
        self.tried.trains(model, images[:1])
        torch.set_num_threads(self.threads)
        torch.ones(PARALLEL_SIZE).exp_()  # starts the threads, before memory is measured
        augmentation = self._augmentation()
        chances = None if augmentation is None else augmentation.chances(len(labels))
        self.tried.steps(lambda: learner.step(loaders.moved_about((images, labels), augmentation, chances=chances)))
        self.starts.after_passes(torch_seed)
        self.device.synchronize()
        return counted or None, before

    def _augmentation(self) -> Augmentation | None:
        """A new one for noise, with a generator of its own; None where the trial asks for none."""
        return Augmentation.of(self.train, fill=self.black, seed=self.trial.seed, memory_format=self.memory_format)

    @property
    def black(self) -> torch.Tensor:
        """Pixels outside of a noise image, (1, C, 1, …)."""
        shape = (1, self.input_shape[0], *[1] * (len(self.input_shape) - 1))
        return torch.zeros(shape, device=self.device.torch_device)
