"""Rule 3: the device is done before both readings of the clock. Shown on a device whose work takes its time later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from bench.registry import DEVICES
from bench.worker.devices.cpu import Cpu
from bench.worker.train.loaders import Ready, Source
from bench.worker.train.loop import Loop

STEP, TRANSFER = 0.05, 0.03


class Later(Cpu):
    """Work is put into a queue and returns at once; synchronize sleeps until the queue is empty."""

    name = "later"
    torch_device = torch.device("cpu")
    queue = 0.0

    def synchronize(self) -> None:
        time.sleep(Later.queue)
        Later.queue = 0.0


class Transferred(Source):
    """Each batch comes with a transfer that is still under way when the batch is handed over."""

    samples = 30
    generators: ClassVar[dict[str, torch.Generator]] = {}

    def epoch(self, *, steps_per_chunk: int) -> Iterator[list[Ready]]:
        for _ in range(3):
            Later.queue += TRANSFER
            yield [Ready(lambda: (torch.zeros(10), torch.zeros(10)), 10)]


def later_step(fetch: Callable[[], object]) -> torch.Tensor:
    Later.queue += STEP
    return torch.tensor(1.0)


def close(seconds: float, wanted: float) -> bool:
    """A sleep is never shorter than asked for; a busy machine makes it longer."""
    return wanted <= seconds < wanted + 0.6 * TRANSFER


def test_a_block_holds_its_own_work_and_none_that_was_queued_before(several_tries: Callable[..., None]) -> None:
    def holds() -> bool:
        loop = Loop(
            step=later_step,
            source=Transferred(),
            device=Later(),
            epochs=1,
            steps=None,
            steps_per_block=1,
            on_epoch=lambda entry: None,
        )
        log = loop.run()
        blocks, epoch = log.blocks.seconds, log.epochs[0]
        assert all(seconds >= STEP for seconds in blocks), "the second reading did not wait"
        assert epoch.seconds >= 3 * (STEP + TRANSFER), "the end of the epoch did not wait"
        return all(close(seconds, STEP) for seconds in blocks) and epoch.seconds - epoch.block_seconds >= 3 * TRANSFER

    several_tries(holds)


@pytest.fixture
def later(register: Callable[..., None]) -> None:
    register("later", Later, registry=DEVICES)

    class Queues(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Later.queue += 0.01
            return super().forward(x)

    register("queues", lambda shape, classes: Queues(nn.Flatten(), nn.Linear(64, classes)))


@pytest.mark.usefixtures("later")
def test_a_whole_trial_reads_what_the_device_takes(run_trial: Any) -> None:
    """10 ms a forward pass, that returns in microseconds: in training, and in both readings of inference."""
    outcome = run_trial("queues", device="later", train={"epochs": 1}, measure={"warmup_steps": 2})
    metrics = outcome.metrics
    assert metrics["step_seconds"] >= 0.01
    assert metrics["fit_seconds"] >= 5 * 0.01
    assert metrics["inference_latency_p50_seconds"] >= 0.01
    assert metrics["inference_samples_per_second"] <= 64 / 0.01
