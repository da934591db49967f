"""Rule 22: energy is opt-in, and measured or empty: never 0, never an estimate. Fake NVML, fake RAPL."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from bench.worker.devices import cpu, nvidia
from bench.worker.devices.cpu import Cpu
from bench.worker.devices.mps import Mps
from bench.worker.measure.energy import Energy, Meter, RaplMeter, open_energy

RANGE = 262_143_328_850


class Rapl:
    """A folder as the kernel's powercap makes it: two packages, their memory and cores, and the whole platform."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for zone, name in {
            "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
            "intel-rapl:1": "package-1", "intel-rapl:2": "psys",
        }.items():  # fmt: skip
            (folder / zone).mkdir()
            (folder / zone / "name").write_text(f"{name}\n")
            (folder / zone / "max_energy_range_uj").write_text(f"{RANGE}\n")
            self.set(zone, 0)

    def set(self, zone: str, microjoules: int) -> None:
        (self.folder / zone / "energy_uj").write_text(f"{microjoules}\n")


@pytest.fixture
def rapl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rapl:
    folder = tmp_path / "powercap"
    folder.mkdir()
    fake = Rapl(folder)
    monkeypatch.setattr(RaplMeter.__init__, "__defaults__", (folder,))
    return fake


class Steady(Meter):
    """Grows by 3 J a reading; `resolution_seconds` as a test asks."""

    how = "a counter that grows"

    def __init__(self, resolution_seconds: float) -> None:
        self.resolution_seconds, self._readings = resolution_seconds, itertools.count(step=3)

    def joules(self) -> float:
        return float(next(self._readings))


def test_without_asking_nothing_is_measured(run_trial: Any) -> None:
    outcome = run_trial()
    assert outcome.metrics["energy_joules"] is None
    assert "energy_joules" not in outcome.to_json()["metrics"]
    assert "energy_joules" not in outcome.instruments


def test_where_there_is_no_counter_it_is_empty_and_says_why(run_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RaplMeter.__init__, "__defaults__", (Path("/nowhere"),))
    outcome = run_trial(measure={"energy": True})
    assert "energy_joules" not in outcome.to_json()["metrics"]
    assert outcome.instruments["energy_joules"] == (
        "not measured: this machine shows no RAPL counter under /sys/class/powercap"
    )


def test_rapl_sums_packages_and_memory_and_nothing_twice(rapl: Rapl) -> None:
    meter = RaplMeter()
    for zone in ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl:2"):
        rapl.set(zone, 5_000_000)
    assert meter.joules() == 15.0  # two packages and the memory: cores are in a package, psys holds them all


def test_a_counter_that_begins_again_loses_nothing(rapl: Rapl) -> None:
    rapl.set("intel-rapl:0", RANGE - 1_000_000)
    meter = RaplMeter()
    rapl.set("intel-rapl:0", 2_000_000)
    assert math.isclose(meter.joules(), 3.0)
    rapl.set("intel-rapl:0", 1_000_000)
    assert math.isclose(meter.joules(), 3.0 + (RANGE - 1_000_000) / 1e6)


def test_a_counter_that_only_root_may_read_says_so(rapl: Rapl, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_text

    def refuse(path: Path, *given: Any, **named: Any) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *given, **named)

    monkeypatch.setattr(Path, "read_text", refuse)
    found = open_energy(Cpu().energy_meter)
    assert found.meter is None
    assert "read by root only" in found.how


def test_a_trial_reads_the_energy_of_its_timed_blocks(run_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "RaplMeter", lambda: Steady(0.0))
    outcome = run_trial(measure={"energy": True})
    blocks = len(outcome.samples["block_seconds"])
    assert outcome.samples["block_joules"] == [3.0] * blocks
    assert outcome.metrics["energy_joules"] == 3.0 * blocks  # and not what passed between the blocks
    assert outcome.metrics["energy_joules_per_sample"] == 3.0 * blocks / 640
    assert outcome.instruments["energy_joules"] == "a counter that grows"


def test_blocks_shorter_than_the_counters_step_are_empty_not_0(run_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "RaplMeter", lambda: Steady(1000.0))
    outcome = run_trial(measure={"energy": True})
    assert "energy_joules" not in outcome.to_json()["metrics"]
    assert outcome.instruments["energy_joules"].startswith("not measured: blocks last")


def test_a_counter_that_stands_still_is_empty_not_0() -> None:
    found = Energy(Steady(0.0), block_joules=[0.0, 0.0])
    assert found.joules([1.0, 1.0]) is None
    assert found.how == "not measured: the counter did not move"


def test_a_counter_that_stops_answering_leaves_nothing_half_measured() -> None:
    meter = Steady(0.0)
    found = Energy(meter)
    found.block_begins()
    found.block_ends()

    def gone() -> float:
        raise OSError("gone")

    meter.joules = gone  # type: ignore[method-assign]
    found.block_begins()
    found.block_ends()
    assert (found.block_joules, found.joules([1.0])) == ([], None)
    assert found.how == "not measured: gone"


def test_a_card_is_read_by_its_own_counter(
    run_trial: Any, fake_gpu: str, fake_nvml: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia.CardMeter, "resolution_seconds", 0.0)
    outcome = run_trial(device=fake_gpu, measure={"energy": True})
    assert set(outcome.samples["block_joules"]) == {50.0}  # the fake grows by 50,000 mJ a reading
    assert outcome.metrics["energy_joules"] == 50.0 * len(outcome.samples["block_seconds"])
    assert "NVML" in outcome.instruments["energy_joules"]


def test_the_cards_counter_is_too_slow_for_short_blocks(run_trial: Any, fake_gpu: str, fake_nvml: Any) -> None:
    outcome = run_trial(device=fake_gpu, measure={"energy": True})
    assert outcome.metrics["energy_joules"] is None
    assert "the counter moves every 0.1 s" in outcome.instruments["energy_joules"]


def test_an_old_card_has_no_counter(run_trial: Any, fake_gpu: str, fake_nvml: Any, monkeypatch: Any) -> None:
    def refuse(card: str) -> int:
        raise fake_nvml.NVMLError("Not Supported")

    monkeypatch.setattr(fake_nvml, "nvmlDeviceGetTotalEnergyConsumption", refuse)
    outcome = run_trial(device=fake_gpu, measure={"energy": True})
    assert outcome.metrics["energy_joules"] is None
    assert "Volta and newer" in outcome.instruments["energy_joules"]


def test_a_device_without_a_known_counter_says_so() -> None:
    assert open_energy(Mps().energy_meter).how == "not measured: no energy counter is known for mps"
