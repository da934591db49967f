"""Multi-layer perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, TypeAlias

from annotated_types import Ge, Lt, MinLen
from torch import nn

from bench.errors import BenchError
from bench.registry import model

from ._initialisation import Initialisation, initialise

Width: TypeAlias = Annotated[int, Ge(1)]


@model("mlp")
def mlp(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    hidden: Width | Annotated[Sequence[Width], MinLen(1)] = 100,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    initialisation: Initialisation = "default",
) -> nn.Module:
    """Two-layer perceptron: flatten, linear, ReLU, linear. Input (N, …), output (N, num_classes).

    hidden: units of the hidden layer; a list has one hidden layer with ReLU for each of its numbers.
    dropout: probability with which each hidden unit is left out of a step, after its ReLU; 0: no such layer.
    initialisation: the weights that it starts with; see models/_initialisation.py.
    Raises BenchError where a width is no whole number of at least 1, or dropout no number from 0 to below 1.
    """
    hidden_widths = list(hidden) if isinstance(hidden, Sequence) else [hidden]
    if not hidden_widths or not all(type(width) is int and width >= 1 for width in hidden_widths):
        raise BenchError(f"mlp: hidden: found {hidden!r}; needs a whole number of at least 1, or a list of such")
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise BenchError(f"mlp: dropout: found {dropout!r}; needs a number from 0 to below 1")
    widths = [math.prod(input_shape), *hidden_widths]
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
    return initialise(nn.Sequential(*layers, nn.Linear(widths[-1], num_classes)), initialisation)
