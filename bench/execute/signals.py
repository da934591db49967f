"""SIGINT and SIGTERM become an exception, so that what is under way is stored before the run ends."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


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

    with _handled_by(stop):
        yield


@contextmanager
def signals_wait() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM are noted only, and come at its end; a second one ends the process at once.

    For calls into a library that would lose what a handler raises.
    """
    noted: list[tuple[int, FrameType | None]] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        noted.append((number, frame))

    try:
        with _handled_by(note) as before:
            yield
    finally:
        for came, frame in noted:
            if callable(handler := before[came]):
                handler(came, frame)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[dict[int, Any]]:
    """Both signals go to `handler` until the block is left. Gives the handlers that were there before."""
    try:
        before: dict[int, Any] = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: a notebook's kernel has its own ways
        before = {}
    try:
        yield before
    finally:
        for number, old in before.items():
            signal.signal(number, old)
