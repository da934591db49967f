"""One trial from outside: what it counts, what it records, and that a seed gives the same weights to the bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.base.records import Component
from bench.errors import BenchError
from bench.registry import METRICS, metric


def weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with h5py.File(path) as file:
        return {name: file["weights"][name][()] for name in file["weights"]}


def trained(run_trial: Any, path: Path, **asked: Any) -> dict[str, np.ndarray[Any, Any]]:
    outcome = run_trial(artifact=path, **asked)
    assert outcome.status == "ok", outcome.traceback or outcome.reason
    return weights(path)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_trial_measures_all_that_it_promises(run_trial: Any) -> None:
    outcome = run_trial("mlp", measure={"target_accuracy": 0.2})
    assert outcome.status == "ok", outcome.traceback
    measured = outcome.to_json()["metrics"]
    assert set(measured) >= {
        "test_accuracy", "test_loss", "train_loss", "parameters", "trainable_parameters", "model_bytes",
        "host_peak_bytes", "train_samples_per_second", "step_seconds", "epoch_seconds",
        "end_to_end_samples_per_second", "inference_samples_per_second", "inference_latency_p50_seconds",
        "inference_latency_p95_seconds", "fit_seconds", "total_seconds", "time_to_target_seconds",
        "flops_per_sample", "achieved_flops_per_second",
    }  # fmt: skip
    # Not measured on a CPU: absent, not 0.
    assert not {"device_peak_allocated_bytes", "energy_joules"} & set(measured)
    assert measured["model_bytes"] == 4 * measured["parameters"]
    assert measured["step_seconds"] < measured["epoch_seconds"] < measured["fit_seconds"] < measured["total_seconds"]


@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_same_seed_and_threads_give_bitwise_the_same_weights(run_trial: Any, tmp_path: Path, model: str) -> None:
    first = trained(run_trial, tmp_path / "a.h5", model=model, seed=3)
    torch.rand(7)  # what somebody else draws must not matter
    assert same(first, trained(run_trial, tmp_path / "b.h5", model=model, seed=3))
    assert not same(first, trained(run_trial, tmp_path / "c.h5", model=model, seed=4))


def noisy(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Batch norm and dropout: a model with buffers, which draws from the global generator as it trains."""
    c, h, w = input_shape
    hidden = nn.Sequential(nn.Linear(c * h * w, 16), nn.BatchNorm1d(16), nn.Dropout())
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(16, num_classes))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_warm_up_leaves_everything_bitwise_as_it_was(
    run_trial: Any, register: Any, tmp_path: Path, optimizer: str
) -> None:
    register("noisy", noisy)
    asked = {"model": "noisy", "train": {"optimizer": optimizer, "learning_rate": 0.01, "momentum": 0.0}}
    cold = trained(run_trial, tmp_path / "cold.h5", measure={"warmup_steps": 0}, **asked)
    assert same(cold, trained(run_trial, tmp_path / "warm.h5", measure={"warmup_steps": 50}, **asked))
    assert int(cold["2.num_batches_tracked"]) == 10  # 2 epochs of 5 steps, and not one more


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop", "lbfgs"])
def test_every_optimizer_learns(run_trial: Any, optimizer: str) -> None:
    rate = {"sgd": 0.1, "lbfgs": 0.5}.get(optimizer, 0.01)
    outcome = run_trial("linear", train={"optimizer": optimizer, "learning_rate": rate, "epochs": 5})
    assert outcome.status == "ok", outcome.traceback
    assert outcome.metrics["test_accuracy"] > 0.5


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_every_precision_of_the_cpu_learns(run_trial: Any, precision: str) -> None:
    outcome = run_trial("mlp", train={"precision": precision, "epochs": 5})
    assert outcome.status == "ok", outcome.traceback
    assert outcome.metrics["test_accuracy"] > 0.5


def test_what_cannot_be_had_is_skipped_with_the_reason(run_trial: Any) -> None:
    tf32 = run_trial(train={"precision": "tf32"})
    assert (tf32.status, "tf32" in tf32.reason) == ("skipped", True)
    engine = run_trial(train={"engine": "cudagraph"})
    assert (engine.status, "cudagraph" in engine.reason) == ("skipped", True)
    cuda = run_trial(device="mps")
    assert (cuda.status, "macOS" in cuda.reason) == ("skipped", True)


def test_settings_that_contradict_each_other_are_a_failure_with_what_to_do(run_trial: Any) -> None:
    outcome = run_trial(train={"optimizer": "adam", "momentum": 0.9})
    assert outcome.status == "failed"
    assert "leave train.momentum out" in outcome.reason


def test_the_samples_that_were_processed_are_counted(run_trial: Any) -> None:
    """1001 samples in batches of 64: 16 steps an epoch, the last of 41."""
    outcome = run_trial(dataset=Component("synthetic", {"train": 1001}), train={"epochs": 1})
    assert sum(outcome.samples["block_samples"]) == 1001
    assert sum(outcome.samples["block_steps"]) == 16


@pytest.mark.parametrize(("steps", "epochs"), [(3, 1), (5, 1), (12, 3)])
def test_steps_instead_of_epochs(run_trial: Any, steps: int, epochs: int) -> None:
    """320 samples in batches of 64 are 5 steps an epoch."""
    outcome = run_trial(train={"steps": steps})
    assert outcome.status == "ok", outcome.traceback
    assert sum(outcome.samples["block_steps"]) == steps
    assert outcome.curves["epoch"] == list(range(1, epochs + 1))
    assert (outcome.metrics["epoch_seconds"] is None) == (steps < 5)


class OddInEval(nn.Module):
    """Its answers have `odd` in them in eval mode, from the first epoch on."""

    def __init__(self, odd: float) -> None:
        super().__init__()
        self.layer, self.odd, self.steps = nn.Linear(64, 10), odd, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        answer: torch.Tensor = self.layer(x.flatten(1))
        return answer if self.training else answer * self.odd


@pytest.mark.parametrize("engine", ["eager", "vectorized"])
@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_an_evaluation_that_is_not_finite_is_told_from_a_training_that_is_not(
    run_trial: Any, register: Any, odd: float, engine: str
) -> None:
    register("odd", lambda input_shape, num_classes: OddInEval(odd))
    outcome = run_trial("odd", train={"engine": engine})
    assert (outcome.status, outcome.curves.get("test_loss", [])) == ("diverged", [])
    assert outcome.reason == (
        "evaluated training loss is nan and test loss is nan after epoch 1, in eval mode, though every step's training "
        "loss was finite: look at what the model does in eval mode, or try a smaller learning rate"
    )
    held = run_trial("odd", train={"engine": engine, "validation_split": 0.25})
    assert "nan and test loss is nan and validation loss is nan after epoch 1" in held.reason


def test_a_last_step_that_is_too_large_is_found_by_the_evaluation(run_trial: Any) -> None:
    """One step an epoch, and its loss is that of the start."""
    outcome = run_trial("mlp", train={"steps": 1, "learning_rate": 1e38})
    assert outcome.status == "diverged"
    assert "though every step's training loss was finite: look at what" in outcome.reason
    assert outcome.reason.endswith("or try a smaller learning rate")


@pytest.mark.parametrize("workers", [0, 2])
def test_dataloader_learns_on_the_same_samples(run_trial: Any, workers: int) -> None:
    outcome = run_trial(train={"loader": "dataloader", "num_workers": workers, "epochs": 5})
    assert outcome.status == "ok", outcome.traceback
    assert sum(outcome.samples["block_samples"]) == 5 * 320
    assert outcome.metrics["test_accuracy"] > 0.5


def test_loaders_and_their_workers_change_nothing_of_what_is_learned(run_trial: Any, tmp_path: Path) -> None:
    """The same samples in the same order over three epochs, whoever brings them."""
    asked = [{"loader": "resident"}] + [{"loader": "dataloader", "num_workers": n} for n in (0, 2)]
    losses = []
    for train in asked:
        outcome = run_trial("mlp", train={"epochs": 3, **train})
        assert outcome.status == "ok", outcome.traceback
        losses.append(outcome.curves["train_loss"])
    assert losses[1] == losses[2]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("name", ["test_accuracy", "seed", "status", "n"])
def test_a_metric_cannot_take_the_name_of_a_column(name: str) -> None:
    with pytest.raises(BenchError, match="the name of a column already"):
        metric(name)


def test_a_metric_that_is_not_finite_is_a_failure_that_names_it(run_trial: Any) -> None:
    metric("doubtful")(lambda logits, labels: float("nan"))
    try:
        outcome = run_trial()
    finally:
        METRICS._entries.pop("doubtful")
    assert (outcome.status, outcome.reason) == (
        "failed",
        "metric 'doubtful' gave nan: a figure that was measured is finite",
    )


def test_validation_is_held_out_of_the_training_set(run_trial: Any) -> None:
    outcome = run_trial(train={"validation_split": 0.25})
    assert outcome.status == "ok", outcome.traceback
    assert sum(outcome.samples["block_samples"]) == 2 * 240
    assert len(outcome.curves["validation_accuracy"]) == 2


def test_threads_are_what_the_trial_says(run_trial: Any, register: Any) -> None:
    seen = []

    def watching(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        seen.append(torch.get_num_threads())
        c, h, w = input_shape
        return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, num_classes))

    register("watching", watching)
    assert run_trial("watching", train={"threads": 2}).threads == 2
    # The throw-away instance, from which FLOPs are counted, is built before the threads start.
    assert seen == [1, 2, 2]


def test_flops_are_exact_for_a_linear_model(run_trial: Any) -> None:
    """Forward 2·64·10; backward the same for the weights; a first layer has no gradient of its input."""
    outcome = run_trial("linear")
    assert outcome.metrics["flops_per_sample"] == 2 * (2 * 64 * 10)


def test_flops_are_exact_for_mlp_and_cnn(run_trial: Any) -> None:
    """By hand, on 1×8×8. mlp 64→100→10; cnn 16 and 32 channels of 3×3 on 8×8 and 4×4, then 128→10."""
    mlp = 2 * (2 * 64 * 100) + 3 * (2 * 100 * 10)
    first, second, last = 2 * 9 * 1 * 16 * 64, 2 * 9 * 16 * 32 * 16, 2 * 128 * 10
    assert run_trial("mlp").metrics["flops_per_sample"] == mlp
    assert run_trial("cnn").metrics["flops_per_sample"] == 2 * first + 3 * second + 3 * last


def test_the_artifact_holds_what_the_metrics_say(run_trial: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    outcome = run_trial("mlp", artifact=path)
    with h5py.File(path) as file:
        logits, labels = file["test/logits"][()], file["test/labels"][()]
        confusion = file["test/confusion_matrix"][()]
        assert np.mean(logits.argmax(1) == labels) == outcome.metrics["test_accuracy"]
        assert confusion.sum() == len(labels) == 100
        assert np.trace(confusion) == round(outcome.metrics["test_accuracy"] * 100)
        assert list(file["curves/test_accuracy"]) == outcome.curves["test_accuracy"]
        assert file.attrs["trial_id"]
    assert not list(tmp_path.glob("*.part"))


def test_the_diagnosis_lies_in_the_artifact_and_changes_nothing_of_what_is_learned(
    run_trial: Any, register: Any, tmp_path: Path
) -> None:
    register("noisy", noisy)
    full, without = tmp_path / "full.h5", tmp_path / "accuracy.h5"
    asked = {"model": "noisy", "train": {"learning_rate": 0.01}}
    outcome = run_trial(artifact=full, **asked)
    bare = run_trial(artifact=without, measure={"evaluate": "accuracy"}, **asked)
    assert same(weights(full), weights(without))
    with h5py.File(full) as file, h5py.File(without) as plain:
        found = file["diagnosis"]
        after, before = found["first_batch/after"][()], found["first_batch/before"][()]
        assert np.allclose(after.sum(1), 1)
        assert np.allclose(before.sum(1), 1)
        assert not np.allclose(after, before, atol=0.01)
        assert np.array_equal(found["first_batch/labels"], file["test/labels"][:16])
        assert np.isclose(found["calibration/log_loss"][()], outcome.metrics["test_loss"])
        assert np.isclose(found["top_k/accuracy"][0], outcome.metrics["test_accuracy"])
        assert np.isclose(file["weights/1.weight"].attrs["l2_norm"], np.linalg.norm(file["weights/1.weight"][()]))
        assert "diagnosis" not in plain
        assert "l2_norm" not in plain["weights/1.weight"].attrs
    assert "test_macro_f1" in outcome.metrics
    assert "test_macro_f1" not in bare.metrics


class Seen(nn.Module):
    """Notes how the batches and the weights lie in memory."""

    kinds: ClassVar[set[tuple[bool, bool]]] = set()

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(channels, 8, 3, padding=1), nn.LazyLinear(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = torch.channels_last
        weight = self.convolution.weight
        self.kinds.add((x.is_contiguous(memory_format=last), weight.is_contiguous(memory_format=last)))
        answer: torch.Tensor = self.head(self.convolution(x).flatten(1))
        return answer


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
def test_channels_last_reaches_every_batch_and_learns_the_same(
    run_trial: Any, register: Any, tmp_path: Path, loader: str
) -> None:
    def build(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        model = Seen(input_shape[0], num_classes)
        model(torch.zeros(1, *input_shape))
        Seen.kinds.clear()
        return model

    register("seen", build)
    data = Component("synthetic", {"train": 200, "test": 100, "shape": [3, 8, 8]})
    asked = {"model": "seen", "dataset": data}
    first = trained(run_trial, tmp_path / "a.h5", train={"loader": loader}, **asked)
    assert Seen.kinds == {(False, False)}
    last = trained(run_trial, tmp_path / "b.h5", train={"loader": loader, "memory_format": "channels_last"}, **asked)
    assert Seen.kinds == {(True, True)}
    assert all(np.abs(first[name] - last[name]).max() < 1e-5 for name in first)


def test_what_was_trained_stands_where_going_on_for_timing_only_fails(
    run_trial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise MemoryError("no room for a second model")

    whole = run_trial(measure={"timing_seconds": 0.05})
    assert sum(whole.samples["block_seconds"]) >= 0.05
    monkeypatch.setattr("bench.worker.trial.run.TimingOnly.run", fails)
    told: list[dict[str, Any]] = []
    channel = SimpleNamespace(progress=lambda **what: told.append(what))
    outcome = run_trial(measure={"timing_seconds": 60}, channel=channel)
    assert outcome.status == "ok"
    assert outcome.curves["test_loss"] == whole.curves["test_loss"]
    assert "timing_only_blocks" not in outcome.samples
    assert any("no room for a second model" in what.get("note", "") for what in told)
