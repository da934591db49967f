"""Peak of host memory: of this process, and of the tree of processes where a loader has workers.

Of the process by what its system has (bench.worker.measure.host_memory); no figure where that cannot be reset.

Of the tree PSS (proc(5), smaps_rollup): RSS counts a page that four workers share four times, PSS gives each a quarter
of it. Pages of files are left out: libraries are shared with every other program that has torch loaded, so that a part
of 200 MiB changes hands when one of them ends. The kernel keeps no peak of PSS, so it is sampled, between blocks, and
called so.
"""

import ctypes
import gc
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.base.kernel import text_of
from bench.worker.common import checked
from bench.worker.devices.base import Device
from bench.worker.measure.host_memory import HostMemory, Reading, host_memory

PROC = Path("/proc")
PSS = re.compile(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)  # Linux 5.9 and newer
# Reading the maps of a process that has torch loaded takes some 5 ms.
SECONDS_BETWEEN_SAMPLES = 0.25
HOW_TREE = "sampled between blocks: PSS of the process and its loader workers, without files, over the baseline"


def release() -> None:
    """Give back what is free: collect garbage, then ask glibc to return its free pages."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


@dataclass(slots=True)
class HostPeak:
    """The peak of this process's memory over what it held at `start`, in bytes.

    `pause` before evaluation and `resume` after it keep evaluation out: the peak is the largest over the stretches
    between, and what an evaluation leaves in the heap moves the baseline. Pages of files that come in meanwhile (code
    of the libraries, mapped data) are nobody's weights or activations, and not counted.
    `bytes`: the largest stretch; None before the first `pause`, and where there is no instrument. Raises nothing.
    """

    how: str = ""
    bytes: int | None = None
    _instrument: HostMemory | None = None
    _start: Reading | None = None
    _paused: Reading | None = None
    _residue: int = 0

    def start(self) -> None:
        """Take the baseline. What was allocated before, and is still held, is not counted."""
        release()
        self._instrument = host_memory()  # which resets the mark
        if self._instrument is not None:
            self.how, self._start = self._instrument.how, self._instrument.read()

    def pause(self) -> None:
        """Close the stretch: what comes next is not counted."""
        self._paused = now = self._now()
        if self._start is not None and now is not None:
            files = max(0, now.of_files - self._start.of_files)
            over = now.peak - self._start.peak - files - self._residue
            self.bytes = max(over, self.bytes or 0)

    def resume(self) -> None:
        """Open the next stretch."""
        if self._instrument is None:
            return
        self._instrument.reset()
        now = self._now()
        if now is not None and self._paused is not None:
            grown = now.resident - now.of_files - (self._paused.resident - self._paused.of_files)
            self._residue += max(0, grown)

    def at_least(self, peak: int | None) -> None:
        """Take up the peak of a process before this one, over its own baseline."""
        self.bytes = _larger(self.bytes, peak)

    def _now(self) -> Reading | None:
        return None if self._instrument is None else self._instrument.read()


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
        if self._baseline is None or time.monotonic() - self._last < SECONDS_BETWEEN_SAMPLES:
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
    found = PSS.findall(text_of(PROC / str(pid) / "smaps_rollup"))
    return sum(int(each) for each in found) * 1024 if found else None


@dataclass(slots=True)
class Peaks:
    """Peaks of host and device over the same stretches; with loader workers, of the tree of processes too."""

    device: Device
    host: HostPeak = field(default_factory=HostPeak)
    tree: TreePeak | None = None
    allocated: int | None = None
    reserved: int | None = None
    how_device: str = ""

    def start(self) -> None:
        self.device.reset_memory()
        if self.tree is not None:
            self.tree.start()
        self.host.start()

    def observe(self) -> None:
        """Called between blocks: PSS can only be sampled. (What the device samples, the loop asks it for.)"""
        if self.tree is not None:
            self.tree.observe()

    def pause(self) -> None:
        """Close the stretch on both."""
        if self.tree is not None:
            self.tree.observe()
        self.host.pause()
        seen = self.device.memory()
        self.allocated, self.reserved = _larger(self.allocated, seen.allocated), _larger(self.reserved, seen.reserved)
        self.how_device = seen.how

    def resume(self) -> None:
        self.device.resume_memory()
        self.host.resume()

    def state_dict(self) -> dict[str, Any]:
        """The peaks so far, in bytes."""
        tree = self.tree.bytes if self.tree else None
        return {"host": self.host.bytes, "tree": tree, "allocated": self.allocated, "reserved": self.reserved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the peaks of the process before: what counts is the larger one. ValueError: they are none."""
        peaks = (state[name] for name in ("host", "tree", "allocated", "reserved"))
        host, tree, allocated, reserved = (None if peak is None else checked.whole(peak) for peak in peaks)
        self.host.at_least(host)
        if self.tree is not None:
            self.tree.at_least(tree)
        self.allocated, self.reserved = _larger(self.allocated, allocated), _larger(self.reserved, reserved)

    def metrics(self) -> dict[str, float | None]:
        """The columns, in bytes; None where the machine has no such figure."""
        return {
            "host_peak_bytes": self.host.bytes,
            "device_peak_allocated_bytes": self.allocated,
            "device_peak_reserved_bytes": self.reserved,
            "host_tree_peak_bytes": self.tree.bytes if self.tree else None,
        }

    def instruments(self) -> dict[str, str]:
        """Returns how each figure was read: a peak that was only sampled is called so."""
        found = {"host_peak_bytes": self.host.how} if self.host.how else {}
        if self.how_device:
            found |= dict.fromkeys(("device_peak_allocated_bytes", "device_peak_reserved_bytes"), self.how_device)
        return found | ({"host_tree_peak_bytes": HOW_TREE} if self.tree and self.tree.bytes is not None else {})


def _larger(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)
