"""The worker's word to the parent: one JSON object a line, on a pipe of its own. Prints of a model go elsewhere."""

from __future__ import annotations

import os
import time

from bench.base.records import Json, canonical_json

PROGRESS_SECONDS = 0.5


class Channel:
    """The writing end of the pipe. Progress is dropped where the last was told less than half a second ago."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._last = 0.0

    def send(self, message: dict[str, Json]) -> None:
        """Write one whole line."""
        line = memoryview(canonical_json(message).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]

    def progress(self, **what: Json) -> None:
        """Say where the trial is; at most twice a second. A `note` is to be read by somebody, and never dropped."""
        now = time.monotonic()
        if "note" in what or now - self._last >= PROGRESS_SECONDS:
            self._last = now
            self.send({"progress": what})
