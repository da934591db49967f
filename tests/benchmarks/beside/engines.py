"""Engines, memory formats and precisions beside eager, contiguous, float32: ordinary trials of the suite, on the CPU.

The process is the replicate. A process of `vectorized` trains all seeds of a cell; its rate counts the samples of all
of them, and stands beside that of one seed after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bench
from tests.benchmarks.beside.measured import Json, Settings, say, times

MODELS, SEEDS = ("linear", "mlp", "cnn"), (5, 30)
SHAPES = ("1×8×8", "1×28×28", "3×32×32")
FORMATS = (("channels_last", "float32"), ("contiguous", "bfloat16"), ("channels_last", "bfloat16"))
PLAIN = ("contiguous", "float32")
RATE = "train_samples_per_second"
AT_ONCE = """
name = "at-once"
[grid]
dataset = ["digits"]
model = ["linear", "mlp", "cnn"]
batch_size = [64]
device = ["cpu"]
seed = [0]
[train]
epochs = 10
[measure]
evaluate = "accuracy"
"""
STEPS = """
name = "steps"
[grid]
dataset = [{datasets}]
model = [{models}]
batch_size = [64]
device = ["cpu"]
seed = [0]
{axes}
[train]
steps = {steps}
[measure]
evaluate = "accuracy"
"""


def measure(settings: Settings) -> Json:
    """By engine, number of seeds, format: rates of every process, and their ratio to the plain ones of the same run."""
    rounds = range(settings.rounds)
    return {
        "at_once": _at_once(settings, rounds),
        "compiled": _compiled(settings, rounds),
        "formats": _formats(settings, rounds),
    }


def _at_once(settings: Settings, rounds: Iterable[int]) -> Json:
    suite = _written(settings.work / "at-once.toml", AT_ONCE)
    found: dict[tuple[str, int], list[float]] = {}  # by model and seeds that train together
    for number in rounds:
        for count in (1, *((2,) if settings.quick else SEEDS)):
            seeds = [100 * number + index for index in range(5 if count == 1 else count)]
            sets = [f"grid.seed={seeds}", f'train.engine="{"eager" if count == 1 else "vectorized"}"']
            rows = _rows(suite, settings.work / f"at-once-{number}-{count}", sets)
            for model in MODELS:
                own = [row[RATE] for row in rows if row["model"] == model]
                found.setdefault((model, count), []).extend(own if count == 1 else own[:1])  # all have one figure
        say(f"engines, seeds at once, round {number + 1}")
    return [
        {"model": model, "seeds": count, "samples_per_second": rates, "ratio": times(rates, found[model, 1])}
        for (model, count), rates in found.items()
    ]


def _compiled(settings: Settings, rounds: Iterable[int]) -> Json:
    text = STEPS.format(
        datasets=_synthetic("1×28×28"),
        models=", ".join(f'"{model}"' for model in MODELS),
        axes='"train.engine" = ["eager", "compiled"]',
        steps=20 if settings.quick else 400,
    )
    suite = _written(settings.work / "compiled.toml", text)
    rates: dict[tuple[str, str], list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for number in rounds:
        for row in _rows(suite, settings.work / f"compiled-{number}", [f"grid.seed=[{number}]"]):
            rates.setdefault((row["model"], row["engine"]), []).append(row[RATE])
            if row["engine"] == "compiled":
                seconds.setdefault(row["model"], []).append(row["compile_seconds"])
        say(f"engines, compiled, round {number + 1}")
    return [
        {"model": model, "samples_per_second": rates[model, "compiled"], "compile_seconds": seconds[model],
         "ratio": times(rates[model, "compiled"], rates[model, "eager"])}
        for model in MODELS
        if (model, "compiled") in rates
    ]  # fmt: skip


def _formats(settings: Settings, rounds: Iterable[int]) -> Json:
    text = STEPS.format(
        datasets=", ".join(map(_synthetic, SHAPES)),
        models='"cnn"',
        axes='"train.memory_format" = ["contiguous", "channels_last"]\n"train.precision" = ["float32", "bfloat16"]',
        steps=20 if settings.quick else 150,
    )
    suite = _written(settings.work / "formats.toml", text)
    rates: dict[tuple[str, str, str], list[float]] = {}
    for number in rounds:
        for row in _rows(suite, settings.work / f"formats-{number}", [f"grid.seed=[{number}]"]):
            told = json.loads(row["dataset_settings"]).get("shape", _numbers(SHAPES[0]))  # its default is not told
            shape = next(each for each in SHAPES if _numbers(each) == told)
            rates.setdefault((shape, row["train.memory_format"], row["precision"]), []).append(row[RATE])
        say(f"engines, formats, round {number + 1}")
    return [
        {"shape": shape, "memory_format": layout, "precision": precision,
         "samples_per_second": rates[shape, layout, precision],
         "ratio": times(rates[shape, layout, precision], rates[shape, *PLAIN])}
        for shape in SHAPES
        for layout, precision in FORMATS
    ]  # fmt: skip


def _numbers(shape: str) -> list[int]:
    return [int(length) for length in shape.split("×")]


def _synthetic(shape: str) -> str:
    return f'{{ name = "synthetic", shape = {_numbers(shape)}, train = 2048, test = 256 }}'


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _rows(suite: Path, results: Path, sets: list[str]) -> list[dict[str, Any]]:
    """The trials of a run; those that an engine cannot train (no compiler) are left out. SystemExit: one failed."""
    rows: list[dict[str, Any]] = bench.run(suite, results=results, sets=sets).to_dict("records")
    for row in rows:
        if row["status"] not in ("ok", "skipped"):
            raise SystemExit(f"a trial of the suite is {row['status']}: {row['reason']}")
    return [row for row in rows if row["status"] == "ok"]
