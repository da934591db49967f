"""What a reader of a trial's accuracy has to know: a start that is not the seed's, outputs that are no logits."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

# Of each tensor. Who draws without a seed draws the whole of it, and a model of any size costs a few milliseconds.
MOST_BYTES = 1 << 20
ROW_SUM_TOLERANCE = 1e-3  # of a softmax; in half precision its rows are rounded
HALF_TOLERANCE = 2e-2
FEWEST_OUTPUTS = 20  # fewer may lie between 0 and 1 by chance

UNSEEDED = "the model's start does not follow from the seed: "
OTHER_START = (
    f"{UNSEEDED}its builder gave other weights when it was called again with the same seed; return a new module each "
    "time, and draw from the global generators of torch, numpy or Python, which are seeded"
)
OWN_SEED = f"{UNSEEDED}its builder sets torch's seed itself; leave that out, the trial's seed is set before each call"


class Starts:
    """Compares the models that a builder gives for one seed, in one trial; `notes`: seed → what is wrong with them."""

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}
        self.notes: dict[int, str] = {}

    def look_at(self, model: nn.Module, seed: int, *, torch_seed: int) -> None:
        """Takes up a model as its builder gave it. `torch_seed`: what torch was seeded with before that."""
        found = fingerprint(model)
        if self._known.setdefault(seed, found) != found:
            self.notes[seed] = OTHER_START
        elif torch.initial_seed() != torch_seed:
            self.notes.setdefault(seed, OWN_SEED)


def fingerprint(model: nn.Module) -> bytes:
    """Digest of name, type, shape and first MiB of each tensor and array that a model keeps, registered or not."""
    found = hashlib.blake2b(digest_size=16)
    for name, kept in _kept(model):
        found.update(f"{name} {kept.dtype} {tuple(kept.shape)};".encode())
        found.update(_first_bytes(kept))
    return found.digest()


def _kept(model: nn.Module) -> Iterator[tuple[str, torch.Tensor | np.ndarray]]:
    yield from model.named_parameters()
    yield from model.named_buffers()
    for name, module in model.named_modules():
        plain = {key: value for key, value in vars(module).items() if isinstance(value, torch.Tensor | np.ndarray)}
        yield from ((f"{name}.{key}", value) for key, value in plain.items())


def _first_bytes(kept: torch.Tensor | np.ndarray) -> bytes | memoryview:
    if isinstance(kept, torch.Tensor):
        try:
            flat = kept.detach().reshape(-1)[: MOST_BYTES // kept.element_size()].cpu()
            kept = (torch.view_as_real(flat.resolve_conj()) if flat.is_complex() else flat).view(torch.uint8).numpy()
        except (RuntimeError, NotImplementedError):  # sparse, quantized, on no device yet: name and shape have to do
            return b""
    if kept.dtype.hasobject:
        return b""
    return np.ascontiguousarray(kept).reshape(-1).view(np.uint8)[:MOST_BYTES].data


def on_outputs(logits: torch.Tensor) -> list[str]:
    """What is wrong with outputs (N, K) for a loss that expects logits; empty where nothing is."""
    low, high = float(logits.min()), float(logits.max())
    if logits.shape[1] < 2 or logits.numel() < FEWEST_OUTPUTS or low < 0 or high > 1 + HALF_TOLERANCE:
        return []
    off = float((logits.sum(1) - 1).abs().max())
    expects = "cross-entropy expects logits"
    if off <= (ROW_SUM_TOLERANCE if _is_precise(logits) else HALF_TOLERANCE):
        return [
            f"the model's outputs look like probabilities (each row sums to 1): {expects}; leave out the last softmax"
        ]
    if low > 0 and high <= 1:
        return [
            f"the model's outputs all lie between 0 and 1, as a sigmoid's do: {expects}; leave out what squeezes them"
        ]
    return []


def _is_precise(logits: torch.Tensor) -> bool:
    """Whether they have more digits than bfloat16 has."""
    return not torch.equal(logits, logits.bfloat16().float())
