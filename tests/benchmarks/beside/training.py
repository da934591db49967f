"""Training rate: the suite's own figure of ordinary trials beside what a user would do instead."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import bench
from tests.benchmarks.beside.measured import Json, Settings, alone, ask, in_turn, say, times_by_round

MODELS, BATCH_SIZES, IMAGES = ("linear", "mlp", "cnn"), (64, 512), 12_800
OTHERS = ("hand", "tensors", "lightning", "tutorial")
EPOCHS = {"linear": 30, "mlp": 15, "cnn": 3}  # a second or two each, at the rate of the suite
SLOW = {"tutorial": 10, "lightning": 3, "tensors": 2}  # so many times fewer epochs
# At least so many times the rate of that side, for these models.
NEEDED = (("hand", 0.97, MODELS), ("tutorial", 10.0, ("linear",)), ("tutorial", 5.0, ("mlp",)))

SUITE = """
name = "rate"
[grid]
dataset = [{dataset}]
model = ["linear", "mlp", "cnn"]
batch_size = [64, 512]
device = ["cpu"]
[train]
learning_rate = 0.1
threads = {threads}
"""


def measure(settings: Settings) -> Json:
    """Six cells; per cell the images a second of every process of every side, and the suite's ratio to each."""
    suite, source = _suite(settings)
    data, threads = settings.work / "images.npz", _threads(suite, settings)
    ask("data", str(data), source)
    cells = []
    for model in MODELS[:1] if settings.quick else MODELS:
        for batch_size in BATCH_SIZES:
            epochs = 1 if settings.quick else EPOCHS[model]
            sides = {"suite": partial(_suite_rate, suite, settings.work, model, batch_size, epochs)}
            for name in OTHERS:
                fewer = max(1, epochs // SLOW.get(name, 1))
                sides[name] = partial(_other_rate, name, model, batch_size, fewer, threads, data)
            label = f"training {model} at {batch_size}"
            found = in_turn(sides, rounds=settings.rounds, label=label)
            ratios = {name: times_by_round(found["suite"], found[name]) for name in OTHERS}
            cells.append({"model": model, "batch_size": batch_size, "samples_per_second": found, "ratios": ratios})
    return {"images": source, "threads": threads, "cells": cells}


def _suite(settings: Settings) -> tuple[Path, str]:
    """The suite file, and which images it trains on: MNIST where it lies, else made ones of its shape."""
    root = os.environ.get("BENCH_DATA")
    if root and (Path(root) / "MNIST").is_dir():
        source, dataset = "mnist", f'{{ name = "mnist", train_limit = {IMAGES}, test_limit = 1000 }}'
    else:
        source = "synthetic"
        dataset = f'{{ name = "synthetic", shape = [1, 28, 28], train = {IMAGES}, test = 1000 }}'
    path = settings.work / "rate.toml"
    path.write_text(SUITE.replace("{dataset}", dataset).replace("{threads}", "1" if settings.quick else "0"))
    return path, source


def _threads(suite: Path, settings: Settings) -> int:
    """Threads of a trial of the suite; the first run also decodes the data set, which no figure holds."""
    say("training: the first trial decodes the data")
    frame = bench.run(suite, results=settings.work / "first", only=["model=linear", "batch_size=512"],
                      sets=["train.epochs=1"])  # fmt: skip
    return int(frame["threads"].iloc[-1])


def _suite_rate(suite: Path, work: Path, model: str, batch_size: int, epochs: int, number: int) -> float:
    """`train_samples_per_second` of one ordinary trial, in the process that `bench run` gives it."""
    frame = bench.run(
        suite,
        results=work / f"rate-{model}-{batch_size}-{number}",
        only=[f"model={model}", f"batch_size={batch_size}"],
        sets=[f"train.epochs={epochs}", f"grid.seed=[{number}]"],
    )
    [row] = frame[frame["status"] != "missing"].to_dict("records")
    if row["status"] != "ok":
        raise SystemExit(f"a trial of the suite is {row['status']}: {row['reason']}")
    return float(row["train_samples_per_second"])


def _other_rate(name: str, model: str, batch_size: int, epochs: int, threads: int, data: Path, number: int) -> float:
    with alone():
        told = ask("contenders", name, model, str(batch_size), str(epochs), str(threads), str(data))
    return float(told["samples_per_second"])
