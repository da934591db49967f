"""Peak of host memory.

On Linux VmHWM of /proc/self/status, which the kernel keeps exactly and which writing 5 to /proc/self/clear_refs
resets (proc(5)). `ru_maxrss` cannot be reset and is inherited over fork and exec: a child of 10 MiB of a parent
of 1 GiB reads 1 GiB. Elsewhere the best reading that the system has, by name.
"""

from __future__ import annotations

import ctypes
import gc
import re
import resource
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.worker.devices.base import Device

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
HIGH_WATER = re.compile(rb"VmHWM:\s+(\d+) kB")


def _high_water() -> int | None:
    try:
        found = HIGH_WATER.search(STATUS.read_bytes())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _reset_high_water() -> bool:
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def release() -> None:
    """Give back what is free: collect garbage, then ask glibc to return its free pages."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


@dataclass(slots=True)
class HostPeak:
    """Peak of this process over the moment of `start`, in bytes.

    `pause` before evaluation and `resume` after it keep evaluation out: the peak is the largest over the stretches
    between. Raises nothing: where no instrument is there `bytes` is None.
    """

    how: str = ""
    _baseline: int | None = None
    _peak: int | None = None

    def start(self) -> None:
        """Take the baseline. What was allocated before, and is still held, is not counted."""
        release()
        if _reset_high_water():
            self.how = "VmHWM after a reset"
            self._baseline = _high_water()
        else:
            self.how = "ru_maxrss (cannot be reset: a lower bound)"
            self._baseline = _maxrss()

    def pause(self) -> None:
        """Close the stretch: what comes next is not counted."""
        now = _high_water() if self.how.startswith("VmHWM") else _maxrss()
        if now is not None:
            self._peak = max(now, self._peak or 0)

    def resume(self) -> None:
        """Open the next stretch."""
        if self.how.startswith("VmHWM"):
            _reset_high_water()

    @property
    def bytes(self) -> int | None:
        """Largest stretch over the baseline; None before the first `pause`."""
        if self._peak is None or self._baseline is None:
            return None
        return max(0, self._peak - self._baseline)


@dataclass(slots=True)
class Peaks:
    """Peaks of host and device over the same stretches."""

    device: Device
    host: HostPeak = field(default_factory=HostPeak)
    allocated: int | None = None
    reserved: int | None = None

    def start(self) -> None:
        self.device.reset_memory()
        self.host.start()

    def pause(self) -> None:
        """Close the stretch on both."""
        self.host.pause()
        seen = self.device.memory()
        self.allocated, self.reserved = _larger(self.allocated, seen.allocated), _larger(self.reserved, seen.reserved)

    def resume(self) -> None:
        self.device.resume_memory()
        self.host.resume()

    def metrics(self) -> dict[str, float | None]:
        """The three columns, in bytes; None where the machine has no such figure."""
        return {
            "host_peak_bytes": self.host.bytes,
            "device_peak_allocated_bytes": self.allocated,
            "device_peak_reserved_bytes": self.reserved,
        }


def _larger(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)


def _maxrss() -> int:
    # In kB, but on macOS in bytes (getrusage(2) of each).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
