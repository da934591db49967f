"""The fingerprint of the machine: facts that stay the same, notes beside them, and nothing private in either."""

from __future__ import annotations

import getpass
import json
import platform
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bench.base.records import Environment
from bench.worker.measure import environment


def test_two_readings_in_a_row_are_one_environment() -> None:
    first, second = (environment.system_facts() for _ in range(2))
    assert first == second
    assert Environment(first).identity(threads=2) == Environment(second).identity(threads=2)


def test_facts_and_notes_are_json_and_name_nobody() -> None:
    told = json.dumps([environment.system_facts(), environment.notes()])
    private = [platform.node(), str(Path.home()), getpass.getuser()]
    # A name of two letters, or `root`, stands in other words.
    assert not [word for word in private if len(word) > 4 and word in told]


def test_what_changes_while_a_machine_runs_is_no_fact() -> None:
    facts = environment.system_facts()
    assert not {"load", "clock", "clocks", "temperature", "governor", "commit", "gpu_power_limit_watts"} & set(facts)


def test_caches_are_read_as_the_kernel_words_them(tmp_path: Path) -> None:
    kinds = (("1", "Data", "48K"), ("1", "Instruction", "64K"), ("2", "Unified", "2048K"), ("3", "Unified", "480M"))
    for number, (level, kind, size) in enumerate(kinds):
        folder = tmp_path / f"cache/index{number}"
        folder.mkdir(parents=True)
        for name, value in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{value}\n")
    (tmp_path / "cache/index9").mkdir()  # says nothing
    assert environment.caches(tmp_path) == {"L1 data": "48K", "L1 instruction": "64K", "L2": "2048K", "L3": "480M"}
    assert environment.caches(tmp_path / "none") == {}


def test_clocks_are_notes_and_left_out_where_the_system_does_not_say(tmp_path: Path) -> None:
    cpu = tmp_path / "cpu0"
    assert environment.clock_notes(cpu) == {}
    (cpu / "cpufreq").mkdir(parents=True)
    (cpu / "cpufreq/scaling_governor").write_text("powersave\n")
    (cpu / "cpufreq/scaling_max_freq").write_text("3800000\n")
    (tmp_path / "intel_pstate").mkdir()
    (tmp_path / "intel_pstate/no_turbo").write_text("1\n")
    told = {"governor": "powersave", "cpu_highest_mhz": 3800.0, "cpu_boost": False}
    assert environment.clock_notes(cpu) == told
    (tmp_path / "cpufreq").mkdir()
    (tmp_path / "cpufreq/boost").write_text("1\n")
    assert environment.clock_notes(cpu) == told | {"cpu_boost": True}
    assert not set(told) & set(environment.system_facts())


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """NVML with one card, and the file that shows that there is one."""
    fake = ModuleType("pynvml")
    answers: dict[str, Any] = {
        "NVMLError": type("NVMLError", (Exception,), {}), "NVML_CLOCK_SM": 1, "NVML_CLOCK_MEM": 2,
        "nvmlInit": lambda: None, "nvmlShutdown": lambda: None, "nvmlDeviceGetHandleByIndex": lambda index: "card",
        "nvmlDeviceGetName": lambda card: b"NVIDIA H200", "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetMemoryInfo": lambda card: SimpleNamespace(total=10), "nvmlSystemGetDriverVersion": lambda: "570",
        "nvmlDeviceGetEnforcedPowerLimit": lambda card: 700_000,
        "nvmlDeviceGetMaxClockInfo": lambda card, kind: {1: 1980, 2: 3201}[kind],
    }  # fmt: skip
    fake.__dict__.update(answers)
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(environment, "NVIDIA", (tmp_path,))
    return fake


def test_the_cards_limits_are_notes_and_its_name_is_a_fact(nvml: ModuleType) -> None:
    assert environment.nvidia_notes() == {
        "gpu_power_limit_watts": 700.0,
        "gpu_highest_sm_mhz": 1980,
        "gpu_highest_memory_mhz": 3201,
    }
    assert environment.nvidia_facts()["gpu"] == "NVIDIA H200"
    assert environment.notes()["gpu_power_limit_watts"] == 700.0


def test_a_card_that_does_not_answer_is_left_out(nvml: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(card: str) -> int:
        raise nvml.NVMLError("Not Supported")

    monkeypatch.setattr(nvml, "nvmlDeviceGetEnforcedPowerLimit", refuse)
    assert environment.nvidia_notes() == {}
    monkeypatch.setattr(environment, "NVIDIA", ())
    assert environment.nvidia_facts() == {}
