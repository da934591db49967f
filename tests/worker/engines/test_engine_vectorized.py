"""All seeds of a cell at once: each learns what it would have learned alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.base.records import Component
from bench.worker.common.messages import TrialOutcome
from bench.worker.engines.vectorized import per_seed_clip

# 320 samples in batches of 64 and 60 (the last one smaller): 20 steps.
TWENTY_STEPS = {"epochs": 4}
DATA = Component("synthetic", {"train": 316, "test": 100})
SEEDS = (3, 0, 7)


def arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with h5py.File(path) as file:
        found = {f"weights/{name}": file["weights"][name][()] for name in file["weights"]}
        found |= {f"before/{seen}": file["diagnosis"][f"first_batch/{seen}"][()] for seen in ("before", "labels")}
        return found | {name: file["test"][name][()] for name in file["test"]}


def cell_of(run_trial: Any, folder: Path, model: str, **asked: Any) -> list[TrialOutcome]:
    """One process for all of SEEDS; their artifacts are cell-<seed>.h5."""
    paths = {seed: folder / f"cell-{seed}.h5" for seed in SEEDS}
    train = TWENTY_STEPS | asked.pop("train", {}) | {"engine": "vectorized"}
    first, *rest = SEEDS
    others = {seed: paths[seed] for seed in rest}
    asked = {"dataset": DATA} | asked
    outcome = run_trial(model, seed=first, artifact=paths[first], others=others, train=train, **asked)
    return [outcome, *outcome.others]


def alone(run_trial: Any, folder: Path, model: str, seed: int, **asked: Any) -> TrialOutcome:
    train = TWENTY_STEPS | asked.pop("train", {})
    asked = {"dataset": DATA} | asked
    outcome: TrialOutcome = run_trial(model, seed=seed, artifact=folder / f"alone-{seed}.h5", train=train, **asked)
    assert outcome.status == "ok", outcome.traceback
    return outcome


def agree(run_trial: Any, folder: Path, model: str, **asked: Any) -> None:
    """Weights within 1e-5, accuracy within 0.2 points, losses alike, for every seed."""
    together = cell_of(run_trial, folder, model, **asked)
    for seed, outcome in zip(SEEDS, together, strict=True):
        assert outcome.status == "ok", outcome.traceback or outcome.reason
        single = alone(run_trial, folder, model, seed, **asked)
        mine, own = arrays(folder / f"cell-{seed}.h5"), arrays(folder / f"alone-{seed}.h5")
        assert mine.keys() == own.keys()
        for name in (name for name in own if name.startswith("weights/")):
            assert np.abs(mine[name] - own[name]).max() < 1e-5, (seed, name)
        assert np.abs(mine["before/before"] - own["before/before"]).max() < 1e-5
        assert np.array_equal(mine["before/labels"], own["before/labels"])
        assert np.array_equal(mine["labels"], own["labels"])
        assert abs(outcome.metrics["test_accuracy"] - single.metrics["test_accuracy"]) <= 0.002
        assert outcome.curves["learning_rate"] == single.curves["learning_rate"]
        for name in ("train_loss", "test_loss"):
            assert outcome.metrics[name] == pytest.approx(single.metrics[name], abs=1e-4)
        assert outcome.curves.keys() == single.curves.keys()
        for name in ("parameters", "model_bytes", "flops_per_sample", "gradient_bytes", "optimizer_state_bytes"):
            assert outcome.metrics[name] == single.metrics[name], name


@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_each_seed_learns_what_it_learns_alone(run_trial: Any, tmp_path: Path, model: str) -> None:
    agree(run_trial, tmp_path, model)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_every_optimizer_works_seed_by_seed(run_trial: Any, tmp_path: Path, optimizer: str) -> None:
    momentum = {"momentum": 0.9} if optimizer in ("sgd", "rmsprop") else {}
    rate = 0.05 if optimizer == "sgd" else 0.001
    agree(run_trial, tmp_path, "mlp",
          train={"optimizer": optimizer, "learning_rate": rate, "weight_decay": 0.01, **momentum})  # fmt: skip


@pytest.mark.parametrize(
    "train",
    [
        {"momentum": 0.9, "nesterov": True},
        {"optimizer": "adamw", "learning_rate": 0.001, "betas": [0.8, 0.99]},
        {"l1": 0.002, "label_smoothing": 0.1},
        {"augment_flip": True, "augment_crop_padding": 2, "augment_rotation_degrees": 20.0},
        {"gradient_clip": 0.05},
        {"schedule": "step", "schedule_step_epochs": 1, "schedule_factor": 0.5},
        {"schedule": "cosine", "gradient_clip": 0.05, "l1": 0.002},
        {"schedule": "onecycle", "momentum": 0.9},
    ],
)
def test_settings_of_training_work_seed_by_seed(run_trial: Any, tmp_path: Path, train: dict[str, Any]) -> None:
    """The limit of the gradients is one that every seed reaches, in each step by another factor."""
    agree(run_trial, tmp_path, "mlp", train=train)


def test_gradients_are_clipped_for_each_seed_alone() -> None:
    """The norms of three seeds are 5, 0.5 and not a number: only the first is too long, and the last is its own."""
    stacked = [torch.zeros(3, 2), torch.zeros(3, 1, 1)]
    stacked[0].grad = torch.tensor([[3.0, 0.0], [0.3, 0.0], [torch.nan, 0.0]])
    stacked[1].grad = torch.tensor([[[4.0]], [[0.4]], [[1.0]]])
    clip = per_seed_clip(stacked, 1.0)
    assert clip is not None
    clip()
    assert torch.allclose(stacked[0].grad[:2], torch.tensor([[0.6, 0.0], [0.3, 0.0]]))
    assert torch.allclose(stacked[1].grad[:2].flatten(), torch.tensor([0.8, 0.4]))
    assert per_seed_clip(stacked, 0.0) is None


def test_digits_are_split_by_seed_and_so_are_validation_parts(run_trial: Any, tmp_path: Path) -> None:
    agree(run_trial, tmp_path, "linear", dataset=Component("digits", {"train_limit": 300}),
          train={"validation_split": 0.2})  # fmt: skip


def test_batch_norm_keeps_the_statistics_of_each_seed(run_trial: Any, register: Any, tmp_path: Path) -> None:
    def normed(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        c, h, w = input_shape
        convolved = nn.Sequential(nn.Conv2d(c, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        return nn.Sequential(*convolved, nn.Flatten(), nn.Linear(4 * h * w, num_classes))

    register("normed", normed)
    agree(run_trial, tmp_path, "normed", train={"learning_rate": 0.01})


def test_what_was_timed_is_the_cells_and_says_so(run_trial: Any, tmp_path: Path) -> None:
    outcomes = cell_of(run_trial, tmp_path, "linear", measure={"target_accuracy": 0.2})
    first = outcomes[0]
    for outcome in outcomes:
        for name in ("train_samples_per_second", "fit_seconds", "host_peak_bytes", "step_seconds"):
            assert outcome.metrics[name] == first.metrics[name]
        assert outcome.instruments["train_samples_per_second"] == "of 3 seeds at once (engine 'vectorized')"
        assert outcome.instruments["host_peak_bytes"].endswith("of 3 seeds at once (engine 'vectorized')")
        assert sum(outcome.samples["block_samples"]) == 3 * 4 * 316
        assert 0 < outcome.metrics["time_to_target_seconds"] <= outcome.metrics["fit_seconds"]
    assert len({outcome.metrics["test_loss"] for outcome in outcomes}) == 3


def test_warm_up_leaves_the_seeds_bitwise_as_they_were(run_trial: Any, tmp_path: Path) -> None:
    (tmp_path / "warm").mkdir()
    cell_of(run_trial, tmp_path, "mlp", measure={"warmup_steps": 0})
    cell_of(run_trial, tmp_path / "warm", "mlp", measure={"warmup_steps": 30})
    for seed in SEEDS:
        cold, warm = arrays(tmp_path / f"cell-{seed}.h5"), arrays(tmp_path / "warm" / f"cell-{seed}.h5")
        assert all(np.array_equal(cold[name], warm[name]) for name in cold)


class Fragile(nn.Module):
    """Its loss is NaN in every seed whose first draw is below a third or so."""

    def __init__(self, n: int, k: int) -> None:
        super().__init__()
        self.layer = nn.Linear(n, k)
        self.register_buffer("broken", torch.where(torch.rand(()) < 0.4, torch.nan, 0.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x.flatten(1)) + self.broken
        return answer


def test_a_seed_that_diverges_takes_no_other_with_it(run_trial: Any, register: Any, tmp_path: Path) -> None:
    register("fragile", lambda input_shape, num_classes: Fragile(int(np.prod(input_shape)), num_classes))
    seeds = range(8)
    paths: dict[int, Path | None] = {seed: tmp_path / f"{seed}.h5" for seed in seeds}
    outcome = run_trial("fragile", seed=0, artifact=paths.pop(0), others=paths, train={"engine": "vectorized"})
    found = dict(zip(seeds, (outcome, *outcome.others), strict=True))
    single = {seed: run_trial("fragile", seed=seed) for seed in seeds}
    assert {each.status for each in single.values()} == {"ok", "diverged"}
    for seed in seeds:
        assert found[seed].status == single[seed].status
        assert found[seed].reason == single[seed].reason
        assert (tmp_path / f"{seed}.h5").exists() == (found[seed].status == "ok")
        assert ("test_accuracy" in found[seed].metrics) == (found[seed].status == "ok")


@pytest.mark.parametrize(
    ("train", "word"),
    [
        ({"optimizer": "lbfgs", "learning_rate": 0.5}, "lbfgs"),
        ({"loader": "dataloader"}, "resident"),
        ({"precision": "float16"}, "float16"),
        ({"memory_format": "channels_last"}, "contiguous"),
        ({"schedule": "plateau", "validation_split": 0.2}, "plateaus of its own"),
        ({"early_stopping_patience": 2, "validation_split": 0.2}, "would stop in an epoch of its own"),
    ],
)
def test_settings_that_tie_seeds_together_are_skipped(run_trial: Any, train: dict[str, Any], word: str) -> None:
    outcome = run_trial("linear", train={"engine": "vectorized", **train}, others={1: None})
    for each in (outcome, *outcome.others):
        assert each.status == "skipped"
        assert "vectorized" in each.reason
        assert word in each.reason


class Draws(nn.Module):
    def __init__(self, n: int, k: int) -> None:
        super().__init__()
        self.layer = nn.Linear(n, k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x.flatten(1) + torch.rand_like(x.flatten(1)))
        return answer


class Looks(Draws):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x.flatten(1))
        return answer if answer.sum().item() > 0 else -answer


@pytest.mark.parametrize("kind", [Draws, Looks, None])
def test_models_that_cannot_be_mapped_are_skipped(run_trial: Any, register: Any, kind: type[Draws] | None) -> None:
    def build(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        n = int(np.prod(input_shape))
        return kind(n, num_classes) if kind else nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(n, num_classes))

    register("odd", build)
    outcome = run_trial("odd", train={"engine": "vectorized"})
    assert outcome.status == "skipped", outcome.traceback
    assert "engine 'vectorized'" in outcome.reason
    assert "use engine 'eager'" in outcome.reason


class Scaled(nn.Module):
    """What a seed draws for it is `kept` beside its weights."""

    def __init__(self, kept: Any, act: nn.Module | None = None) -> None:
        super().__init__()
        self.layer, self.kept, self.act = nn.Linear(64, 10), kept, act or nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.act(self.layer(x.flatten(1)))
        return answer


def local(input_shape: Any, num_classes: int) -> nn.Module:
    """The class is another one at each call."""

    class Local(Scaled):
        pass

    return Local(3)


def drawn(most: int) -> int:
    return int(torch.randint(1, most, ()))


DRAWN: dict[str, tuple[Callable[..., nn.Module], str]] = {
    "a number": (lambda *_: Scaled(float(torch.rand(()))), "kept"),
    "a tensor": (lambda *_: Scaled(torch.rand(3)), "kept"),
    "an array": (lambda *_: Scaled(np.random.permutation(9)), "kept"),
    "a list": (lambda *_: Scaled([torch.rand(3)]), "kept.0"),
    "layers in a dict": (lambda *_: Scaled({"one": nn.Linear(3, 3)}), "kept.one.weight"),
    "a width": (lambda *_: Scaled(1, nn.Sequential(nn.Linear(10, w := drawn(50)), nn.Linear(w, 10))), "act.0.weight"),
    "a kind of layer": (
        lambda *_: Scaled(1, [nn.ReLU(), nn.Tanh(), nn.GELU(), nn.SiLU(), nn.ELU()][drawn(5)]), "act: its class",
    ),
    "a setting of a layer": (lambda *_: Scaled(1, nn.LeakyReLU(float(torch.rand(())))), "act.negative_slope"),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_seeds_that_differ_in_more_than_weights_do_not_share_a_model(run_trial: Any, register: Any, name: str) -> None:
    build, where = DRAWN[name]
    register("drawn", build)
    outcome = run_trial("drawn", train={"engine": "vectorized"}, others={1: None, 2: None})
    assert outcome.status == "skipped"
    why = f"engine 'vectorized': the seeds' models differ in more than their weights ({where}"
    assert outcome.reason.startswith(why)
    assert outcome.reason.endswith("): use engine 'eager'")


def test_a_class_of_a_builders_own_and_what_all_seeds_keep_alike_are_taken(run_trial: Any, register: Any) -> None:
    register("local", local)
    register("kept", lambda *_: Scaled({"a": [torch.ones(3), np.zeros(2), "text", object()]}))
    for name in ("local", "kept"):
        outcome = run_trial(name, train={"engine": "vectorized"}, others={1: None})
        assert (outcome.status, outcome.others[0].status) == ("ok", "ok"), outcome.reason
        alone = run_trial(name, seed=1)
        assert outcome.others[0].curves["train_loss"] == pytest.approx(alone.curves["train_loss"], rel=1e-4)


def test_a_model_that_raises_is_a_failure_of_every_seed(run_trial: Any, register: Any) -> None:
    def build(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(3, num_classes))

    register("wrong", build)
    outcome = run_trial("wrong", train={"engine": "vectorized"}, others={1: None})
    for each in (outcome, *outcome.others):
        assert each.status == "failed"
        assert "Traceback" in each.traceback
