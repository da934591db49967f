"""How fast the trained model answers: throughput at the trial's batch size, latency at batch 1."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from bench.worker.devices.base import Device
from bench.worker.evaluate.accuracy import Held
from bench.worker.measure import clock
from bench.worker.train.optimizers import autocast

WARMUP_CALLS = 5
BLOCKS = 10
LATENCY_CALLS = 200
# For each of the two: a slow model is measured on fewer calls.
BUDGET_SECONDS = 0.5
BLOCK_SECONDS = 0.002


@dataclass(slots=True)
class Inference:
    """Raw samples: seconds and samples of each block of forward passes, seconds of each single pass at batch 1."""

    blocks: clock.Blocks = field(default_factory=clock.Blocks)
    latency_seconds: list[float] = field(default_factory=list)

    def metrics(self) -> dict[str, float | None]:
        p50, p95, p99 = np.percentile(self.latency_seconds, [50, 95, 99])
        return {
            "inference_samples_per_second": self.blocks.samples_per_second,
            "inference_latency_p50_seconds": float(p50),
            "inference_latency_p95_seconds": float(p95),
            "inference_latency_p99_seconds": float(p99),
        }


@torch.inference_mode()
def measure(model: nn.Module, split: Held, *, batch_size: int, device: Device, precision: str) -> Inference:
    """Time forward passes of `model` in eval mode over the first batch and the first sample of `split`."""
    found = Inference()
    model.eval()
    batch, single = split.batch(0, batch_size)[0], split.batch(0, 1)[0]
    with autocast(device.torch_device, precision):
        _blocks(found.blocks, lambda: model(batch), samples=len(batch), device=device)
        _latencies(found.latency_seconds, lambda: model(single), device=device)
    return found


def _blocks(into: clock.Blocks, call: Callable[[], object], *, samples: int, device: Device) -> None:
    estimate = _warm(call, device)
    calls = clock.steps_per_block(estimate, block_seconds=max(BLOCK_SECONDS, device.block_seconds / 10), most=100_000)
    stop = time.perf_counter() + BUDGET_SECONDS
    while len(into.seconds) < BLOCKS and (time.perf_counter() < stop or not into.seconds):
        start = clock.read(device)
        for _ in range(calls):
            call()
        into.add(nanoseconds=clock.read(device) - start, steps=calls, samples=calls * samples)


def _latencies(into: list[float], call: Callable[[], object], *, device: Device) -> None:
    _warm(call, device)
    stop = time.perf_counter() + BUDGET_SECONDS
    while len(into) < LATENCY_CALLS and (time.perf_counter() < stop or not into):
        start = clock.read(device)
        call()
        into.append((clock.read(device) - start) / 1e9)


def _warm(call: Callable[[], object], device: Device) -> float:
    """Seconds of a call once it is warm."""
    for _ in range(WARMUP_CALLS - 1):
        call()
    start = clock.read(device)
    call()
    return (clock.read(device) - start) / 1e9
