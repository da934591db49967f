"""An epoch of batches: from a set that lies on the device, and from torch's DataLoader."""

from __future__ import annotations

from typing import Any

import pytest

from bench.worker.train.loaders import Loaded, Resident, Source

SAMPLES = 2048


def epoch(source: Source) -> int:
    """Every batch of an epoch; returns the samples that were seen."""
    return sum(len(ready.fetch()[1]) for chunk in source.epoch(steps_per_chunk=32) for ready in chunk)


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
@pytest.mark.parametrize("batch_size", [64, 512])
def test_epoch(benchmark: Any, workshop: Any, loader: str, batch_size: int) -> None:
    benchmark.group = f"epoch of {SAMPLES} samples: batch {batch_size}"
    common = {"device": workshop.device, "scale": workshop.scale, "batch_size": batch_size, "seed": 0}
    images, labels = workshop.data(SAMPLES)
    source: Source
    if loader == "resident":
        source = Resident(images, labels, **common)
    else:
        source = Loaded(images, labels, **common, num_workers=0, pin_memory=False)
    assert benchmark(epoch, source) == SAMPLES
