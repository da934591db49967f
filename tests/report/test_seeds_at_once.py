"""Seeds that one process trained at once: their timings are one measurement, whoever counts them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import bench
from bench.base.records import Component, Result, TrainSettings, Trial
from bench.export import formats as export
from bench.history.series import Point
from bench.results.store import Store

SPEED = "train_samples_per_second"


def results(make: ModuleType, engine: str) -> list[Result]:
    found = []
    for seed in (0, 1, 2):
        train = TrainSettings(engine=engine)  # type: ignore[arg-type]
        trial = Trial(Component("digits"), Component("mlp"), seed, 64, "cpu", train)
        metrics = {SPEED: 1000.0, "step_seconds": 0.5, "test_accuracy": 0.9 + seed / 100}
        found.append(make.result_of(trial, metrics=metrics, run_id="run-a"))
    return found


def written(folder: Path, found: Sequence[Result]) -> Path:
    (folder / "trials").mkdir(parents=True)
    lines = [json.dumps(replace(each, curves={}).to_json()) + "\n" for each in found]
    (folder / "trials" / "a.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("engine", "timings"), [("eager", 3), ("vectorized", 1)])
def test_history_counts_processes_for_timings_and_seeds_for_accuracies(
    make: ModuleType, engine: str, timings: int
) -> None:
    found = tuple(results(make, engine))
    assert len(Point(found, SPEED).values) == timings
    assert len(Point(found, "test_accuracy").values) == 3


@pytest.mark.parametrize(("engine", "rounds"), [("eager", 3), ("vectorized", 1)])
def test_a_round_is_a_process(make: ModuleType, tmp_path: Path, engine: str, rounds: int) -> None:
    store = Store(written(tmp_path / "mine", results(make, engine)))
    store.refresh()
    told = json.loads(export.export("pytest-benchmark", store.results, suite=None, name="mine").content)
    assert told["benchmarks"][0]["stats"]["rounds"] == rounds


def test_their_timings_are_compared_with_no_others_and_that_is_said(make: ModuleType, tmp_path: Path) -> None:
    both = [*results(make, "eager"), *results(make, "vectorized")]
    folder = written(tmp_path / "mine", both)
    found = bench.compare(folder, by="engine")
    assert "one process trained the seeds of B at once" in str(found)
