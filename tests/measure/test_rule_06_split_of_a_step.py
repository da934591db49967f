"""Rule 6: what a step takes is split into data, transfer, computing and launching, and nothing is in two of them.

On a clock of our own: every part takes what it is told to, and is read back to 1 in 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from bench.base.records import Component
from bench.registry import DEVICES
from bench.worker.devices.cpu import Cpu
from bench.worker.devices.cuda import CYCLES_PER_SECOND, Cuda
from bench.worker.measure import clock
from bench.worker.measure.clock import seconds_alone
from bench.worker.train import loaders

DATA, TRANSFER, COMPUTE, LAUNCH = 0.005, 0.003, 0.010, 0.004
STEPS = 10  # an epoch
PARTS = ("step_data_seconds", "step_transfer_seconds", "step_compute_seconds", "step_launch_seconds")
ASKED: dict[str, Any] = {"dataset": Component("synthetic", {"train": 64 * STEPS, "test": 10})}


@pytest.fixture
def slow_loader(own_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a batch takes DATA."""
    read = loaders._Samples.__getitem__

    def slow(self: Any, index: int) -> Any:
        own_clock.pass_by(DATA / 64)
        return read(self, index)

    monkeypatch.setattr(loaders._Samples, "__getitem__", slow)


def transfer_takes(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """`act` happens where the images of a batch are copied, wherever that is."""
    to = torch.Tensor.to

    def slow(self: torch.Tensor, *arguments: Any, **settings: Any) -> torch.Tensor:
        if self.dim() == 4 and settings.get("non_blocking"):
            act()
        return to(self, *arguments, **settings)

    monkeypatch.setattr(torch.Tensor, "to", slow)


def model_that(act: Callable[[], object]) -> Callable[..., nn.Module]:
    class Acts(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training and len(x) > 2:
                act()
            return super().forward(x)

    return lambda shape, classes: Acts(nn.Flatten(), nn.Linear(64, classes))


@pytest.mark.usefixtures("slow_loader")
def test_data_transfer_and_computing_are_told_apart_on_the_cpu(
    run_trial: Any, register: Any, own_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer_takes(monkeypatch, lambda: own_clock.pass_by(TRANSFER))
    register("computes", model_that(lambda: own_clock.pass_by(COMPUTE)))
    outcome = run_trial("computes", train={"loader": "dataloader", "epochs": 3}, **ASKED)
    metrics = outcome.metrics
    found = [metrics[name] for name in PARTS]
    assert found == [pytest.approx(DATA, rel=0.01), pytest.approx(TRANSFER, rel=0.01),
                     pytest.approx(COMPUTE, rel=0.01), None]  # fmt: skip
    assert 3 * STEPS * sum(found[:3]) == pytest.approx(metrics["fit_seconds"], rel=0.01)
    assert outcome.samples["epoch_data_seconds"] == [pytest.approx(DATA * STEPS, rel=0.01)] * 3
    assert outcome.instruments["step_transfer_seconds"] == "clock of the host"
    assert outcome.instruments["step_compute_seconds"] == "the time of the timed blocks"


def test_a_resident_set_is_not_transferred(run_trial: Any, register: Any, own_clock: Any) -> None:
    register("computes", model_that(lambda: own_clock.pass_by(COMPUTE)))
    metrics = run_trial("computes", **ASKED).metrics
    assert metrics["step_compute_seconds"] == pytest.approx(COMPUTE, rel=0.01)
    assert metrics["step_data_seconds"] < 0.01 * COMPUTE
    assert metrics["step_transfer_seconds"] is metrics["step_launch_seconds"] is None


class Queue(Cpu):
    """A card as its host sees it: work begins when it was asked for and what came before it is done."""

    name, torch_name = "queue", "cpu"
    is_host = False
    how_marks, can_hold = "marks of a queue", True
    clock: Any
    free = 0  # nanoseconds on the host's clock: when all that was asked for is done

    def ask(self, seconds: float) -> None:
        Queue.free = max(Queue.free, Queue.clock.now) + round(seconds * 1e9)

    def synchronize(self) -> None:
        Queue.clock.now = max(Queue.free, Queue.clock.now)

    def mark(self) -> int:
        return max(Queue.free, Queue.clock.now)

    def hold(self, seconds: float) -> None:
        self.ask(seconds)


@pytest.fixture
def queue(own_clock: Any, register: Any) -> Iterator[Queue]:
    register("queue", Queue, registry=DEVICES)
    Queue.clock, Queue.free = own_clock, 0
    return Queue()


def test_a_device_that_waits_for_its_host_has_launch_overhead(
    run_trial: Any, register: Any, own_clock: Any, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two kernels a step of half of COMPUTE; the host takes half of COMPUTE and half of LAUNCH to launch each."""

    def launches() -> None:
        for _ in range(2):
            own_clock.pass_by((COMPUTE + LAUNCH) / 2)
            queue.ask(COMPUTE / 2)

    def copies() -> None:
        queue.ask(TRANSFER)

    register("launches", model_that(launches))
    transfer_takes(monkeypatch, copies)
    outcome = run_trial("launches", device="queue", train={"loader": "dataloader"}, **ASKED)
    metrics = outcome.metrics
    in_blocks = sum(outcome.samples["block_seconds"]) / (2 * STEPS)
    # The last kernel of a block is not hidden behind a launch: in blocks of one step that is half of COMPUTE.
    assert in_blocks == pytest.approx(1.5 * COMPUTE + LAUNCH, rel=0.01)
    assert metrics["step_compute_seconds"] == pytest.approx(COMPUTE, rel=0.01)
    assert metrics["step_launch_seconds"] == pytest.approx(in_blocks - COMPUTE, rel=0.01)
    assert metrics["step_transfer_seconds"] == pytest.approx(TRANSFER, rel=0.01)
    assert "held the device" in outcome.instruments["step_compute_seconds"]


def test_a_device_that_its_host_keeps_busy_has_none(
    run_trial: Any, register: Any, own_clock: Any, queue: Queue
) -> None:
    def launches() -> None:
        own_clock.pass_by(LAUNCH / 100)
        queue.ask(COMPUTE)

    register("launches", model_that(launches))
    metrics = run_trial("launches", device="queue", **ASKED).metrics
    assert metrics["step_compute_seconds"] == pytest.approx(COMPUTE, rel=0.01)
    assert abs(metrics["step_launch_seconds"]) < 0.01 * COMPUTE


@pytest.mark.usefixtures("queue")
def test_without_a_warm_up_nothing_is_said_of_launching(run_trial: Any, register: Any, own_clock: Any) -> None:
    register("computes", model_that(lambda: own_clock.pass_by(COMPUTE)))
    outcome = run_trial("computes", device="queue", measure={"warmup_steps": 0}, **ASKED)
    assert outcome.metrics["step_launch_seconds"] is None
    assert outcome.instruments["step_compute_seconds"].endswith("what launching takes is in it")


def test_cuda_is_asked_for_events_and_held_by_a_kernel_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fake of torch.cuda: events keep milliseconds, the kernel counts cycles."""
    done: list[Any] = []

    def event(*, enable_timing: bool) -> SimpleNamespace:
        assert enable_timing
        new = SimpleNamespace(elapsed_time=lambda end: 1.5)
        new.record = lambda: done.append(new)
        return new

    monkeypatch.setattr(torch.cuda, "Event", event)
    monkeypatch.setattr(torch.cuda, "_sleep", done.append)
    card = Cuda()
    start = card.mark()
    card.hold(0.01)
    end = card.mark()
    assert done == [start, int(0.01 * CYCLES_PER_SECOND), end]
    assert card.seconds_between(start, end) == 0.0015


def test_a_real_card_does_not_wait_for_its_host_when_it_was_held() -> None:
    """A hundred small kernels: launched one by one they take their launches, piled up no more than themselves."""
    card: Any = DEVICES.get("cuda").build()
    if reason := card.unavailable():
        pytest.skip(reason)
    x = torch.zeros(16, device="cuda")

    def step() -> None:
        for _ in range(100):
            x.add_(1)

    step()
    alone = seconds_alone(step, card, step_seconds=0.005)
    start = clock.read(card)
    step()
    assert 0 < alone < (clock.read(card) - start) / 1e9
