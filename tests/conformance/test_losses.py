"""What a trial learns does not hang on who runs it: the curves of three seeds are the same to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.base.records import Component, TrainSettings, Trial
from bench.run_suite import make_executor

SEEDS = (0, 1, 2)
CURVES = ("train_loss", "test_loss", "test_accuracy")
SETTINGS = TrainSettings(epochs=3, learning_rate=0.05, momentum=0.9, threads=1)


def curves(executor_name: str, folder: Path) -> dict[int, dict[str, list[str]]]:
    """Seed → curve → its values as hexadecimal floats."""
    executor, found = make_executor(executor_name), {}
    executor.start()
    try:
        for seed in SEEDS:
            data, model = Component("synthetic", {"train": 128, "test": 64}), Component("mlp", {"hidden": 16})
            trial = Trial(data, model, seed, 32, "cpu", SETTINGS)
            request: dict[str, Any] = {
                "trial": trial.to_json(), "data_root": str(folder), "locations": {}, "plugins": [], "artifact": None,
                "attributes": {}, "log": None,
            }  # fmt: skip
            outcome = executor.run(request, timeout_seconds=120, on_progress=lambda what: None).outcome
            assert outcome is not None
            assert outcome["status"] == "ok", outcome["traceback"]
            found[seed] = {name: [float(value).hex() for value in outcome["curves"][name]] for name in CURVES}
    finally:
        executor.close()
    return found


def test_the_curves_of_three_seeds_are_the_same_inline_and_in_a_process_of_their_own(tmp_path: Path) -> None:
    local = curves("local", tmp_path)
    assert curves("inline", tmp_path) == local
    losses = [tuple(local[seed]["train_loss"]) for seed in SEEDS]
    assert len(set(losses)) == len(SEEDS)
    assert all(len(each) == SETTINGS.epochs for each in losses)
