"""Rule 2: one measured trial at a time on a machine, under a lock that every run takes; the parent sleeps meanwhile."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component
from bench.results.store import Store
from bench.worker.common import messages
from bench.worker.common.messages import Channel

SUITE = """
name = "NAME"
plugins = ["paced.py"]
[grid]
dataset = [{ name = "synthetic", train = 640, test = 10 }]
model = ["paced"]
seed = { count = COUNT }
device = ["cpu"]
[train]
epochs = EPOCHS
threads = 1
"""
# Ten steps of 10 ms an epoch. It tells where its process is, and when it began.
PACED = """
import os, time
from pathlib import Path
from torch import nn
from bench.registry import model

@model("paced")
def paced(input_shape, num_classes):
    class Paced(nn.Sequential):
        def forward(self, x):
            if self.training and len(x) > 2:
                Path("began").write_text(str(os.getpid()))
                time.sleep(0.01)
            return super().forward(x)
    return Paced(nn.Flatten(), nn.Linear(64, num_classes))
"""
WAITING = "waiting: another run is measuring on this machine"


@pytest.fixture
def start(bench: Any) -> Callable[..., subprocess.Popen[str]]:
    """Start `bench run` of a suite `name` that has a results folder to itself."""

    def begin(name: str, *, seeds: int = 1, epochs: int = 2, **how: Any) -> subprocess.Popen[str]:
        (bench.folder / "paced.py").write_text(PACED)
        suite = bench.folder / f"{name}.toml"
        suite.write_text(SUITE.replace("NAME", name).replace("COUNT", str(seeds)).replace("EPOCHS", str(epochs)))
        command = bench.command("run", suite, "--results", bench.folder / f"results-{name}", "--no-report")
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | how
        return subprocess.Popen(command, env=bench.environment(), text=True, cwd=bench.folder, **streams)

    return begin


def test_a_second_run_waits_and_says_so(bench: Any, start: Callable[..., subprocess.Popen[str]]) -> None:
    """Two suites, two results folders, one machine: no trial of one runs while one of the other does."""
    running = {name: start(name, seeds=3) for name in ("one", "two")}
    said = [process.communicate(timeout=300)[1] for process in running.values()]
    assert [process.returncode for process in running.values()] == [0, 0], said
    assert sum(WAITING in text for text in said) == 1, said
    times = []
    for name in running:
        store = Store(bench.folder / f"results-{name}/{name}")
        store.refresh()
        assert [result.status for result in store.results] == ["ok"] * 3
        times.append([(result.started_at, result.finished_at) for result in store.results])
    first, second = sorted(times)
    assert max(finished for _, finished in first) <= min(started for started, _ in second)


def test_while_a_trial_runs_the_parent_uses_less_than_1_per_cent_of_a_core(
    bench: Any, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Its CPU time as the kernel keeps it, over 4 s, with a terminal to draw a live line on: the most that it does."""
    with terminal() as (descriptor, drawn):
        process = start("watched", epochs=60, stderr=descriptor)
        wait_for((bench.folder / "began").exists)
        time.sleep(0.5)  # what is drawn when a trial begins is not what it does while one runs
        before, began = cpu_seconds(process.pid), time.monotonic()
        drawn()
        while time.monotonic() < began + 4:
            time.sleep(0.25)
            drawn()
        used, wall = cpu_seconds(process.pid) - before, time.monotonic() - began
        assert process.poll() is None, "the trial was over before it was watched"
        # Each instance of the model writes it anew: between two of them it may be empty for a moment.
        wait_for(lambda: bool((bench.folder / "began").read_text()))
        assert int((bench.folder / "began").read_text()) != process.pid
        wait_for(lambda: drawn() == b"" and process.poll() is not None)
    assert process.returncode == 0
    assert used < 0.01 * wall


@contextmanager
def terminal() -> Iterator[tuple[int, Callable[[], bytes]]]:
    """A terminal for stderr, and the call that reads what was drawn on it, so that nobody has to wait for it."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)

    def read() -> bytes:
        with suppress(OSError):
            return os.read(ours, 1 << 16)
        return b""

    try:
        yield theirs, read
    finally:
        os.close(ours)
        os.close(theirs)


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in tasks) / 1e9


def wait_for(holds: Callable[[], bool]) -> None:
    stop = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < stop, "it never happened"
        time.sleep(0.05)


def test_progress_is_told_at_most_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(messages.time, "monotonic", lambda: now)
    reading, writing = os.pipe()
    speaking = Channel(writing)
    for step in range(1000):  # 20 s of blocks of 20 ms
        now = 1000.0 + 0.02 * step
        speaking.progress(phase="training", step=step)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = [json.loads(line)["progress"]["step"] for line in pipe]
    assert told == list(range(0, 1000, 25))


def test_progress_is_told_between_blocks(run_trial: Any, paced: Any, several_tries: Callable[..., None]) -> None:
    """Telling it takes 30 ms here, a block 20: it is in no figure of the steps or of the epochs."""

    class Slow:
        told = 0

        def progress(self, **what: Any) -> None:
            self.told += 1
            time.sleep(0.03)

    def in_no_figure() -> bool:
        slow = Slow()
        metrics = run_trial(
            paced(milliseconds=4),
            dataset=Component("synthetic", {"train": 640, "test": 10}),
            train={"epochs": 3},
            channel=slow,
        ).metrics
        assert slow.told >= 5
        return metrics["step_seconds"] < 0.008 and metrics["epoch_seconds"] < 10 * 0.008

    several_tries(in_no_figure)
