"""The processor. Its memory is the host's, which bench.worker.measure.memory reads."""

from __future__ import annotations

import time

import psutil

from bench.registry import device
from bench.worker.devices.base import Device, DeviceMemory
from bench.worker.devices.processor import cpu_model


@device("cpu")
class Cpu(Device):
    """The processor: always there, always synchronous."""

    name = "cpu"
    how_marks = "clock of the host"

    def unavailable(self) -> str:
        return ""

    def describe(self) -> str:
        return f"{cpu_model()}, {psutil.cpu_count(logical=False) or psutil.cpu_count()} cores"

    def synchronize(self) -> None:
        """Operations on the CPU return when they are done."""

    def mark(self) -> int:
        return time.perf_counter_ns()

    def seconds_between(self, start: int, end: int) -> float:
        return (end - start) / 1e9

    def reset_memory(self) -> None:
        """Host memory is measured by the process, not by the device."""

    def memory(self) -> DeviceMemory:
        return DeviceMemory()

    def cannot(self, precision: str) -> str:
        return "tf32 is a mode of NVIDIA tensor cores: not on a CPU" if precision == "tf32" else ""
