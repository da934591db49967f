"""What the proofs of the rules of measurement stand on: suites through the ordinary command, and trials in here."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from bench.base.records import Component, MeasureSettings, Result, TrainSettings, Trial
from bench.registry import DEVICES, MODELS
from bench.results.store import Store
from bench.worker.common import discover
from bench.worker.common.messages import Request, TrialOutcome
from bench.worker.trial import trial

ROOT = Path(__file__).resolve().parents[2]

# Models that do a known thing in every step of training. The throw-away step has two samples, and is left out.
PLUGIN = """
import math, time
import torch
from torch import nn
from bench.registry import model

class Known(nn.Module):
    def __init__(self, input_shape, num_classes, act):
        super().__init__()
        self.act = act
        self.layer = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))

    def forward(self, x):
        if self.training and len(x) > 2:
            self.act()
        return self.layer(x)

def busy(seconds):
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        pass

@model("waits")
def waits(input_shape, num_classes, *, milliseconds: float = 0.0):
    return Known(input_shape, num_classes, lambda: busy(milliseconds / 1e3))

@model("allocates")
def allocates(input_shape, num_classes, *, mebibytes: int = 0):
    return Known(input_shape, num_classes, lambda: torch.ones(mebibytes * 2**20, dtype=torch.uint8))
"""

SUITE = """
name = "proof"
plugins = ["proof_plugin.py"]
[grid]
"""


@dataclass(frozen=True)
class Bench:
    """A folder to run suites in."""

    folder: Path

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "bench", *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(self, text: str, *arguments: object, plugin: str = "", fails: bool = False) -> list[Result]:
        """`bench run` of a suite: its [grid] and what comes after it. Gives what it stored, in the order it ran."""
        (self.folder / "proof_plugin.py").write_text(PLUGIN + plugin)
        suite = self.folder / "proof.toml"
        suite.write_text(SUITE + text)
        self.call("run", suite, "--results", self.folder / "results", "--no-report", *arguments, fails=fails)
        return self.results()

    def call(self, *arguments: object, fails: bool = False) -> str:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=300,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout + done.stderr

    def results(self) -> list[Result]:
        store = Store(self.folder / "results/proof")
        store.refresh()
        return sorted(store.results, key=lambda result: result.finished_at)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # A lock of its own: the tests neither wait for a real measurement nor hold one up.
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    return Bench(tmp_path)


class Silent:
    """A channel that nobody listens to."""

    def progress(self, **what: Any) -> None:
        """Nobody listens."""


@pytest.fixture
def run_trial(tmp_path: Path) -> Iterator[Callable[..., TrialOutcome]]:
    """`run_trial("mlp", train={...}, ...)` runs one trial in this very process and gives its outcome."""
    discover.load_builtin()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def run(
        model: str | Component = "linear",
        *,
        dataset: Component | None = None,
        train: Mapping[str, Any] | None = None,
        measure: Mapping[str, Any] | None = None,
        artifact: Path | None = None,
        channel: Any = None,
        **other: Any,
    ) -> TrialOutcome:
        asked = Trial(
            dataset=dataset or Component("synthetic", {"train": 320, "test": 100}),
            model=Component(model) if isinstance(model, str) else model,
            train=TrainSettings(**{"epochs": 2, "threads": 1, **(train or {})}),
            measure=MeasureSettings(**{"timing_seconds": 0, **(measure or {})}),
            **{"seed": 0, "batch_size": 64, "device": "cpu", **other},
        )
        request = Request(asked, tmp_path, {}, (), artifact, {"trial_id": asked.trial_id})
        outcome = trial.run(request, channel or Silent(), started_ns=time.perf_counter_ns())
        assert outcome.status == "ok", outcome.traceback or outcome.reason
        return outcome

    yield run
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.fixture
def register() -> Iterator[Callable[..., None]]:
    """Register a model, or a device, for the length of a test."""
    entered: list[tuple[Any, str]] = []

    def enter(name: str, build: Callable[..., Any], *, registry: Any = MODELS) -> None:
        discover.load_builtin()
        registry.register(name)(build)
        entered.append((registry, name))

    yield enter
    for registry, name in entered:
        registry._entries.pop(name)


class Paced(nn.Module):
    """Every pass ends `seconds` after the one before it; after a pause, `seconds` after its own start.

    So the throughput is known, and does not hang on what else the machine does: what one pass was late, the next is
    shorter, as long as it was late by less than a pass.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, seconds: float) -> None:
        super().__init__()
        self.seconds, self.last, self.layer = seconds, 0.0, nn.Linear(math.prod(shape), classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        started = time.perf_counter()
        out = self.layer(x.flatten(1))
        self.end(self.seconds, started)
        return out

    def end(self, seconds: float, started: float) -> None:
        """Sleeps, so that the scheduler lets it on again before those who did not; looks at the clock at the end."""
        self.last = (self.last if started - self.last < seconds else started) + seconds
        time.sleep(max(0.0, self.last - time.perf_counter() - 3e-4))
        while time.perf_counter() < self.last:
            pass


@pytest.fixture
def paced_class() -> type[Paced]:
    return Paced


@pytest.fixture
def paced(register: Callable[..., None]) -> Callable[..., Component]:
    """`paced(milliseconds=4)` registers a model whose passes take so long by the clock; another class may do more."""

    def enter(kind: type[Paced] = Paced, *, milliseconds: float, name: str = "paced") -> Component:
        register(name, lambda shape, classes: kind(shape, classes, milliseconds / 1e3))
        return Component(name)

    return enter


class OwnClock:
    """A clock that stands still, but for what is put on it and 100 ns a reading: no machine is too busy for it."""

    def __init__(self) -> None:
        self.now = 10**15

    def perf_counter_ns(self) -> int:
        self.now += 100
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


@pytest.fixture
def own_clock(monkeypatch: pytest.MonkeyPatch) -> OwnClock:
    """What measures reads it from here on, instead of the real one."""
    clock = OwnClock()
    monkeypatch.setattr(time, "perf_counter_ns", clock.perf_counter_ns)
    return clock


@pytest.fixture
def several_tries() -> Callable[[Callable[[], bool]], None]:
    """Other programs on the machine can spoil a measurement, never mend one: it has to come out right once."""

    def attempt(holds: Callable[[], bool], *, tries: int = 4) -> None:
        assert any(holds() for _ in range(tries)), f"not once in {tries} measurements"

    return attempt


class FakeNvml(ModuleType):
    """NVML with one card, whose answers a test sets. What it is asked for is the real library's."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM = 1, 2

    class NVMLError(Exception):
        """What NVML raises."""

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.clock_mhz, self.max_mhz, self.application_mhz = 1980, 1980, 1200
        self.reasons, self.processes, self.millijoules = 0, [(os.getpid(), 3 * 2**30)], iter(range(0, 10**9, 50_000))
        self.uuid = "GPU-1"

    def nvmlInit(self) -> None:  # noqa: N802
        """Nothing to do."""

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Nothing to do."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid != self.uuid:
            raise self.NVMLError("Not Found")
        return "card"

    def nvmlDeviceGetClockInfo(self, card: str, kind: int) -> int:  # noqa: N802
        return self.clock_mhz

    def nvmlDeviceGetMaxClockInfo(self, card: str, kind: int) -> int:  # noqa: N802
        return self.max_mhz

    def nvmlDeviceGetApplicationsClock(self, card: str, kind: int) -> int:  # noqa: N802
        return self.application_mhz

    def nvmlDeviceGetCurrentClocksEventReasons(self, card: str) -> int:  # noqa: N802
        return self.reasons

    def nvmlDeviceGetComputeRunningProcesses(self, card: str) -> list[Any]:  # noqa: N802
        return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in self.processes]

    def nvmlDeviceGetTotalEnergyConsumption(self, card: str) -> int:  # noqa: N802
        return next(self.millijoules)


@pytest.fixture
def fake_nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.fixture
def fake_gpu(register: Callable[..., None]) -> str:
    """Name of a device that says it is an NVIDIA card, and calculates on the processor."""
    from bench.worker.devices.cpu import Cpu
    from bench.worker.devices.cuda import Cuda

    class Gpu(Cpu):
        name = "cuda"
        torch_device = torch.device("cpu")
        watch, energy_meter = Cuda.watch, Cuda.energy_meter

        def uuid(self) -> str:
            return "GPU-1"

    register("fake-gpu", Gpu, registry=DEVICES)
    return "fake-gpu"
