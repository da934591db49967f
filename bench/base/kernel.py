"""What the kernel says in files, and what it is asked for."""

import ctypes
import signal
import sys
from pathlib import Path


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Asks the kernel for a signal to this process when the one that made it ends (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def text_of(path: Path) -> str:
    """Returns what a file says, without white space around it; empty where it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def cgroup_folders() -> list[Path]:
    """Returns the folders of the control groups that this process is in, of v1 and v2; some may not be there."""
    root, folders = Path("/sys/fs/cgroup"), []
    for line in text_of(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        names = [root] if not controllers else [root / name for name in (controllers, *controllers.split(","))]
        folders += [base / path.lstrip("/") for base in names]
    return folders
