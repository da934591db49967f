"""What every kind of device answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Peaks in bytes since `reset_memory`, over the baseline there; None where the device has no such figure."""

    allocated: int | None = None
    reserved: int | None = None
    how: str = ""


class Device(ABC):
    """One kind of device: is it there, wait until it is done, what does it hold.

    A subclass has no state but its memory baseline and costs nothing to build: asking `unavailable` is what may
    touch a driver.
    """

    name: str
    # Seconds that a block of steps should last at least: long enough that reading the clock, with the
    # synchronisation that this takes, costs less than 0.01 % of it.
    block_seconds: float = 0.02
    # How `mark` is read, in words; empty where there is none.
    how_marks: str = ""
    # Whether `hold` is there: on a device that does its work later than it is asked for.
    can_hold: bool = False

    @property
    def torch_device(self) -> torch.device:
        return torch.device(self.name)

    @abstractmethod
    def unavailable(self) -> str:
        """Empty where the device can be used here, else one line that says why not and what to do."""

    @abstractmethod
    def describe(self) -> str:
        """What the device is, in words: the card or the processor."""

    @abstractmethod
    def synchronize(self) -> None:
        """Return when everything that was asked of the device is done."""

    @abstractmethod
    def reset_memory(self) -> None:
        """Start a new peak; what is held now is the baseline."""

    @abstractmethod
    def memory(self) -> DeviceMemory:
        """Peaks since the last reset, over its baseline."""

    def observe_memory(self) -> None:
        """Called between blocks: a device that keeps no peak takes a sample."""

    def resume_memory(self) -> None:
        """Start a new peak over the old baseline."""

    def mark(self) -> Any:
        """This moment in the order of the device's work, for `seconds_between`; None where it has no such thing."""
        return None

    def seconds_between(self, start: Any, end: Any) -> float:
        """Seconds that the device took from one mark to another. Both have to be over: synchronize before."""
        raise NotImplementedError(f"{self.name} gives no marks")

    def hold(self, seconds: float) -> None:
        """Give the device something to do that takes at least so long: what is asked of it next piles up behind it."""
        raise NotImplementedError(f"{self.name} cannot be held")

    def generator_state(self) -> torch.Tensor | None:
        """State of the device's own generator of random numbers, (n,) uint8 on the host; None where it has none."""
        return None

    def set_generator_state(self, state: torch.Tensor) -> None:
        """Put the generator where `generator_state` found it."""

    def uuid(self) -> str:
        """What NVML calls the card, GPU-…; empty where it is no NVIDIA card."""
        return ""

    def cannot(self, precision: str) -> str:
        """Why a precision cannot be had here, in one line; empty where it can."""
        return ""

    def set_precision(self, precision: str) -> None:
        """Switch what `precision` needs on the device beyond autocast (tf32). Nothing by default."""

    def cannot_capture(self) -> str:
        """Why operations cannot be captured and replayed here, in one line; empty where they can."""
        return f"{self.name} has no graphs of launches that could be captured: use engine 'eager'"

    def aside(self, call: Callable[[], object]) -> None:
        """Run `call` beside what else was asked of the device (on a stream of its own), and wait until it is done."""
        call()
        self.synchronize()

    def capture(self, call: Callable[[], object]) -> Callable[[], None]:
        """Record what `call` asks of the device, without running it; returns the call that runs it."""
        raise NotImplementedError(self.cannot_capture())

    def set_deterministic(self, deterministic: bool) -> None:
        """Ask the device's libraries for deterministic algorithms, or allow them to search for fast ones."""
