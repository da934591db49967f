"""Rule 18: what makes two figures not comparable is part of the trial or of the environment. Change one: another id."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from bench.base.records import NOT_IDENTITY, Component, Environment, MeasureSettings, TrainSettings, Trial
from bench.worker.measure import environment

BASE = Trial(Component("digits"), Component("mlp"), 0, 64, "cuda", TrainSettings(), MeasureSettings())
OTHER: dict[str, Any] = {
    "epochs": 11, "steps": 100, "optimizer": "adam", "learning_rate": 0.2, "momentum": 0.9, "weight_decay": 0.1,
    "validation_split": 0.1, "precision": "tf32", "engine": "compiled", "loader": "dataloader", "num_workers": 1,
    "pin_memory": True, "drop_last": True, "threads": 1, "deterministic": False, "loss": "focal",
    "memory_format": "channels_last", "nesterov": True, "betas": [0.9, 0.99], "l1": 0.1, "label_smoothing": 0.1,
    "gradient_clip": 1.0, "schedule": "step", "schedule_step_epochs": 5, "schedule_factor": 0.5, "schedule_patience": 5,
    "early_stopping_patience": 5, "augment_flip": True, "augment_crop_padding": 2, "augment_rotation_degrees": 15.0,
    "warmup_steps": 11, "energy": True, "evaluate": "accuracy",
}  # fmt: skip


def test_every_setting_of_training_and_measuring_makes_another_trial() -> None:
    ids = {BASE.trial_id}
    trained = [field.name for field in fields(TrainSettings) if field.name not in NOT_IDENTITY]
    for name in trained:
        ids.add(replace(BASE, train=replace(BASE.train, **{name: OTHER[name]})).trial_id)
    measured = [field.name for field in fields(MeasureSettings) if field.name not in NOT_IDENTITY]
    for name in measured:
        ids.add(replace(BASE, measure=replace(BASE.measure, **{name: OTHER[name]})).trial_id)
    assert len(ids) == 1 + len(trained) + len(measured)


@pytest.mark.parametrize("precision", ["tf32", "bfloat16", "float16"])
def test_tf32_and_autocast_are_trials_of_their_own(precision: Any) -> None:
    assert replace(BASE, train=replace(BASE.train, precision=precision)).trial_id != BASE.trial_id


def test_settings_that_came_later_change_no_id_that_people_have() -> None:
    assert replace(BASE, measure=MeasureSettings(energy=False)).trial_id == BASE.trial_id
    assert replace(BASE, train=TrainSettings(memory_format="contiguous")).trial_id == BASE.trial_id
    assert replace(BASE, train=TrainSettings(betas=[0.9, 0.999], schedule="none")).trial_id == BASE.trial_id
    assert replace(BASE, train=TrainSettings(loss="cross_entropy")).trial_id == BASE.trial_id
    assert replace(BASE, device="cpu").trial_id == "644d0649c48f51aa"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTORCH_ENABLE_MPS_FALLBACK", "1"),
        ("NVIDIA_TF32_OVERRIDE", "1"),
        ("OMP_WAIT_POLICY", "PASSIVE"),
        ("GOMP_SPINCOUNT", "1000"),
        ("LD_PRELOAD", "/home/somebody/libtcmalloc.so"),
    ],
)
def test_switches_in_the_environment_make_another_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each in environment.SWITCHES:
        monkeypatch.delenv(each, raising=False)
    plain = environment.system_facts()
    assert "switches" not in plain
    monkeypatch.setenv(name, value)
    switched = environment.system_facts()
    assert switched["switches"] == {name: value.rpartition("/")[2]}  # no folder: results get published
    assert Environment(switched).identity(threads=1) != Environment(plain).identity(threads=1)
