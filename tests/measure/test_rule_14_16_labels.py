"""Rules 14 and 16: a polled peak is called sampled, and one number is never called "GPU memory": what tensors took,
what the allocator held and what the process takes are three columns.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

from bench.base.metrics import BUILT_IN
from bench.registry import DEVICES
from bench.worker.devices.base import DeviceMemory
from bench.worker.devices.cpu import Cpu
from bench.worker.devices.mps import Mps

COLUMNS = ("device_peak_allocated_bytes", "device_peak_reserved_bytes", "device_process_bytes")
TENSOR = 32 * 2**20


class Polled(Cpu):
    """Keeps no peak: what it holds is looked at between blocks, in the words of a real device that does so."""

    name = "polled"
    torch_device = torch.device("cpu")

    def memory(self) -> DeviceMemory:
        return DeviceMemory(10, 20, SAMPLED)


SAMPLED = "sampled between blocks: MPS keeps no peak"


@pytest.fixture
def polled(register: Callable[..., None]) -> str:
    register("polled", Polled, registry=DEVICES)
    return "polled"


def test_a_polled_peak_is_called_sampled_in_the_record(run_trial: Any, polled: str) -> None:
    outcome = run_trial(device=polled)
    for name, value in zip(COLUMNS, (10, 20, None), strict=True):
        assert outcome.metrics[name] == value
        assert outcome.instruments.get(name) == (SAMPLED if value else None)
    assert outcome.to_json()["instruments"]["host_peak_bytes"] in (
        "VmHWM after a reset",
        "largest physical footprint after a reset",
    )


def test_mps_says_those_words(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Mps()
    monkeypatch.setattr(device, "_held", lambda: (1, 2))
    assert device.memory().how == SAMPLED


def test_on_a_card_three_figures_are_three_columns(run_trial: Any, fake_gpu: str, fake_nvml: Any) -> None:
    fake_nvml.processes = [(os.getpid(), 5 * TENSOR)]
    outcome = run_trial(device=fake_gpu)
    assert outcome.metrics["device_process_bytes"] == 5 * TENSOR
    assert "sampled" in outcome.instruments["device_process_bytes"]
    assert len({BUILT_IN[name].meaning for name in COLUMNS}) == 3


def test_a_tensor_of_known_size_is_read_on_a_real_card() -> None:
    device = DEVICES.get("cuda").build()
    if reason := device.unavailable():
        pytest.skip(reason)
    device.reset_memory()
    held = torch.zeros(TENSOR, dtype=torch.uint8, device="cuda")
    seen = device.memory()
    assert seen.allocated == held.numel() == TENSOR
    assert seen.reserved is not None
    assert seen.reserved >= seen.allocated
