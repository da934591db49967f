"""What the trained model answers on a split."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from bench.worker.common.inputs import notice_write
from bench.worker.evaluate.diagnosis import FIRST_SAMPLES
from bench.worker.evaluate.judge import Evaluation, Judge
from bench.worker.train.loaders import RESIDENT_BUDGET_BYTES, Batch, Resident, Scale, as_tensor, scale_in_parts
from bench.worker.train.optimizers import autocast

CHECKED_SAMPLES = 256
CLASSES = Judge()


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A split for evaluation, in its own order: on the device as float32 where it fits the budget, else on the host."""

    images: torch.Tensor
    labels: torch.Tensor
    device: torch.device
    later: Scale | None = None  # of images that lie on the host, unscaled
    memory_format: torch.memory_format = torch.preserve_format

    @classmethod
    def of_arrays(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        device: torch.device,
        scale: Scale,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> "Held":
        fits = images.size * 4 <= RESIDENT_BUDGET_BYTES
        raw = as_tensor(images)
        held = scale_in_parts(raw, scale, device, memory_format=memory_format) if fits else raw
        return cls(held, as_tensor(labels).to(device), device, None if fits else scale, memory_format)

    @classmethod
    def around(cls, source: Resident, count: int | None = None) -> "Held":
        """The first `count` samples of a loader that has them on the device, without a copy."""
        return cls(source.images[:count], source.labels[:count], source.device, source.later)

    def __len__(self) -> int:
        return len(self.labels)

    def checksum(self) -> int:
        """A sum over the bits of the images that batches are views of: another one after somebody wrote into them."""
        if self.later is not None:
            return 0
        # In parts: the whole would need twice its memory.
        return sum(int(part.sum()) for part in self.images.view(torch.int32).split(CHECKED_SAMPLES))

    def batch(self, start: int, size: int) -> Batch:
        """Inputs (n, …) float32 and labels (n,), or scaled targets (n, T); n <= size."""
        images = self.images[start : start + size]
        if self.later is not None:
            images = self.later(images.to(self.device, memory_format=self.memory_format))
        return images, self.labels[start : start + size]


@torch.no_grad()
def evaluate(model: nn.Module, split: Held, *, batch_size: int, precision: str, judge: Judge = CLASSES) -> Evaluation:
    """Run `model` over `split` in eval mode, at the trial's batch size so that no new peak of memory comes of it."""
    outputs = torch.cat(_answers(model, split, count=len(split), batch_size=batch_size, precision=precision)).float()
    return judge(outputs, split.labels)


@torch.no_grad()
def first_answers(model: nn.Module, split: Held, *, batch_size: int, precision: str) -> np.ndarray:
    """Probabilities (n, K) float32 that `model` gives to the first samples of `split`, at most 16 of them."""
    count = min(FIRST_SAMPLES, len(split))
    parts = _answers(model, split, count=count, batch_size=batch_size, precision=precision)
    return torch.cat([part.float().softmax(1).cpu() for part in parts]).numpy()


def _answers(model: nn.Module, split: Held, *, count: int, batch_size: int, precision: str) -> list[torch.Tensor]:
    """Logits of the first `count` samples, batch by batch, in eval mode."""
    was_training = model.training
    model.eval()
    with autocast(split.device, precision):
        parts = [
            _answer(model, split.batch(start, min(batch_size, count - start))[0])
            for start in range(0, count, batch_size)
        ]
    model.train(was_training)
    return parts


def _answer(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    before = images._version
    logits: torch.Tensor = model(images)
    notice_write(images, before=before)
    return logits
