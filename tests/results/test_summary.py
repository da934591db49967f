"""summary_frame: one row a cell, means by hand, and nothing in them that is not ok."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from bench.analysis.sections import sections_of
from bench.base.metrics import LATER
from bench.base.records import Component
from bench.present.tables import write_frame
from bench.results.frame import latest, trials_frame
from bench.results.summary import summary_frame

VALUES = (0.90, 0.92, 0.94)


def three_seeds(make: ModuleType, **plan: object) -> tuple[object, list[object]]:
    """A plan of one model and three seeds, with the accuracies VALUES."""
    made = make.Plan(seeds=(0, 1, 2), models=(Component("mlp"),), **plan)
    results = [
        make.result_of(trial, metrics={"test_accuracy": VALUES[trial.seed], "parameters": 7510})
        for trial in made.trials()
    ]
    return made, results


def test_mean_sd_and_interval_by_hand(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    (row,) = summary_frame(trials_frame(results, plan)).to_dict("records")
    half = 4.302652729911275 * 0.02 / math.sqrt(3)
    assert row["n"] == 3
    assert row["test_accuracy_mean"] == pytest.approx(0.92)
    assert row["test_accuracy_sd"] == pytest.approx(0.02)
    assert row["test_accuracy_low"] == pytest.approx(0.92 - half)
    assert row["test_accuracy_high"] == pytest.approx(0.92 + half)
    assert (row["parameters_mean"], row["parameters_sd"]) == (7510, 0)


def test_columns(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.momentum": (0.0, 0.9)})
    names = list(summary_frame(trials_frame(make.run_of(plan), plan)).columns)
    assert names[:17] == [
        "dataset", "dataset_settings", "model", "model_settings", "batch_size", "device", "precision", "engine",
        "loader", "threads", "optimizer", "learning_rate", "epochs", "train.momentum", "environment_id", "code_id", "n",
    ]  # fmt: skip
    assert names[17:26] == [
        "failed", "diverged", "oom", "timeout", "crashed", "skipped", "interrupted", "missing", "not_valid",
    ]  # fmt: skip
    assert names[26:30] == ["test_accuracy_mean", "test_accuracy_sd", "test_accuracy_low", "test_accuracy_high"]
    at = names.index("energy_joules_mean")
    assert names[at : at + 4] == ["energy_joules_mean", "energy_joules_sd", "energy_joules_low", "energy_joules_high"]
    assert [name.removesuffix("_mean") for name in names[at + 4 : -1 : 4]] == list(LATER)
    assert names[-1] == "n_pooled"


def test_what_is_not_ok_enters_no_mean_and_is_counted(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    failed = make.result_of(results[0].trial, status="failed")
    failed = replace(failed, metrics={"test_accuracy": 0.1})  # what a trial had measured before it failed
    (row,) = summary_frame(trials_frame([failed, *results[1:]], plan)).to_dict("records")
    assert (row["n"], row["failed"], row["missing"]) == (2, 1, 0)
    assert row["test_accuracy_mean"] == pytest.approx(0.93)


def test_a_missing_seed_is_counted_in_its_cell(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    (row,) = summary_frame(trials_frame(results[1:], plan)).to_dict("records")
    assert (row["n"], row["missing"], row["threads"]) == (2, 1, 2)
    (row,) = summary_frame(trials_frame([], plan)).to_dict("records")
    assert (row["n"], row["missing"], row["environment_id"]) == (0, 3, "")


def test_one_seed_has_no_interval(make: ModuleType, tmp_path: Path) -> None:
    plan, results = three_seeds(make)
    frame = summary_frame(trials_frame(results[:1], plan))
    assert frame["test_accuracy_mean"][0] == 0.90
    assert frame[["test_accuracy_sd", "test_accuracy_low", "test_accuracy_high"]].isna().all(axis=None)
    write_frame(frame, tmp_path / "summary.csv")
    assert "nan" not in (tmp_path / "summary.csv").read_text().lower()


def test_accuracies_pool_where_torch_threads_and_code_agree(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    speeds = [replace(r, metrics={**r.metrics, "fit_seconds": 1.0 + r.trial.seed}) for r in results]
    kernel = replace(make.MACHINE, facts={**make.FACTS, "kernel": "6.19"})
    moved = replace(speeds[2], environment=kernel, environment_id=kernel.identity(threads=2))
    rows = summary_frame(trials_frame([*speeds[:2], moved], plan)).to_dict("records")
    assert [row["n"] for row in rows] == [2, 1]
    assert [row["n_pooled"] for row in rows] == [3, 3]
    assert [row["test_accuracy_mean"] for row in rows] == pytest.approx([0.92, 0.92])
    assert [row["test_accuracy_sd"] for row in rows] == pytest.approx([0.02, 0.02])
    assert [row["fit_seconds_mean"] for row in rows] == [1.5, 3.0]


def test_of_a_seed_in_two_environments_the_newest_is_pooled(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    newer = make.result_of(
        results[0].trial, environment=make.OTHER_MACHINE, finished_at="2027-01-01T00:00:00Z",
        metrics={"test_accuracy": 0.96},
    )  # fmt: skip
    rows = summary_frame(trials_frame([newer, *results], plan)).to_dict("records")
    assert [(row["n"], row["n_pooled"]) for row in rows] == [(3, 3), (1, 3)]
    assert [row["test_accuracy_mean"] for row in rows] == pytest.approx([0.94, 0.94])


@pytest.mark.parametrize("unlike", ["torch", "threads", "code", "no facts"])
def test_accuracies_do_not_pool_across_torch_threads_or_code(make: ModuleType, unlike: str) -> None:
    plan, results = three_seeds(make)
    facts = {**make.FACTS, "kernel": "6.19"} | ({"torch": "2.14.0"} if unlike == "torch" else {})
    there = replace(make.MACHINE, facts={} if unlike == "no facts" else facts)
    threads = 1 if unlike == "threads" else 2
    moved = replace(results[2], environment=there, environment_id=there.identity(threads=threads), threads=threads)
    moved = replace(moved, code_id="edited") if unlike == "code" else moved
    rows = summary_frame(trials_frame([*results[:2], moved], plan)).to_dict("records")
    assert [row["n_pooled"] for row in rows] == [2, 1]
    assert [row["test_accuracy_mean"] for row in rows] == pytest.approx([0.91, 0.94])


def test_a_metric_that_a_seed_lacks_has_no_mean(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    reached = replace(results[0], metrics={**results[0].metrics, "time_to_target_seconds": 3.0})
    (row,) = summary_frame(trials_frame([reached, *results[1:]], plan)).to_dict("records")
    assert math.isnan(row["time_to_target_seconds_mean"])
    assert row["test_accuracy_mean"] == pytest.approx(0.92)


def test_not_valid_is_counted_and_kept(make: ModuleType) -> None:
    plan, results = three_seeds(make)
    steady = {"block_seconds": [0.02] * 20, "block_samples": [64.0] * 20}
    speed = {"train_samples_per_second": 3200.0}
    results = [replace(each, metrics={**each.metrics, **speed}, samples=steady) for each in results]
    (row,) = summary_frame(trials_frame([make.disturbed(results[0]), *results[1:]], plan)).to_dict("records")
    assert (row["n"], row["not_valid"]) == (3, 1)


def test_cells_stay_apart_in_settings_that_have_no_column(make: ModuleType) -> None:
    first = make.Plan(models=(Component("mlp"),))
    second = make.Plan(models=(Component("mlp"),), settings={"train.momentum": (0.9,)})
    plan = make.Plan()
    frame = trials_frame(make.run_of(first) + make.run_of(second))
    frame = frame.drop(columns="train.momentum")
    assert list(summary_frame(frame)["n"]) == [5, 5]
    assert len(summary_frame(trials_frame(make.run_of(plan), plan))) == 3


def test_a_frame_that_was_read_from_the_file_gives_the_same(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda"))
    frame = trials_frame(make.run_of(plan)[1:], plan)
    write_frame(frame, tmp_path / "trials.csv")
    again = summary_frame(pd.read_csv(tmp_path / "trials.csv"))
    direct = summary_frame(frame)
    for name in ("model", "n", "missing", "skipped", "test_accuracy_mean", "fit_seconds_high"):
        assert list(again[name].fillna(-1)) == list(direct[name].fillna(-1)), name


def test_timings_of_seeds_that_one_process_trained_are_one_value(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), settings={"train.engine": ("eager", "vectorized")})
    frame = summary_frame(trials_frame(make.run_of(plan), plan)).set_index("engine")
    assert list(frame["n"]) == [5, 5]
    assert frame["test_accuracy_sd"].notna().all()
    assert frame["fit_seconds_mean"].notna().all()
    assert frame["fit_seconds_sd"].notna().to_dict() == {"eager": True, "vectorized": False}


def test_intervals_stay_where_a_figure_can_be(make: ModuleType) -> None:
    """Half of all starts are dead: one seed of two is at chance."""
    plan = make.Plan(seeds=(0, 1), models=(Component("fragile"),))
    values = [
        {"test_accuracy": 0.866, "train_samples_per_second": 530_000, "test_loss": 0.4, "own": -1.0},
        {"test_accuracy": 0.097, "train_samples_per_second": 50_000, "test_loss": 90.0, "own": 2.0},
    ]
    results = [make.result_of(trial, metrics=each) for trial, each in zip(plan.trials(), values, strict=True)]
    (row,) = summary_frame(trials_frame(results, plan)).to_dict("records")
    (section,) = sections_of(latest(results, plan).rows, plan)
    for name in values[0]:  # the file and the tables say the same
        found = section.cells[0].estimate(name)
        assert [row[f"{name}_{part}"] for part in ("mean", "sd", "low", "high")] == [
            found.mean, found.sd, found.low, found.high]  # fmt: skip
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == (0, 1)
    assert row["test_loss_low"] == 0
    assert row["own_low"] < -10  # nothing is known of a plugin's metric
    factor = math.exp(12.706204736174698 * 480_000 / 2 / 290_000)
    assert row["train_samples_per_second_low"] == pytest.approx(290_000 / factor)
    assert row["train_samples_per_second_high"] == pytest.approx(290_000 * factor)
