"""Fuzzing of everything that is read from a stranger, for as long as it is told to.

    python tests/robustness/fuzz.py suites|idx|cifar|hdf5|results --minutes 10 --seed 1

Every input is a real one that was damaged, mutated by its structure or put together from hostile parts. It is read in
a process of its own, as the command line or a trial reads it, with a limit on its memory and on its time. Good is an
input that is read, or refused by a BenchError of one line a mistake. Found is any other exception, a hang, a peak above
the cap, and an error that cannot be printed. A death by a signal is told too: in a trial that is a result, `crashed`.

The inputs that something was found with are kept, and named at the end; the exit code is then 1.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # a process that forks has one thread

import argparse
import json
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzz_targets import TARGETS, Target

from bench.errors import BenchError

CAP_BYTES = 256 << 20  # that reading one input may add to a process
CPU_SECONDS = 20  # that one input may take of a processor: a loaded machine makes no hang
LIMIT_SECONDS = 180.0  # within which it is read, however loaded the machine is


@dataclass
class Tally:
    """How many inputs, what became of them, and one input for each kind of fault."""

    target: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    peak_bytes: int = 0
    slowest_seconds: float = 0.0


def read_in_child(target: Target, folder: Path, pipe: int, limit_bytes: int) -> NoReturn:
    """Read one input, say what became of it on `pipe`, and end."""
    said: dict[str, str | int] = {"outcome": "accepted", "detail": ""}
    before = memory_bytes("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    used = int(sum(os.times()[:2])) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, used + CPU_SECONDS))
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):  # noqa: PTH123
            target.read(folder)
    except BenchError as error:
        said = judge(error)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if "/bench/" in frame.filename]
        last = own[-1] if own else where
        place = f"{Path(last.filename).name}:{last.lineno} in {last.name}"
        said = {"outcome": "fault", "detail": f"{type(error).__name__} at {place}: {str(error)[:150]!r}"}
    said["grown_bytes"] = memory_bytes("VmHWM") - before
    os.write(pipe, json.dumps(said).encode())
    os._exit(0)


def judge(error: BenchError) -> dict[str, str | int]:
    """A refusal is a line a mistake that can be printed, and no memory was asked for that was not there."""
    text, cause = str(error), error.__cause__ or error.__context__
    while cause is not None and not isinstance(cause, MemoryError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None or "MemoryError" in text:
        return {"outcome": "fault", "detail": f"asks for more memory than the cap at {text[-100:]}"}
    if not all(line.isprintable() and len(line) <= 2000 for line in text.split("\n")):
        return {"outcome": "fault", "detail": f"no line to print at {text!r:.300}"}
    return {"outcome": "refused", "detail": ""}


def try_one(target: Target, folder: Path, tally: Tally) -> str:
    """Fork, wait, judge. The kind of fault, empty where all is well."""
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        read_in_child(target, folder, writing, memory_bytes("VmSize") + 2 * CAP_BYTES)
    os.close(writing)
    in_time = bool(select.select([reading], [], [], LIMIT_SECONDS)[0])
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    said = os.read(reading, 1 << 16)
    os.close(reading)
    tally.slowest_seconds = max(tally.slowest_seconds, time.monotonic() - began)
    if not in_time:
        return f"a hang: no end after {LIMIT_SECONDS:g} s"
    if os.WIFSIGNALED(status) or not said:
        tally.outcomes["died"] += 1
        return f"died: {signal.Signals(os.WTERMSIG(status)).name}"
    found = json.loads(said)
    tally.outcomes[found["outcome"]] += 1
    tally.peak_bytes = max(tally.peak_bytes, found["grown_bytes"])
    if found["grown_bytes"] > CAP_BYTES:
        return f"memory: {found['grown_bytes'] >> 20} MiB"
    return str(found["detail"]) if found["outcome"] == "fault" else ""


def memory_bytes(name: str) -> int:
    """A figure of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def kind_of(fault: str) -> str:
    """Faults that are told by the same words are one: figures and texts of the input are left out."""
    return fault.partition(": '")[0].partition(': "')[0] if " at " in fault else fault[:30]


def fuzz(name: str, *, seconds: float, seed: int, kept: Path) -> Tally:
    """Try inputs until the time is up."""
    target, tally = TARGETS[name](), Tally(name)
    work = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    os.environ["BENCH_CACHE"] = str(work / "cache")
    target.prepare(work / "seeds")
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        rng = random.Random(f"{seed}-{tally.inputs}")
        folder = work / "input"
        for path, content in target.make(rng).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        tally.inputs += 1
        fault = try_one(target, folder, tally)
        if fault and kind_of(fault) not in tally.faults:
            kept.mkdir(parents=True, exist_ok=True)
            place = Path(tempfile.mkdtemp(prefix=f"{name}-{seed}-{tally.inputs}-", dir=kept))
            shutil.copytree(folder, place, dirs_exist_ok=True)
            tally.faults[kind_of(fault)] = f"{fault} ({place})"
            sys.stderr.write(f"{name}: {fault} ({place})\n")
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
        if tally.inputs % 50 == 0:
            shutil.rmtree(work / "cache", ignore_errors=True)
    shutil.rmtree(work)
    return tally


def main() -> None:
    """Parse, fuzz, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kept = Path(tempfile.gettempdir()) / "fuzz-found"
    tally = fuzz(options.target, seconds=options.minutes * 60, seed=options.seed, kept=kept)
    print(
        f"{tally.target}: {tally.inputs} inputs in {options.minutes:g} min, {dict(sorted(tally.outcomes.items()))}; "
        f"most memory {tally.peak_bytes / 2**20:.0f} MiB over the process before, "
        f"slowest {tally.slowest_seconds:.2f} s; kinds of faults: {len(tally.faults)}"
    )
    for fault in tally.faults.values():
        print(f"  {fault}")
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
