"""A planted slow-down in really measured trials: found, with its size in the interval; the same twice is no finding."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bench
from bench.errors import EXIT_UNDECIDED

PLUGIN = """
import time
from torch import nn
from bench.registry import model

class Waits(nn.Module):
    def __init__(self, layer, seconds):
        super().__init__()
        self.layer, self.seconds = layer, seconds
    def forward(self, x):
        if self.training and len(x) > 2:
            time.sleep(self.seconds)
        return self.layer(x)

@model("waits")
def waits(input_shape, num_classes):
    c, h, w = input_shape
    return Waits(nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, num_classes)), SECONDS)
"""
SUITE = """
name = "NAME"
plugins = ["waits.py"]
[grid]
dataset = [{ name = "synthetic", train = 128, test = 64 }]
model = ["waits"]
seed = { count = 5 }
device = ["cpu"]
[train]
epochs = 1
threads = 1
[measure]
warmup_steps = 1
"""
# It sleeps: on a busy machine a process that waits in a loop loses its core in the middle of a step.
SECONDS = 0.25  # what else there is in a step takes 1 to 10 ms, on a busy machine
TRIES = 3  # on a machine that is busy with other work a whole measurement may be lost


def measured(project: Any, name: str, seconds: float) -> Path:
    """Run a suite whose model waits `seconds` a step; returns its folder of results."""
    folder = project.folder / name
    folder.mkdir(exist_ok=True)
    (folder / "waits.py").write_text(PLUGIN.replace("SECONDS", repr(seconds)))
    (folder / "suite.toml").write_text(SUITE.replace("NAME", name))
    done = project.bench("run", folder / "suite.toml", "--results", project.results, "--fresh", "--no-report")
    assert done.code == 0, done.err
    found: Path = project.results / name
    return found


def test_a_planted_slow_down_of_10_per_cent_is_found(project: Any) -> None:
    def found() -> bool:
        plain, again = measured(project, "plain", SECONDS), measured(project, "again", SECONDS)
        slower = measured(project, "slower", 1.1 * SECONDS)
        twice = bench.compare(plain, again, metric="step_seconds")
        (cell,) = bench.compare(plain, slower, metric="step_seconds").cells
        assert cell.ratio is not None
        if cell.ratio.low is None or cell.ratio.high is None:
            return False
        wide = math.log(cell.ratio.high / cell.ratio.low) > 0.1
        if wide or twice.verdict != "ambiguous" or not cell.ratio.low - 0.01 <= 1.1 <= cell.ratio.high + 0.01:
            return False
        assert cell.verdict == "slower"
        assert cell.training == "identical"
        done = project.bench("compare", plain, slower, "--fail-on", "slower")
        assert done.code == EXIT_UNDECIDED  # two runs at different times: no gate judges their speeds
        assert "the model's file differs: in 1 of 1 cell" in done.out
        return True

    assert any(found() for _ in range(TRIES)), f"not once in {TRIES} measurements"
