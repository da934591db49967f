"""SIGINT and SIGTERM become an exception, so that what is under way is stored before the run ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """SIGINT or SIGTERM came. No Exception: a trial that runs inline must not take it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def signals_raise() -> Iterator[None]:
    """SIGINT and SIGTERM raise Stopped, once; a second SIGINT ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_IGN if number == signal.SIGTERM else signal.SIG_DFL)
        raise Stopped(number)

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: a notebook's kernel has its own ways
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_wait() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM are noted only, and come at its end; a second one ends the process at once.

    For calls into a library that would lose what a handler raises.
    """
    noted: list[tuple[int, FrameType | None]] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        noted.append((number, frame))

    try:
        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # as above
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for came, frame in noted:
            if callable(handler := before[signal.Signals(came)]):
                handler(came, frame)
