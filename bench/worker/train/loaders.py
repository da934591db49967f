"""Where batches come from: a set that lies on the device (`resident`), or torch's DataLoader.

Both give an epoch as chunks: batches that are ready, to be trained on inside one timed block. What it takes to
make them ready (loading, transfer) lies outside the block, and inside the epoch.
"""

from __future__ import annotations

import ctypes
import signal
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from bench.worker.common import randomness
from bench.worker.measure.clock import Transfers
from bench.worker.train.augment import CHANCES, Augmentation

# A set whose float32 images take no more than this lies on the device as float32, scaled once; a larger one as it
# is, scaled batch by batch. CIFAR-10 takes 0.6 GB.
RESIDENT_BUDGET_BYTES = 2 * 1024**3

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

Batch = tuple[torch.Tensor, torch.Tensor]  # images (N, C, H, W) float32, labels (N,) int64, both on the device
Fetch = Callable[[], Batch]


class Ready(NamedTuple):
    """A batch that a step can be taken on: the call that gives it, and how many samples it has."""

    fetch: Fetch
    samples: int


@dataclass(frozen=True, slots=True)
class Scale:
    """x → (x - shift) * scale, float32; `shift` and `scale` are (1, C, 1, 1) tensors on the device."""

    shift: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def on(cls, device: torch.device, shift: Sequence[float], scale: Sequence[float]) -> Scale:
        def tensor(values: Sequence[float]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)

        return cls(tensor(shift), tensor(scale))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) of any type to float32; never the same memory."""
        return (images.to(torch.float32) - self.shift).mul_(self.scale)

    @property
    def black(self) -> torch.Tensor:
        """What a pixel of 0 becomes, (1, C, 1, 1)."""
        return self(torch.zeros_like(self.shift))


class Source(ABC):
    """An endless supply of epochs over one split."""

    samples: int
    transfers: Transfers | None = None  # where their time goes; none where nothing is transferred

    @abstractmethod
    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        """One pass in the order of the seed, as chunks of batches that are ready."""

    @property
    @abstractmethod
    def generators(self) -> dict[str, torch.Generator]:
        """By name, the generators of which an epoch takes up where the last one left them: a checkpoint holds them."""


class Resident(Source):
    """The whole split lies on the device; a batch is gathered by index, inside the timed block.

    A loop written by hand over a tensor in memory does the same, so that the two can be compared.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        device: torch.device,
        scale: Scale,
        batch_size: int,
        seed: int,
        memory_format: torch.memory_format = torch.contiguous_format,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.samples, self.batch_size, self.device = len(labels), batch_size, device
        self.augmentation = augmentation
        self.order = randomness.generator(seed, randomness.ORDER)
        fits = images.size * 4 <= RESIDENT_BUDGET_BYTES
        raw = as_tensor(images)
        if fits:
            self.images = scale_in_parts(raw, scale, device, memory_format=memory_format)
        else:
            self.images = raw.to(device, copy=True, memory_format=memory_format)
        # As it lies in memory: gathering would otherwise bring a batch back into the contiguous format.
        self._by_pixel = self.images.permute(0, 2, 3, 1) if memory_format is torch.channels_last else None
        self.labels = as_tensor(labels).to(device)
        self.later = None if fits else scale

    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        order = torch.randperm(self.samples, generator=self.order).to(self.device)
        batches = order.split(self.batch_size)
        fetches: Sequence[Gather]
        if self.augmentation is None:
            fetches = [Gather(self, index) for index in batches]
        else:
            chances = self.augmentation.chances(self.samples).split(self.batch_size)
            fetches = [AugmentedGather(self, *each) for each in zip(batches, chances, strict=True)]
        for start, end in even_parts(len(fetches), most=steps_per_chunk):
            yield [Ready(fetch, len(fetch.index)) for fetch in fetches[start:end]]

    @property
    def generators(self) -> dict[str, torch.Generator]:
        return {"order": self.order} | drawn_by(self.augmentation)

    def blank(self, size: int) -> Gather:
        """A batch of `size` samples with places of its own, for `Gather.take`."""
        index = torch.zeros(size, dtype=torch.int64, device=self.device)
        if self.augmentation is None:
            return Gather(self, index)
        return AugmentedGather(self, index, torch.zeros((size, CHANCES), device=self.device))

    @property
    def batch_sizes(self) -> list[int]:
        """The sizes of batch that an epoch has: the full one, and the last one's where that is smaller."""
        full = min(self.batch_size, self.samples)
        return [full] + ([last] if (last := self.samples % full) else [])

    def gather(self, index: torch.Tensor) -> Batch:
        """The samples at `index` (n,) int64, on the device: images (n, C, H, W) float32, labels (n,)."""
        if self._by_pixel is None:
            images = self.images.index_select(0, index)
        else:
            images = self._by_pixel.index_select(0, index).permute(0, 3, 1, 2)
        return images if self.later is None else self.later(images), self.labels.index_select(0, index)


class Gather:
    """A batch of a resident set that is yet to be gathered: what an engine may want to know of it stands open."""

    __slots__ = ("index", "source")

    def __init__(self, source: Resident, index: torch.Tensor) -> None:
        self.source, self.index = source, index

    def __call__(self) -> Batch:
        return self.source.gather(self.index)

    def take(self, other: Gather) -> None:
        """Become `other`, in the places that this one has on the device."""
        self.index.copy_(other.index)

    def loaded(self) -> Fetch:
        """What is left to be done once the samples have been gathered."""
        return given(self())


class AugmentedGather(Gather):
    """A batch whose images are moved about once they are gathered, by chances (n, CHANCES)."""

    __slots__ = ("chances",)

    def __init__(self, source: Resident, index: torch.Tensor, chances: torch.Tensor) -> None:
        super().__init__(source, index)
        self.chances = chances

    def __call__(self) -> Batch:
        return self.loaded()()

    def take(self, other: Gather) -> None:
        assert isinstance(other, AugmentedGather)
        self.index.copy_(other.index)
        self.chances.copy_(other.chances)

    def loaded(self) -> Fetch:
        assert self.source.augmentation is not None
        return moved_about(self.source.gather(self.index), self.source.augmentation, chances=self.chances)


class Loaded(Source):
    """torch's DataLoader over the arrays in host memory, workers and pinned memory as the suite says."""

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        device: torch.device,
        scale: Scale,
        batch_size: int,
        seed: int,
        num_workers: int,
        pin_memory: bool,
        memory_format: torch.memory_format = torch.contiguous_format,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.samples, self.device, self.memory_format = len(labels), device, memory_format
        self.augmentation, self.batch_size = augmentation, batch_size
        # Pages of a mapped file count as memory of the process once they are touched: now, not while it is measured.
        images.max()
        host = Scale(scale.shift.cpu(), scale.scale.cpu())
        samples = _Samples(as_tensor(images), as_tensor(labels), host)
        # Not shuffle=True: the loader then draws the seeds of its workers from the generator of the order, once an
        # epoch or once in all, so that their number changes the order.
        order, seeds = _Order(len(labels), seed), randomness.generator(seed, randomness.LOADER)
        self._generators = {"order": order.order, "loader": seeds} | drawn_by(augmentation)
        self.loader = DataLoader(
            samples,
            batch_size=batch_size,
            sampler=order,
            generator=seeds,
            num_workers=num_workers,
            pin_memory=pin_memory,
            persistent_workers=num_workers > 0,
            worker_init_fn=partial(_start_worker, seed) if num_workers else None,
        )

    @property
    def generators(self) -> dict[str, torch.Generator]:
        return dict(self._generators)

    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        chunk: list[Ready] = []
        for ready in self._fetches():
            chunk.append(ready)
            if len(chunk) == steps_per_chunk:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _fetches(self) -> Iterator[Ready]:
        if self.augmentation is None:
            for images, labels in self.loader:
                yield Ready(given(self._moved(images, labels)), len(labels))
            return
        drawn = self.augmentation.chances(self.samples).split(self.batch_size)
        for (images, labels), chances in zip(self.loader, drawn, strict=True):
            batch = self._moved(images, labels)
            yield Ready(moved_about(batch, self.augmentation, chances=chances), len(labels))

    def _moved(self, images: torch.Tensor, labels: torch.Tensor) -> Batch:
        if self.transfers is None:
            return self._to_device(images, labels)
        self.transfers.begins()
        batch = self._to_device(images, labels)
        self.transfers.ends()
        return batch

    def _to_device(self, images: torch.Tensor, labels: torch.Tensor) -> Batch:
        placed = images.to(self.device, non_blocking=True, memory_format=self.memory_format)
        return placed, labels.to(self.device, non_blocking=True)


class _Samples(Dataset[Batch]):
    """Sample by sample, scaled as it is read: what a data set of torchvision does. Images (C, H, W) float32."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, scale: Scale) -> None:
        self.images, self.labels = images, labels
        self.scale = Scale(scale.shift[0], scale.scale[0])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Batch:
        return self.scale(self.images[index]), self.labels[index]


class _Order(Sampler[int]):
    """The order that `Resident` has: one permutation an epoch from the generator of the order, and nothing else."""

    def __init__(self, samples: int, seed: int) -> None:
        self.samples, self.order = samples, randomness.generator(seed, randomness.ORDER)

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(self.samples, generator=self.order).tolist())


def _start_worker(seed: int, worker: int) -> None:
    """A loader worker dies with its trial, and draws from a generator of its own."""
    randomness.seed_globals(seed, f"{randomness.LOADER}:{worker}")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: without it up to 5 s of orphan


def given(batch: Batch) -> Fetch:
    return lambda: batch


def moved_about(batch: Batch, augmentation: Augmentation, *, chances: torch.Tensor) -> Fetch:
    """The call that augments a batch that is there; each time in the same way."""
    images, labels = batch
    return lambda: (augmentation(images, chances), labels)


def drawn_by(augmentation: Augmentation | None) -> dict[str, torch.Generator]:
    """The generator of an augmentation by its name, where there is one."""
    return {} if augmentation is None else {"augment": augmentation.generator}


def even_parts(count: int, *, most: int) -> Iterator[tuple[int, int]]:
    """`count` steps as the fewest parts of at most `most`, each as long as the others or one longer: (start, end)."""
    parts = -(-count // most)
    for part in range(parts):
        yield part * count // parts, (part + 1) * count // parts


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor over the same memory. Nothing of ours writes into a data set, so read-only memory is no danger."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "not writable": torch has no read-only tensors
        return torch.from_numpy(array)


def scale_in_parts(
    images: torch.Tensor,
    scale: Scale,
    device: torch.device,
    *,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> torch.Tensor:
    """The whole split as float32 on `device`, scaled; in parts, so that no second float copy of it exists."""
    scaled = torch.empty(images.shape, dtype=torch.float32, device=device, memory_format=memory_format)
    for start in range(0, len(images), 4096):
        part = slice(start, start + 4096)
        scaled[part] = scale(images[part].to(device))
    return scaled
