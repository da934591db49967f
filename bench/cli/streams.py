"""The standard streams of a command: what cannot be written there is replaced or left, and nothing else changes."""

import io
import select
import sys
from contextlib import suppress
from typing import Any

from bench.base.kernel import hold_descriptors


class _Forgiving(io.FileIO):
    """A descriptor that takes everything. Where nobody reads any more, or the disk is full, it is left."""

    def write(self, data: Any) -> int:
        with suppress(OSError):
            while (written := super().write(data)) is None:  # a pipe that does not wait, and is full
                select.select([], [self.fileno()], [])
            return written
        return memoryview(data).nbytes


def open_streams() -> None:
    """Has output and errors go wherever they can."""
    hold_descriptors()
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        old: Any = getattr(sys, name) or io.TextIOWrapper(io.BytesIO(), "utf-8")
        stream = io.TextIOWrapper(
            io.BufferedWriter(_Forgiving(descriptor, "w", closefd=False)),
            encoding=old.encoding,
            errors="replace" if old.errors in ("strict", "surrogateescape") else old.errors,
            line_buffering=old.line_buffering,
            write_through=old.write_through,
        )
        setattr(sys, name, stream)
