"""Trainings whose process, or whose run, is stopped at a random epoch: the next run ends them bit by bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.base.checkpoint_file import LAST, Damaged, read
from bench.results.check import check

EPOCHS = 10
# Draws from all three generators, and takes long enough that it can be killed on its way.
MODEL = """
import os, random, time
import numpy as np
import torch
from torch import nn
from bench.registry import model

class Draws(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 16), nn.BatchNorm1d(16), nn.Dropout(0.5))
        self.head = nn.Linear(16, classes)
    def forward(self, images):
        hidden = self.layers(images)
        if self.training:
            time.sleep(0.02)
            hidden = hidden * (1 + 0.1 * random.random()) + 0.01 * float(np.random.normal())
        return self.head(hidden)

@model("draws")
def draws(input_shape, num_classes):
    channels, height, width = input_shape
    return Draws(channels * height * width, num_classes)
"""
SUITE = """
name = "NAME"
plugins = ["draws.py"]
[grid]
dataset = [{ name = "synthetic", train = 250, test = 64 }]
model = ["draws"]
device = ["cpu"]
[train]
threads = 1
epochs = EPOCHS
"""
MOMENTUM = "momentum = 0.9\n"
ADAM = 'optimizer = "adam"\nlearning_rate = 0.003\nschedule = "cosine"\n'
LOADER = 'loader = "dataloader"\nmomentum = 0.9\n'
WORKERS = LOADER + "num_workers = 2\n"
Killed = Callable[[Any], None]


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill_the_trial(run: Any) -> None:
    template = [pid for pid in children(run.pid) if b"worker\0template" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(children(template[0])[0], signal.SIGKILL)


KILLS: dict[str, tuple[Killed, str, list[str]]] = {
    # what is done, the status that is stored, what the next run is told beside the suite
    "SIGKILL to the trial": (kill_the_trial, "crashed", ["--retry", "crashed"]),
    "SIGKILL to the run": (lambda run: run.kill(), "", []),
    "SIGINT": (lambda run: run.send_signal(signal.SIGINT), "interrupted", []),
    "SIGTERM": (lambda run: run.send_signal(signal.SIGTERM), "interrupted", []),
}
CASES = [
    ("SIGKILL to the trial", ADAM, 2), ("SIGKILL to the run", WORKERS, 4), ("SIGINT", LOADER, 5),
    ("SIGTERM", MOMENTUM, 6),
]  # fmt: skip
TRIED = [pytest.param(*case, id=f"{case[0]} {case[2]}") for case in CASES]


# All are trained once, by whichever test comes first, in one process, which imports torch once.
REFERENCES: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {}
WHOLE = """
import sys, bench
for suite in sys.argv[2:]:
    bench.run(suite, results=sys.argv[1], executor="inline")
"""


def suite(project: Any, name: str, train: str) -> Path:
    (project.folder / "draws.py").write_text(MODEL)
    path: Path = project.folder / f"{name}.toml"
    path.write_text(SUITE.replace("NAME", name).replace("EPOCHS", str(EPOCHS)) + train)
    return path


def results(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted(folder.glob("trials/*.jsonl")) for line in path.read_text().splitlines()]
    return sorted(map(json.loads, lines), key=lambda result: str(result["finished_at"]))


def saved(folder: Path) -> int:
    """The epoch of the checkpoint under `folder`; 0 where there is none."""
    for path in folder.glob(f"checkpoints/*/{LAST}"):
        with suppress(OSError, Damaged):
            return read(path)[0].epoch
    return 0


def arrays(folder: Path, result: dict[str, Any]) -> dict[str, bytes]:
    """What a trial learned: all arrays of its file but the seconds."""
    found: dict[str, bytes] = {}

    def take(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and name != "curves/train_seconds":
            found[name] = np.asarray(node[()]).tobytes()

    with h5py.File(folder / f"artifacts/{result['run_id']}/{result['trial_id']}.h5") as file:
        file.visititems(take)
    return found


def reference(project: Any, train: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The result of the same trial, in a run that nobody stopped and that wrote no checkpoint."""
    if not REFERENCES:
        trains = {f"whole-{at}": train for at, train in enumerate((ADAM, MOMENTUM, LOADER, WORKERS))}
        suites = [suite(project, name, train) for name, train in trains.items()]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        command = [sys.executable, "-c", WHOLE, project.results, *suites]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        for name, each in trains.items():
            (whole,) = results(project.results / name)
            REFERENCES[each] = whole, arrays(project.results / name, whole)
    return REFERENCES[train]


def assert_the_same(project: Any, train: str) -> dict[str, Any]:
    """The newest result of `parts`, which learned what the reference did."""
    whole, learned = reference(project, train)
    folder = project.results / "parts"
    found = results(folder)[-1]
    assert found["status"] == "ok"
    assert found["trial_id"] == whole["trial_id"]  # no setting of checkpoints is a part of it
    assert arrays(folder, found) == learned
    for name in ("test_accuracy", "test_loss", "train_loss"):
        assert found["metrics"][name] == whole["metrics"][name]
    for name, curve in whole["curves"].items():
        assert len(found["curves"][name]) == EPOCHS
        assert name == "train_seconds" or found["curves"][name] == curve
    return found


@pytest.mark.parametrize(("kill", "train", "number"), TRIED)
def test_killed_at_a_random_epoch_it_ends_as_it_would_have(
    kill: str, train: str, number: int, project: Any, wait_for: Any
) -> None:
    act, status, told = KILLS[kill]
    path = suite(project, "parts", train + "checkpoint_every_epochs = 1\n")
    folder = project.results / "parts"
    epoch = random.Random(number).randrange(1, EPOCHS - 3)
    process = project.start("run", path, "--results", project.results)
    wait_for(lambda: saved(folder) >= epoch)
    act(process)
    process.communicate(timeout=60)
    assert [result["status"] for result in results(folder)] == ([status] if status else [])
    wait_for(lambda: saved(folder) > 0)
    reached = saved(folder)
    assert epoch <= reached < EPOCHS
    again = project.run(path, *told)
    assert again.code == 0, again.err
    assert f"goes on after epoch {reached}, from its checkpoint" in again.err
    found = assert_the_same(project, train)
    assert found["samples"]["resumed_after_epochs"] == [reached]
    assert len(found["samples"]["epoch_seconds"]) == EPOCHS
    assert sum(found["samples"]["block_samples"]) == 250 * EPOCHS
    assert found["valid"] is False
    assert not (folder / "checkpoints").exists()
    # A run that is killed leaves the log that the trial had opened, and nothing else that `bench check` names.
    assert {Path(finding.where).suffix for finding in check(folder, plan=None).findings} <= {".log"}


def test_timeouts_add_up_to_a_whole_training(project: Any) -> None:
    path = suite(project, "parts", ADAM + "checkpoint_every_epochs = 1\n")
    folder = project.results / "parts"
    runs = 0
    while not (found := results(folder)) or found[-1]["status"] == "timeout":
        project.run(path, "--timeout", "1.2", "--retry", "timeout")
        runs += 1
        assert runs < 20
    assert runs > 1
    found_last = assert_the_same(project, ADAM)
    assert len(found_last["samples"]["resumed_after_epochs"]) >= 1


def test_fresh_starts_anew(project: Any, wait_for: Any) -> None:
    path = suite(project, "parts", MOMENTUM + "checkpoint_every_epochs = 1\n")
    process = project.start("run", path, "--results", project.results)
    wait_for(lambda: saved(project.results / "parts") >= 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    time.sleep(0.1)
    again = project.run(path, "--fresh")
    assert again.code == 0
    assert "goes on" not in again.err
    assert "resumed_after_epochs" not in assert_the_same(project, MOMENTUM)["samples"]
