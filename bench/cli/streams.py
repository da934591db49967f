"""The standard streams of a command: what cannot be written there is replaced or left, and nothing else changes."""

import io
import select
import sys
from typing import Any

from bench.base.kernel import hold_descriptors


class Forgiving(io.FileIO):
    """A descriptor that takes everything. Where nobody reads any more, or the disk is full, it is left; `lost` says
    why. Nobody reading is no loss."""

    lost: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            while (written := super().write(data)) is None:  # a pipe that does not wait, and is full
                select.select([], [self.fileno()], [])
            return written
        except BrokenPipeError:
            pass
        except OSError as error:
            self.lost = self.lost or error
        return memoryview(data).nbytes


def lost_output() -> OSError | None:
    """Why something that was written to stdout did not get there: for what has its whole product there."""
    sys.stdout.flush()
    error: OSError | None = getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "lost", None)
    return error


def open_streams() -> None:
    """Has output and errors go wherever they can."""
    hold_descriptors()
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        old: Any = getattr(sys, name) or io.TextIOWrapper(io.BytesIO(), "utf-8")
        stream = io.TextIOWrapper(
            io.BufferedWriter(Forgiving(descriptor, "w", closefd=False)),
            encoding=old.encoding,
            errors="replace" if old.errors in ("strict", "surrogateescape") else old.errors,
            line_buffering=old.line_buffering,
            write_through=old.write_through,
        )
        setattr(sys, name, stream)
