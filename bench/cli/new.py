"""`bench new`: a commented file to start from, which runs as it is."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.base import files
from bench.errors import EXIT_OK, BenchError, nearest

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")

MODEL = '''"""A model of your own: one function, one decorator."""

from math import prod

from torch import nn

from bench.plugin import model


@model("NAME")
def NAME(input_shape: tuple[int, ...], num_outputs: int, *, width: int = 64) -> nn.Module:
    """One hidden layer. Input (N, …), output (N, num_outputs): logits, or the predictions of a regression."""
    # A keyword is a setting of a suite: { name = "NAME", width = 32 }. Never change a default: results depend on it.
    # Draw weights from torch's own generator, which is seeded before each call.
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(input_shape), width), nn.ReLU(), nn.Linear(width, num_outputs))
'''
DATASET = '''"""A data set of your own: one function, one decorator."""

from pathlib import Path

import numpy as np

from bench.plugin import Splits, dataset


@dataset("NAME")
def NAME(root: Path, *, noise: float = 0.5) -> Splits:
    """Grey images of 8 x 8 pixels: bright above, or bright below. Read your own files in place of drawing these."""
    # `root` is the data root (--data-root). A keyword is a setting of a suite: { name = "NAME", noise = 0.2 }.
    drawn = np.random.default_rng(0)  # the same samples each time: the seed of a trial draws nothing here
    labels = drawn.integers(0, 2, 500)
    images = drawn.uniform(0, 255 * noise, (500, 1, 8, 8))
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 255 * (1 - noise)
    images = images.astype(np.uint8)  # (N, C, H, W), uint8 or float32
    return Splits(
        train_images=images[:400],
        train_labels=labels[:400],  # (N,) int64, numbered from 0 on without gaps
        test_images=images[400:],
        test_labels=labels[400:],
        class_names=("above", "below"),
        maximum=255,  # what scaling = "unit" divides by
        licence="your own",
        source="drawn by this file",
    )
'''
METRIC = '''"""A metric of your own: one function, one decorator. It becomes a column of the tables."""

import torch

from bench.plugin import metric


@metric("NAME", unit="", higher_is_better=True)
def NAME(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    """Share of the test set whose true class is among the two most probable ones.

    `outputs`: logits (N, K) of the test set; `targets`: its class numbers (N,).
    """
    best = outputs.topk(min(2, outputs.shape[1]), dim=1).indices
    return float((best == targets[:, None]).any(dim=1).float().mean())
'''
SUITE = """# What is compared, and how it is trained. Every combination of the grid is one trial.
name = "NAME"
title = "NAME"
plugins = []                       # files of your own, relative to this one: ["my_model.py"]

[grid]
dataset = ["digits"]               # see: bench list datasets
model = ["linear", "mlp"]          # see: bench list models; with settings: { name = "mlp", hidden = 50 }
seed = [0, 1, 2, 3, 4]             # five and more decide
batch_size = [64]

[train]
epochs = 5
optimizer = "sgd"                  # sgd, adam, adamw, rmsprop, lbfgs
learning_rate = 0.1

[report]
baseline = "linear"                # ratios are against this model
"""
# kind → text of the file, how it ends, and the command to try it.
KINDS = {
    "model": (MODEL, ".py", 'python -m bench run smoke --plugin {file} --set \'grid.model=["linear", "{name}"]\''),
    "dataset": (DATASET, ".py", "python -m bench run smoke --plugin {file} --set 'grid.dataset=[\"{name}\"]'"),
    "metric": (METRIC, ".py", "python -m bench run smoke --plugin {file}"),
    "suite": (SUITE, ".toml", "python -m bench run {file}"),
}


def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="model, dataset, metric or suite.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called; its file is called so too.")],
) -> int:
    """Write a commented file to start from, which runs as it is.

    \b
    Examples:
      python -m bench new model wide
      python -m bench new suite mine
    """
    if kind not in KINDS:
        raise BenchError(f"new {kind}: unknown{nearest(kind, KINDS)} (there are: {', '.join(KINDS)})")
    if not NAME.match(name):
        raise BenchError(f"new {kind} {name}: expected a name of a-z, 0-9 and _, with a letter first, as in my_{kind}")
    text, ending, command = KINDS[kind]
    path = Path(f"{name}{ending}")
    if path.exists() or path.is_symlink():
        raise BenchError(f"{path} is there already: it is left as it is; choose another name")
    try:
        files.write(path, text.replace("NAME", name))
    except OSError as error:
        raise BenchError(f"{path} cannot be written: {error.strerror}") from None
    print(f"wrote {path}; try it:\n  {command.format(file=shlex.quote(str(path)), name=name)}")
    return EXIT_OK
