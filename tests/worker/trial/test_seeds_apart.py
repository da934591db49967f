"""`seed.init`, `seed.order` and `seed.split`: each moves what it names, to the bit, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.base.records import Component
from bench.registry import DEVICES
from bench.worker.common.messages import TrialOutcome
from bench.worker.devices.cpu import Cpu

DIGITS = Component("digits")
HALF = {"validation_split": 0.5}  # so that the split decides what is trained on
SOURCES = ("init", "order", "split")


@dataclass
class Seen:
    """What one trial was like: first weights, all batches in their order, the numbers that its dropout left over."""

    weights: torch.Tensor | None = None
    batches: list[torch.Tensor] = field(default_factory=list)
    kept: list[torch.Tensor] = field(default_factory=list)


@pytest.fixture
def look(run_trial: Any, register: Any) -> Any:
    """`look(seed, init=…)`: what a trial on digits is given. The last instance of its model is the one that trains."""

    def build(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
        latest.clear()
        latest.append(seen := Seen())
        pixels, dropout, out = nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, num_classes)

        class Watched(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.out = out

            def forward(self, images: torch.Tensor) -> torch.Tensor:
                if not self.training:
                    return out(pixels(images))  # type: ignore[no-any-return]
                seen.weights = out.weight.detach().clone() if seen.weights is None else seen.weights
                seen.batches.append(images.detach().clone())
                ones = dropout(torch.ones(len(images), 64))
                seen.kept.append(ones)
                return out(pixels(images) * ones)  # type: ignore[no-any-return]

        return Watched()

    latest: list[Seen] = []
    register("watched", build)

    def trial(seed: int = 0, train: Mapping[str, Any] | None = None, **seeds: int) -> Seen:
        settings = {"epochs": 1, **HALF, **(train or {})}
        measure = {"warmup_steps": 0, "evaluate": "accuracy"}
        outcome: TrialOutcome = run_trial(
            "watched", dataset=DIGITS, seed=seed, seeds=seeds, train=settings, measure=measure
        )
        assert outcome.status == "ok", outcome.traceback or outcome.reason
        return latest[0]

    return trial


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


def samples(seen: Seen) -> list[bytes]:
    """The images that it trained on, whatever their order."""
    return sorted(image.numpy().tobytes() for image in torch.cat(seen.batches))


def test_each_seed_moves_what_it_names_and_nothing_else(look: Any) -> None:
    base, other = look(0), look(3)
    found = {source: look(0, **{source: 3}) for source in SOURCES}
    assert base.weights is not None
    assert not torch.equal(base.weights, other.weights)

    assert torch.equal(found["init"].weights, other.weights)  # and its dropout: what the model draws
    assert same(found["init"].kept, other.kept)
    assert same(found["init"].batches, base.batches)

    assert torch.equal(found["order"].weights, base.weights)
    assert same(found["order"].kept, base.kept)
    assert samples(found["order"]) == samples(base)
    assert not same(found["order"].batches, base.batches)

    assert torch.equal(found["split"].weights, base.weights)
    assert same(found["split"].kept, base.kept)
    assert samples(found["split"]) == samples(other)
    assert samples(found["split"]) != samples(base)
    # The samples of seed 3's split in the order of seed 0.
    assert same(look(3, order=0).batches, found["split"].batches)


def test_the_order_of_seed_3_with_the_weights_of_seed_0(look: Any) -> None:
    mixed, base, other = look(0, order=3, split=3), look(0), look(3)
    assert torch.equal(mixed.weights, base.weights)
    assert same(mixed.batches, other.batches)


@pytest.mark.parametrize("train", [{}, {"loader": "dataloader"}], ids=str)
def test_augmentation_goes_with_the_order(look: Any, train: dict[str, Any]) -> None:
    moved = {**train, "augment_flip": True, "augment_crop_padding": 1}
    mixed, other = look(0, moved, order=3, split=3), look(3, moved)
    assert same(mixed.batches, other.batches)


class Recorder(Cpu):
    """The processor, with graphs: capturing runs nothing, replaying runs the call."""

    name = "recorder"

    @property
    def torch_device(self) -> torch.device:
        return torch.device("cpu")

    def cannot_capture(self) -> str:
        return ""

    def aside(self, call: Any) -> None:
        call()

    def capture(self, call: Any) -> Any:
        return call


@pytest.fixture
def recorder() -> Iterator[str]:
    DEVICES.register("recorder")(Recorder)
    yield "recorder"
    DEVICES._entries.pop("recorder")


def trained(run_trial: Any, path: Path, seed: int, seeds: Mapping[str, int], **asked: Any) -> dict[str, Any]:
    """All that a trial learned and answered, by name."""
    train = {"epochs": 2, "validation_split": 0.2, **asked.pop("train", {})}
    if train.get("engine") == "vectorized":  # beside another seed of its cell
        asked["others"] = {9: None}
    outcome = run_trial("mlp", dataset=DIGITS, seed=seed, seeds=seeds, artifact=path, train=train, **asked)
    assert outcome.status == "ok", outcome.traceback or outcome.reason
    with h5py.File(path) as file:
        found = {f"weights/{name}": file["weights"][name][()] for name in file["weights"]}
        found |= {name: file["test"][name][()] for name in file["test"]}
    assert outcome.answers is not None
    return found | {"loss": np.array(outcome.curves["train_loss"]), "set": np.array(outcome.answers.test_set)}


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"loader": "dataloader"},
        {"engine": "vectorized"},
        {"engine": "cudagraph"},
        {"augment_flip": True, "momentum": 0.9},
    ],
    ids=str,
)
def test_all_three_at_a_seed_are_that_seed_in_every_engine(
    run_trial: Any, tmp_path: Path, recorder: str, train: dict[str, Any]
) -> None:
    asked = {"train": train, "device": recorder if train.get("engine") == "cudagraph" else "cpu"}
    plain = trained(run_trial, tmp_path / "plain.h5", 3, {}, **asked)
    for seed, seeds in ((3, dict.fromkeys(SOURCES, 3)), (0, dict.fromkeys(SOURCES, 3))):
        assert equal(plain, trained(run_trial, tmp_path / "apart.h5", seed, seeds, **asked)), (seed, seeds)
    for source in SOURCES:
        assert not equal(plain, trained(run_trial, tmp_path / "other.h5", 3, {source: 0}, **asked)), source


def test_side_by_side_each_seed_has_what_was_set_apart_for_all(run_trial: Any, tmp_path: Path) -> None:
    paths = {seed: tmp_path / f"{seed}.h5" for seed in (1, 2)}
    train, seeds = {"epochs": 2, "engine": "vectorized", "validation_split": 0.2}, {"split": 5}
    run_trial("mlp", dataset=DIGITS, seed=1, others={2: paths[2]}, artifact=paths[1], seeds=seeds, train=train)
    alone = trained(run_trial, tmp_path / "alone.h5", 2, seeds)
    with h5py.File(paths[1]) as one, h5py.File(paths[2]) as two:
        assert np.array_equal(one["test"]["labels"][()], two["test"]["labels"][()])
        for name in two["weights"]:
            assert np.abs(two["weights"][name][()] - alone[f"weights/{name}"]).max() < 1e-5
            assert not np.array_equal(one["weights"][name][()], two["weights"][name][()])


def test_a_stopped_trial_goes_on_with_its_seeds(run_trial: Any, tmp_path: Path) -> None:
    seeds = {"init": 1, "order": 2, "split": 3}
    whole = trained(run_trial, tmp_path / "whole.h5", 0, seeds, train={"epochs": 4})

    class Stops:
        def progress(self, **what: Any) -> None:
            if what.get("epoch") == 3:
                raise KeyboardInterrupt

    places = {"checkpoints": tmp_path / "checkpoints", "dataset": DIGITS, "seeds": seeds}
    train = {"epochs": 4, "validation_split": 0.2, "checkpoint_every_epochs": 1}
    stopped = run_trial("mlp", channel=Stops(), train=train, **places)
    assert stopped.status != "ok"
    path = tmp_path / "resumed.h5"
    resumed = trained(
        run_trial, path, 0, seeds, train={"epochs": 4, "checkpoint_every_epochs": 1}, checkpoints=places["checkpoints"]
    )
    assert equal(whole, resumed)
