"""The weights that a model starts with, for the models of this folder. No model of its own: its name begins with _.

An edit here makes the results of every model that imports it no longer there, as an edit of the model's own file does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from torch import nn

from bench.errors import BenchError

Initialisation: TypeAlias = Literal["default", "xavier", "kaiming", "orthogonal"]

WAYS: dict[str, Callable[..., object]] = {
    "xavier": nn.init.xavier_uniform_,
    "kaiming": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}


def initialise(network: nn.Module, how: Initialisation) -> nn.Module:
    """Draw the weights of every linear layer and convolution of `network` anew; gives `network` back.

    default: torch's own, left as they are: weights and biases uniform in ±1/√fan_in.
    xavier: uniform in ±√(6/(fan_in + fan_out)) (Glorot & Bengio 2010, equation 16).
    kaiming: normal with sd √(2/fan_in), which suits ReLU (He et al. 2015, equation 10).
    orthogonal: rows or columns orthonormal, whichever are fewer; a filter counts as a row (Saxe et al. 2014).
    Biases are 0 for all but default. A seed gives the same weights: torch's generator is all that is drawn from.
    Raises BenchError for any other `how`.
    """
    if how == "default":
        return network
    if how not in WAYS:
        raise BenchError(f"initialisation: found {how!r}; needs default, {', '.join(WAYS)}")
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            WAYS[how](layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
