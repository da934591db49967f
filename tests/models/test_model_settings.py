"""What the settings of the models do, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.registry import MODELS
from bench.worker.components import load_builtin

load_builtin()


def layers(model: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in model.children()]


def test_linear_is_one_layer() -> None:
    assert layers(MODELS.get("linear").build((1, 8, 8), 10)) == ["Flatten", "Linear"]


@pytest.mark.parametrize(
    ("hidden", "parameters"),
    [(100, 7_510), ([100], 7_510), (1, 64 + 1 + 10 + 10), ([32, 16], 64 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10)],
)
def test_mlp_has_a_layer_for_each_width(hidden: int | list[int], parameters: int) -> None:
    model = MODELS.get("mlp").build((1, 8, 8), 10, hidden=hidden)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert layers(model)[-1] == "Linear"
    assert layers(model).count("ReLU") == (len(hidden) if isinstance(hidden, list) else 1)


@pytest.mark.parametrize("hidden", [0, -1, [], [10, 0], True, 1.5, "100", None])
def test_mlp_refuses_a_width_that_is_none(hidden: object) -> None:
    with pytest.raises(BenchError, match="mlp: hidden"):
        MODELS.get("mlp").build((1, 8, 8), 10, hidden=hidden)


@pytest.mark.parametrize("channels", [0, 16, [], [16, 0], [True], "16", None, [2.0]])
def test_cnn_refuses_channels_that_are_none(channels: object) -> None:
    with pytest.raises(BenchError, match="cnn: channels"):
        MODELS.get("cnn").build((1, 8, 8), 10, channels=channels)


def test_cnn_pools_after_each_convolution() -> None:
    model = MODELS.get("cnn").build((3, 32, 32), 10, channels=[4, 8, 12])
    assert layers(model) == ["Conv2d", "ReLU", "MaxPool2d"] * 3 + ["Flatten", "Linear"]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(("height", "width"), [(3, 4), (4, 3), (1, 28)])
def test_cnn_refuses_an_input_too_small_for_its_poolings(height: int, width: int) -> None:
    with pytest.raises(BenchError, match=f"{height}×{width}.*at least 4×4"):
        MODELS.get("cnn").build((1, height, width), 10)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 7), (28, 4)])
def test_cnn_takes_sizes_that_do_not_divide(height: int, width: int) -> None:
    assert MODELS.get("cnn").build((2, height, width), 3)(torch.zeros(1, 2, height, width)).shape == (1, 3)
