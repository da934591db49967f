"""What is recorded beside the timings: sizes of what training keeps, the split of an epoch, percentiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("optimizer", "momentum", "copies"),
    [("sgd", 0.0, 0), ("sgd", 0.9, 1), ("adam", 0.0, 2), ("rmsprop", 0.0, 1)],
)
def test_gradients_and_optimizer_state_in_bytes(run_trial: Any, optimizer: str, momentum: float, copies: int) -> None:
    """The state is so many copies of the weights; beside them a count of steps a tensor, of 4 bytes."""
    outcome = run_trial("mlp", train={"optimizer": optimizer, "learning_rate": 0.01, "momentum": momentum})
    metrics = outcome.metrics
    assert metrics["gradient_bytes"] == metrics["model_bytes"] == 4 * metrics["parameters"]
    counts = 4 * 4 if optimizer != "sgd" else 0
    assert metrics["optimizer_state_bytes"] == copies * metrics["model_bytes"] + counts


def test_the_history_of_lbfgs_is_counted(run_trial: Any) -> None:
    metrics = run_trial("linear", train={"optimizer": "lbfgs", "learning_rate": 0.5}).metrics
    assert metrics["optimizer_state_bytes"] > 4 * metrics["model_bytes"]


def test_an_epoch_is_its_blocks_and_the_time_that_its_batches_took_to_come(run_trial: Any) -> None:
    outcome = run_trial(train={"loader": "dataloader", "epochs": 1})
    metrics = outcome.metrics
    timed = sum(outcome.samples["block_seconds"])
    assert metrics["loading_seconds"] == pytest.approx(metrics["epoch_seconds"] - timed)
    assert 0 < metrics["loading_seconds"] < metrics["epoch_seconds"]


def test_percentiles_are_those_of_the_raw_samples(run_trial: Any) -> None:
    outcome = run_trial()
    for percent in (50, 95, 99):
        found = outcome.metrics[f"inference_latency_p{percent}_seconds"]
        assert found == pytest.approx(np.percentile(outcome.samples["latency_seconds"], percent))
