"""The lock of the machine and the executor, held together while something is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.execute.executors.local import Executor
from bench.execute.lock import MeasureLock
from bench.execute.progress import Voice
from bench.execute.signals import signals_raise

WAITING = "waiting: another run is measuring on this machine"


@contextmanager
def measuring(executor: Executor, voice: Voice) -> Iterator[None]:
    """Wait for the lock of the machine, and start the executor; both end with the block.

    Inside, SIGINT and SIGTERM raise Stopped.
    """
    lock = MeasureLock()
    with signals_raise():
        try:
            lock.acquire(lambda: voice.say(WAITING))
            executor.start()
            yield
        finally:
            executor.close()
            lock.release()
