"""Rule 7: the samples that were processed are counted. 1001 in batches of 64 are 15 batches and one of 41."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.base.records import Component


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
def test_1001_samples_are_1001_samples(run_trial: Any, loader: str) -> None:
    outcome = run_trial(dataset=Component("synthetic", {"train": 1001}), train={"epochs": 3, "loader": loader})
    samples, metrics = outcome.samples, outcome.metrics
    assert sum(samples["block_samples"]) == 3 * 1001
    assert sum(samples["block_steps"]) == 3 * 16
    rate = 3 * 1001 / sum(samples["block_seconds"])
    assert math.isclose(metrics["train_samples_per_second"], rate)
    assert math.isclose(metrics["end_to_end_samples_per_second"], 1001 / metrics["epoch_seconds"])


def test_inference_counts_the_samples_that_the_test_set_has(run_trial: Any) -> None:
    """41 samples to test on and a batch of 64: a pass answers 41, not 64."""
    outcome = run_trial(dataset=Component("synthetic", {"train": 64, "test": 41}))
    per_block = outcome.samples["inference_block_samples"]
    assert per_block
    assert all(count % 41 == 0 for count in per_block)
    rate = sum(per_block) / sum(outcome.samples["inference_block_seconds"])
    assert math.isclose(outcome.metrics["inference_samples_per_second"], rate)
