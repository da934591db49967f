"""Every setting of training in suite files on digits, through the command line, to the tables."""

from __future__ import annotations

import re
from typing import Any

EVERYTHING = """
name = "mine"
[grid]
dataset = ["digits"]
model = ["mlp"]
seed = [0, 1]
device = ["cpu"]
"train.schedule" = ["none", "step", "plateau", "cosine", "onecycle"]
[train]
epochs = 4
learning_rate = 0.2
momentum = 0.9
nesterov = true
weight_decay = 1e-4
l1 = 1e-5
label_smoothing = 0.1
gradient_clip = 1.0
schedule_step_epochs = 2
schedule_factor = 0.5
schedule_patience = 1
validation_split = 0.2
early_stopping_patience = 2
threads = 1
"""

BETAS = """
name = "mine"
[grid]
dataset = ["digits"]
model = ["mlp"]
seed = [0, 1]
device = ["cpu"]
"train.betas" = [[0.9, 0.999], [0.5, 0.9]]
"train.engine" = ["eager", "vectorized"]
[train]
epochs = 3
optimizer = "adamw"
learning_rate = 0.01
schedule = "onecycle"
gradient_clip = 0.5
threads = 1
"""


def test_a_suite_with_every_setting(project: Any) -> None:
    suite = project.folder / "every.toml"
    suite.write_text(EVERYTHING)
    done = project.run(suite, report=True)
    assert done.code == 0, done.err
    assert "5 schedules" in " ".join(done.err.split())
    rows = project.rows()
    assert {row["train.schedule"] for row in rows} == {"none", "step", "plateau", "cosine", "onecycle"}
    for row in rows:
        assert row["status"] == "ok", row["reason"]
        assert float(row["test_accuracy"]) > 0.8
        assert 1 <= float(row["best_epoch"]) <= float(row["epochs_trained"]) <= 4
    report = (project.results / "mine" / "report" / "report.md").read_text()
    for words in ("at most 4 epochs", "Nesterov", "early stopping (patience 2 epochs)", "gradients clipped at norm 1"):
        assert words in report
    assert re.search(r"\| mlp +\| onecycle +\|", report)
    assert "0 to train · 10 there already" in project.run(suite).err


def test_a_list_as_an_axis_and_engines_that_learn_the_same(project: Any) -> None:
    suite = project.folder / "betas.toml"
    suite.write_text(BETAS)
    assert project.run(suite).code == 0
    rows = {(row["train.betas"], row["engine"], row["seed"]): row for row in project.rows()}
    assert len(rows) == 8
    for (betas, engine, seed), row in rows.items():
        other = rows[betas, "eager", seed]
        assert abs(float(row["test_loss"]) - float(other["test_loss"])) < 1e-3, (betas, engine, seed)
    assert len({row["test_loss"] for row in rows.values()}) >= 4
    only = project.run(
        suite, "--fresh", "--only", "train.betas=[0.5, 0.9]", "--only", "train.engine=eager", "--dry-run"
    )
    assert only.code == 0
    assert "2 trials" in only.out + only.err
    refused = project.run(suite, "--set", "train.optimizer=sgd", "--only", "train.betas=[0.5,0.9]")
    assert refused.code == 1
    assert "sgd has no betas: leave train.betas out" in refused.err
