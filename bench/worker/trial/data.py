"""The data of a trial: the data set's splits, drawn by the seed, scaled, and where the trial needs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.base.records import Scaling, Task, TrainSettings
from bench.errors import Unavailable
from bench.worker.common.messages import Request
from bench.worker.datasets.notes import data_notes
from bench.worker.datasets.prepare import Split, build_set, prepare
from bench.worker.datasets.scaling import Affine, scaled_targets, scaling, target_scaling
from bench.worker.datasets.splits import Inputs, Splits, Targets
from bench.worker.devices.base import Device
from bench.worker.evaluate.accuracy import Held
from bench.worker.evaluate.judge import Judge
from bench.worker.train import loaders, losses
from bench.worker.train.augment import Augmentation

AUGMENTS = ("augment_flip", "augment_crop_padding", "augment_rotation_degrees")


def open_set(request: Request) -> tuple[Splits, Scaling, dict[str, int | None]]:
    """Builds the data set of a trial. Returns its splits, how they are scaled, and train_limit and test_limit.

    Raises Unavailable, DataError, BenchError.
    """
    dataset = request.trial.dataset
    splits, name, limits = build_set(
        dataset.name, dataset.settings, locations=request.locations, root=request.data_root
    )
    if refused := unfit(request.trial.train, task=splits.task, input_shape=splits.input_shape):
        raise Unavailable(refused)
    return splits, name, limits


def unfit(settings: TrainSettings, *, task: Task, input_shape: tuple[int, ...]) -> str:
    """Why a data set cannot be trained on with these settings, in one line; empty where it can."""
    if refused := losses.refuse(settings, task):
        return refused
    if len(input_shape) == 3:
        return ""
    moved = [name for name in AUGMENTS if getattr(settings, name)]
    if settings.memory_format != "contiguous":
        moved.append("memory_format")
    return f"train.{moved[0]} is of images (C, H, W); a sample of this data set is {input_shape}" if moved else ""


def as_trained(part: Split, unit: Affine | None) -> Split:
    """The samples with targets as the loss takes them: class numbers (N,), or (N, T) scaled by `unit`."""
    return part if unit is None else Split(part.images, scaled_targets(part.labels, unit))


def judge_of(settings: TrainSettings, splits: Splits, unit: Affine | None) -> Judge:
    """What evaluations of a trial judge by."""
    return Judge(splits.task, losses.Loss.of(settings, splits.task).unsmoothed, unit)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sizes:
    """What a model has to know of its data, and how many samples it trains on."""

    train_size: int
    validation_size: int
    test_size: int
    dropped: int  # training samples that each epoch leaves out
    input_shape: tuple[int, ...]
    num_outputs: int
    judge: Judge
    names: tuple[str, ...]  # of the classes, or of the targets
    notes: Callable[[int], list[str]]  # what there is to know of the splits of a seed; it reads all of them once more


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrialData(Sizes):
    """The splits as the trial uses them."""

    source: loaders.Source
    probe: Held  # of the training set, as many samples as the test set has: accuracy on both after the same epoch
    validation: Held | None
    test: Held
    test_inputs: Inputs  # (N, …) as they lie in the data set, for the eye
    test_targets: Targets  # likewise

    def checksums(self) -> list[int]:
        """One for each split that evaluations read."""
        return [split.checksum() for split in (self.probe, self.validation, self.test) if split is not None]


def notes_on(request: Request, splits: Splits, limits: Mapping[str, int | None]) -> Callable[[int], list[str]]:
    """Notes on the data of a seed. For the end of a trial: pages that are read before it trains hide memory."""
    share = request.trial.train.validation_split
    return lambda seed: data_notes(prepare(splits, seed=seed, validation_split=share, **limits))


def load(request: Request, device: Device) -> TrialData:
    """The data set of a trial and everything that is made of it. Raises Unavailable, DataError, BenchError."""
    trial, settings = request.trial, request.trial.train
    splits, name, limits = open_set(request)
    prepared = prepare(splits, seed=trial.split_seed, validation_split=settings.validation_split, **limits)
    affine = scaling(splits, name, part=prepared.train.images)
    scale = loaders.Scale.on(device.torch_device, affine.shift, affine.scale, dims=len(splits.input_shape))
    unit = target_scaling(prepared.train.labels) if splits.task == "regression" else None
    (images, labels), validation, test = (
        as_trained(part, unit) for part in (prepared.train, prepared.validation, prepared.test)
    )
    memory_format = loaders.FORMATS[settings.memory_format]
    common: dict[str, Any] = {"device": device.torch_device, "scale": scale, "memory_format": memory_format}
    augmentation = Augmentation.of(settings, fill=scale.black, seed=trial.order_seed, memory_format=memory_format)
    train = common | {"batch_size": trial.batch_size, "seed": trial.order_seed, "augmentation": augmentation}
    train |= {"drop_last": settings.drop_last}
    size = len(prepared.test.labels)
    source: loaders.Source
    if settings.loader == "resident":
        source = resident = loaders.Resident(images, labels, **train)
        probe = Held.around(resident, size)
    else:
        # Pinned memory of the host is copied faster to another device: on the host nothing is copied.
        pin_memory = settings.pin_memory and not device.is_host
        source = loaders.Loaded(images, labels, **train, num_workers=settings.num_workers, pin_memory=pin_memory)
        probe = Held.of_arrays(images[:size], labels[:size], **common)
    return TrialData(
        source=source,
        probe=probe,
        validation=Held.of_arrays(*validation, **common) if len(validation.labels) else None,
        test=Held.of_arrays(*test, **common),
        test_inputs=prepared.test.images,
        test_targets=prepared.test.labels,
        train_size=source.samples,
        validation_size=len(validation.labels),
        test_size=size,
        dropped=len(labels) - source.samples,
        input_shape=splits.input_shape,
        num_outputs=splits.num_outputs,
        judge=judge_of(settings, splits, unit),
        names=tuple(splits.class_names or splits.target_names),
        notes=notes_on(request, splits, limits),
    )
