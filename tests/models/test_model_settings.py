"""What the settings of the models do, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.errors import BenchError
from bench.registry import MODELS
from bench.worker.common.discover import load_builtin

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


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("dropout", [-0.1, 1, 1.5, True, "0.5", None, float("nan")])
def test_dropout_that_is_no_probability_is_refused(name: str, dropout: object) -> None:
    with pytest.raises(BenchError, match=f"{name}: dropout"):
        MODELS.get(name).build((1, 8, 8), 10, dropout=dropout)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_without_dropout_a_model_has_no_such_layer(name: str) -> None:
    """Names in a state are places in the network: a layer more would rename those after it."""
    plain, zero = (MODELS.get(name).build((1, 8, 8), 10, **settings) for settings in ({}, {"dropout": 0}))
    assert layers(plain) == layers(zero)
    assert "Dropout" not in layers(plain)
    assert list(plain.state_dict()) == list(zero.state_dict())


@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [
        ("mlp", {"hidden": [7, 6]}, ["Flatten", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]),
        ("cnn", {"channels": [4]}, ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Dropout", "Linear"]),
    ],
)
def test_dropout_stands_where_it_is_said_and_acts_in_training_only(
    name: str, settings: dict[str, object], wanted: list[str]
) -> None:
    model = MODELS.get(name).build((1, 8, 8), 10, dropout=0.5, **settings)
    assert layers(model) == wanted
    assert {layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)} == {0.5}
    images = torch.rand(4, 1, 8, 8)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


def weights(name: str, *, seed: int = 0, **settings: object) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    model = MODELS.get(name).build((3, 32, 32), 10, **settings)
    return [parameter.detach() for parameter in model.parameters()]


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn"])
@pytest.mark.parametrize("how", ["xavier", "kaiming", "orthogonal"])
def test_an_initialisation_is_that_of_its_paper(name: str, how: str) -> None:
    found = weights(name, initialisation=how)
    assert len(found) == len(weights(name))
    for values in found:
        if values.dim() == 1:
            assert not values.any()
            continue
        rows = values.flatten(1)
        fan_in, fan_out = rows.shape[1], rows.shape[0] * values[0, 0].numel()
        spread = 4 / (2 * values.numel()) ** 0.5  # of an estimated sd: four of its standard errors
        if how == "xavier":
            bound = (6 / (fan_in + fan_out)) ** 0.5
            assert values.abs().max() <= bound
            assert values.std() * 3**0.5 / bound == pytest.approx(1, abs=spread)
        elif how == "kaiming":
            assert values.std() * (fan_in / 2) ** 0.5 == pytest.approx(1, abs=spread)
            assert values.abs().max() > 1.8 * values.std()  # normal: uniform weights end at 1.73 standard deviations
        else:
            short = rows if len(rows) <= fan_in else rows.T
            torch.testing.assert_close(short @ short.T, torch.eye(len(short)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn"])
@pytest.mark.parametrize("how", ["default", "xavier", "kaiming", "orthogonal"])
def test_a_seed_gives_the_same_weights(name: str, how: str) -> None:
    assert all(map(torch.equal, weights(name, initialisation=how), weights(name, initialisation=how)))
    assert not torch.equal(weights(name, initialisation=how)[0], weights(name, seed=1, initialisation=how)[0])


def test_the_default_initialisation_is_torchs_own() -> None:
    torch.manual_seed(0)
    theirs = nn.Linear(3 * 32 * 32, 10)
    ours = weights("linear")
    assert torch.equal(ours[0], theirs.weight)
    assert torch.equal(ours[1], theirs.bias)


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(BenchError, match="initialisation: found 'zero'; needs default, xavier"):
        MODELS.get("linear").build((1, 8, 8), 10, initialisation="zero")
