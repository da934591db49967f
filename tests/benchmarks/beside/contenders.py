"""What a user would do instead of the suite, each a process of its own: `... NAME MODEL BATCH EPOCHS THREADS DATA`.

All train the same model on the same 12,800 images with the same optimizer, and none measures anything but its own
rate: images over the seconds of its epochs, after some steps of warm-up on a model that is then dropped.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from bench.registry import MODELS
from bench.worker.common import discover

CLASSES, LEARNING_RATE, WARMUP_STEPS = 10, 0.1, 10
Pair = tuple[torch.Tensor, torch.Tensor]


def build(model: str) -> nn.Module:
    """The model with the weights of seed 0."""
    torch.manual_seed(0)
    made: nn.Module = MODELS.get(model).build((1, 28, 28), CLASSES)
    return made


def learner(model: str) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    made = build(model)
    return made, nn.CrossEntropyLoss(), torch.optim.SGD(made.parameters(), lr=LEARNING_RATE)


def warm_up(model: str, images: torch.Tensor, labels: torch.Tensor) -> None:
    """The first steps of a process take 2 to 4 times as long: not in anybody's figure."""
    made, criterion, optimizer = learner(model)
    for _ in range(WARMUP_STEPS):
        optimizer.zero_grad()
        criterion(made(images), labels).backward()
        optimizer.step()


def hand(model: str, batch_size: int, epochs: int, images: np.ndarray, labels: np.ndarray) -> float:
    """The loop that a careful user writes over a tensor in memory: randperm, index, forward, backward, step."""
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    warm_up(model, x[:batch_size], y[:batch_size])
    made, criterion, optimizer = learner(model)
    start = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for index in order.split(batch_size):
            optimizer.zero_grad()
            loss = criterion(made(x[index]), y[index])
            loss.backward()
            optimizer.step()
    return epochs * len(x) / (time.perf_counter() - start)


def _over(loader: Iterable[Pair], *, model: str, epochs: int, samples: int, item: bool) -> float:
    made, criterion, optimizer = learner(model)
    running = 0.0
    start = time.perf_counter()
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(made(x), y)
            loss.backward()
            optimizer.step()
            if item:
                running += loss.item()
    return epochs * samples / (time.perf_counter() - start)


class Pictures(Dataset[Pair]):
    """As torchvision's MNIST: an image at a time from the array, through PIL and a transform."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[object], torch.Tensor]) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Pair:
        from PIL import Image

        return self.transform(Image.fromarray(self.images[index, 0])), int(self.labels[index])  # type: ignore[return-value]


def tutorial(model: str, batch_size: int, epochs: int, images: np.ndarray, labels: np.ndarray) -> float:
    """The loop of the tutorials: DataLoader, ToTensor a sample, `.item()` a step."""
    from torchvision.transforms import ToTensor

    warm_up(model, torch.from_numpy(images[:batch_size]).float() / 255, torch.from_numpy(labels[:batch_size]))
    loader = DataLoader(Pictures(images, labels, ToTensor()), batch_size=batch_size, shuffle=True)
    return _over(loader, model=model, epochs=epochs, samples=len(labels), item=True)


def tensors(model: str, batch_size: int, epochs: int, images: np.ndarray, labels: np.ndarray) -> float:
    """DataLoader over a TensorDataset of scaled images; no `.item()`."""
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    warm_up(model, x[:batch_size], y[:batch_size])
    loader = DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True)
    return _over(loader, model=model, epochs=epochs, samples=len(y), item=False)


def lightning(model: str, batch_size: int, epochs: int, images: np.ndarray, labels: np.ndarray) -> float:
    """lightning.Trainer with the DataLoader of `tensors`, no logger, bar or checkpoint; its hooks time the epochs."""
    import lightning as pl

    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    warm_up(model, x[:batch_size], y[:batch_size])

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.made, self.criterion = build(model), nn.CrossEntropyLoss()
            self.begins = self.seconds = 0.0

        def training_step(self, batch: Pair, _: int) -> torch.Tensor:
            loss: torch.Tensor = self.criterion(self.made(batch[0]), batch[1])
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=LEARNING_RATE)

        def on_train_epoch_start(self) -> None:
            self.begins = time.perf_counter()

        def on_train_epoch_end(self) -> None:
            self.seconds += time.perf_counter() - self.begins

    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", enable_model_summary=False, **quiet)
    module = Module()
    trainer.fit(module, DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True))
    return epochs * len(y) / module.seconds


CONTENDERS = {"hand": hand, "tutorial": tutorial, "tensors": tensors, "lightning": lightning}


def main() -> None:
    name, model, batch_size, epochs, threads, data = sys.argv[1:]
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(threads))
    discover.load_builtin()
    held = np.load(Path(data))
    rate = CONTENDERS[name](model, int(batch_size), int(epochs), held["images"], held["labels"])
    print(json.dumps({"samples_per_second": rate, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
