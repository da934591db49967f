"""What the trained model answers on a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.worker.evaluate.diagnosis import FIRST_SAMPLES
from bench.worker.train.loaders import RESIDENT_BUDGET_BYTES, Batch, Resident, Scale, as_tensor, scale_in_parts
from bench.worker.train.optimizers import autocast


class Held:
    """A split for evaluation, in its own order: on the device, as float32 where it fits the budget of `resident`."""

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        device: torch.device,
        scale: Scale,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        fits = images.size * 4 <= RESIDENT_BUDGET_BYTES
        raw = as_tensor(images)
        self.images = scale_in_parts(raw, scale, device, memory_format=memory_format) if fits else raw
        self.labels = as_tensor(labels).to(device)
        self.device, self.later, self.memory_format = device, None if fits else scale, memory_format

    @classmethod
    def around(cls, source: Resident, count: int | None = None) -> Held:
        """The first `count` samples of a loader that has them on the device, without a copy."""
        held = cls.__new__(cls)
        held.images, held.labels = source.images[:count], source.labels[:count]
        held.device, held.later, held.memory_format = source.device, source.later, torch.preserve_format
        return held

    @classmethod
    def of(cls, images: torch.Tensor, labels: torch.Tensor, device: torch.device) -> Held:
        """Samples that lie on the device already, scaled."""
        held = cls.__new__(cls)
        held.images, held.labels, held.device, held.later = images, labels, device, None
        held.memory_format = torch.preserve_format
        return held

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, start: int, size: int) -> Batch:
        """Images (n, C, H, W) float32 and labels (n,), n <= size."""
        images = self.images[start : start + size]
        if self.later is not None:
            images = self.later(images.to(self.device, memory_format=self.memory_format))
        return images, self.labels[start : start + size]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Mean cross-entropy (nats), share of right answers, logits (N, K) float32 on the host."""

    loss: float
    accuracy: float
    logits: torch.Tensor


@torch.no_grad()
def evaluate(model: nn.Module, split: Held, *, batch_size: int, precision: str) -> Evaluation:
    """Run `model` over `split` in eval mode, at the trial's batch size so that no new peak of memory comes of it."""
    was_training = model.training
    model.eval()
    parts = []
    with autocast(split.device, precision):
        for start in range(0, len(split), batch_size):
            parts.append(model(split.batch(start, batch_size)[0]))
    model.train(was_training)
    logits = torch.cat(parts).float()
    loss = functional.cross_entropy(logits.double(), split.labels, reduction="mean")
    right = (logits.argmax(1) == split.labels).sum()
    return Evaluation(loss=float(loss), accuracy=int(right) / len(split), logits=logits.cpu())


def first_answers(model: nn.Module, split: Held, *, batch_size: int, precision: str) -> np.ndarray:
    """Probabilities (n, K) float32 that `model` gives to the first samples of `split`, at most 16 of them."""
    was_training = model.training
    model.eval()
    count = min(FIRST_SAMPLES, len(split))
    with torch.no_grad(), autocast(split.device, precision):
        sizes = [(start, min(batch_size, count - start)) for start in range(0, count, batch_size)]
        parts = [model(split.batch(start, size)[0]).float().softmax(1).cpu() for start, size in sizes]
    model.train(was_training)
    return torch.cat(parts).numpy()
