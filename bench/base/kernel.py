"""What the kernel says in files, and what it is asked for."""

import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # of prctl(2)
PRESSURE = Path("/proc/pressure/cpu")  # pressure stall information (Documentation/accounting/psi)
END_SECONDS = 5.0  # for processes that were killed to be gone: on a busy machine the kernel takes its time


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Asks the kernel for a signal to this process when the one that made it ends (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def adopt_orphans(*, on: bool = True) -> None:
    """Has every process that comes from this one become its child where the one that started it ends, or no longer
    (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)


def children() -> list[int]:
    """Returns the processes whose parent is this one (Linux), those that have ended and were not waited for too."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(child) for task in tasks for child in text_of(task).split()]


def environment_of(child: int) -> bytes:
    """Returns what a child was started with, as the kernel keeps it; empty of one that has ended."""
    for _ in range(100):
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            break
        try:
            if found := Path(f"/proc/{child}/environ").read_bytes():
                return found
        except OSError:  # it has ended just now, or is another user's
            break
        time.sleep(0.001)  # between two programs, in exec(2), it has none
    return b""


def end_children(left: Callable[[int], bool]) -> None:
    """Kills the children for which `left` holds, and what of theirs comes to this process thereby; waits for their end,
    though not for ever."""
    stop, killed = time.monotonic() + END_SECONDS, set[int]()
    while (found := [child for child in children() if child in killed or left(child)]) and time.monotonic() < stop:
        killed.update(found)
        for child in found:
            with suppress(ProcessLookupError, PermissionError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, os.WNOHANG)
        time.sleep(0.002)


def end_marked(mark: bytes) -> None:
    """Kills every process whose environment at its start held `mark`, whoever is its parent by now; waits for their
    end, though not for ever (Linux). The kernel's list of children may lack some while others of them end, and who lost
    its parent a moment too early is nobody's child here."""
    stop = time.monotonic() + END_SECONDS
    while (found := [pid for pid in _pids() if _environ(pid).find(mark) >= 0]) and time.monotonic() < stop:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.002)


def _pids() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")] if sys.platform == "linux" else []


def _environ(pid: int) -> bytes:
    """Empty of what has ended, and of another user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def has_to_go_on(child: int) -> bool:
    """Whether a child was stopped (what it has started can do that): then it is told to go on (Linux)."""
    if sys.platform != "linux":
        return False
    with suppress(ChildProcessError):
        if os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG) is not None:
            os.kill(child, signal.SIGCONT)
            return True
    return False


def signal_name(number: int) -> str:
    """`SIGKILL`, `signal 40`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def killed_by(number: int, *, oom_kills_before: int) -> str:
    """`killed by SIGKILL`, and whether for lack of memory, as far as the kernel counts it."""
    name = signal_name(number)
    if number == signal.SIGKILL and oom_kills() > oom_kills_before:
        return f"killed by {name}: the host has no more memory (oom_kill, the memory cgroup's counter, has risen)"
    return f"killed by {name}"


def oom_kills() -> int:
    """Returns how often the kernel has killed for lack of memory: in our cgroups (v2, v1), else on the machine."""
    root = Path("/sys/fs/cgroup")
    folders = {root, root / "memory", *cgroup_folders()}
    files = [folder / name for folder in folders for name in ("memory.events", "memory.oom_control")]
    counters = [re.search(r"^oom_kill (\d+)$", text_of(file), re.MULTILINE) for file in (*files, Path("/proc/vmstat"))]
    return sum(int(found[1]) for found in counters if found)


def memory_free(available: int) -> int:
    """Bytes that processes of ours may still take: what is `available` on the machine, and no more than their cgroups
    leave (v2, v1)."""
    left = [available]
    for folder in {one for own in cgroup_folders() for one in (own, *own.parents)}:
        for most, held in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            numbers = [text_of(folder / name).strip() for name in (most, held)]
            if all(number.isdigit() for number in numbers):
                left.append(int(numbers[0]) - int(numbers[1]))
    return max(0, min(left))


def hold_descriptors() -> None:
    """Has standard input, output and errors go nowhere where they are closed: before a file takes their number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one


def text_of(path: Path) -> str:
    """Returns what a file says, without white space around it; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def pressure_seconds() -> float | None:
    """Seconds in which some task of the machine waited for a core: `total` (in us) of the line `some`; None where the
    kernel does not say."""
    total = text_of(PRESSURE).partition("\n")[0].rpartition("total=")[2]
    return int(total) / 1e6 if total.isdigit() else None


def cgroup_folders() -> list[Path]:
    """Returns the folders of the control groups that this process is in, of v1 and v2; some may not be there."""
    root, folders = Path("/sys/fs/cgroup"), []
    for line in text_of(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        names = [root] if not controllers else [root / name for name in (controllers, *controllers.split(","))]
        folders += [base / path.lstrip("/") for base in names]
    return folders
