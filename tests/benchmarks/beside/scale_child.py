"""`... count plain|rules`, `... make FOLDER N`, `... append FOLDER N`: the parts of the benchmark of scale."""

from __future__ import annotations

import json
import math
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.base.records import Result
from bench.execute.ask_worker import ask_catalogue
from bench.execute.plan import Identifier, Planned
from bench.results.store import Store
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve
from bench.suite.stored import suite_to_json

CELLS = 50
SUITE = """
name = "scale"
[grid]
dataset = ["digits"]
model = ["linear", {{ name = "mlp", hidden = 50 }}]
seed = {{ count = {seeds} }}
batch_size = [16, 32, 64, 128, 256]
device = ["cpu"]
"train.learning_rate" = [0.3, 0.1, 0.03, 0.01, 0.003]
[report]
baseline = "linear"
"""
RULES = """
[[exclude]]
model = "linear"
batch_size = 256
[[override]]
where = { batch_size = 16 }
set = { "train.momentum" = 0.9 }
"""


def resolved(folder: Path, *, trials: int, rules: str = "") -> tuple[Suite, Any]:
    """The suite of so many trials, and what is registered here."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "scale.toml"
    path.write_text(SUITE.format(seeds=trials // CELLS) + rules)
    catalogue = ask_catalogue()
    return resolve(read_suite(path), catalogue, data_root=folder), catalogue


def count(rules: str) -> dict[str, float]:
    """Seconds from the file to the number of trials of a grid of 10^6."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        suite, catalogue = resolved(Path(folder), trials=1_000_000, rules=RULES if rules == "rules" else "")
        start = time.perf_counter()
        again = resolve(read_suite(Path(folder) / "scale.toml"), catalogue, data_root=Path(folder))
        trials = again.count()
        seconds = time.perf_counter() - start
    assert trials == suite.count()
    return {"trials": trials, "seconds": seconds}


def made(planned: Planned, environment: Any) -> Result:
    """What a trial of ten epochs of digits leaves behind: as many samples, curves and metrics; invented figures."""
    draw = random.Random(planned.trial.trial_id)
    epochs, rate = range(10), 200_000 * math.exp(draw.gauss(0, 0.05)) * planned.trial.batch_size**0.5
    accuracy = 0.85 + 0.1 * draw.random()
    fit = 14_370 / rate

    def some(number: int) -> list[float]:
        return [draw.random() / 1000 for _ in range(number)]

    ten = ("block_seconds", "epoch_seconds", "contention_wait_seconds", "contention_pressure_seconds",
           "inference_block_seconds", "contention_involuntary_switches", "block_steps", "block_samples")  # fmt: skip
    return Result(
        trial=planned.trial,
        trial_id=planned.trial.trial_id,
        run_id="20260101T000000Z-00000000",
        environment_id=planned.environment_id,
        code_id=planned.code_id,
        code=planned.code,
        status="ok",
        valid=True,
        threads=2,
        environment=environment,
        samples={name: some(10) for name in ten} | {"latency_seconds": some(200), "warmup_seconds": some(12)},
        curves={
            "epoch": [float(epoch + 1) for epoch in epochs],
            "train_seconds": [fit * (epoch + 1) / 10 for epoch in epochs],
            **{f"{part}_loss": some(10) for part in ("train", "test")},
            **{f"{part}_accuracy": [accuracy * (1 - 0.5**e) for e in range(1, 11)] for part in ("train", "test")},
        },
        metrics={
            "test_accuracy": accuracy, "test_loss": 1 - accuracy, "train_loss": 1 - accuracy, "parameters": 650,
            "trainable_parameters": 650, "model_bytes": 2600, "host_peak_bytes": 10**6 + draw.randrange(10**5),
            "train_samples_per_second": rate, "step_seconds": planned.trial.batch_size / rate,
            "epoch_seconds": fit / 10, "end_to_end_samples_per_second": rate, "inference_samples_per_second": rate,
            "inference_latency_p50_seconds": 1e-5, "inference_latency_p95_seconds": 2e-5, "fit_seconds": fit,
            "total_seconds": fit + 0.1, "flops_per_sample": 2600.0, "achieved_flops_per_second": rate * 2600.0,
        },
        instruments={"host_peak_bytes": "VmHWM after a reset"},
        started_at="2026-01-01T00:00:00.000000+00:00",
        finished_at="2026-01-01T00:00:10.000000+00:00",
    )  # fmt: skip


def make(folder: Path, trials: int) -> dict[str, float]:
    """A suite of so many trials, and the results of all of them, as `bench run` would have stored them here."""
    suite, catalogue = resolved(folder, trials=trials)
    identifier = Identifier(suite, catalogue)
    store = Store(folder / "results" / suite.name)
    store.trials_folder.mkdir(parents=True)
    path = store.trials_folder / "20260101T000000Z-00000000.jsonl"
    with path.open("w") as file:
        for trial in suite.trials():
            result = made(identifier.planned(trial), catalogue.environment)
            file.write(json.dumps(result.to_json(), sort_keys=True, separators=(",", ":")) + "\n")
    store.save_suite(suite_to_json(suite))
    return {"bytes": path.stat().st_size}


def append(folder: Path, number: int) -> dict[str, Any]:
    """Median seconds of an append until the disk has it: the first, and the last tenth of `number` in one file."""
    suite, catalogue = resolved(folder, trials=CELLS)
    identifier = Identifier(suite, catalogue)
    results = [made(identifier.planned(trial), catalogue.environment) for trial in suite.trials()]
    writer, seconds = Store(folder / suite.name).writer("run"), []
    for index in range(number):
        start = time.perf_counter()
        writer.append(results[index % CELLS])
        seconds.append(time.perf_counter() - start)
    writer.close()
    tenth = number // 10
    first, last = statistics.median(seconds[:tenth]), statistics.median(seconds[-tenth:])
    size = writer.path.stat().st_size
    writer.path.unlink()
    return {"appends": number, "bytes": size, "first_tenth_seconds": first, "last_tenth_seconds": last}


def main() -> None:
    match sys.argv[1:]:
        case ["count", rules]:
            print(json.dumps(count(rules)))
        case ["make", folder, trials]:
            print(json.dumps(make(Path(folder), int(trials))))
        case ["append", folder, number]:
            print(json.dumps(append(Path(folder), int(number))))


if __name__ == "__main__":
    main()
