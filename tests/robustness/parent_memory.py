"""Memory of the parent over many trivial trials: does it stay flat?

    python tests/robustness/parent_memory.py 10000 [--executor inline|local]

Runs a suite of that many trials (the synthetic data set of 16 images, one step, no warm-up) in this process, and reads
its own resident memory after some of them; then how much the plan of it all and the end of the run take.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.base.records import Result
from bench.execute.prepare import Options
from bench.execute.progress import Voice
from bench.run_suite import run_suite

SUITE = """
name = "memory"
[grid]
dataset = [{{ name = "synthetic", train = 16, test = 16 }}]
model = ["linear"]
seed = {{ count = {count} }}
device = ["cpu"]
[train]
steps = 1
threads = 1
[measure]
warmup_steps = 0
"""
READINGS = (1, 10, 100, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)


def resident_bytes() -> int:
    """VmRSS of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise KeyError("VmRSS")


class Reader(Voice):
    """Says nothing, and reads the memory after some trials."""

    def __init__(self, count: int) -> None:
        super().__init__(quiet=True)
        self.began, self.count, self.finished = time.monotonic(), count, 0
        self.read: dict[int, int] = {}

    def trial_ends(self, result: Result, *, side: str = "") -> None:
        self.finished += 1
        if result.status != "ok":
            sys.exit(f"trial {self.finished} is {result.status}: {result.reason}")
        if self.finished in READINGS or self.finished == self.count:
            self.read[self.finished] = resident_bytes()
            told = f"{self.read[self.finished] / 2**20:8.1f} MiB after {self.finished:7,} trials"
            print(f"{told}, {time.monotonic() - self.began:6.0f} s", flush=True)


def main() -> None:
    """Parse, run, print the curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=int)
    parser.add_argument("--executor", default="inline")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="parent-memory-") as folder:
        os.environ["BENCH_LOCK"] = f"{folder}/lock"
        suite = Path(folder) / "memory.toml"
        suite.write_text(SUITE.format(count=options.trials))
        print(f"{resident_bytes() / 2**20:8.1f} MiB before the run")
        reader = Reader(options.trials)
        ran = run_suite(Options(suite=suite, results=Path(folder) / "results", executor=options.executor), voice=reader)
        read = f"{len(ran.store.results):,} results read back"
        print(f"{resident_bytes() / 2**20:8.1f} MiB at the end of it, with {read}")


if __name__ == "__main__":
    main()
