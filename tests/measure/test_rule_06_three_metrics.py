"""Rule 6: step throughput, end-to-end throughput and time to target are three metrics. A sleep that is put into the
loader, the evaluation or the start-up moves those that it belongs to, and no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.base.records import Component
from bench.worker.evaluate import inference
from bench.worker.train import loaders
from bench.worker.trial import trial

SLEEP = 0.2
STEP_SECONDS = 0.01
STEPS = ("train_samples_per_second", "step_seconds", "achieved_flops_per_second")
EPOCHS = ("epoch_seconds", "end_to_end_samples_per_second", "fit_seconds", "time_to_target_seconds", "loading_seconds")
INFERENCE = ("inference_samples_per_second", "inference_latency_p50_seconds")
# What may move by chance on a busy machine. The sleep makes it several times as much.
SHARE, SECONDS = 0.1, 0.05


class Injected:
    """Where the next trial sleeps."""

    where = ""


@pytest.fixture
def measured(
    run_trial: Any, paced: Any, paced_class: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, float]]:
    evaluate, epoch = trial.evaluate, loaders.Loaded.epoch

    def slow_evaluate(*given: Any, **named: Any) -> Any:
        time.sleep(SLEEP if Injected.where == "evaluation" else 0)
        return evaluate(*given, **named)

    def slow_epoch(self: Any, *, steps_per_chunk: int) -> Iterator[Any]:
        time.sleep(SLEEP if Injected.where == "loader" else 0)
        yield from epoch(self, steps_per_chunk=steps_per_chunk)

    class Waits(paced_class):  # type: ignore[misc, valid-type]
        def __init__(self, *given: Any) -> None:
            time.sleep(SLEEP if Injected.where == "start-up" else 0)
            super().__init__(*given)

        def end(self, seconds: float, started: float) -> None:
            self.last = 0.0  # a step makes up for nothing that came before it: the loader is before it
            super().end(seconds, started)

    model = paced(Waits, milliseconds=1e3 * STEP_SECONDS)
    monkeypatch.setattr(trial, "evaluate", slow_evaluate)
    monkeypatch.setattr(inference, "BUDGET_SECONDS", 0.1)  # ten calls tell of a step of 10 ms
    monkeypatch.setattr(loaders.Loaded, "epoch", slow_epoch)

    def run(where: str) -> dict[str, float]:
        Injected.where = where
        outcome = run_trial(
            model,
            dataset=Component("synthetic", {"train": 640, "test": 64}),
            train={"loader": "dataloader", "epochs": 3},
            measure={"target_accuracy": 0.01},
        )
        return {name: value for name, value in outcome.metrics.items() if value is not None}

    return run


MOVED = {
    "loader": {*EPOCHS, "total_seconds"},
    "evaluation": {"total_seconds"},
    "start-up": {"total_seconds"},
}


@pytest.mark.parametrize("where", MOVED)
def test_only_the_metrics_move_that_a_sleep_belongs_to(
    measured: Callable[[str], dict[str, float]], several_tries: Callable[..., None], where: str
) -> None:
    def moved() -> set[str]:
        plain, slept = measured(""), measured(where)
        found = set()
        for name in (*STEPS, *EPOCHS, *INFERENCE, "total_seconds"):
            far = abs(slept[name] - plain[name])
            if far > SHARE * abs(plain[name]) and (not name.endswith("seconds") or far > SECONDS):
                found.add(name)
        return found

    several_tries(lambda: moved() == MOVED[where])


def test_a_sleep_in_the_loader_is_read_in_full(measured: Callable[[str], dict[str, float]]) -> None:
    slept = measured("loader")
    assert slept["epoch_seconds"] >= SLEEP + 10 * STEP_SECONDS
    assert slept["loading_seconds"] >= SLEEP
    assert slept["fit_seconds"] >= 3 * (SLEEP + 10 * STEP_SECONDS)
