"""What every benchmark here stands on: sides in turn, each alone on the machine, in a fresh process."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.execute.holder import Holder
from bench.execute.lock import MeasureLock
from bench.statistics.intervals import Ratio, log_ratio, paired_t_interval

ROOT = Path(__file__).resolve().parents[3]
Json = Any
Side = Callable[[int], float]  # number of the round → the figure of one process


@dataclass(frozen=True)
class Settings:
    """What the command line asks for. `quick` tries that everything works: its figures are worth nothing. `rounds`:
    processes a side; `asked_rounds`: where the command line says it, else 0. `keep` saves what was found so far: one
    that takes half an hour is stopped at times."""

    quick: bool
    work: Path
    rounds: int
    asked_rounds: int = 0
    keep: Callable[[Json], None] = lambda found: None


def say(line: str) -> None:
    """One line of progress, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock that every run takes. `bench run` takes it itself: not around that."""
    lock = MeasureLock(holder=Holder("python -m tests.benchmarks"))
    if not lock.try_acquire():
        say("waiting: a run is measuring on this machine")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def in_turn(sides: Mapping[str, Side], *, rounds: int, label: str) -> dict[str, list[float]]:
    """One figure a side and round. Sides go A B C, C B A, A B C, ...: drift is no difference between them."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in order:
            found[name].append(sides[name](number))
        say(f"{label}, round {number + 1}/{rounds}: " + ", ".join(f"{n} {found[n][-1]:,.4g}" for n in sides))
    return found


def times(a: Sequence[float], b: Sequence[float]) -> dict[str, float | None]:
    """How many times `b` is `a`, with its 95 % interval (Welch, on logarithms), as JSON."""
    ratio: Ratio = log_ratio(a, b)
    return {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high}


def times_by_round(a: Sequence[float], b: Sequence[float]) -> dict[str, float | None]:
    """The same of two sides with a figure a round each: the t-interval of the logarithms of the rounds' ratios.

    A machine that other machines share goes through states that last for minutes, and change the pace of both sides.
    """
    found = paired_t_interval(np.log(a), np.log(b))
    low, high = (None if end is None else math.exp(end) for end in (found.low, found.high))
    return {"ratio": math.exp(found.mean), "low": low, "high": high}


def ask(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Json:
    """The last line that `python -m tests.benchmarks.beside.<module>` prints in a fresh process, as JSON."""
    command = [sys.executable, "-m", f"tests.benchmarks.beside.{module}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Timed:
    """A command from its start to its end: seconds on the wall, peak of resident memory, when it started and ended."""

    seconds: float
    peak_bytes: int
    began: float
    ended: float


# Run by a small process: a child's peak begins with what its parent held when it was made (this one: all of torch).
SMALL = """
import json, os, sys, time
nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
began, start = time.time(), time.perf_counter()
pid = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ, file_actions=nowhere)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2) of each
print(json.dumps([seconds, usage.ru_maxrss * unit, began, time.time()]))
if code := os.waitstatus_to_exitcode(status):
    sys.exit(f"exit code {code}")
"""


def command(*arguments: str) -> Timed:
    """Run `python ARGUMENTS` in the root of the project, its output thrown away."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", SMALL, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"python {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
    return Timed(*json.loads(done.stdout))
