"""How far the ratio of two speeds jumps from repeat to repeat: trials one after the other, and by turns.

Each repeat is an ordinary run of its own of two models at two sizes of batch, alone and beside a program that is busy
for 0 to 5 s at random. The two manners alternate: what the machine does meanwhile it does to both.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

import bench
from tests.benchmarks.beside.busy import beside
from tests.benchmarks.beside.measured import Json, Settings, say

REPEATS, BUSY_SECONDS = 12, 5.0
BATCH_SIZES = (64, 512)
MANNERS = {"one after the other": ["measure.turns=1"], "by turns": list[str]()}
# A second or so each, at the rate that the machine of docs/performance.md has at batch 64.
MODELS = {"linear": ('"linear"', 15), "mlp": ('"mlp"', 6), "cnn": ('"cnn"', 1),
          "mlp 104": ('{ name = "mlp", hidden = 104 }', 6)}  # fmt: skip
LABELS = {"mlp 104": "mlp(hidden=104)"}  # as results call it
PAIRS = (("mlp", "mlp 104"), ("linear", "mlp"), ("mlp", "cnn"))
IMAGES = 12_800
SUITE = """
name = "turns"
[grid]
dataset = [{dataset}]
model = [{models}]
batch_size = [{batch_sizes}]
device = ["cpu"]
{rules}
[train]
learning_rate = 0.1
threads = {threads}
[measure]
evaluate = "accuracy"
"""


def measure(settings: Settings) -> Json:
    """The logarithms of the ratios by circumstance, manner and cell, one a repeat."""
    repeats = settings.asked_rounds or (2 if settings.quick else REPEATS)
    found: Json = {where: {manner: {} for manner in MANNERS} for where in ("beside", "alone")}
    pairs = PAIRS[:1] if settings.quick else PAIRS
    told: Json = {"log_ratios": found, "busy_seconds": BUSY_SECONDS}
    for where, own in found.items():
        for number in range(repeats):
            manners = list(MANNERS) if number % 2 == 0 else list(MANNERS)[::-1]
            with beside(where == "beside", most_seconds=BUSY_SECONDS):
                for first, second in pairs:
                    for manner in manners:
                        for cell, log_ratio in _ratios(settings, first, second, manner, number):
                            own[manner].setdefault(cell, []).append(log_ratio)
            say(f"turns {where}, repeat {number + 1}/{repeats}: " + _last(own))
            settings.keep(told)
    return told


def sd(log_ratios: list[float]) -> float:
    """Spread of the ratios: the standard deviation of their logarithms."""
    return statistics.stdev(log_ratios)


def _ratios(settings: Settings, first: str, second: str, manner: str, number: int) -> Iterator[tuple[str, float]]:
    """Of one run: cell and log of how many times as many images a second the first model trains as the second, as
    `bench compare` has it."""
    suite = settings.work / "turns.toml"
    suite.write_text(_suite(first, second, quick=settings.quick), encoding="utf-8")
    results = settings.work / "turns"
    frame = bench.run(suite, results=results, sets=[*MANNERS[manner], f"grid.seed=[{number}]"])
    if list(frame["status"]) != ["ok"] * len(frame):
        raise SystemExit(f"a trial is {', '.join(frame['status'])}: {', '.join(frame['reason'].dropna())}")
    labels = tuple(LABELS.get(name, name) for name in (second, first))
    compared = bench.compare(results / "turns", by="model", values=labels).frame
    shutil.rmtree(results)
    for row in compared.sort_values("batch_size").to_dict("records"):
        yield f"{first} : {second}, {row['batch_size']}", math.log(row["ratio"])


def _suite(first: str, second: str, *, quick: bool) -> str:
    rule = '[[override]]\nwhere = {{ model = "{0}" }}\nset = {{ "train.epochs" = {1} }}'
    names = dict.fromkeys((first.partition(" ")[0], second.partition(" ")[0]))
    return SUITE.format(
        dataset=dataset(),
        models=", ".join(MODELS[name][0] for name in (first, second)),
        batch_sizes=", ".join(map(str, BATCH_SIZES)),
        rules="\n".join(rule.format(name, 1 if quick else MODELS[name][1]) for name in names),
        threads=0,
    )


def dataset() -> str:
    """MNIST where it lies, else made-up images of its shape, as a suite writes it."""
    root = os.environ.get("BENCH_DATA")
    if root and (Path(root) / "MNIST").is_dir():
        return f'{{ name = "mnist", train_limit = {IMAGES}, test_limit = 1000 }}'
    return f'{{ name = "synthetic", shape = [1, 28, 28], train = {IMAGES}, test = 1000 }}'


def _last(own: Json) -> str:
    return "; ".join(
        f"{manner} " + ", ".join(f"{math.exp(values[-1]):.2f}" for values in cells.values())
        for manner, cells in own.items()
    )
