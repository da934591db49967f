"""`timm:NAME`: the models of timm (https://github.com/huggingface/pytorch-image-models), without weights.

Built by timm.create_model with the channels of the images, and with their size where the model has a setting for it.
"""

import functools
import inspect
import typing
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import nn

from bench.errors import BenchError, Unavailable, nearest
from bench.registry import Entry, source_of
from bench.worker.named import parameters

NOT_SETTINGS = ("num_classes", "in_chans", "pretrained", "device", "dtype")
MISSING = "timm is not installed: python -m pip install 'bench-models[timm]'"


def names() -> list[str]:
    """The names of the models; none where timm is not installed."""
    if find_spec("timm") is None:
        return []
    import timm

    return list(timm.list_models())


def find(name: str, own: str) -> Entry[Callable[..., Any]]:
    """The entry of `timm:<own>`. Raises BenchError where timm is not installed, or has no such model."""
    if find_spec("timm") is None:
        raise BenchError(f"model {name!r}: {MISSING}")
    import timm

    if not timm.is_model(own):
        raise BenchError(
            f"unknown model {name!r}: timm has none of this name{nearest(own, timm.list_models())} "
            "(see: bench list models --match timm:)"
        )
    builder = timm.model_entrypoint(own)
    made = typing.get_type_hints(inspect.unwrap(builder)).get("return", nn.Module)
    takes = inspect.signature(made).parameters
    build = parameters.with_settings(
        functools.partial(_build, own, "img_size" in takes),
        parameters.pass_through(made, without=NOT_SETTINGS),
        doc=f"{made.__name__} of timm, without weights. Its settings: those of the class.",
    )
    return Entry(name, build, source_of(builder))


def _build(own: str, has_size: bool, input_shape: tuple[int, ...], num_outputs: int, **settings: Any) -> nn.Module:
    """The model for images (N, C, H, W), with answers (N, num_outputs)."""
    import timm

    if len(input_shape) != 3:
        raise Unavailable(f"timm:{own} takes images (C, H, W), and a sample here is {tuple(input_shape)}")
    channels, height, width = input_shape
    own_settings = parameters.given(settings)
    if has_size:
        own_settings.setdefault("img_size", (height, width))
    made: nn.Module = timm.create_model(
        own, pretrained=False, num_classes=num_outputs, in_chans=channels, **own_settings
    )
    return made


def version() -> str:
    """What of the library, beside the file of the builder, its models depend on."""
    return f"timm {metadata.version('timm')}"


OWN_FILES = (Path(__file__), Path(parameters.__file__))
