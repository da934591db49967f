"""`--wait-quiet`: waits until other programs leave the machine alone, before the first trial of a run.

What this process itself uses is not in it. It sleeps between two readings.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from bench.base.kernel import pressure_seconds
from bench.present.format import number, plural
from bench.suite.plan import time_text

WINDOW_SECONDS = 2.0  # between two readings: the kernel counts a core's time in steps of 10 ms, 0.5 % of it
IN_A_ROW = 2  # readings that are quiet: a program that pauses for a moment is not over
# Of the cores: what others use is taken from a trial with a thread on each. A twentieth is where such a trial is called
# not alone for what its threads waited, and where the half-width of a timing makes it rough.
QUIET_SHARE = 0.05
# Of the time: where a trial is called not alone for what tasks of the whole machine waited. Alone at most 0.03.
QUIET_PRESSURE = 0.20


@dataclass(frozen=True, slots=True)
class Counters:
    """Seconds at one moment: of the clock, that the cores we may use were busy, that this process and its children had
    of them, that some task waited for a core (None: the kernel does not say)."""

    clock: float
    busy: float
    own: float
    pressure: float | None
    cores: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What others did between two moments: share of the cores that they used, and of the time that some task waited."""

    share: float
    pressure: float | None
    cores: int

    @property
    def quiet(self) -> bool:
        return self.share < QUIET_SHARE and (self.pressure is None or self.pressure < QUIET_PRESSURE)

    def text(self, load: float | None) -> str:
        """`2 % of 2 cores in use by others, some task waited for one 1 % of the time, load 0.3`"""
        parts = [f"{_percent(self.share)} of {plural(self.cores, 'core')} in use by others"]
        if self.pressure is not None:
            parts.append(f"some task waited for one {_percent(self.pressure)} of the time")
        return ", ".join([*parts, *([] if load is None else [f"load {load:.1f}"])])


def _percent(share: float) -> str:
    return f"{number(100 * share, decimals=0)} %"


def counters() -> Counters:
    """The counters now. Time that other guests of the host took (steal) is busy: we could not have it either."""
    each = psutil.cpu_times(percpu=True)
    if hasattr(os, "sched_getaffinity"):
        each = [times for core, times in enumerate(each) if core in os.sched_getaffinity(0)] or each
    # Of Linux, `user` holds what guests of this machine use already.
    idle = {"idle", "iowait", "guest", "guest_nice"}
    busy = sum(value for times in each for name, value in times._asdict().items() if name not in idle)
    return Counters(time.monotonic(), busy, sum(os.times()[:4]), pressure_seconds(), len(each))


def reading(before: Counters, after: Counters) -> Reading:
    """What others did between the two."""
    seconds = max(after.clock - before.clock, 1e-3)
    used = (after.busy - before.busy) - (after.own - before.own)
    both = after.pressure is not None and before.pressure is not None
    pressure = (after.pressure or 0.0) - (before.pressure or 0.0)
    share = min(1.0, max(0.0, used / seconds / after.cores))
    return Reading(share, min(1.0, max(0.0, pressure / seconds)) if both else None, after.cores)


def load() -> float | None:
    """Mean number of tasks that ran or wanted to, over the last minute: told, not judged, since it is slow to fall."""
    with suppress(OSError, AttributeError):
        return os.getloadavg()[0]
    return None


def wait_until_quiet(
    most_seconds: float,
    *,
    say: Callable[[str], object],
    read: Callable[[], Counters] = counters,
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Returns what was read last, in words, once it is quiet, or after `most_seconds`; says when it begins to wait, and
    how that ends."""
    first = before = read()
    in_a_row, said = 0, False
    while True:
        left = most_seconds - (before.clock - first.clock)
        sleep(min(WINDOW_SECONDS, max(left, WINDOW_SECONDS / 4)))
        after = read()
        found, waited = reading(before, after), after.clock - first.clock
        before, in_a_row = after, in_a_row + 1 if found.quiet else 0
        over, text = waited >= most_seconds, found.text(load())
        if found.quiet and (over or in_a_row == IN_A_ROW):
            ending = f"quiet after {waited:.0f} s: {text}"
            say(ending)
            return ending
        if over:
            ending = f"not quiet after {waited:.0f} s: {text}"
            say(f"{ending}; it begins all the same: timings that this disturbs are marked, accuracies are not affected")
            return ending
        if not found.quiet and not said:
            limits = f"quiet is below {_percent(QUIET_SHARE)} and {_percent(QUIET_PRESSURE)}"
            say(f"waiting until the machine is quiet, {time_text(most_seconds)} at most: {text} ({limits})")
            said = True
