"""The processor. Its memory is the host's, which bench.worker.measure.memory reads."""

import sys
import time

import psutil

from bench.registry import device
from bench.worker.devices.base import Device, DeviceMemory, missing_compiler
from bench.worker.measure.energy import RaplMeter
from bench.worker.measure.processor import cpu_model


@device("cpu")
class Cpu(Device):
    """The processor: always there, always synchronous."""

    name = "cpu"
    is_host = True
    how_marks = "clock of the host"

    def unavailable(self) -> str:
        return ""

    def describe(self) -> str:
        return f"{cpu_model()}, {psutil.cpu_count(logical=False) or psutil.cpu_count()} cores"

    def label(self) -> str:
        return "CPU"

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

    def energy_meter(self) -> RaplMeter:
        return RaplMeter()

    def cannot(self, precision: str) -> str:
        return "tf32 is a mode of NVIDIA tensor cores: not on a CPU" if precision == "tf32" else ""

    def cannot_compile(self) -> str:
        return missing_compiler("CXX", default="clang++" if sys.platform == "darwin" else "g++")
