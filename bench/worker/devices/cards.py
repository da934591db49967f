"""What torch's back ends for graphics cards have in common: torch.cuda and torch.xpu answer to the same names."""

from abc import abstractmethod
from types import ModuleType
from typing import Any

import torch

from bench.worker.devices.base import Device, DeviceMemory


class TorchCard(Device):
    """A card that torch.cuda or a module like it drives: its allocator, its events, its generator.

    The card of the device's number is made the current one in `start`; the calls that take no card are of that one.
    """

    numbered = True
    # A synchronisation drains the queue: some 20 us, 0.01 % of 200 ms.
    block_seconds = 0.2

    def __init__(self) -> None:
        self._allocated = self._reserved = 0

    @property
    @abstractmethod
    def backend(self) -> ModuleType:
        """The module of torch."""

    @abstractmethod
    def missing(self) -> str:
        """Why there is no card at all, in one line; empty where there is one."""

    @property
    def index(self) -> int:
        return self.number or 0

    def unavailable(self) -> str:
        if missing := self.missing():
            return missing
        count = self.count()
        return (
            "" if self.index < count else f"{self.name}: the last one here is {self.name.partition(':')[0]}:{count - 1}"
        )

    def count(self) -> int:
        return 0 if self.missing() else int(self.backend.device_count())

    def start(self) -> None:
        self.backend.set_device(self.index)

    def describe(self) -> str:
        return str(self.backend.get_device_name(self.index))

    def label(self) -> str:
        return f"GPU ({self.name}): {self.describe()}"

    def synchronize(self) -> None:
        self.backend.synchronize()

    def reset_memory(self) -> None:
        self.backend.synchronize()
        self.backend.empty_cache()
        self.backend.reset_peak_memory_stats()
        self._allocated, self._reserved = self.backend.memory_allocated(), self.backend.memory_reserved()

    def memory(self) -> DeviceMemory:
        allocated = self.backend.max_memory_allocated() - self._allocated
        reserved = self.backend.max_memory_reserved() - self._reserved
        return DeviceMemory(allocated, reserved, "peak of torch's caching allocator over the baseline")

    def resume_memory(self) -> None:
        self.backend.synchronize()
        self.backend.reset_peak_memory_stats()

    def mark(self) -> Any:
        event = self.backend.Event(enable_timing=True)
        event.record()
        return event

    def seconds_between(self, start: Any, end: Any) -> float:
        return float(start.elapsed_time(end)) / 1e3

    def generator_state(self) -> torch.Tensor | None:
        found: torch.Tensor = self.backend.get_rng_state()
        return found

    def set_generator_state(self, state: torch.Tensor) -> None:
        self.backend.set_rng_state(state)
