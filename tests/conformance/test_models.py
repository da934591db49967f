"""Every registered model, on every shape that the data sets have. A new model is tested without a line here."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import pytest
import torch
from pydantic import TypeAdapter

from bench.registry import MODELS
from bench.worker.common.discover import load_builtin

load_builtin()

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
PARAMETERS = {
    "linear": {(1, 8, 8): 650, (1, 28, 28): 7_850, (3, 32, 32): 30_730},
    "mlp": {(1, 8, 8): 7_510, (1, 28, 28): 79_510, (3, 32, 32): 308_310},
    "cnn": {(1, 8, 8): 6_090, (1, 28, 28): 20_490, (3, 32, 32): 25_578},
}


@pytest.fixture(params=SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def shape(request: pytest.FixtureRequest) -> tuple[int, int, int]:
    return request.param


@pytest.fixture(params=[entry.name for entry in MODELS])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def build(name: str, shape: tuple[int, int, int], num_classes: int = 10) -> torch.nn.Module:
    return MODELS.get(name).build(shape, num_classes)


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("num_classes", [2, 10])
def test_gives_logits_and_a_gradient_to_every_parameter(
    name: str, shape: tuple[int, int, int], samples: int, num_classes: int
) -> None:
    model = build(name, shape, num_classes)
    logits = model(torch.rand(samples, *shape))
    assert logits.shape == (samples, num_classes)
    assert logits.dtype == torch.float32
    torch.nn.functional.cross_entropy(logits, torch.arange(samples) % num_classes).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


def test_has_as_many_parameters_as_counted_by_hand(name: str, shape: tuple[int, int, int]) -> None:
    if name not in PARAMETERS:
        pytest.skip(f"{name}: nobody has counted its parameters by hand")
    assert sum(parameter.numel() for parameter in build(name, shape).parameters()) == PARAMETERS[name][shape]


def test_one_seed_one_model_and_the_samples_of_a_batch_apart(name: str, shape: tuple[int, int, int]) -> None:
    images = torch.rand(4, *shape)
    outputs = []
    for _ in range(2):
        torch.manual_seed(7)
        model = build(name, shape).eval()
        outputs.append(model(images))
    assert torch.equal(*outputs)
    torch.testing.assert_close(model(images[:2]), outputs[0][:2])


def test_settings_can_be_described_and_their_defaults_are_valid(name: str) -> None:
    build_model = MODELS.get(name).build
    hints: dict[str, Any] = get_type_hints(build_model, include_extras=True)
    for setting, parameter in list(inspect.signature(build_model).parameters.items())[2:]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        adapter = TypeAdapter(hints[setting])
        assert adapter.json_schema()
        adapter.validate_python(parameter.default)


def test_says_what_it_is(name: str) -> None:
    entry = MODELS.get(name)
    assert entry.summary.endswith(".")
    assert entry.source is not None
    assert entry.source.is_file()
