"""Fault 42: a last batch of one, lazy modules, a model bound to one size of batch: one line at once, or it works."""

from __future__ import annotations

from typing import Any

MODELS = """
import torch
from torch import nn
from bench.registry import model

@model("normed")
def normed(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, num_classes))

@model("lazy")
def lazy(input_shape, num_classes):
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(num_classes))

class Bound(nn.Linear):
    def forward(self, x):
        return super().forward(x.view(64, -1))

@model("bound")
def bound(input_shape, num_classes):
    return Bound(64, num_classes)
"""
LAST = (
    "model 'normed': the last batch has 1 of 257 training images at batch size 64: take another batch_size, "
    "train.drop_last = true, or another train_limit; it raises ValueError on 1 image in training mode: Expected more "
    "than 1 value per channel when training, got input size torch.Size([1, 8])"
)
BOUND = (
    "model 'bound': only batches of 64 go through it: keep their size, as x.flatten(1) does; it raises RuntimeError "
    "on 2 images in eval mode: mat1 and mat2 shapes cannot be multiplied (64x2 and 64x10)"
)


def test_each_is_one_line_before_training_or_works_in_every_engine(project: Any) -> None:
    suite = project.suite("normed", "lazy", "bound")
    (project.folder / "models.py").write_text(MODELS)
    text = suite.read_text().replace("train = 256", "train = 257")
    suite.write_text(text.replace("[train]", '"train.engine" = ["eager", "vectorized"]\n[train]'))
    assert project.run(suite).code == 1
    found = {(row["model"], row["engine"]): (row["status"], row["reason"]) for row in project.rows()}
    assert found == {
        (model, engine): ended
        for engine in ("eager", "vectorized")
        for model, ended in {"normed": ("failed", LAST), "lazy": ("ok", ""), "bound": ("failed", BOUND)}.items()
    }
    assert {row["parameters"] for row in project.rows() if row["model"] == "lazy"} == {"1490"}  # 40, and 144 · 10 + 10
