"""`torchvision:NAME`: every classification builder of the installed torchvision, without weights.

`stem = "small"` changes what these models do first, for images much smaller than the 224 × 224 of ImageNet: the first
convolution keeps the size of the image (a kernel of at most 3 × 3, stride 1), and a pooling that follows it at once is
left out. For ResNets that is what He et al. (2016, https://arxiv.org/abs/1512.03385) train on CIFAR-10.
"""

import functools
import inspect
import typing
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from torch import nn

from bench.errors import BenchError, Unavailable, nearest
from bench.registry import Entry, source_of
from bench.worker.named import parameters

COLOURS = 3  # channels of the images that they are made for
SMALL_KERNEL = 3
NOT_SETTINGS = ("num_classes", "weights", "progress", "image_size", "input_size", "transform_input")
# Beside the answer these two give one or two more while they train, which no loss here takes.
ONE_ANSWER = {name: {"aux_logits": False, "init_weights": True} for name in ("googlenet", "inception_v3")}
Stem = Literal["small", "original"]


def names() -> list[str]:
    """The names of the builders."""
    from torchvision import models

    return list(models.list_models(module=models))


def find(name: str, own: str) -> Entry[Callable[..., Any]]:
    """The entry of `torchvision:<own>`. Raises BenchError where torchvision has no such builder."""
    from torchvision import models

    known = names()
    if own not in known:
        raise BenchError(
            f"unknown model {name!r}: torchvision has none of this name{nearest(own, known)} "
            "(see: bench list models --match torchvision:)"
        )
    builder = models.get_model_builder(own)
    made = typing.get_type_hints(inspect.unwrap(builder)).get("return", nn.Module)
    stem = inspect.Parameter("stem", inspect.Parameter.KEYWORD_ONLY, default="original", annotation=Stem)
    build = parameters.with_settings(
        functools.partial(_build, own, builder, made),
        [stem, *parameters.pass_through(made, without=(*NOT_SETTINGS, *ONE_ANSWER.get(own, {})))],
        doc=f"{made.__name__} of torchvision, without weights. Its settings: those of the class.",
    )
    return Entry(name, build, source_of(builder))


def _build(
    own: str,
    builder: Callable[..., nn.Module],
    made: type[nn.Module],
    input_shape: tuple[int, ...],
    num_outputs: int,
    *,
    stem: Stem = "original",
    **settings: Any,
) -> nn.Module:
    """The model for images (N, C, H, W), with answers (N, num_outputs)."""
    if len(input_shape) != 3:
        raise Unavailable(f"torchvision:{own} takes images (C, H, W), and a sample here is {tuple(input_shape)}")
    channels, height, width = input_shape
    takes = inspect.signature(made).parameters
    if "image_size" in takes:
        if height != width:
            raise Unavailable(f"torchvision:{own} takes square images, and these are {height} × {width}")
        settings["image_size"] = height
    if "input_size" in takes:
        settings["input_size"] = (height, width)
    settings = ONE_ANSWER.get(own, {}) | parameters.given(settings)
    model = builder(weights=None, num_classes=num_outputs, **settings)
    if stem == "small":
        _make_small(model, own)
    if channels != COLOURS:
        _take_channels(model, channels)
    return model


def _make_small(model: nn.Module, own: str) -> None:
    """Changes the first convolution, and the pooling behind it. BenchError where there is nothing to change."""
    name, first = _first_convolution(model)
    kernel, stride = max(first.kernel_size), max(first.stride)
    if stride > 1 and stride >= kernel:
        raise BenchError(f'torchvision:{own} cuts its images into patches: there is no stem = "small" of it')
    pooling = _pooling_behind(model, name)
    if kernel <= SMALL_KERNEL and stride == 1 and not pooling:
        raise BenchError(f'torchvision:{own} begins with a small convolution already: leave out stem = "small"')
    size = min(kernel, SMALL_KERNEL)
    _put(model, name, _convolution_like(first, kernel_size=size, stride=1, padding=size // 2))
    if pooling:
        _put(model, pooling, nn.Identity())


def _take_channels(model: nn.Module, channels: int) -> None:
    """Puts a first convolution for so many channels in the place of that for colours."""
    name, first = _first_convolution(model)
    _put(model, name, _convolution_like(first, in_channels=channels))


def _first_convolution(model: nn.Module) -> tuple[str, nn.Conv2d]:
    return next((name, each) for name, each in model.named_modules() if isinstance(each, nn.Conv2d))


def _pooling_behind(model: nn.Module, first: str) -> str:
    """The pooling that follows the first convolution before any other; empty where there is none."""
    behind = False
    for name, each in model.named_modules():
        if behind and isinstance(each, nn.Conv2d):
            return ""
        if behind and isinstance(each, nn.MaxPool2d):
            return str(name)
        behind = behind or name == first
    return ""


def _convolution_like(first: nn.Conv2d, **other: Any) -> nn.Conv2d:
    """A new convolution; it starts as those of torchvision's ResNets do (He et al. 2015, by outputs)."""
    as_it_is = {"in_channels": first.in_channels, "out_channels": first.out_channels} | {
        name: getattr(first, name) for name in ("kernel_size", "stride", "padding", "dilation", "groups")
    }
    found = nn.Conv2d(**as_it_is | other, bias=first.bias is not None)
    nn.init.kaiming_normal_(found.weight, mode="fan_out", nonlinearity="relu")
    if found.bias is not None:
        nn.init.zeros_(found.bias)
    return found


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    place, _, own = name.rpartition(".")
    setattr(model.get_submodule(place), own, layer)


def version() -> str:
    """What of the library, beside the file of the builder, its models depend on."""
    return f"torchvision {metadata.version('torchvision')}"


OWN_FILES = (Path(__file__), Path(parameters.__file__))
