"""Other programs on the machine: `... SECONDS` is busy and idle by turns, each for up to so long, at random; 0: always.

Each ends with the process that started it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.beside.measured import ROOT


@contextmanager
def beside(count: int, *, most_seconds: float = 0.0) -> Iterator[None]:
    """So many busy programs, as long as this lasts."""
    command = [sys.executable, "-m", "tests.benchmarks.beside.busy", str(most_seconds)]
    started = [subprocess.Popen(command, cwd=ROOT) for _ in range(count)]
    try:
        if started:
            time.sleep(1)  # until they have begun
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def burn(seconds: float, parent: int) -> None:
    """Use one core for so long, or until the parent is gone."""
    stop = time.monotonic() + seconds
    while time.monotonic() < stop and os.getppid() == parent:
        for _ in range(10_000):
            pass


def main() -> None:
    most_seconds, parent, draw = float(sys.argv[1]), os.getppid(), random.Random()
    while os.getppid() == parent:
        burn(draw.uniform(0, most_seconds) or 1.0, parent)
        time.sleep(draw.uniform(0, most_seconds))


if __name__ == "__main__":
    main()
