"""Softmax regression, and linear regression."""

from __future__ import annotations

import math

from torch import nn

from bench.registry import model

from ._initialisation import Initialisation, initialise


@model("linear")
def linear(input_shape: tuple[int, ...], num_classes: int, *, initialisation: Initialisation = "default") -> nn.Module:
    """Softmax regression, or linear regression: flatten, one linear layer. Input (N, …), output (N, num_classes).

    initialisation: the weights that it starts with; see models/_initialisation.py.
    """
    return initialise(nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes)), initialisation)
