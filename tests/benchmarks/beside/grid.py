"""The baseline suite from command to report beside the same grid as a script; what a trial costs beside training."""

from __future__ import annotations

import shutil
import statistics
from datetime import datetime
from pathlib import Path

from bench.base.records import Result
from bench.results.store import Store
from tests.benchmarks.beside.measured import ROOT, Json, Settings, Timed, alone, command, in_turn, say, times_by_round

SUITE, SCRIPT = ROOT / "suites" / "baseline.toml", "tests.benchmarks.beside.grid_script"
ONLY = ("--only", "device=cpu")
QUICK = ("--only", "seed=0", "--set", "train.epochs=1", "--set", "train.threads=1")
NEEDED = {"suite": 1.5, "trial_seconds": 0.15, "second_seconds": 3.0}


def measure(settings: Settings) -> Json:
    """Seconds of both, of a second invocation, and the parts of the suite's, a number a round each."""
    say("grid: one run of the suite first, so that what a machine keeps is there")
    _suite(settings.work / "grid-first", settings)
    parts: list[dict[str, float]] = []

    def suite(number: int) -> float:
        folder = settings.work / f"grid-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        timed = _suite(folder, settings)
        parts.append(_parts(folder, timed) | {"second_seconds": _suite(folder, settings).seconds})
        return timed.seconds

    def script(number: int) -> float:
        with alone():
            return command("-m", SCRIPT, "1" if settings.quick else "10").seconds

    found = in_turn({"suite": suite, "script": script}, rounds=settings.rounds, label="grid, seconds")
    gathered = {name: [part[name] for part in parts] for name in parts[0]}
    return {"seconds": found, "times": times_by_round(found["suite"], found["script"]), "parts": gathered}


def _suite(results: Path, settings: Settings) -> Timed:
    """One invocation, as it is typed. It takes the lock itself."""
    return command(
        "-m", "bench", "run", str(SUITE), *ONLY, "--results", str(results), *(QUICK if settings.quick else ())
    )


def _parts(folder: Path, timed: Timed) -> dict[str, float]:
    """Where the seconds of one invocation went, by what stands in its records."""
    store = Store(folder / "baseline")
    found = [result for result in store.refresh() if result.status == "ok"]
    first = found[0]
    # The first trial waits for torch: what its own process did not take was start-up.
    waited = _wall(first) - first.metrics["total_seconds"]
    beside = [_wall(result) - result.metrics["fit_seconds"] for result in found[1:]]
    by_model = {
        f"beside_{name}_seconds": statistics.median(
            _wall(result) - result.metrics["fit_seconds"] for result in found[1:] if result.trial.model.name == name
        )
        for name in ("linear", "mlp", "cnn")
    }
    fit = sum(result.metrics["fit_seconds"] for result in found)
    last = _at(found[-1].finished_at)
    return {
        "start_seconds": _at(first.started_at) - timed.began + waited,
        "training_seconds": fit,
        "beside_training_seconds": sum(map(_wall, found)) - waited - fit,
        "report_seconds": timed.ended - last,
        "trial_median_seconds": statistics.median(beside),
        "outside_process_median_seconds": statistics.median(
            _wall(result) - result.metrics["total_seconds"] for result in found[1:]
        ),
    } | by_model


def _wall(result: Result) -> float:
    """Seconds from the request to the record of a trial, seen from the parent."""
    return _at(result.finished_at) - _at(result.started_at)


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
