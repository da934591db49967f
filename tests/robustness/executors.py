"""Many trivial trials through an executor: trials a second, memory of the driver, time to the first result.

    python tests/robustness/executors.py 10000 --executor local --minutes 60
    python tests/robustness/executors.py 10000 --executor ray --nodes 3

Runs `bench run` on a suite of that many trials (the synthetic data set of 16 images, one step, no warm-up) as a user
does, and watches it: a line of its progress is a trial. After --minutes it is stopped with SIGINT; what was done until
then counts. With --nodes, ray runs on a cluster of so many nodes on this machine, each with a lock of its own: they are
more nodes than machines, which says something of the driver and nothing of how fast a cluster is.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
name = "many"
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
evaluate = "accuracy"
"""
READINGS = (1, 10, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
NODES = ROOT / "tests" / "cluster" / "ray_nodes.py"


@dataclass
class Watched:
    """What was seen of a run: seconds since its start and resident bytes of the driver, by trials done."""

    seconds: dict[int, float] = field(default_factory=dict)
    memory_bytes: dict[int, int] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    exit_code: int | None = None


def watch(command: list[str], *, limit_seconds: float, environment: dict[str, str]) -> Watched:
    """Run `command` and read its progress; stop it after so many seconds."""
    seen, began = Watched(), time.monotonic()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        driver = psutil.Process(process.pid)
        alarm = threading.Timer(limit_seconds, lambda: process.send_signal(signal.SIGINT))
        alarm.start()
        assert process.stderr is not None
        for line in process.stderr:
            if not (found := re.match(r"\[(\d+)/\d+\] (.*)", line)):
                print(f"  {line.rstrip()}", flush=True)
                continue
            seen.done = int(found[1])
            seen.failed += "accuracy" not in found[2]
            seen.seconds[seen.done] = time.monotonic() - began
            if seen.done in READINGS or seen.done % 1_000 == 0:
                seen.memory_bytes[seen.done] = driver.memory_info().rss
                told = f"{seen.memory_bytes[seen.done] / 2**20:7.1f} MiB"
                print(f"  {seen.done:6,} trials  {seen.seconds[seen.done]:7.1f} s  driver {told}", flush=True)
        alarm.cancel()
    seen.exit_code = process.returncode
    return seen


@contextmanager
def cluster(nodes: int, environment: dict[str, str]) -> Iterator[list[str]]:
    """The arguments that run on a cluster of so many nodes here; none where there are to be none."""
    if not nodes:
        yield []
        return
    folder = Path(environment["RAY_TMPDIR"]) / "nodes"
    with subprocess.Popen(
        [sys.executable, str(NODES), str(nodes), "2", str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield ["--address", process.stdout.readline().strip()]
        finally:
            process.communicate("stop\n", timeout=60)


def main() -> None:
    """Parse, run, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=int)
    parser.add_argument("--executor", default="local")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--nodes", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="many-"))
    (folder / "many.toml").write_text(SUITE.format(count=options.trials))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "bench", "run", str(folder / "many.toml"), "--results", str(folder)]
    with cluster(options.nodes, environment) as arguments:
        before = os.getloadavg()[0]
        command += ["--executor", options.executor, *arguments]
        seen = watch(command, limit_seconds=options.minutes * 60, environment=environment)
    steady = {number: at for number, at in seen.seconds.items() if number >= min(100, seen.done // 2 or 1)}
    first, last = min(steady), max(steady)
    rate = (last - first) / (steady[last] - steady[first]) if last > first else float("nan")
    print(
        f"{options.executor}: {seen.done:,} of {options.trials:,} trials, {seen.failed} not ok, exit {seen.exit_code}"
    )
    print(f"first result after {seen.seconds[1]:.1f} s; then {rate:.2f} trials/s from the {first:,}th on")
    print(f"load average before {before:.1f}, after {os.getloadavg()[0]:.1f}; {psutil.cpu_count()} cores")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
