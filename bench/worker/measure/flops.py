"""FLOPs of a sample, counted from the graph as it runs (torch.utils.flop_counter).

A multiplication and an addition are two operations: linear 784→10 is 2·784·10 forward. Backward is what autograd
really runs: a first layer has no gradient of its input to compute. Element-wise operations are not counted.
"""

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def count(forward: Callable[[], torch.Tensor], *, samples: int) -> float:
    """FLOPs a sample of one forward and backward pass of `forward`, which returns a scalar loss."""
    with FlopCounterMode(display=False) as counter:
        forward().backward()
    return float(counter.get_total_flops()) / samples
