"""The contract of every registered device; the GPUs with their part of torch faked where there is none."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.base.records import canonical_json
from bench.registry import DEVICES
from bench.suite.catalogue import DeviceInfo
from bench.worker.catalogue import entries
from bench.worker.common import discover
from bench.worker.devices.base import Device
from bench.worker.devices.cuda import Cuda
from bench.worker.devices.mps import Mps

discover.load_builtin()
ROOT = Path(__file__).resolve().parents[2]
NAMES = [entry.name for entry in DEVICES]


@pytest.mark.parametrize("name", NAMES)
def test_a_device_is_there_or_says_in_one_line_why_not(name: str) -> None:
    device: Device = DEVICES.get(name).build()
    reason = device.unavailable()
    assert "\n" not in reason
    assert device.name == name == device.torch_device.type
    if reason:
        assert reason.startswith(name)
    else:
        assert device.describe()


@pytest.mark.parametrize("name", NAMES)
def test_a_device_that_is_there_waits_and_measures(name: str) -> None:
    device: Device = DEVICES.get(name).build()
    if reason := device.unavailable():
        pytest.skip(reason)
    device.reset_memory()
    held = torch.zeros(2**20, device=device.torch_device)
    device.synchronize()
    device.observe_memory()
    seen = device.memory()
    if seen.allocated is not None:
        assert seen.allocated >= held.numel() * 4
    device.set_deterministic(True)
    device.set_precision("float32")
    assert device.cannot("float32") == ""


# Where a device's name may stand outside of the devices: as the name of a fact, or to read what older versions stored.
SPOKEN_OF = {"bench/analysis/conditions.py", "bench/history/series.py", "bench/worker/measure/environment.py",
             "bench/results/validate.py"}  # fmt: skip


def test_nobody_else_asks_a_device_for_its_name() -> None:
    """What depends on the kind of device is a member of `Device`, so that a new device is one file."""
    files = [*(ROOT / "bench").rglob("*.py"), *(ROOT / "models").glob("*.py")]
    asking = {
        str(path.relative_to(ROOT))
        for path in files
        if "devices" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in ("cuda", "mps")
    }
    assert asking == SPOKEN_OF


@pytest.mark.parametrize("name", NAMES)
def test_what_the_parent_is_told_of_a_device_is_all_that_it_knows(name: str) -> None:
    told = entries.device(DEVICES.get(name))
    info = DeviceInfo(**json.loads(canonical_json(told)))
    device: Device = DEVICES.get(name).build()
    for field in entries.TOLD_OF_DEVICES:
        assert getattr(info, field) == json.loads(canonical_json(getattr(device, field)))
    assert info.needs == {"fork_is_safe": device.fork_is_safe, "ray_gpus": device.ray_gpus}
    assert info.label == ("" if device.unavailable() else device.label())


def test_tf32_is_refused_off_nvidia() -> None:
    assert "tf32" in DEVICES.get("cpu").build().cannot("tf32")
    assert "tf32" in Mps().cannot("tf32")


class FakeMemory:
    """An allocator with the questions that torch answers for CUDA and MPS."""

    def __init__(self) -> None:
        self.held = self.peak = 0
        self.synchronized = 0

    def allocate(self, size: int) -> None:
        self.held += size
        self.peak = max(self.peak, self.held)

    def reset(self) -> None:
        self.peak = self.held

    def synchronize(self) -> None:
        self.synchronized += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMemory:
    memory = FakeMemory()
    common: dict[str, Any] = {"synchronize": memory.synchronize, "empty_cache": lambda: None}
    cuda = SimpleNamespace(
        **common,
        reset_peak_memory_stats=memory.reset,
        memory_allocated=lambda: memory.held,
        max_memory_allocated=lambda: memory.peak,
        memory_reserved=lambda: 2 * memory.held,
        max_memory_reserved=lambda: 2 * memory.peak,
        get_device_capability=lambda index: (7, 5),
        is_available=lambda: False,
        is_bf16_supported=lambda including_emulation: False,
    )
    mps = SimpleNamespace(
        **common,
        current_allocated_memory=lambda: memory.held,
        driver_allocated_memory=lambda: 2 * memory.held,
    )
    monkeypatch.setattr(torch, "cuda", cuda)
    monkeypatch.setattr(torch, "mps", mps)
    return memory


def test_cuda_reads_the_peak_over_its_baseline(fake: FakeMemory) -> None:
    fake.allocate(1000)
    device = Cuda()
    device.reset_memory()
    fake.allocate(500)
    fake.allocate(-500)
    assert (device.memory().allocated, device.memory().reserved) == (500, 1000)
    device.resume_memory()
    assert device.memory().allocated == 0
    assert fake.synchronized


def test_mps_keeps_no_peak_and_says_that_it_samples(fake: FakeMemory) -> None:
    fake.allocate(1000)
    device = Mps()
    device.reset_memory()
    fake.allocate(300)
    device.observe_memory()
    fake.allocate(-300)
    seen = device.memory()
    assert (seen.allocated, seen.reserved) == (300, 600)
    assert "sampled" in seen.how
    fake.allocate(999)  # between two samples: not seen, and that is why it is called sampled
    fake.allocate(-999)
    assert device.memory().allocated == 300
    device.resume_memory()
    assert device.memory().allocated == 0


def test_an_old_card_refuses_what_it_cannot(fake: FakeMemory) -> None:
    assert "8.0" in Cuda().cannot("tf32")
    assert "8.0" in Cuda().cannot("bfloat16")
    assert Cuda().cannot("float16") == ""
    assert "no CUDA device" in Cuda().unavailable() or "built without" in Cuda().unavailable()
