"""What a system knows of this process's memory: its high-water mark, which has to be resettable, and what it holds now.

Linux: VmHWM of /proc/self/status, which the kernel keeps exactly and which writing 5 to /proc/self/clear_refs resets
(proc(5)). macOS: the physical footprint, of which the kernel keeps the largest since a reset (proc_pid_rusage and
proc_reset_footprint_interval of libproc; `struct rusage_info_v4` of <sys/resource.h>). Its pages of files are in no
footprint.

`ru_maxrss` is no instrument: it cannot be reset, is inherited over fork and exec (a child of 10 MiB of a parent of
1 GiB reads 1 GiB), and on macOS counts the pages of libraries.
"""

import ctypes
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FIELD = re.compile(rb"^(VmHWM|VmRSS|RssFile):\s+(\d+) kB", re.MULTILINE)

RUSAGE_INFO_V4 = 4
USAGE_WORDS = 35  # of 8 bytes, after 16 bytes of a UUID
FOOTPRINT, LARGEST_FOOTPRINT = 7, 33  # ri_phys_footprint and ri_interval_max_phys_footprint among them


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes: the high-water mark since the last reset, what is resident now, and how much of that is pages of files."""

    peak: int
    resident: int
    of_files: int


@dataclass(frozen=True, slots=True)
class HostMemory:
    """The instrument of a system. `read` gives None, and `reset` False, where the system refuses."""

    how: str
    read: Callable[[], Reading | None]
    reset: Callable[[], bool]

    @property
    def works(self) -> bool:
        """Whether both answer here, and with figures that can be: sandboxes allow one of them, or none."""
        if not self.reset():
            return False
        found = self.read()
        return found is not None and 0 < found.resident <= found.peak


def host_memory() -> HostMemory | None:
    """The instrument of this system; None where there is none that can be reset, or where it is not allowed."""
    if sys.platform == "linux":
        found: HostMemory | None = HostMemory("VmHWM after a reset", read_status, reset_status)
    elif sys.platform == "darwin":
        found = of_macos(ctypes.CDLL(None))
    else:
        found = None
    return found if found is not None and found.works else None


def read_status() -> Reading | None:
    """What /proc/self/status says; None where it is not there."""
    try:
        found = {name: int(value) * 1024 for name, value in FIELD.findall(STATUS.read_bytes())}
        return Reading(found[b"VmHWM"], found[b"VmRSS"], found[b"RssFile"])
    except (OSError, KeyError):
        return None


def reset_status() -> bool:
    """Sets VmHWM to what is resident now. False where the kernel does not allow it."""
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


class _Usage(ctypes.Structure):
    _fields_ = (("uuid", ctypes.c_uint8 * 16), ("words", ctypes.c_uint64 * USAGE_WORDS))


def of_macos(system: Any) -> HostMemory | None:
    """The footprint, by the functions of `system`, the libraries that are loaded; None where it lacks one of them."""
    usage_of, reset_of = (getattr(system, name, None) for name in ("proc_pid_rusage", "proc_reset_footprint_interval"))
    if usage_of is None or reset_of is None:
        return None

    def read() -> Reading | None:
        usage = _Usage()
        if usage_of(os.getpid(), RUSAGE_INFO_V4, ctypes.byref(usage)) != 0:
            return None
        return Reading(usage.words[LARGEST_FOOTPRINT], usage.words[FOOTPRINT], 0)

    def reset() -> bool:
        return bool(reset_of(os.getpid()) == 0)

    return HostMemory("largest physical footprint after a reset", read, reset)
