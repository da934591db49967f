"""Memory of a tree of processes: the trial and its loader workers, by PSS.

RSS counts a page that four workers share four times; PSS (proc(5), smaps_rollup) gives each a quarter of it. Pages of
files are left out: libraries are shared with every other program that has torch loaded, so that a part of 200 MiB
changes hands when one of them ends. The kernel keeps no peak of PSS, so it is sampled, between blocks, and called so.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.base.kernel import text_of

PROC = Path("/proc")
PSS = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)  # Linux 5.9 and newer
# Reading the maps of a process that has torch loaded takes some 5 ms.
SECONDS_BETWEEN = 0.25
HOW = "sampled between blocks: PSS of the process and its loader workers, without files, over the baseline"


@dataclass(slots=True)
class TreePeak:
    """Largest sum of PSS that was seen, over that at `start`, in bytes; None where the kernel has no PSS."""

    _baseline: int | None = None
    _largest: int | None = None
    _last: float = float("-inf")

    def start(self) -> None:
        """Take the baseline."""
        self._baseline = tree_pss()

    def observe(self) -> None:
        """Take a sample, where the last one is a quarter of a second old."""
        if self._baseline is None or time.monotonic() - self._last < SECONDS_BETWEEN:
            return
        seen = tree_pss()
        if seen is not None:
            self._largest = max(seen, self._largest or 0)
        self._last = time.monotonic()

    def at_least(self, peak: int | None) -> None:
        """Take up the peak of a process before this one, over its own baseline."""
        if self._baseline is not None and peak is not None:
            self._largest = max(self._largest or 0, self._baseline + peak)

    @property
    def bytes(self) -> int | None:
        if self._baseline is None or self._largest is None:
            return None
        return max(0, self._largest - self._baseline)


def tree_pss() -> int | None:
    """Bytes of this process, of all below it and of its parent; None where the kernel does not say.

    The parent is in the sum because a trial is forked from it: what the two share is charged to it in part, and every
    worker that is forked moves some of that over. It sleeps, so that in a difference only this remains.
    """
    own = _pss(os.getpid())
    if own is None:
        return None
    return own + sum(_pss(pid) or 0 for pid in (os.getppid(), *descendants(os.getpid())))


def descendants(pid: int) -> Iterator[int]:
    """Children, their children and so on (/proc/<pid>/task/*/children)."""
    for path in (PROC / str(pid) / "task").glob("*/children"):
        for child in text_of(path).split():  # none of one that has just ended
            yield int(child)
            yield from descendants(int(child))


def _pss(pid: int) -> int | None:
    try:
        found = PSS.findall((PROC / str(pid) / "smaps_rollup").read_bytes())
    except OSError:
        return None
    return sum(int(each) for each in found) * 1024 if found else None
