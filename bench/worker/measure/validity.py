"""Is a figure to be trusted: was anything else on the machine, did the time of a step jump about?

A verdict stands beside the figure; it never removes it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.worker.measure.clock import Blocks

TASKS = Path("/proc/self/task")

# Share of the wall time that a thread of ours was ready to run and had to wait for a core. Beside one busy process
# a third and more, alone a few thousandths (measured on 2 cores).
WAIT_SHARE = 0.05
IQR_SHARE, SD_SHARE = 0.10, 0.10
FEWEST_BLOCKS = 5


def run_queue_wait_seconds() -> float | None:
    """Seconds that the threads of this process have waited for a core; None where the kernel does not say.

    Second field of /proc/self/task/*/schedstat (Documentation/scheduler/sched-stats). Not CPU over wall time: that
    flags every model that sleeps.
    """
    try:
        return sum(int((task / "schedstat").read_text().split()[1]) for task in TASKS.iterdir()) / 1e9
    except (OSError, IndexError, ValueError):
        return None


@dataclass(slots=True)
class Contention:
    """Waiting for a core, summed over the stretches that are timed."""

    wait_seconds: float = 0.0
    wall_seconds: float = 0.0
    known: bool = True

    def add(self, *, before: float | None, after: float | None, wall_seconds: float) -> None:
        if before is None or after is None:
            self.known = False
            return
        self.wait_seconds += max(0.0, after - before)
        self.wall_seconds += wall_seconds

    @property
    def share(self) -> float | None:
        """Seconds of waiting, of all threads together, a second of wall time."""
        return self.wait_seconds / self.wall_seconds if self.known and self.wall_seconds > 0 else None


def unstable(seconds: Sequence[float]) -> str:
    """Why blocks of equal work cannot be called equally long; empty where they can. `seconds`: one value a block."""
    if len(seconds) < FEWEST_BLOCKS:
        return ""
    first, median, third = statistics.quantiles(seconds, n=4, method="inclusive")
    mean, sd = statistics.fmean(seconds), statistics.stdev(seconds)
    if median > 0 and (third - first) / median >= IQR_SHARE:
        return f"unstable: the middle half of the step times spans {(third - first) / median:.0%} of their median"
    if mean > 0 and sd / mean >= SD_SHARE:
        return f"unstable: sd of the step times is {sd / mean:.0%} of their mean"
    return ""


def notes(*, blocks: Blocks, contention_share: float | None, warmup_steps: int) -> list[str]:
    """Everything that makes the timings of a trial doubtful, one line each."""
    found = []
    if warmup_steps < 1:
        found.append("cold: no warm-up steps")
    if contention_share is not None and contention_share >= WAIT_SHARE:
        found.append(f"not alone: threads waited for a core {contention_share:.0%} of the time")
    if len(blocks.seconds) < FEWEST_BLOCKS:
        found.append(f"few samples: {len(blocks.seconds)} timed blocks, fewer than {FEWEST_BLOCKS}")
    if jumpy := unstable(blocks.relative_seconds()):
        found.append(jumpy)
    return found
