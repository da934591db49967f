"""Where every random number of a trial comes from: one generator a purpose, each derived from the seed.

One stream for everything would tie them together: another number of layers would change the order of the data.
"""

import hashlib
import random

import numpy as np
import torch

INIT, ORDER, TRAIN, WARMUP, LOADER, AUGMENT = "init", "order", "train", "warmup", "loader", "augment"


def derive(seed: int, purpose: str) -> int:
    """A seed of 63 bits for one purpose; the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}".encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str) -> torch.Generator:
    """A CPU generator of its own for one purpose."""
    return torch.Generator().manual_seed(derive(seed, purpose))


def seed_globals(seed: int, purpose: str) -> None:
    """Set the generators that models draw from without asking: torch's on every device, numpy's, Python's."""
    value = derive(seed, purpose)
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)
