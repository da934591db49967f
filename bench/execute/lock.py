"""The machine-wide lock: one measured trial at a time, whoever runs it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

# Not the temp folder of the user: two users on one machine must meet here.
LOCK = Path("/tmp/bench-measuring.lock")  # noqa: S108


class MeasureLock:
    """An flock(2) on a file that everybody may open; the kernel takes it back when the process ends."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(os.environ.get("BENCH_LOCK", LOCK))
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """True where the lock is ours now."""
        return self._acquire(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def acquire(self, waits: Callable[[], object] = lambda: None) -> None:
        """Sleep until the lock is ours; `waits` is called before, where somebody else measures now."""
        if not self.try_acquire():
            waits()
            self._acquire(fcntl.LOCK_EX)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _acquire(self, operation: int) -> bool:
        if self._descriptor is not None:
            return True
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, operation)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def _open(self) -> int:
        # Reading is enough for flock, and the kernel may refuse to open another user's file in /tmp for writing
        # (fs.protected_regular). Never through a link that somebody left there.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(FileNotFoundError):
            return os.open(self.path, flags)
        try:
            descriptor = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:  # somebody was quicker
            return os.open(self.path, flags)
        return descriptor
