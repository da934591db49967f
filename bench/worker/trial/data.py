"""The data of a trial: the data set's splits, drawn by the seed, scaled, and where the trial needs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from bench.worker.common.messages import Request
from bench.worker.datasets.notes import data_notes
from bench.worker.datasets.prepare import build_set, prepare
from bench.worker.datasets.scaling import scaling
from bench.worker.datasets.splits import Images, Splits
from bench.worker.devices.base import Device
from bench.worker.evaluate.accuracy import Held
from bench.worker.train import loaders
from bench.worker.train.augment import Augmentation


def open_set(request: Request, device: torch.device) -> tuple[Splits, loaders.Scale, dict[str, int | None]]:
    """Builds the data set of a trial. Returns its splits, how they are scaled, and train_limit and test_limit.

    Raises Unavailable, DataError, BenchError.
    """
    dataset = request.trial.dataset
    splits, name, limits = build_set(
        dataset.name, dataset.settings, locations=request.locations, root=request.data_root
    )
    affine = scaling(splits, name)
    return splits, loaders.Scale.on(device, affine.shift, affine.scale), limits


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sizes:
    """What a model has to know of its data, and how many samples it trains on."""

    train_size: int
    validation_size: int
    test_size: int
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    notes: Callable[[int], list[str]]  # what there is to know of the splits of a seed; it reads all of them once more


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrialData(Sizes):
    """The splits as the trial uses them."""

    source: loaders.Source
    probe: Held  # of the training set, as many samples as the test set has: accuracy on both after the same epoch
    validation: Held | None
    test: Held
    test_images: Images  # (N, C, H, W) as they lie in the data set, for the eye

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
    splits, scale, limits = open_set(request, device.torch_device)
    prepared = prepare(splits, seed=trial.split_seed, validation_split=settings.validation_split, **limits)
    images, labels = prepared.train
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
        validation=Held.of_arrays(*prepared.validation, **common) if len(prepared.validation[1]) else None,
        test=Held.of_arrays(*prepared.test, **common),
        test_images=prepared.test.images,
        train_size=source.samples,
        validation_size=len(prepared.validation[1]),
        test_size=size,
        input_shape=prepared.input_shape,
        class_names=tuple(prepared.class_names),
        notes=notes_on(request, splits, limits),
    )
