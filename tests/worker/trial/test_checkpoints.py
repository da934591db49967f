"""A training that was stopped and goes on ends with the weights, bit for bit, that it would have had."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.base import files
from bench.base.checkpoint_file import BEST, LAST, Label, read
from bench.base.records import TrainSettings
from bench.worker.devices.cpu import Cpu
from bench.worker.engines.base import Learner
from bench.worker.train.schedules import Schedule
from bench.worker.trial import checkpoints
from bench.worker.trial.learner_state import LearnerState

EPOCHS = 6
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd with momentum": {"momentum": 0.9},
    "adam": {"optimizer": "adam", "learning_rate": 0.003},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.1},
    "rmsprop": {"optimizer": "rmsprop", "learning_rate": 0.003, "momentum": 0.5},
    "lbfgs": {"optimizer": "lbfgs", "learning_rate": 0.1},
    "loader": {"loader": "dataloader", "momentum": 0.9},
    "float16": {"precision": "float16", "momentum": 0.9},
    "schedule by steps": {"schedule": "onecycle", "optimizer": "adam", "learning_rate": 0.003, "gradient_clip": 1.0},
    "schedule by epochs": {"schedule": "cosine", "momentum": 0.9},
    "plateau": {"schedule": "plateau", "schedule_patience": 0, "validation_split": 0.2, "learning_rate": 1.0},
    "stopping": {"early_stopping_patience": 20, "validation_split": 0.2, "learning_rate": 1.0},
    "augmentation": {"augment_flip": True, "augment_crop_padding": 2, "augment_rotation_degrees": 20.0},
    "channels last": {"memory_format": "channels_last", "momentum": 0.9},
    "steps": {"epochs": 10, "steps": 4 * EPOCHS + 2, "optimizer": "adam", "learning_rate": 0.003},
}


class Draws(nn.Module):
    """Draws from torch, numpy and Python as it trains, and remembers: in a buffer, and in one that is not stored."""

    counted: torch.Tensor
    unseen: torch.Tensor

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 32), nn.BatchNorm1d(32), nn.Dropout(0.3), nn.ReLU())
        self.head = nn.Linear(32, classes)
        self.register_buffer("counted", torch.zeros(()))
        self.register_buffer("unseen", torch.ones(()), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.layers(images)
        if self.training:
            hidden = hidden * (0.9 + 0.1 * random.random()) + 0.01 * float(np.random.normal())
            self.counted += 1
            self.unseen *= 1.01
        answer: torch.Tensor = self.head(hidden) * self.unseen
        return answer


def draws(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    channels, height, width = input_shape
    return Draws(channels * height * width, num_classes)


class Stops:
    """A channel that ends the trial in the midst of an epoch, as a kill does: whatever it has not written is lost."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.notes = epoch, list[str]()

    def progress(self, **what: Any) -> None:
        if "note" in what:
            self.notes.append(what["note"])
        if what.get("phase") == "training" and what["epoch"] > self.epoch:
            raise KeyboardInterrupt


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Everything in the file of a trial but what was timed."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, node: found.update({name: node[()]}) if isinstance(node, h5py.Dataset) else None)
    return {name: array for name, array in found.items() if name != "curves/train_seconds"}


def same(a: Path, b: Path) -> bool:
    one, other = arrays(a), arrays(b)
    return one.keys() == other.keys() and all(one[n].tobytes() == other[n].tobytes() for n in one)


LEARNED = ("test_accuracy", "test_loss", "train_loss", "optimizer_state_bytes", "gradient_bytes")


def stopped_and_resumed(
    run_trial: Callable[..., Any], folder: Path, *, stops: list[int], every: int = 1, **asked: Any
) -> tuple[Any, Any, list[str]]:
    """The outcome of a trial that ran through, that of one that was stopped in the epochs behind `stops`, and what was
    told on the way; the files of both lie in `folder`."""
    train = {"epochs": EPOCHS, **asked.pop("train", {})}
    whole = run_trial(train=train, artifact=folder / "whole.h5", **asked)
    train["checkpoint_every_epochs"] = every
    place, notes = folder / "checkpoints/trial", list[str]()
    for stop in [*stops, 10**6]:
        channel = Stops(stop)
        torch.rand(3)  # where the generators are before a trial is nothing to it
        found = run_trial(train=train, artifact=folder / "parts.h5", checkpoints=place, channel=channel, **asked)
        notes += channel.notes
    return whole, found, notes


def assert_learned_the_same(whole: Any, found: Any, folder: Path) -> None:
    assert (whole.status, found.status) == ("ok", "ok"), (whole.reason, found.reason)
    assert {n: whole.metrics[n] for n in LEARNED} == {n: found.metrics[n] for n in LEARNED}
    learned = {n: v for n, v in whole.curves.items() if n != "train_seconds"}
    assert learned == {n: v for n, v in found.curves.items() if n != "train_seconds"}
    assert same(folder / "whole.h5", folder / "parts.h5")


@pytest.mark.parametrize("settings", SETTINGS)
def test_resumed_bit_by_bit(settings: str, run_trial: Any, register: Any, tmp_path: Path) -> None:
    register("draws", draws)
    model = "cnn" if settings == "channels last" else "draws"
    drawn = random.Random(settings)
    stops = sorted(drawn.sample(range(1, EPOCHS), 2 if settings == "sgd with momentum" else 1))
    whole, found, notes = stopped_and_resumed(run_trial, tmp_path, stops=stops, model=model, train=SETTINGS[settings])
    assert_learned_the_same(whole, found, tmp_path)
    assert [note.partition(",")[0] for note in notes] == [f"goes on after epoch {stop}" for stop in stops]


def test_the_scaler_of_float16_goes_on_counting(run_trial: Any, register: Any, tmp_path: Path) -> None:
    """It doubles its scale after 2000 steps without an overflow: too many for a test, so its count is looked at."""
    register("draws", draws)
    stopped_and_resumed(run_trial, tmp_path, stops=[2], model="draws", train={"precision": "float16"})
    state = checkpoints.loaded(read(tmp_path / "checkpoints/trial" / LAST)[1])
    assert state["parts"]["scaler"]["_growth_tracker"] == 5 * EPOCHS  # batches of both processes


def test_what_a_captured_step_reads_stays_where_it_is() -> None:
    """A graph of CUDA knows addresses: the optimizer's tensors are filled, not replaced."""
    device = Cpu()
    rate = torch.tensor(0.1)
    learners = []
    for _ in range(2):
        model = nn.Linear(3, 2)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate.clone(), capturable=False, foreach=False)
        schedule = Schedule(optimizer, TrainSettings(), epochs=1, steps=1)
        learners.append(Learner(model, optimizer, lambda fetch: torch.zeros(()), schedule, None))
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    learners[0].optimizer.param_groups[0]["lr"].fill_(0.05)
    learners[0].optimizer.step()
    one, other = (LearnerState(learner, in_place=True) for learner in learners)
    tensors = [t for kept in learners[1].optimizer.state.values() for t in kept.values()]
    tensors += [*learners[1].model.parameters(), learners[1].optimizer.param_groups[0]["lr"]]
    places = [tensor.data_ptr() for tensor in tensors]
    other.load_state_dict(one.state_dict())
    after = [t for kept in learners[1].optimizer.state.values() for t in kept.values()]
    after += [*learners[1].model.parameters(), learners[1].optimizer.param_groups[0]["lr"]]
    assert [tensor.data_ptr() for tensor in after] == places
    assert learners[1].optimizer.param_groups[0]["lr"] == torch.tensor(0.05)
    for mine, theirs in zip(learners[0].optimizer.state.values(), learners[1].optimizer.state.values(), strict=True):
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert device.generator_state() is None


def test_early_stopping_counts_over_both_processes(run_trial: Any, register: Any, tmp_path: Path) -> None:
    register("draws", draws)
    train = {"epochs": 40, "early_stopping_patience": 2, "validation_split": 0.2, "learning_rate": 1.0}
    whole = run_trial("draws", train=train, artifact=tmp_path / "whole.h5")
    trained = int(whole.metrics["epochs_trained"])
    assert trained < 40
    for stop in (trained - 1, trained):  # while it waits; and when it is over: nothing is left to train
        whole, found, _ = stopped_and_resumed(run_trial, tmp_path, stops=[stop], model="draws", train=train)
        assert_learned_the_same(whole, found, tmp_path)
        names = ("epochs_trained", "best_epoch")
        assert [found.metrics[n] for n in names] == [whole.metrics[n] for n in names]


def test_the_record_is_whole_and_says_that_it_was_resumed(run_trial: Any, register: Any, tmp_path: Path) -> None:
    register("draws", draws)
    whole, found, _ = stopped_and_resumed(run_trial, tmp_path, stops=[2, 3], model="draws")
    for name in ("block_steps", "block_samples"):
        assert sum(found.samples[name]) == sum(whole.samples[name])
    assert len(found.samples["block_seconds"]) == len(found.samples["block_steps"])
    for name in ("epoch_seconds", "epoch_data_seconds", "contention_involuntary_switches"):
        assert len(found.samples[name]) == EPOCHS
    assert found.curves["train_seconds"] == pytest.approx(np.cumsum(found.samples["epoch_seconds"]))
    assert found.metrics["fit_seconds"] == pytest.approx(found.curves["train_seconds"][-1])
    assert found.samples["resumed_after_epochs"] == [2.0, 3.0]
    assert found.valid is False
    assert "resumed: timed in 3 processes (went on after epoch 2 and 3)" in found.validity_notes
    assert found.instruments["step_seconds"] == "in 3 processes, the last from epoch 4 on"
    assert found.instruments["total_seconds"] == "of the last process alone"
    assert "resumed_after_epochs" not in whole.samples
    assert not any("resumed" in note for note in whole.validity_notes)


def test_what_writing_takes_is_in_no_figure_but_the_total(
    run_trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, seconds = checkpoints.write, 2.0

    def slowly(*arguments: Any, **named: Any) -> None:
        time.sleep(seconds)
        written(*arguments, **named)

    monkeypatch.setattr(checkpoints, "write", slowly)
    found = run_trial("linear", train={"epochs": 3, "checkpoint_every_epochs": 1}, checkpoints=tmp_path / "trial")
    assert found.metrics["total_seconds"] > 3 * seconds
    assert found.metrics["fit_seconds"] < seconds  # three epochs of five steps take milliseconds
    assert sum(found.samples["contention_wait_seconds"]) < seconds


def test_every_second_epoch_and_the_last(run_trial: Any, register: Any, tmp_path: Path) -> None:
    register("draws", draws)
    whole, found, notes = stopped_and_resumed(run_trial, tmp_path, stops=[3], every=2, model="draws")
    assert_learned_the_same(whole, found, tmp_path)
    assert notes == ["goes on after epoch 2, from its checkpoint"]
    label, _ = read(tmp_path / "checkpoints/trial" / LAST)
    assert (label.epoch, label.kept) == (EPOCHS, False)
    train = {"epochs": EPOCHS, "checkpoint_every_epochs": 4}
    place = tmp_path / "checkpoints/trial"
    again = run_trial("draws", train=train, artifact=tmp_path / "parts.h5", checkpoints=place, channel=Stops(10**6))
    assert_learned_the_same(whole, again, tmp_path)  # stopped behind the last epoch: nothing is left to train
    assert len(again.samples["epoch_seconds"]) == EPOCHS


def test_the_best_by_validation_loss_is_kept_where_that_is_asked_for(
    run_trial: Any, register: Any, tmp_path: Path
) -> None:
    register("draws", draws)
    train = {"epochs": 8, "validation_split": 0.2, "learning_rate": 0.5, "keep_checkpoints": True}
    place = tmp_path / "checkpoints/trial"
    found = run_trial("draws", train=train, checkpoints=place)
    losses = found.curves["validation_loss"]
    label, content = read(place / BEST)
    assert label.epoch == 1 + int(np.argmin(losses))
    assert label.kept
    weights = checkpoints.loaded(content)["model"]["state"]
    assert weights["counted"] == 4 * label.epoch  # steps: of that epoch, not of the last one
    assert read(place / LAST)[0].epoch == 8  # without `checkpoint_every_epochs`: once, at the end
    run_trial("draws", train={**train, "validation_split": 0.0}, checkpoints=tmp_path / "none")
    assert not (tmp_path / "none" / BEST).exists()  # the test set chooses nothing


def test_without_the_setting_nothing_is_written(run_trial: Any, tmp_path: Path) -> None:
    assert run_trial("linear", checkpoints=tmp_path / "none").status == "ok"
    assert not (tmp_path / "none").exists()


def test_a_full_disk_leaves_the_checkpoint_before(run_trial: Any, tmp_path: Path, monkeypatch: Any) -> None:
    place = tmp_path / "checkpoints/trial"
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 2:  # the file and its folder once
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    found = run_trial("linear", train={"epochs": 4, "checkpoint_every_epochs": 1}, checkpoints=place)
    assert (found.status, found.reason) == ("interrupted", "No space left on device, while the trial wrote")
    assert read(place / LAST)[0].epoch == 1
    assert [path.name for path in place.iterdir()] == [LAST]


def test_an_error_of_the_disk_within_torchs_writer_is_an_oserror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = Label(trial_id="t", environment_id="e", code_id="c", torch="2", epoch=1, kept=False)
    full = tmp_path / "full.pt"

    def created(path: Path, buffering: int) -> BinaryIO:
        return Path("/dev/full").open("wb", buffering=buffering)

    monkeypatch.setattr(files, "created", created)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.write(full, {"weights": torch.zeros(100_000)}, label=label)
    assert not full.exists()
