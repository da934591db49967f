"""Gates that measure a tree against its own commit: equal, 3 % slower, 2 points less accurate. How often each verdict
comes, and after how many rounds.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

from bench.duel.run import duel
from bench.duel.sides import Opponent
from bench.execute.prepare import Options
from bench.gate.records import Asked
from bench.gate.rounds import Rounds, judge_duel
from tests.benchmarks.beside.duel import Silent
from tests.benchmarks.beside.measured import Json, Settings, say

GATES, PLANTED = 40, 5  # of equal trees; of each planted change
MOST_SECONDS = 580.0  # no gate of equal trees begins later, unless it is said how many there are to be
GATE_SECONDS = 60.0  # of one gate
STEP_SECONDS = 0.002
# What is planted: seconds that a step waits, and the share of test examples that are answered wrong.
CHANGES = {"3 % slower": (1.03, 0.0), "2 points less accurate": (1.0, 0.021), "nothing": (1.0, 0.0)}
MODEL = """
import time
from bench.registry import model

@model("planted")
def planted(input_shape, num_classes):
    import torch
    from torch import nn

    class Planted(nn.Module):
        def __init__(self):
            super().__init__()
            channels, height, width = input_shape
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, num_classes))

        def forward(self, x):
            out = self.layers(x)
            stop = time.perf_counter() + SECONDS
            while self.training and time.perf_counter() < stop:
                pass
            if not self.training and WRONG:
                out = torch.where(torch.rand(len(x), 1) < WRONG, -out, out)
            return out

    return Planted()
"""
SUITE = """
name = "planted"
plugins = ["models.py"]
[grid]
dataset = ["optdigits"]
model = ["planted"]
device = ["cpu"]
[train]
epochs = 2
threads = 1
"""


def measure(settings: Settings) -> Json:
    """Of every gate what it said, after how many rounds and seconds, and whether its timings were disturbed; by what
    was planted."""
    count = settings.asked_rounds or (1 if settings.quick else GATES)
    stop = math.inf if settings.asked_rounds else time.monotonic() + MOST_SECONDS
    found: list[Json] = []
    for name, (times, wrong) in CHANGES.items():
        suite = planted(settings.work / name.replace(" ", "-"), times=times, wrong=wrong)
        gates: list[Json] = []
        while len(gates) < (count if name == "nothing" else max(1, count * PLANTED // GATES)):
            if time.monotonic() > stop:
                break
            gates.append(_gate(suite, most_seconds=10.0 if settings.quick else GATE_SECONDS))
            settings.keep({"cases": [*found, {"planted": name, "gates": gates}]})
            say(f"gate, {name}: {gates[-1]}")
        found.append({"planted": name, "gates": gates})
    for case in found:
        say(f"gate, {case['planted']}: {dict(Counter(each['verdict'] for each in case['gates']))}")
    return {"cases": found}


def planted(folder: Path, *, times: float, wrong: float) -> Path:
    """Makes a repository of one commit with a suite and its model, and the changed model in its tree."""
    folder.mkdir(parents=True)
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    _write(folder, seconds=STEP_SECONDS, wrong=0.0)
    for words in (("init", "-q"), ("add", "."), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    _write(folder, seconds=STEP_SECONDS * times, wrong=wrong)
    return folder / "suite.toml"


def _write(folder: Path, *, seconds: float, wrong: float) -> None:
    text = MODEL.replace("SECONDS", str(seconds)).replace("WRONG", str(wrong))
    (folder / "models.py").write_text(text, encoding="utf-8")


def _gate(suite: Path, *, most_seconds: float) -> Json:
    results = suite.parent / "results"
    voice = Silent()
    rounds = Rounds(Asked(), most_seconds=most_seconds, say=lambda line: None)
    fought = duel(Options(suite=suite, results=results, fresh=True), Opponent(ref="HEAD"), voice=voice, choose=rounds)
    gate = judge_duel(fought.folder, asked=Asked())
    shutil.rmtree(results)
    (cell,) = gate.cells
    return {
        "verdict": gate.verdict,
        "rounds": rounds.rounds,
        "seconds": round(rounds.seconds, 1),
        "told": {test.kind: test.told for test in cell.tests},
        "disturbed": any(reason.code == "disturbed_timings" for reason in cell.reasons),
    }
