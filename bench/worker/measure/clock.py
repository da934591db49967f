"""The clock: monotonic, in nanoseconds, read only when the device is done. And what the time of a step goes to.

A step waits for data, transfers, computes, launches. Data and transfer lie outside the timed blocks, computing and
launching inside. What a block of an asynchronous device takes is not what the device has to do: where kernels are short
it waits for the host to launch the next. So a step is taken on a device that is held busy meanwhile; behind that all
its kernels pile up, and then run without a gap (the way of NVBench's blocking kernel). What a step takes longer than
that in the loop is launch overhead.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench.worker.devices.base import Device

# What reading perf_counter_ns twice costs on a slow machine, in seconds; a block lasts 10,000 times as long.
CLOCK_COST_SECONDS = 1e-7
CLOCK_SHARE = 1e-4
HELD_STEPS = 10
# The device is held for so many times what a step takes: longer than the host takes to launch it.
HOLD_FACTOR, LEAST_HOLD_SECONDS, MOST_HOLD_SECONDS = 2.0, 1e-3, 0.05

T = TypeVar("T")


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
    """Raw samples of timed blocks of steps: seconds, steps, samples and round of each, in the order they ran."""

    seconds: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)

    def add(self, *, nanoseconds: int, steps: int, samples: int, round: int = -1) -> None:
        """`round`: of the turns that trials share; -1: the block belongs to none."""
        self.seconds.append(nanoseconds / 1e9)
        self.steps.append(steps)
        self.samples.append(samples)
        self.rounds.append(round)

    def followed_by(self, others: "Blocks") -> "Blocks":
        """These and `others`."""
        return Blocks(*(getattr(self, name) + getattr(others, name) for name in self.__dataclass_fields__))

    def median_step_seconds(self, batch_size: int) -> float:
        """Median over blocks of the mean seconds of a step; over blocks of full batches where there are any."""
        every = list(zip(self.seconds, self.steps, self.samples, strict=True))
        full = [block for block in every if block[2] == block[1] * batch_size]
        return statistics.median(seconds / steps for seconds, steps, _ in full or every)

    @property
    def samples_per_second(self) -> float | None:
        """All samples over the time of all blocks: a mean weighted by time, not a mean of rates."""
        total = sum(self.seconds)
        return sum(self.samples) / total if total > 0 else None


@dataclass(slots=True)
class Transfers:
    """Time of copies from host to device: that of the device by its marks, and what the host spent on asking."""

    device: Device
    _asked: int = 0
    _mark: Any = None
    _host: int = 0
    _pending: list[tuple[Any, Any]] = field(default_factory=list)

    def begins(self) -> None:
        self._asked, self._mark = time.perf_counter_ns(), self.device.mark()

    def ends(self) -> None:
        if self._mark is not None:
            self._pending.append((self._mark, self.device.mark()))
        self._host += time.perf_counter_ns() - self._asked

    def take(self) -> tuple[int, float]:
        """Nanoseconds of the host and seconds of the device since the last call; the device has to be done."""
        seconds = sum(self.device.seconds_between(start, end) for start, end in self._pending)
        host, self._host = self._host, 0
        self._pending.clear()
        return host, seconds


@dataclass(slots=True)
class Waits:
    """What one epoch waited for outside of its blocks."""

    transfers: Transfers | None = None
    data_nanoseconds: int = 0
    transfer_seconds: float = 0.0

    def over(self, chunks: Iterator[T]) -> Iterator[T]:
        """`chunks`, with the time that each takes to come."""
        while True:
            start = time.perf_counter_ns()
            chunk = next(chunks, None)
            self.data_nanoseconds += time.perf_counter_ns() - start
            if chunk is None:
                return
            yield chunk

    def device_is_done(self) -> None:
        """Called after a block: the transfers before it can be read, and are no waiting for data."""
        if self.transfers is not None:
            host, seconds = self.transfers.take()
            self.data_nanoseconds -= host
            self.transfer_seconds += seconds


def seconds_alone(step: Callable[[], object], device: Device, *, step_seconds: float) -> float:
    """Median seconds that `device`, which can be held, takes for a step when it never waits for the host.

    `step_seconds`: about what a step takes. A step that waits for the device in its midst (LBFGS, a gradient scaler)
    has gaps all the same: for such a step this is an upper bound.
    """
    seconds = min(MOST_HOLD_SECONDS, max(LEAST_HOLD_SECONDS, HOLD_FACTOR * step_seconds))
    found = []
    for _ in range(HELD_STEPS):
        device.synchronize()
        device.hold(seconds)
        start = device.mark()
        step()
        end = device.mark()
        device.synchronize()
        found.append(device.seconds_between(start, end))
    return statistics.median(found)
