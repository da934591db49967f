"""What cannot work is told once, before anything trains, and is not trained; what is suspicious is noted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.base.records import Component, MeasureSettings, Trial
from bench.execute import preflight
from bench.execute.executors.exit_status import Ending
from bench.execute.plan import Planned

MODELS = """
import os, time
import torch
from torch import nn
from bench.registry import model

def layers(shape, outputs, *more):
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], outputs), *more)

@model("fine")
def fine(shape, outputs): return layers(shape, outputs)

@model("lazy")
def lazy(shape, outputs): return nn.Sequential(nn.Flatten(), nn.LazyLinear(outputs))

@model("wrong")
def wrong(shape, outputs): return layers((1, 1, 3), outputs)

@model("soft")
def soft(shape, outputs): return layers(shape, outputs, nn.Softmax(1))

@model("unseeded")
def unseeded(shape, outputs):
    torch.manual_seed(int(time.time()))
    return layers(shape, outputs)

@model("dies")
def dies(shape, outputs): os._exit(3)

@model("spoils")
def spoils(shape, outputs):
    nn.Flatten.forward = None  # of the whole process: whoever comes behind it there cannot work
    raise RuntimeError("spoilt")

@model("even")
class Even(nn.Module):
    def __init__(self, shape, outputs):
        super().__init__()
        self.layers = layers(shape, outputs)
    def forward(self, x):
        if len(x) > 2:
            x.view(len(x) // 4, 4, -1)
        return self.layers(x)
"""


def test_a_dry_run_tells_what_cannot_work_and_what_is_suspicious(project: Any) -> None:
    suite = project.suite("wrong", "dies", "soft", "even", "unseeded", "lazy", "spoils", "fine", seeds="0, 1")
    suite.write_text(suite.read_text().replace("train = 256", "train = 250"))
    (project.folder / "models.py").write_text(MODELS)
    done = project.run(suite, "--dry-run", "--set", "grid.batch_size=[64]")
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert "10 to train · 0 there already · 6 failed" in text  # dies ends its process: its trials will say so
    assert "2 failed: model 'wrong' raises RuntimeError on 2 images in eval mode" in text
    assert "the last batch has 58 of 250 training images at batch size 64: take another batch_size" in text
    assert "2 failed: RuntimeError: spoilt" in text
    assert text.count("mat1 and mat2") == 1
    assert "note on soft on synthetic(test=64, train=250): the model's outputs look like probabilities" in text
    assert "note on unseeded on synthetic(test=64, train=250): the model's start does not follow" in text
    lines = [line.split()[1] for line in done.out.splitlines() if " · seed 0" in line]
    assert lines == ["fail", "train", "train", "fail", "train", "train", "fail", "train"]
    assert not project.results.exists()


def test_what_cannot_work_is_stored_and_the_others_run(project: Any) -> None:
    suite = project.suite("wrong", "fine")
    (project.folder / "models.py").write_text(MODELS)
    done = project.run(suite)
    assert done.code == 1
    assert "1 cannot be trained: model 'wrong' raises" in " ".join(done.err.split())
    rows = {row["model"]: row for row in project.rows()}
    assert {name: row["status"] for name, row in rows.items()} == {"wrong": "failed", "fine": "ok"}
    assert "mat1 and mat2" in rows["wrong"]["reason"]
    assert not list((project.results / "mine/logs").rglob("*.log"))  # no process has trained the one that cannot work


class Hangs:
    """An executor whose processes never say anything and are ended for their time, or die at once."""

    def __init__(self, status: str) -> None:
        self.status, self.limits = status, list[float]()

    def run_group(self, wanted: list[Any], *, told: Any) -> None:
        self.limits.append(wanted[0].timeout_seconds)
        told(0, Ending(None, self.status))


@pytest.mark.parametrize(("status", "processes"), [("timeout", 1), ("crashed", preflight.MOST_PROCESSES)])
def test_one_model_that_hangs_is_enough(
    status: str, processes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    names, measure = ("a", "b", "c", "d"), MeasureSettings(timeout_seconds=4.0)
    trials = [Trial(Component("digits"), Component(name), 0, 64, "cpu", measure=measure) for name in names]
    nothing = SimpleNamespace(
        suite=SimpleNamespace(locations={}),
        options=SimpleNamespace(data_root=tmp_path),
        catalogue=SimpleNamespace(plugins={}),
    )
    executor: Any = Hangs(status)
    tries = preflight._Tries(nothing, executor, {each.model.name: [Planned(each, "", "", {})] for each in trials})  # type: ignore[arg-type]
    tries.run()
    assert len(executor.limits) == processes
    assert max(executor.limits) <= 4.0  # no longer than a trial may take
    assert not tries.verdicts
