"""torch.compile: the same weights, compile time apart, nothing left over, and a reason where it cannot be had."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest
import torch
from torch import nn

from bench.base.records import Component
from bench.worker.devices.cpu import Cpu
from bench.worker.devices.mps import Mps
from bench.worker.engines.compiled import refusal

TWENTY_STEPS = {"epochs": 4}
# One size of batch: each costs a run of the C++ compiler.
EVEN = Component("synthetic", {"train": 320, "test": 100})
MANY = {
    "momentum": 0.9, "nesterov": True, "l1": 0.001, "label_smoothing": 0.1, "gradient_clip": 0.5,
    "schedule": "onecycle", "validation_split": 0.2, "early_stopping_patience": 3,
}  # fmt: skip
MISSING = Cpu().cannot_compile()
needs_compiler = pytest.mark.skipif(bool(MISSING), reason=MISSING or "there is one")


def weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with h5py.File(path) as file:
        return {name: file["weights"][name][()] for name in file["weights"]}


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of the compiler's own libraries
@pytest.mark.parametrize(("model", "train"), [("mlp", {}), ("cnn", {}), ("mlp", MANY)])
def test_it_learns_what_eager_does_and_tells_its_compile_time_apart(
    run_trial: Any, tmp_path: Path, model: str, train: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {"dataset": EVEN}
    eager = run_trial(model, artifact=tmp_path / "a.h5", train=TWENTY_STEPS | train, **asked)
    train = {"engine": "compiled", **TWENTY_STEPS, **train}
    compiled = run_trial(model, artifact=tmp_path / "b.h5", train=train, **asked)
    assert compiled.status == "ok", compiled.traceback or compiled.reason
    a, b = weights(tmp_path / "a.h5"), weights(tmp_path / "b.h5")
    assert a.keys() == b.keys()
    assert max(np.abs(a[name] - b[name]).max() for name in a) < 1e-5
    assert abs(compiled.metrics["test_accuracy"] - eager.metrics["test_accuracy"]) <= 0.002
    # It took longer than all steps together, and is in none of them.
    assert compiled.metrics["compile_seconds"] > sum(compiled.samples["block_seconds"])
    assert compiled.metrics["compile_seconds"] > sum(compiled.samples["warmup_seconds"])
    assert compiled.instruments["compile_seconds"].startswith("cold")
    assert "compile_seconds" not in eager.metrics
    # No process and no cache is left.
    assert not [child for child in psutil.Process().children(recursive=True) if "compile" in " ".join(child.cmdline())]
    assert not (tmp_path / "scratch" / "compiled").exists()


class Stops:
    """A channel that ends the trial in its third epoch."""

    def progress(self, **what: Any) -> None:
        if what.get("epoch") == 3:
            raise KeyboardInterrupt


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of the compiler's own libraries
def test_stopped_and_resumed_it_learns_bitwise_the_same(run_trial: Any, tmp_path: Path) -> None:
    train = {"epochs": 4, "engine": "compiled", "momentum": 0.9}
    whole = run_trial("mlp", dataset=EVEN, train=train, artifact=tmp_path / "a.h5")
    asked = {"dataset": EVEN, "train": {**train, "checkpoint_every_epochs": 1}, "checkpoints": tmp_path / "trial"}
    run_trial("mlp", channel=Stops(), **asked)
    found = run_trial("mlp", artifact=tmp_path / "b.h5", **asked)
    assert found.samples["resumed_after_epochs"] == [2.0]
    a, b = weights(tmp_path / "a.h5"), weights(tmp_path / "b.h5")
    assert all(np.array_equal(a[name], b[name]) for name in a | b)
    assert found.curves["train_loss"] == whole.curves["train_loss"]


class Prints(nn.Module):
    """A graph break: torch.compile would run part of it eagerly."""

    def __init__(self, n: int, k: int) -> None:
        super().__init__()
        self.layer = nn.Linear(n, k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x.flatten(1))
        return answer if answer.sum().item() > 0 else -answer


@needs_compiler
@pytest.mark.filterwarnings("ignore")  # of the compiler's own libraries
def test_a_model_that_needs_several_graphs_is_skipped(run_trial: Any, register: Any) -> None:
    register("prints", lambda input_shape, num_classes: Prints(int(np.prod(input_shape)), num_classes))
    outcome = run_trial("prints", train={"engine": "compiled"})
    assert outcome.status == "skipped", outcome.traceback
    assert "one graph" in outcome.reason
    assert torch.compiler.is_compiling() is False


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, run_trial: Any) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    outcome = run_trial(train={"engine": "compiled"})
    assert outcome.status == "skipped"
    assert "no compiler 'no-such-compiler': install it" in outcome.reason
    monkeypatch.setenv("CXX", os.devnull)
    assert "no compiler" in Cpu().cannot_compile()
    assert "prototype" in Mps().cannot_compile()


def test_other_errors_are_no_refusal() -> None:
    assert not refusal(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert "again" in refusal(RuntimeError("Detected recompile when torch.compile stance is 'fail_on_recompile'."))
