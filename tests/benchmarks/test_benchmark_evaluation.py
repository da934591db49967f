"""Evaluation of a test set by each model."""

from __future__ import annotations

from typing import Any

import pytest

from bench.worker.evaluate.accuracy import Held, evaluate

SAMPLES = 1000


@pytest.mark.benchmark(group=f"evaluation: {SAMPLES} samples, batch 64")
@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_evaluation(benchmark: Any, workshop: Any, model: str) -> None:
    held = Held.of_arrays(*workshop.data(SAMPLES), device=workshop.device, scale=workshop.scale)
    found = benchmark(evaluate, workshop.model(model), held, batch_size=64, precision="float32")
    assert found.outputs.shape == (SAMPLES, 10)
