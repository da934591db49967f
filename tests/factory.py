"""Results and a plan by hand: what a run of three models would have left behind."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.base.answers import Answers
from bench.base.records import Component, Environment, Result, Trial, digest
from bench.suite.plan import Axis, Suite

FACTS = {"os": "Linux", "kernel": "6.18", "cpu": "Intel(R) Xeon(R) Processor", "cores": 2, "memory_bytes": 25 * 10**9,
         "torch": "2.15.0", "blas": "mkl", "python": "3.11"}  # fmt: skip
MACHINE = Environment(
    FACTS, {"versions": {"torch": "2.15.0", "numpy": "2.4"}, "commit": "0123456789abcdef", "dirty": False}
)
OTHER_MACHINE = Environment(FACTS | {"cpu": "AMD EPYC", "cores": 64}, {})

# accuracy, its sd over seeds, parameters, samples/s, host bytes
KNOWN = {
    "linear": (0.912, 0.008, 650, 212_000.0, 1.2 * 2**20),
    "mlp": (0.956, 0.006, 7_510, 121_000.0, 1.9 * 2**20),
    "cnn": (0.978, 0.003, 6_090, 18_300.0, 6.0 * 2**20),
}


def Plan(  # noqa: N802
    *,
    name: str = "baseline",
    title: str = "Linear, two-layer MLP and CNN on handwritten digits",
    baseline: str = "linear",
    datasets: Sequence[Component] = (Component("digits"),),
    models: Sequence[Component] = (Component("linear"), Component("mlp"), Component("cnn")),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    batch_sizes: Sequence[int] = (64,),
    devices: Sequence[str] = ("cpu",),
    settings: Mapping[str, Sequence[Any]] | None = None,  # dotted name → values
    **more: Any,
) -> Suite:
    """A suite without a file: a grid that is crossed, seeds outermost."""
    grid = {"dataset": datasets, "model": models, "seed": seeds, "batch_size": batch_sizes, "device": devices}
    axes = tuple(Axis(axis, tuple(values)) for axis, values in (grid | dict(settings or {})).items())
    return Suite(name, title, axes, baseline=baseline, **({"source": f"{name}.toml"} | more))


def curves_of(draw: random.Random, accuracy: float, seconds: float, epochs: int) -> dict[str, list[float | None]]:
    rise = [1 - 0.75 * 0.55**epoch for epoch in range(epochs)]
    return {
        "epoch": [float(epoch + 1) for epoch in range(epochs)],
        "train_accuracy": [accuracy * each + 0.01 + draw.gauss(0, 0.003) for each in rise],
        "test_accuracy": [accuracy * each + draw.gauss(0, 0.004) for each in rise],
        "train_loss": [2.3 * (1.02 - each) + 0.05 for each in rise],
        "test_loss": [2.3 * (1.02 - each) + 0.09 + draw.gauss(0, 0.005) for each in rise],
        "train_seconds": [seconds * (epoch + 1) / epochs for epoch in range(epochs)],
    }


def metrics_of(draw: random.Random, trial: Trial) -> dict[str, float]:
    accuracy, sd, parameters, speed, host = KNOWN.get(trial.model.name, (0.9, 0.01, 1000, 50_000.0, 2.0**21))
    slower = (trial.batch_size / 64) ** 0.5
    speed *= slower * draw.gauss(1, 0.02)
    lr = trial.train.learning_rate
    value = min(1.0, accuracy - 0.01 * (slower - 1) - 0.02 * abs(lr - 0.1) + draw.gauss(0, sd))
    epochs = trial.train.epochs
    return {
        "test_accuracy": value,
        "test_loss": 2.5 * (1 - value),
        "train_loss": 2.2 * (1 - value),
        "parameters": parameters,
        "trainable_parameters": parameters,
        "model_bytes": 4 * parameters,
        "host_peak_bytes": round(host * (trial.batch_size / 64) ** 0.4 * draw.gauss(1, 0.01)),
        "train_samples_per_second": speed,
        "step_seconds": trial.batch_size / speed,
        "epoch_seconds": 1437 / speed * 1.1,
        "end_to_end_samples_per_second": speed / 1.1,
        "inference_samples_per_second": speed * 2.5,
        "inference_latency_p50_seconds": 30e-6,
        "inference_latency_p95_seconds": 40e-6,
        "fit_seconds": 1437 * epochs / speed * 1.1,
        "total_seconds": 1437 * epochs / speed * 1.1 + 0.3,
    }


def result_of(trial: Trial, **changes: Any) -> Result:
    """An ok result of `trial`, the same whenever it is asked for; `changes` replace its fields."""
    draw = random.Random(trial.trial_id)
    environment = changes.pop("environment", MACHINE)
    metrics = changes.pop("metrics", None)
    own: dict[str, Any] = {
        "trial": trial,
        "trial_id": trial.trial_id,
        "run_id": "20260101T000000Z-00000000",
        "environment_id": environment.identity(threads=trial.train.threads or 2),
        "code_id": "c0de" * 4,
        "status": "ok",
        "valid": True,
        "threads": trial.train.threads or 2,
        "environment": environment,
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:10Z",
    }
    if changes.get("status", "ok") == "ok":
        own["metrics"] = metrics if metrics is not None else metrics_of(draw, trial)
        fit = own["metrics"].get("fit_seconds", 1.0)
        own["curves"] = curves_of(draw, own["metrics"].get("test_accuracy", 0.9), fit, trial.train.epochs)
    else:
        own |= {"valid": None, "reason": "it did not work"}
    return Result(**(own | changes))


def with_validation(result: Result, level: float | None = None) -> Result:
    """The same result with a validation part, on which the last epoch reached `level`: what it did on the test set."""
    kind = "r2" if "r2" in result.metrics else "accuracy"
    reached = result.metrics.get("r2", result.metrics.get("test_accuracy")) if level is None else level
    return replace(result, curves={**result.curves, f"validation_{kind}": [0.0, reached]})


def in_turns(results: Sequence[Result], *, rounds: int = 12, group: str = "") -> list[Result]:
    """`results` as if the trials of a seed had trained by turns, on a machine that is half as fast in some rounds: a
    block of 20 ms a round, on average as fast as each trial is. `group`: a part of the id of their groups."""
    found = []
    for result in results:
        seed, draw = result.trial.seed, random.Random(f"{result.trial_id}{group}")
        machine = random.Random(f"{seed}{group}")
        speeds = [result.metrics["train_samples_per_second"] * machine.choice((1, 0.5)) for _ in range(rounds)]
        blocks = {
            "block_seconds": [0.02 * draw.gauss(1, 0.03) for _ in speeds],
            "block_samples": [speed * 0.02 for speed in speeds],
            "block_round": [float(number) for number in range(rounds)],
        }
        found.append(replace(result, group_id=digest(f"{seed}{group}"), samples={**result.samples, **blocks}))
    return found


def answered(
    results: Sequence[Result], *, examples: int = 1000, trained_on: int = 4000, split: bool = False
) -> list[Result]:
    """`results` with which test examples were right, and the accuracies that come of it: all models find the same
    examples hard, more or less. `split`: each seed draws its own test set."""
    found = []
    for result in results:
        draw, seed = np.random.default_rng(int(result.trial_id, 16) % 2**32), result.trial.seed
        hard = np.random.default_rng(seed if split else 0).normal(size=examples) + 0.3 * draw.normal(size=examples)
        right = np.zeros(examples, dtype=np.bool_)
        right[np.argsort(hard)[: round(result.metrics["test_accuracy"] * examples)]] = True
        answers = Answers.of(right, test_set=digest(f"{seed if split else 0}"), trained_on=trained_on)
        own = {**result.metrics, "test_accuracy": int(right.sum()) / examples}
        found.append(replace(result, answers=answers, metrics=own))
    return found


def skipped(trial: Trial) -> Result:
    return result_of(
        trial, status="skipped", reason=f"{trial.device}: no {trial.device.upper()} device on this machine"
    )


def run_of(plan: Plan) -> list[Result]:
    """Every trial of the plan: ok on the CPU, skipped elsewhere."""
    return [result_of(trial) if trial.device == "cpu" else skipped(trial) for trial in plan.trials()]


NOT_ALONE = "not alone: tasks on this machine waited for a core 40% of the time"


def disturbed(result: Result, *, note: str = NOT_ALONE) -> Result:
    """The same result, measured beside other programs, or under whatever `note` says."""
    return replace(result, valid=False, validity_notes=(note,))
