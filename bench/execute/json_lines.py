"""Reads JSON lines out of a pipe whose other end may write anything, for ever: what is kept of it is bounded."""

import json
import os
import select
from contextlib import suppress

from bench.base.records import Json
from bench.suite.mistakes import shorten

# What an outcome may take: of a training that times each step for itself, two million steps.
LONGEST_LINE_BYTES = 64 << 20
PART_BYTES = 1 << 20  # read at a time; the most that a pipe holds, unless root says otherwise


class Lines:
    """The JSON objects of a pipe, one a line. `wrong` says what came first that is none; empty: all were."""

    def __init__(self) -> None:
        self.ended, self.wrong = False, ""
        self._begun: list[bytes] = []
        self._begun_bytes = 0

    def read(self, descriptor: int) -> list[dict[str, Json]]:
        """Takes what is there, a part at most; waits where there is nothing."""
        part = os.read(descriptor, PART_BYTES)
        self.ended = not part
        *lines, rest = part.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._begun, lines[0]])
            self._begun, self._begun_bytes = [], 0
        self._begun_bytes += len(rest)
        if self._begun_bytes <= LONGEST_LINE_BYTES:
            self._begun.append(rest)
        else:
            self._begun = []
            self._refuse(f"a line of more than {LONGEST_LINE_BYTES:,} bytes")
        return [message for line in lines if (message := self._message(line)) is not None]

    def drain(self, descriptor: int) -> list[dict[str, Json]]:
        """What is still in the pipe, a part at most: whoever wrote has ended. Does not wait."""
        there = not self.ended and select.select([descriptor], [], [], 0)[0]
        return self.read(descriptor) if there else []

    def _message(self, line: bytes) -> dict[str, Json] | None:
        with suppress(ValueError, RecursionError):
            message = json.loads(line)
            if isinstance(message, dict):
                return message
        self._refuse(shorten(repr(line[:200].decode(errors="replace"))))
        return None

    def _refuse(self, what: str) -> None:
        self.wrong = self.wrong or what
