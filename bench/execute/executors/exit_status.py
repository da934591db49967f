"""How the process of a trial ended, where it did not say so itself."""

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from bench.base.kernel import cgroup_folders, signal_name, text_of
from bench.base.records import Json


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a trial's process: its own `outcome`, or a status and a reason for it."""

    outcome: dict[str, Json] | None
    status: str = ""
    reason: str = ""


def oom_kills() -> int:
    """Returns how often the kernel has killed for lack of memory: in our cgroups (v2, v1), else on the machine."""
    root = Path("/sys/fs/cgroup")
    folders = {root, root / "memory", *cgroup_folders()}
    files = [folder / name for folder in folders for name in ("memory.events", "memory.oom_control")]
    counters = [re.search(r"^oom_kill (\d+)$", text_of(file), re.MULTILINE) for file in (*files, Path("/proc/vmstat"))]
    return sum(int(found[1]) for found in counters if found)


def ending(outcome: dict[str, Json] | None, *, wait_status: int, oom_kills_before: int) -> Ending:
    """Returns what a wait status means. `outcome`: what the process said of its trial before it ended, if anything."""
    if outcome is not None:
        return Ending(outcome)
    code = os.waitstatus_to_exitcode(wait_status)
    if code == -signal.SIGKILL and oom_kills() > oom_kills_before:
        return Ending(None, "oom", "the kernel killed the process: the host has no more memory")
    if code < 0:
        return Ending(None, "crashed", f"the process was {killed_by(-code, oom_kills_before=oom_kills_before)}")
    return Ending(None, "crashed", f"the process ended with exit code {code} and no result; its log may say why")


def killed_by(number: int, *, oom_kills_before: int) -> str:
    """`killed by SIGKILL`, and whether for lack of memory, as far as the kernel counts it."""
    name = signal_name(number)
    if number == signal.SIGKILL and oom_kills() > oom_kills_before:
        return f"killed by {name}: the host has no more memory (oom_kill, the memory cgroup's counter, has risen)"
    return f"killed by {name}"
