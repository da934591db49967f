"""Captured steps, on a device that captures in Python: the order of capture and replay, and what is refused.

No GPU is needed: what CUDA itself does is not tested here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.registry import DEVICES
from bench.worker.devices.cpu import Cpu
from bench.worker.engines.cudagraph import GraphStep, settle
from bench.worker.train import loaders, optimizers
from bench.worker.train.steps import eager_step


class Recorder(Cpu):
    """The processor, with graphs: capturing runs nothing, replaying runs the call."""

    name = "recorder"
    told: list[str]

    @property
    def torch_device(self) -> torch.device:
        return torch.device("cpu")

    def cannot_capture(self) -> str:
        return ""

    def aside(self, call: Callable[[], object]) -> None:
        TOLD.append("aside")
        call()

    def capture(self, call: Callable[[], object]) -> Callable[[], None]:
        TOLD.append("capture")

        def replay() -> None:
            TOLD.append("replay")
            call()

        return replay


TOLD: list[str] = []


@pytest.fixture
def recorder() -> Iterator[str]:
    TOLD.clear()
    DEVICES.register("recorder")(Recorder)
    yield "recorder"
    DEVICES._entries.pop("recorder")


def weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with h5py.File(path) as file:
        return {name: file["weights"][name][()] for name in file["weights"]}


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"momentum": 0.9, "weight_decay": 0.01},
        {"optimizer": "adam", "learning_rate": 0.01},
        {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1},
        {"optimizer": "rmsprop", "learning_rate": 0.01, "momentum": 0.5},
    ],
)
def test_a_replayed_trial_learns_bitwise_what_the_eager_one_does(
    run_trial: Any, recorder: str, tmp_path: Path, train: dict[str, Any]
) -> None:
    eager = run_trial("mlp", artifact=tmp_path / "a.h5", train=train, batch_size=60)
    captured = run_trial(
        "mlp", artifact=tmp_path / "b.h5", train={"engine": "cudagraph", **train}, batch_size=60, device=recorder
    )
    assert captured.status == eager.status == "ok", captured.traceback or captured.reason
    a, b = weights(tmp_path / "a.h5"), weights(tmp_path / "b.h5")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert captured.curves["train_loss"] == eager.curves["train_loss"]


@pytest.mark.parametrize(
    "train",
    [
        {"nesterov": True, "momentum": 0.9, "l1": 0.001, "gradient_clip": 0.5, "label_smoothing": 0.1},
        {"optimizer": "adam", "learning_rate": 0.01, "betas": [0.8, 0.99], "l1": 0.001, "gradient_clip": 0.5},
        {"augment_flip": True, "augment_crop_padding": 2, "augment_rotation_degrees": 20.0},
    ],
)
def test_what_belongs_to_a_step_is_captured_with_it(
    run_trial: Any, recorder: str, tmp_path: Path, train: dict[str, Any]
) -> None:
    test_a_replayed_trial_learns_bitwise_what_the_eager_one_does(run_trial, recorder, tmp_path, train)


@pytest.fixture
def freezing(recorder: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The recorder, more like CUDA: a replay sees the numbers that the optimizer had when it was captured, and of
    tensors what lies in them now."""
    made: list[torch.optim.Optimizer] = []
    make, capture = optimizers.make_optimizer, Recorder.capture

    def noted(*arguments: Any, **named: Any) -> torch.optim.Optimizer:
        made.append(make(*arguments, **named))
        return made[-1]

    def frozen(self: Recorder, call: Callable[[], object]) -> Callable[[], None]:
        held = made[-1]
        then, replay = [dict(group) for group in held.param_groups], capture(self, call)

        def as_then() -> None:
            now = [dict(group) for group in held.param_groups]
            for group, was in zip(held.param_groups, then, strict=True):
                group.update(was)
            replay()
            for group, kept in zip(held.param_groups, now, strict=True):
                group.update(kept)

        return as_then

    monkeypatch.setattr(optimizers, "make_optimizer", noted)
    monkeypatch.setattr(Recorder, "capture", frozen)
    return recorder


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
@pytest.mark.parametrize(
    "train",
    [
        {"schedule": "step", "schedule_step_epochs": 1, "schedule_factor": 0.3},
        {"schedule": "plateau", "schedule_patience": 0, "validation_split": 0.2},
        {"schedule": "cosine"},
        {"schedule": "onecycle"},
    ],
)
def test_replays_see_a_learning_rate_that_changes(
    run_trial: Any, freezing: str, tmp_path: Path, optimizer: str, train: dict[str, Any]
) -> None:
    train = {"optimizer": optimizer, "learning_rate": 0.005, "epochs": 4} | train
    eager = run_trial("mlp", artifact=tmp_path / "a.h5", train=train, batch_size=60)
    captured = run_trial(
        "mlp", artifact=tmp_path / "b.h5", train={"engine": "cudagraph", **train}, batch_size=60, device=freezing
    )
    assert captured.status == eager.status == "ok", captured.traceback or captured.reason
    assert captured.curves["learning_rate"] == eager.curves["learning_rate"]
    # The rate lies in a tensor of float32, not in a float of Python.
    a, b = weights(tmp_path / "a.h5"), weights(tmp_path / "b.h5")
    assert max(np.abs(a[name] - b[name]).max() for name in a) < 1e-5
    constant = run_trial("mlp", artifact=tmp_path / "c.h5", train=train | {"schedule": "none"}, batch_size=60)
    assert constant.status == "ok"
    c = weights(tmp_path / "c.h5")
    if train["schedule"] != "plateau":  # which may find none in four epochs
        assert max(np.abs(a[name] - c[name]).max() for name in a) > 1e-3


class Stops:
    """A channel that ends the trial in its fourth epoch."""

    def progress(self, **what: Any) -> None:
        if what.get("epoch") == 4:
            raise KeyboardInterrupt


@pytest.mark.parametrize("train", [{"momentum": 0.9}, {"optimizer": "adam", "schedule": "cosine"}], ids=str)
def test_a_checkpoint_is_loaded_into_the_places_that_were_captured(
    run_trial: Any, recorder: str, tmp_path: Path, train: dict[str, Any]
) -> None:
    train = {"epochs": 6, "engine": "cudagraph", "learning_rate": 0.01, **train}
    whole = run_trial("cnn", train=train, device=recorder, artifact=tmp_path / "whole.h5")
    asked = {"train": {**train, "checkpoint_every_epochs": 1}, "device": recorder, "checkpoints": tmp_path / "trial"}
    assert run_trial("cnn", channel=Stops(), **asked).status == "failed"
    found = run_trial("cnn", artifact=tmp_path / "parts.h5", **asked)
    assert found.samples["resumed_after_epochs"] == [3.0]
    one, other = weights(tmp_path / "whole.h5"), weights(tmp_path / "parts.h5")
    assert all(np.array_equal(one[name], other[name]) for name in one | other)
    assert whole.curves["train_loss"] == found.curves["train_loss"]


def test_both_sizes_of_batch_are_captured_before_anything_is_replayed(run_trial: Any, recorder: str) -> None:
    """320 samples in batches of 60: five of 60 and one of 20 an epoch; every step is a replay."""
    outcome = run_trial("linear", train={"engine": "cudagraph"}, batch_size=60, device=recorder)
    assert outcome.status == "ok", outcome.traceback
    warm_up = ["aside", "capture", "capture", *["replay"] * 12]
    assert [*warm_up, "capture", "capture", *["replay"] * 2 * 6] == TOLD


def test_replays_read_the_indices_of_their_batch_and_keep_their_own_loss() -> None:
    images = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    labels = np.zeros(10, dtype=np.int64)
    device = Recorder()
    scale = loaders.Scale.on(device.torch_device, [0.0], [1.0])
    source = loaders.Resident(images, labels, device=device.torch_device, scale=scale, batch_size=4, seed=0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plain = eager_step(model, optimizer, device=device.torch_device)
    step = GraphStep(plain, optimizer, device)
    before = [parameter.clone() for parameter in model.parameters()]
    step.capture(source)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    fetches = [ready.fetch for chunk in source.epoch(steps_per_chunk=9) for ready in chunk]
    losses = [step(fetch) for fetch in fetches]
    twin = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    with torch.no_grad():
        for parameter, value in zip(twin.parameters(), before, strict=True):
            parameter.copy_(value)
    plain = eager_step(twin, torch.optim.SGD(twin.parameters(), lr=0.1), device=torch.device("cpu"))
    assert [float(loss) for loss in losses] == [float(plain(fetch)) for fetch in fetches]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop])
def test_settling_makes_the_state_and_moves_no_weight(kind: Any) -> None:
    model = nn.Linear(5, 3)
    options = {} if kind in (torch.optim.Adam, torch.optim.AdamW) else {"momentum": 0.9}
    optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.5, **options)
    before = [parameter.clone() for parameter in model.parameters()]
    settle(optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(len(optimizer.state[parameter]) for parameter in model.parameters())
    tensors = [t for state in optimizer.state.values() for t in state.values() if isinstance(t, torch.Tensor)]
    assert tensors
    assert not any(tensor.any() for tensor in tensors)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


@pytest.mark.parametrize(
    ("train", "word"),
    [
        ({"optimizer": "lbfgs", "learning_rate": 0.5}, "lbfgs"),
        ({"precision": "float16"}, "float16"),
        ({"loader": "dataloader"}, "resident"),
        ({"schedule": "cosine"}, "use adam, adamw or rmsprop"),
    ],
)
def test_what_cannot_be_captured_is_skipped(run_trial: Any, recorder: str, train: dict[str, Any], word: str) -> None:
    outcome = run_trial(train={"engine": "cudagraph", **train}, device=recorder)
    assert outcome.status == "skipped"
    assert word in outcome.reason


def test_a_cpu_has_no_graphs(run_trial: Any) -> None:
    outcome = run_trial(train={"engine": "cudagraph"})
    assert outcome.status == "skipped"
    assert "cpu has no graphs" in outcome.reason
