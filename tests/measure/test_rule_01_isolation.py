"""Rule 1: each trial runs in a fresh process. What one corrupts does not change the next by a bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bench.base.records import Result

PLUGIN = """
import os, random
import numpy as np
from bench.registry import metric

@model("corrupts")
def corrupts(input_shape, num_classes):
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(99); np.random.seed(99); random.seed(99)
    torch.backends.mkldnn.enabled = False
    torch.nn.Linear.reset_parameters = lambda self: [each.data.zero_() for each in self.parameters()]
    os.environ["OMP_NUM_THREADS"] = "1"
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes)).float()

@metric("process")
def process(logits, labels):
    return os.getpid()

@metric("draws")
def draws(logits, labels):
    return random.random() + np.random.rand() + float(torch.rand(()))
"""
SUITE = """
dataset = [{ name = "synthetic", train = 640, test = 64 }]
model = [MODELS]
device = ["cpu"]
[train]
epochs = 2
threads = 2
"""


def weights(result: Result, folder: Path) -> dict[str, Any]:
    path = folder / "artifacts" / result.run_id / f"{result.trial_id}.h5"
    with h5py.File(path) as file:
        return {name: file["weights"][name][()] for name in file["weights"]}


def test_a_trial_that_corrupts_its_process_does_not_change_the_next_by_a_bit(bench: Any) -> None:
    (alone,) = bench.run(SUITE.replace("MODELS", '"mlp"'), "--executor", "local", plugin=PLUGIN)
    corrupting, after = bench.run(SUITE.replace("MODELS", '"corrupts", "mlp"'), "--fresh", plugin=PLUGIN)[1:]
    assert (corrupting.trial.model.name, after.trial.model.name) == ("corrupts", "mlp")
    assert [each.status for each in (alone, corrupting, after)] == ["ok"] * 3, corrupting.traceback
    assert len({each.metrics["process"] for each in (alone, corrupting, after)}) == 3
    for name in ("test_loss", "train_loss", "test_accuracy", "draws", "parameters", "flops_per_sample"):
        assert alone.metrics[name] == after.metrics[name], name
    for name in ("epoch", "test_loss", "train_loss", "test_accuracy", "train_accuracy"):
        assert alone.curves[name] == after.curves[name], name
    first, second = (weights(each, bench.folder / "results/proof") for each in (alone, after))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert first.keys() == second.keys()
