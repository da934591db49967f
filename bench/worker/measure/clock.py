"""The clock: monotonic, in nanoseconds, and read only when the device is done."""

from __future__ import annotations

import statistics
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

    def median_step_seconds(self, batch_size: int) -> float:
        """Median over blocks of the mean seconds of a step; over blocks of full batches where there are any."""
        every = list(zip(self.seconds, self.steps, self.samples, strict=True))
        full = [block for block in every if block[2] == block[1] * batch_size]
        return statistics.median(seconds / steps for seconds, steps, _ in full or every)

    def relative_seconds(self) -> list[float]:
        """Seconds of each block over the median of the blocks that did the same: as many steps of as many samples."""
        alike: dict[tuple[int, int], list[float]] = {}
        for seconds, *work in zip(self.seconds, self.steps, self.samples, strict=True):
            alike.setdefault((work[0], work[1]), []).append(seconds)
        return [second / statistics.median(group) for group in alike.values() for second in group]

    @property
    def samples_per_second(self) -> float | None:
        """All samples over the time of all blocks: a mean weighted by time, not a mean of rates."""
        total = sum(self.seconds)
        return sum(self.samples) / total if total > 0 else None
