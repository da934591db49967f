"""Convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Lt, MinLen
from torch import nn

from bench.errors import BenchError, Unavailable
from bench.registry import model

from ._initialisation import Initialisation, initialise


@model("cnn")
def cnn(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    channels: Annotated[Sequence[Annotated[int, Ge(1)]], MinLen(1)] = (16, 32),
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    initialisation: Initialisation = "default",
) -> nn.Module:
    """Convolutional network: per entry of channels a 3×3 convolution, ReLU, 2×2 max-pooling; then one linear layer.

    Input (N, C, H, W), output logits (N, num_classes). Convolutions have padding 1; each pooling halves height and
    width, rounded down. channels: output channels of each convolution.
    dropout: probability with which each feature is left out of a step, before the linear layer; 0: no such layer.
    initialisation: the weights that it starts with; see models/_initialisation.py.
    Raises Unavailable where the input is no image. Raises BenchError where a channel count is no whole number of at
    least 1, dropout no number from 0 to below 1, or the input too small for the poolings.
    """
    is_list = isinstance(channels, Sequence) and len(channels) > 0
    if not is_list or not all(type(count) is int and count >= 1 for count in channels):
        raise BenchError(f"cnn: channels: found {channels!r}; needs a list of whole numbers of at least 1")
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise BenchError(f"cnn: dropout: found {dropout!r}; needs a number from 0 to below 1")
    if len(input_shape) != 3:
        raise Unavailable(f"cnn: it takes images (C, H, W); a sample of this data set has the shape {input_shape}")
    in_channels, height, width = input_shape
    shrink = 2 ** len(channels)
    if min(height, width) < shrink:
        raise BenchError(
            f"cnn: an input of {height}×{width} is too small for {len(channels)} poolings of 2×2; "
            f"needs at least {shrink}×{shrink}, or fewer channels"
        )
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([in_channels, *channels]):
        layers += [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    features = channels[-1] * (height // shrink) * (width // shrink)
    head = [nn.Flatten(), *([nn.Dropout(dropout)] if dropout else []), nn.Linear(features, num_classes)]
    return initialise(nn.Sequential(*layers, *head), initialisation)
