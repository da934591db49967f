"""Rule 21: FLOPs are counted from the graph, forward and backward: exact for the three models by hand.

A multiplication and an addition are two. Backward costs as much again for the weights, and once more for the input,
which a first layer does not need.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.base.records import Component

SHAPES = [(1, 28, 28), (3, 32, 32)]
FIRST, LATER = 2, 3  # passes through a layer's products: forward, gradient of the weights, gradient of the input


def linear(inputs: int, outputs: int) -> int:
    return 2 * inputs * outputs


def convolution(inputs: int, outputs: int, height: int, width: int) -> int:
    """3×3, padding 1: each output pixel is a product with 9 pixels of every input channel."""
    return 2 * 9 * inputs * outputs * height * width


def by_hand(model: str, shape: tuple[int, int, int]) -> int:
    channels, height, width = shape
    pixels = math.prod(shape)
    if model == "linear":
        return FIRST * linear(pixels, 10)
    if model == "mlp":
        return FIRST * linear(pixels, 100) + LATER * linear(100, 10)
    first = FIRST * convolution(channels, 16, height, width)
    second = LATER * convolution(16, 32, height // 2, width // 2)
    return first + second + LATER * linear(32 * (height // 4) * (width // 4), 10)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_flops_of_a_sample_are_exact(run_trial: Any, model: str, shape: tuple[int, int, int]) -> None:
    data = Component("synthetic", {"train": 20, "test": 10, "shape": list(shape)})
    metrics = run_trial(model, dataset=data, batch_size=10, train={"epochs": 1}).metrics
    assert metrics["flops_per_sample"] == by_hand(model, shape)
    assert math.isclose(
        metrics["achieved_flops_per_second"], by_hand(model, shape) * metrics["train_samples_per_second"]
    )


def test_a_linear_layer_of_784_to_10_is_2_784_10_forward() -> None:
    assert by_hand("linear", (1, 28, 28)) == 2 * (2 * 784 * 10)


def test_the_batch_size_does_not_change_the_count(run_trial: Any) -> None:
    counts = {run_trial("cnn", batch_size=size).metrics["flops_per_sample"] for size in (1, 7, 64)}
    assert len(counts) == 1
