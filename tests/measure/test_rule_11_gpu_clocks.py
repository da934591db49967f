"""Rule 11: clocks and throttle reasons of the card are recorded, and a card that is held back is flagged. Fake NVML."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bench.worker.devices.nvidia import Card, CardWatch


def kinds(outcome: Any) -> list[str]:
    return [
        note for note in outcome.validity_notes if note.startswith(("throttled", "not alone")) and "core" not in note
    ]


@pytest.fixture
def on_card(run_trial: Any, fake_gpu: str) -> Any:
    return lambda **other: run_trial(device=fake_gpu, **other)


def test_a_card_at_its_full_clock_is_not_flagged(on_card: Any, fake_nvml: Any) -> None:
    outcome = on_card()
    assert kinds(outcome) == []
    assert outcome.samples["gpu_sm_mhz"] == [1980.0, 1980.0]


def test_a_card_at_60_per_cent_of_its_clock_is_flagged(on_card: Any, fake_nvml: Any) -> None:
    fake_nvml.clock_mhz = 0.6 * 1980
    outcome = on_card()
    assert kinds(outcome) == ["throttled: the GPU's clock was at 60% of its highest"]
    assert outcome.valid is False
    assert outcome.samples["gpu_sm_mhz"] == [1188.0, 1188.0]


@pytest.mark.parametrize(
    ("bits", "word"),
    [
        (0x04, "power cap"),
        (0x08, "hardware slowdown"),
        (0x20, "heat (software)"),
        (0x40, "heat (hardware)"),
        (0x80, "power brake"),
    ],
)
def test_each_reason_of_the_card_is_told(on_card: Any, fake_nvml: Any, bits: int, word: str) -> None:
    fake_nvml.reasons = bits
    outcome = on_card()
    assert kinds(outcome) == [f"throttled: {word}"]
    assert outcome.samples["gpu_throttle_reasons"] == [bits, bits]


def test_an_idle_card_sleeps_and_a_clock_that_somebody_set_is_no_throttle(on_card: Any, fake_nvml: Any) -> None:
    fake_nvml.clock_mhz, fake_nvml.reasons = 345, 0x01
    assert kinds(on_card()) == []
    fake_nvml.clock_mhz, fake_nvml.reasons = 1200, 0x02  # the clock for applications is 1200
    assert kinds(on_card()) == []
    fake_nvml.clock_mhz = 700
    assert kinds(on_card()) == ["throttled: the GPU's clock was at 58% of its highest"]


def test_other_processes_on_the_card_are_flagged(on_card: Any, fake_nvml: Any) -> None:
    fake_nvml.processes = [(os.getpid(), 10), (1, 20), (2, None)]
    outcome = on_card()
    assert kinds(outcome) == ["not alone: 2 other processes on the GPU"]
    assert outcome.metrics["device_process_bytes"] == 10


def test_in_a_container_the_only_process_is_this_one(fake_nvml: Any) -> None:
    """There NVML tells process ids of another namespace."""
    fake_nvml.processes = [(4_000_000, 77)]
    watch = CardWatch(Card("GPU-1"))
    watch.stretch_begins()
    watch.stretch_ends()
    assert watch.process_bytes == 77
    assert watch.notes() == []
    fake_nvml.processes = []
    assert Card("GPU-1").read().own_bytes is None


def test_a_card_that_does_not_answer_claims_nothing(on_card: Any, fake_nvml: Any, monkeypatch: Any) -> None:
    def refuse(*given: Any) -> Any:
        raise fake_nvml.NVMLError("Not Supported")

    for name in ("ClockInfo", "MaxClockInfo", "CurrentClocksEventReasons", "ComputeRunningProcesses"):
        monkeypatch.setattr(type(fake_nvml), f"nvmlDeviceGet{name}", refuse)
    outcome = on_card()
    assert kinds(outcome) == []
    assert outcome.metrics["device_process_bytes"] is None
    assert "gpu_sm_mhz" not in outcome.samples


def test_a_card_that_nvml_does_not_know_is_said_not_guessed(on_card: Any, fake_nvml: Any) -> None:
    fake_nvml.uuid = "GPU-2"
    outcome = on_card()
    assert outcome.status == "ok"
    assert outcome.instruments["device_process_bytes"] == "not measured: NVML: Not Found"
    assert kinds(outcome) == []
