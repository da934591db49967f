"""Softmax regression."""

from __future__ import annotations

import math

from torch import nn

from bench.registry import model


@model("linear")
def linear(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Softmax regression: flatten, one linear layer. Input (N, C, H, W), output logits (N, num_classes)."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))
