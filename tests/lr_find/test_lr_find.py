"""`bench lr-find`, as a user runs it: a curve a cell, and nothing of what is stored is touched."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component, TrainSettings, Trial
from bench.errors import BenchError
from bench.lr_find.sweep import Range, cells_of

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
name = "mine"
[grid]
dataset = [{ name = "synthetic", train = 400, test = 50 }]
model = ["linear", { name = "mlp", hidden = 8 }]
seed = [3, 4]
device = ["cpu", "cuda"]
"train.learning_rate" = [0.1, 0.01]
[train]
epochs = 1
threads = 1
"""


def bench(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_curve_a_cell_and_results_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SUITE, encoding="utf-8")
    ran = bench("run", "mine.toml", "--only", "model=linear", "--only", "seed=3", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    before = files(tmp_path / "results")
    found = bench("lr-find", "mine.toml", "--steps", "60", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines())) <= 80
    after = files(tmp_path / "results")
    new = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert new == {
        "mine/lr-find/lr-find.md",
        *(f"mine/lr-find/learning-rates.{ending}" for ending in ("md", "csv", "tex")),
        *(f"mine/lr-find/learning-rates-1.{ending}" for ending in ("png", "svg")),
    }
    with (tmp_path / "results/mine/lr-find/learning-rates.csv").open(encoding="utf-8") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    assert set(rows) == {f"{model} · {device}" for model in ("linear", "mlp(hidden=8)") for device in ("cpu", "cuda")}
    for name, row in rows.items():
        assert row["suite"] == "0.1, 0.01"
        if name.endswith("cpu"):
            assert 1e-5 < float(row["steepest"]) < 100
            assert float(row["lowest_loss"]) < float(row["first_loss"])
        else:
            assert row["ended"].startswith("skipped: ")
    assert bench("check", "results/mine", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", 'train.optimizer="lbfgs"'], "lbfgs looks for the length of its own steps"),
        (["--from", "1", "--to", "0.1"], "--from 1 --to 0.1: needs two rates above 0"),
        (["--from", "0"], "--from 0 --to 1: needs two rates above 0"),
        (["--steps", "3"], "--steps 3: needs 10 to 100000"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SUITE, encoding="utf-8")
    done = bench("lr-find", "mine.toml", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(said), done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


def trial(seed: int = 0, **train: object) -> Trial:
    data, model = Component("digits"), Component("linear")
    return Trial(data, model, seed, 64, "cpu", TrainSettings(**train))  # type: ignore[arg-type]


def test_cells_that_differ_in_rate_schedule_and_length_alone_have_one_curve() -> None:
    trials = [trial(5), trial(6), trial(5, learning_rate=0.5), trial(5, epochs=3), trial(5, schedule="cosine")]
    ((swept, rates),) = cells_of(iter(trials))
    assert (swept.seed, swept.train.schedule, rates) == (5, "none", (0.1, 0.5))
    others: list[dict[str, Any]] = [
        {"steps": 4}, {"early_stopping_patience": 3}, {"engine": "compiled"}, {"checkpoint_every_epochs": 1},
        {"checkpoint_every_epochs": 1, "keep_checkpoints": True},
    ]  # fmt: skip
    assert len(cells_of(iter([trial(), *(trial(**each) for each in others)]))) == 1
    assert len(cells_of(iter([trial(), trial(momentum=0.9)]))) == 2


def test_the_range_of_each_optimizer() -> None:
    assert [Range().end(name) for name in ("sgd", "adam", "adamw", "rmsprop")] == [100, 1, 1, 1]
    assert Range(highest=3.0).end("sgd") == 3
    with pytest.raises(BenchError, match="needs two rates"):
        Range(lowest=-1.0)
