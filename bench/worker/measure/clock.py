"""The clock: monotonic, in nanoseconds, and read only when the device is done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench.worker.devices.base import Device

# What reading perf_counter_ns twice costs on a slow machine, in seconds; a block lasts 10,000 times as long.
CLOCK_COST_SECONDS = 1e-7
CLOCK_SHARE = 1e-4


def read(device: Device) -> int:
    """Nanoseconds on the monotonic clock, after everything that was asked of `device` is done."""
    device.synchronize()
    return time.perf_counter_ns()


def steps_per_block(step_seconds: float, *, block_seconds: float, most: int) -> int:
    """How many steps to time together so that a block lasts `block_seconds`; between 1 and `most`."""
    if step_seconds <= 0:
        return most
    return max(1, min(most, round(block_seconds / step_seconds)))


def fewest_steps(step_seconds: float) -> int:
    """The fewest steps whose time makes the clock's own cost less than 0.01 %."""
    if step_seconds <= 0:
        return 1
    return max(1, -int(-CLOCK_COST_SECONDS // (CLOCK_SHARE * step_seconds)))


@dataclass(slots=True)
class Blocks:
    """Raw samples of timed blocks of steps: seconds, steps and samples of each, in the order they ran."""

    seconds: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)

    def add(self, *, nanoseconds: int, steps: int, samples: int) -> None:
        self.seconds.append(nanoseconds / 1e9)
        self.steps.append(steps)
        self.samples.append(samples)

    @property
    def step_seconds(self) -> list[float]:
        """Mean seconds of a step in each block."""
        return [seconds / steps for seconds, steps in zip(self.seconds, self.steps, strict=True)]

    @property
    def samples_per_second(self) -> float | None:
        """All samples over the time of all blocks: a mean weighted by time, not a mean of rates."""
        total = sum(self.seconds)
        return sum(self.samples) / total if total > 0 else None
