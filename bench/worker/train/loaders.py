"""Where batches come from: a set that lies on the device (`resident`), or torch's DataLoader.

Both give an epoch as chunks: batches that are ready, to be trained on inside one timed block. What makes them ready
(loading, transfer) lies outside the block and inside the epoch.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from bench.base.kernel import die_with_parent
from bench.errors import BenchError
from bench.worker.common import randomness
from bench.worker.measure.clock import Transfers
from bench.worker.train.augment import CHANCES, Augmentation

# A set whose float32 images take no more lies on the device as float32, scaled once; a larger one as it is, scaled
# batch by batch. CIFAR-10 takes 0.6 GB.
RESIDENT_BUDGET_BYTES = 2 * 1024**3

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

# Inputs (N, …) float32, and labels (N,) int64 or scaled targets (N, T) float32, both on the device.
Batch = tuple[torch.Tensor, torch.Tensor]
Fetch = Callable[[], Batch]


class Ready(NamedTuple):
    """A batch that a step can be taken on: the call that gives it, and how many samples it has."""

    fetch: Fetch
    samples: int


@dataclass(frozen=True, slots=True)
class Scale:
    """x → (x - shift) * scale, float32; `shift` and `scale` are (1, C, 1, …) tensors on the device."""

    shift: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def on(cls, device: torch.device, shift: Sequence[float], scale: Sequence[float], *, dims: int = 3) -> "Scale":
        """`dims`: how many dimensions a sample has, the channels first."""

        def tensor(values: Sequence[float]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, *[1] * (dims - 1))

        return cls(tensor(shift), tensor(scale))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Inputs (N, C, …) of any type to float32; never the same memory."""
        return (images.to(torch.float32) - self.shift).mul_(self.scale)

    @property
    def black(self) -> torch.Tensor:
        """What a pixel of 0 becomes, (1, C, 1, …)."""
        return self(torch.zeros_like(self.shift))


class Source(ABC):
    """An endless supply of epochs over one split."""

    samples: int
    # By name, those that an epoch takes up where the last one left them: a checkpoint holds them.
    generators: dict[str, torch.Generator]
    transfers: Transfers | None = None  # takes their time; None where nothing is transferred

    @abstractmethod
    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        """One pass in the order of the seed, as chunks of batches that are ready."""


class Resident(Source):
    """The whole split lies on the device; a batch is gathered by index, inside the timed block.

    A loop written by hand over a tensor in memory does the same: the two can be compared.
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
        drop_last: bool = False,
    ) -> None:
        self.samples = samples_kept(len(labels), batch_size, drop_last=drop_last)
        self.batch_size, self.device = batch_size, device
        self.augmentation = augmentation
        self.order = randomness.generator(seed, randomness.ORDER)
        self.generators = {"order": self.order} | drawn_by(augmentation)
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
        order = torch.randperm(len(self.labels), generator=self.order)[: self.samples].to(self.device)
        chances = chances_by_batch(self.augmentation, samples=self.samples, batch_size=self.batch_size)
        fetches = [Gather(self, *each) for each in zip(order.split(self.batch_size), chances, strict=True)]
        for start, end in even_parts(len(fetches), most=steps_per_chunk):
            yield [Ready(fetch, len(fetch.index)) for fetch in fetches[start:end]]

    def blank(self, size: int) -> "Gather":
        """A batch of `size` samples with places of its own, for `Gather.take`."""
        index = torch.zeros(size, dtype=torch.int64, device=self.device)
        chances = None if self.augmentation is None else torch.zeros((size, CHANCES), device=self.device)
        return Gather(self, index, chances)

    def gather(self, index: torch.Tensor) -> Batch:
        """The samples at `index` (n,) int64, on the device: images (n, C, H, W) float32, labels (n,)."""
        if self._by_pixel is None:
            images = self.images.index_select(0, index)
        else:
            images = self._by_pixel.index_select(0, index).permute(0, 3, 1, 2)
        return images if self.later is None else self.later(images), self.labels.index_select(0, index)


class Gather:
    """The call that gathers a batch of a resident set, at `index` (n,), and moves its images by `chances` (n, CHANCES).

    An engine may look at both.
    """

    __slots__ = ("chances", "index", "source")

    def __init__(self, source: Resident, index: torch.Tensor, chances: torch.Tensor | None = None) -> None:
        self.source, self.index, self.chances = source, index, chances

    def __call__(self) -> Batch:
        return self.source.gather(self.index) if self.chances is None else self.loaded()()

    def take(self, other: "Gather") -> None:
        """Become `other`, in the places that this one has on the device."""
        self.index.copy_(other.index)
        if self.chances is not None and other.chances is not None:
            self.chances.copy_(other.chances)

    def loaded(self) -> Fetch:
        """The call that does what is left once the samples have been gathered."""
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
        drop_last: bool = False,
    ) -> None:
        self.samples = samples_kept(len(labels), batch_size, drop_last=drop_last)
        self.device, self.memory_format = device, memory_format
        self.augmentation, self.batch_size = augmentation, batch_size
        # Pages of a mapped file count as memory of the process once they are touched: so now, not while it is measured.
        images.max()
        host = Scale(scale.shift.cpu(), scale.scale.cpu())
        samples = _Samples(as_tensor(images), as_tensor(labels), host)
        # Not shuffle=True: with it the loader draws the seeds of its workers from the generator of the order, so that
        # their number changes the order.
        order, seeds = _Order(len(labels), seed, kept=self.samples), randomness.generator(seed, randomness.LOADER)
        self.generators = {"order": order.order, "loader": seeds} | drawn_by(augmentation)
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

    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        batches = self._batches()
        while chunk := list(islice(batches, steps_per_chunk)):
            yield chunk

    def _batches(self) -> Iterator[Ready]:
        drawn = chances_by_batch(self.augmentation, samples=self.samples, batch_size=self.batch_size)
        for (images, labels), chances in zip(self.loader, drawn, strict=True):
            batch = self._moved(images, labels)
            yield Ready(moved_about(batch, self.augmentation, chances=chances), len(labels))

    def _moved(self, images: torch.Tensor, labels: torch.Tensor) -> Batch:
        if self.transfers is not None:
            self.transfers.begins()
        placed = images.to(self.device, non_blocking=True, memory_format=self.memory_format)
        batch = placed, labels.to(self.device, non_blocking=True)
        if self.transfers is not None:
            self.transfers.ends()
        return batch


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

    def __init__(self, samples: int, seed: int, *, kept: int) -> None:
        self.samples, self.kept, self.order = samples, kept, randomness.generator(seed, randomness.ORDER)

    def __len__(self) -> int:
        return self.kept

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(self.samples, generator=self.order)[: self.kept].tolist())


def _start_worker(seed: int, worker: int) -> None:
    """A loader worker dies with its trial, and draws from a generator of its own."""
    randomness.seed_globals(seed, f"{randomness.LOADER}:{worker}")
    die_with_parent()  # without it up to 5 s of orphan


def given(batch: Batch) -> Fetch:
    return lambda: batch


def moved_about(batch: Batch, augmentation: Augmentation | None, *, chances: torch.Tensor | None) -> Fetch:
    """The call that augments a batch, each time in the same way; that gives it as it is without an augmentation."""
    if augmentation is None or chances is None:
        return given(batch)
    images, labels = batch
    return lambda: (augmentation(images, chances), labels)


def chances_by_batch(
    augmentation: Augmentation | None, *, samples: int, batch_size: int
) -> Sequence[torch.Tensor | None]:
    """Draws the chances of an epoch. Returns those of each batch; None for each without an augmentation."""
    if augmentation is None:
        return [None] * -(-samples // batch_size)
    drawn: Sequence[torch.Tensor] = augmentation.chances(samples).split(batch_size)
    return drawn


def drawn_by(augmentation: Augmentation | None) -> dict[str, torch.Generator]:
    """The generator of an augmentation by its name; empty where there is no augmentation."""
    return {} if augmentation is None else {"augment": augmentation.generator}


def batch_sizes(samples: int, batch_size: int) -> list[int]:
    """The sizes of batch that an epoch has: the full one, and the last one's where that is smaller."""
    full = min(batch_size, samples)
    return [full] + ([last] if (last := samples % full) else [])


def samples_kept(samples: int, batch_size: int, *, drop_last: bool) -> int:
    """How many samples an epoch has; with `drop_last`, without a smaller last batch. BenchError where none is left."""
    kept = samples - samples % batch_size if drop_last else samples
    if not kept:
        raise BenchError(f"train.drop_last leaves none of {samples} training images at batch size {batch_size}")
    return kept


def even_parts(count: int, *, most: int) -> Iterator[tuple[int, int]]:
    """(start, end) of the fewest parts of `count` steps that have at most `most` each, as equal as can be."""
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
