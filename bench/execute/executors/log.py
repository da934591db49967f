"""The log of a trial, seen from the parent: a model may print without a stop, and must not fill the disk."""

import os
from contextlib import suppress
from pathlib import Path

from bench.base import files

HEAD_BYTES = TAIL_BYTES = 8 << 20  # what is kept of a longer log


class TrialLog:
    """Keeps the first bytes of a log and the last ones. The trial appends to the file itself, so nothing slows it; what
    it writes between two looks is on the disk for so long."""

    def __init__(self, path: str | None) -> None:
        self._path, self._file = path, -1
        self._dropped, self._tail = 0, b""  # how many bytes are gone, and the last of them

    def look(self) -> None:
        """Drops what is too much by now. Does nothing before there is a log."""
        with suppress(OSError):
            if self._open() and os.fstat(self._file).st_size > HEAD_BYTES + TAIL_BYTES:
                self._cut()

    def close(self) -> None:
        """Once nobody writes any more: says in a line of the log what was dropped."""
        with suppress(OSError):
            self.look()
            if self._dropped:
                self._cut()
                left_out = self._dropped - len(self._tail)
                line = f"\n[bench left out {left_out:,} bytes of this log: it keeps the first and the last of them]\n"
                os.write(self._file, line.encode() + self._tail)
        if self._file >= 0:
            os.close(self._file)

    def _cut(self) -> None:
        size = os.fstat(self._file).st_size
        tail = os.pread(self._file, TAIL_BYTES, max(HEAD_BYTES, size - TAIL_BYTES))
        os.ftruncate(self._file, HEAD_BYTES)
        self._dropped += size - HEAD_BYTES
        self._tail = (self._tail + tail)[-TAIL_BYTES:]

    def _open(self) -> bool:
        """Whether there is a log, which is held open from then on: a model may put something else under its name."""
        if self._file < 0 and self._path:
            self._file = files.descriptor(Path(self._path), os.O_RDWR | os.O_APPEND)
        return self._file >= 0
