"""The worker's side of bench.execute.ask_worker: a request on standard input, the answer on standard output."""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

from bench.base.kernel import die_with_parent
from bench.base.records import Json
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.worker.common import discover

Say: TypeAlias = Callable[[Mapping[str, Json]], None]


def answer(work: Callable[[dict[str, Json], Say], None]) -> int:
    """Do `work` with the request; it says lines of JSON, the answer last. A BenchError is an answer. The exit code."""
    die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that half-written files go
    out = os.dup(1)
    os.dup2(2, 1)  # what a data set or a model prints is no answer of ours

    def say(line: Mapping[str, Json]) -> None:
        with suppress(BrokenPipeError):  # the parent has ended
            os.write(out, json.dumps(line).encode() + b"\n")

    try:
        work(json.load(sys.stdin), say)
    except BenchError as error:
        say({"error": str(error)})
        return EXIT_USAGE
    return EXIT_OK


def register_all(plugins: list[str]) -> None:
    """Import everything that can be trained, and these plugins. Raises BenchError."""
    discover.load_builtin()
    for plugin in plugins:
        discover.load_plugin(plugin)
