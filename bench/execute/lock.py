"""The machine-wide lock: one measured trial at a time, whoever runs it; and the executor that runs under it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.execute.executors.local import Executor
from bench.execute.holder import Holder, leave_note, remove_note, waiting_lines
from bench.execute.progress import Voice
from bench.execute.signals import signals_raise

# Not the temp folder of the user: two users on one machine must meet here.
LOCK = Path("/tmp/bench-measuring.lock")  # noqa: S108


class MeasureLock:
    """An flock(2) on a file that everybody may open; the kernel takes it back when the process ends.

    `holder`: who measures, which is said to others that wait meanwhile.
    """

    def __init__(self, path: Path | None = None, *, holder: Holder | None = None) -> None:
        self.path, self.holder = path or Path(os.environ.get("BENCH_LOCK", LOCK)), holder
        self._descriptor: int | None = None

    def try_acquire(self) -> bool:
        """True where the lock is ours now."""
        return self._acquire(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def acquire(self, waits: Callable[[], object] = lambda: None) -> None:
        """Sleep until the lock is ours; `waits` is called before, where somebody else measures now."""
        if not self.try_acquire():
            waits()
            self._acquire(fcntl.LOCK_EX)

    def say_who_holds(self, voice: Voice) -> None:
        """Say who measures now, how long it still takes, and how not to wait."""
        voice.say("\n".join(waiting_lines(self.path)))

    def release(self) -> None:
        if self._descriptor is not None:
            remove_note(self.path)
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
        if self.holder is not None:
            leave_note(self.holder, self.path)
        return True

    def _open(self) -> int:
        # Reading is enough for flock, and the kernel may refuse to open another user's file in /tmp for writing
        # (fs.protected_regular). Never through a link that somebody left there.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with suppress(FileNotFoundError):
            return os.open(self.path, flags)
        try:
            return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:  # somebody was quicker
            return os.open(self.path, flags)


@contextmanager
def measuring(executor: Executor, voice: Voice, *, holder: Holder) -> Iterator[None]:
    """Wait for the lock of the machine, and start the executor; both end with the block.

    Inside, SIGINT and SIGTERM raise Stopped.
    """
    lock = MeasureLock(holder=holder)
    with signals_raise():
        try:
            lock.acquire(lambda: lock.say_who_holds(voice))
            executor.start()
            yield
        finally:
            executor.close()
            lock.release()
