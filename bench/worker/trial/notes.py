"""What a reader of a trial's accuracy has to know: a start that is not the seed's, outputs that are no logits."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from bench.worker.common.unregistered import first_bytes, plain_tensors

ROW_SUM_TOLERANCE = 1e-3  # of a softmax; in half precision its rows are rounded
HALF_TOLERANCE = 2e-2
FEWEST_OUTPUTS = 20  # fewer may lie between 0 and 1 by chance

UNSEEDED = "the model's start does not follow from the seed: "
OTHER_START = (
    f"{UNSEEDED}its builder gave other weights when it was called again with the same seed; return a new module each "
    "time, and draw from the global generators of torch, numpy or Python, which are seeded"
)
OWN_SEED = f"{UNSEEDED}its builder sets torch's seed itself; leave that out, the trial's seed is set before each call"
SEED_OF_PASSES = "its forward pass sets torch's seed: every batch of every trial draws the same numbers; leave that out"


class Starts:
    """Compares the models that a builder gives for one seed, in one trial."""

    def __init__(self) -> None:
        self._known: dict[int, bytes] = {}
        self._notes: dict[int, str] = {}
        self._of_passes: list[str] = []

    def of(self, seed: int) -> list[str]:
        """What is wrong with the start of `seed`."""
        return [self._notes[seed]] if seed in self._notes else self._of_passes

    def look_at(self, model: nn.Module, seed: int, *, torch_seed: int) -> None:
        """Takes up a model as its builder gave it. `torch_seed`: what torch was seeded with before that."""
        found = fingerprint(model)
        if self._known.setdefault(seed, found) != found:
            self._notes[seed] = OTHER_START
        elif torch.initial_seed() != torch_seed:
            self._notes.setdefault(seed, OWN_SEED)

    def after_passes(self, torch_seed: int) -> None:
        """Takes up what torch is seeded with after forward passes, before which it was `torch_seed`."""
        if torch.initial_seed() != torch_seed:
            self._of_passes = [SEED_OF_PASSES]


@contextmanager
def an_hour_ahead() -> Iterator[None]:
    """Inside, the clock that builders seed themselves by is an hour ahead: a short trial lies within one second."""
    own = time.time, time.time_ns
    time.time, time.time_ns = (lambda: own[0]() + 3600), (lambda: own[1]() + 3600 * 10**9)
    try:
        yield
    finally:
        time.time, time.time_ns = own


def not_trained(model: nn.Module) -> list[str]:
    """Whether it keeps tensors that want a gradient where no optimizer finds them."""
    kept = [name for name, each in plain_tensors(model) if isinstance(each, torch.Tensor) and _wants_gradient(each)]
    if not kept:
        return []
    names = f"{', '.join(kept[:2])}{', …' if len(kept) > 2 else ''}"
    cure = "use nn.ModuleList or nn.ModuleDict in place of a plain list or dict, and nn.Parameter for a tensor"
    return [f"it does not train {names}, which the module does not know of: {cure}"]


def _wants_gradient(tensor: torch.Tensor) -> bool:
    return tensor.requires_grad and tensor.is_leaf


def fingerprint(model: nn.Module) -> bytes:
    """Digest of name, type, shape and first MiB of each tensor and array that a model keeps, registered or not."""
    found = hashlib.blake2b(digest_size=16)
    for name, kept in (*model.named_parameters(), *model.named_buffers(), *plain_tensors(model)):
        found.update(f"{name} {kept.dtype} {tuple(kept.shape)};".encode())
        found.update(first_bytes(kept))
    return found.digest()


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
