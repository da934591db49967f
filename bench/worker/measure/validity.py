"""Whether timings are to be trusted: was other work on the machine, did the time of a step vary too much?

A verdict stands beside the figure; it never removes it.
"""

import statistics
from collections.abc import Sequence

from bench.worker.measure.clock import Blocks

# Share of the wall time that a thread of ours was ready to run and had to wait for a core. Beside one busy process
# a third and more, alone a few thousandths (measured on 2 cores).
WAIT_SHARE = 0.05
# Share of the wall time that some task of the machine, of ours or not, waited for a core (PSI). Alone at most 3 %. The
# scheduler may keep a core for a short trial while four busy processes share the other one: 50 %, and no wait of ours.
PRESSURE_SHARE = 0.20
# Share of the wall time in which a cgroup's quota was used up. Any of it stretches steps: 1 % is what noise is.
THROTTLED_SHARE = 0.01
IQR_SHARE, SD_SHARE = 0.10, 0.10
FEWEST_BLOCKS = 5


def unstable(seconds: Sequence[float]) -> str:
    """Returns why blocks of equal work took unequal times; empty where they did not. `seconds`: one value a block."""
    if len(seconds) < FEWEST_BLOCKS:
        return ""
    first, median, third = statistics.quantiles(seconds, n=4, method="inclusive")
    mean, sd = statistics.fmean(seconds), statistics.stdev(seconds)
    if median > 0 and (third - first) / median >= IQR_SHARE:
        return f"unstable: the middle half of the step times spans {(third - first) / median:.0%} of their median"
    if mean > 0 and sd / mean >= SD_SHARE:
        return f"unstable: sd of the step times is {sd / mean:.0%} of their mean"
    return ""


def notes(
    *,
    blocks: Blocks,
    contention_share: float | None,
    warmup_steps: int,
    pressure_share: float | None = None,
    throttled_share: float | None = None,
    loader_workers: int = 0,
    of_device: Sequence[str] = (),
) -> list[str]:
    """Returns all that makes the timings of a trial doubtful, one line each. `of_device`: what its device says."""
    found = []
    if warmup_steps < 1:
        found.append("cold: no warm-up steps")
    if contention_share is not None and contention_share >= WAIT_SHARE:
        own = f", which its {loader_workers} loader workers want too" if loader_workers else ""
        found.append(f"not alone: threads waited for a core {contention_share:.0%} of the time{own}")
    elif pressure_share is not None and pressure_share >= PRESSURE_SHARE and not loader_workers:
        found.append(f"not alone: tasks on this machine waited for a core {pressure_share:.0%} of the time")
    if throttled_share is not None and throttled_share >= THROTTLED_SHARE:
        found.append(f"throttled: the container's CPU quota was used up {throttled_share:.0%} of the time")
    found += of_device
    if len(blocks.seconds) < FEWEST_BLOCKS:
        found.append(f"few samples: {len(blocks.seconds)} timed blocks, fewer than {FEWEST_BLOCKS}")
    if jumpy := unstable(blocks.relative_seconds()):
        found.append(jumpy)
    return found
