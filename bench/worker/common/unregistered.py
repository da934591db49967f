"""What a module keeps beside its parameters and buffers, and the bytes of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

# Of a tensor. Who draws without a seed draws the whole of it, and a model of any size costs a few milliseconds.
MOST_BYTES = 1 << 20
DEEPEST = 3  # lists in lists
_OWN = frozenset(vars(nn.Module()))


def plain_values(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Attributes of one module that nn.Module knows nothing of."""
    return ((name, value) for name, value in vars(module).items() if name not in _OWN)


def plain_tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor | np.ndarray]]:
    """By name, tensors and arrays that are neither parameter nor buffer: attributes, and what stands in plain lists,
    tuples and dicts, layers there too.
    """
    registered = {id(each) for each in (*model.modules(), *model.parameters(), *model.buffers())}

    def inside(name: str, value: object, deep: int) -> Iterator[tuple[str, torch.Tensor | np.ndarray]]:
        if id(value) in registered or deep > DEEPEST or getattr(value, "grad_fn", None) is not None:
            return  # what has a grad_fn was computed from the weights: old weight norm, pruning
        if isinstance(value, torch.Tensor | np.ndarray):
            yield name, value
        elif isinstance(value, nn.Module):
            for each, tensor in (*value.named_parameters(), *value.named_buffers()):
                yield from inside(f"{name}.{each}", tensor, deep)
        elif isinstance(value, list | tuple | dict):
            for key, each in value.items() if isinstance(value, dict) else enumerate(value):
                yield from inside(f"{name}.{key}", each, deep + 1)

    for place, module in model.named_modules():
        for name, value in plain_values(module):
            yield from inside(f"{place}.{name}".strip("."), value, 0)


def first_bytes(kept: torch.Tensor | np.ndarray) -> bytes:
    """The first MiB of a tensor; nothing of one whose numbers lie nowhere as such (sparse, quantized, objects)."""
    if isinstance(kept, torch.Tensor):
        try:
            flat = kept.detach().reshape(-1)[: MOST_BYTES // kept.element_size()].cpu()
            kept = (torch.view_as_real(flat.resolve_conj()) if flat.is_complex() else flat).view(torch.uint8).numpy()
        except (RuntimeError, NotImplementedError):
            return b""
    return b"" if kept.dtype.hasobject else kept.reshape(-1)[: MOST_BYTES // max(1, kept.itemsize)].tobytes()
