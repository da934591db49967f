"""trials_frame: the columns of the contract, which result stands for a trial, and what a gap looks like."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from bench.base.metrics import LATER
from bench.base.records import Component, TrainSettings
from bench.present.tables import write_frame
from bench.results.frame import latest, trials_frame

TABLE = """
trial_id run_id environment_id code_id status reason dataset dataset_settings model model_settings seed batch_size
device precision engine loader threads optimizer learning_rate epochs
test_accuracy test_loss train_loss parameters trainable_parameters model_bytes
host_peak_bytes device_peak_allocated_bytes device_peak_reserved_bytes train_samples_per_second step_seconds
epoch_seconds end_to_end_samples_per_second
inference_samples_per_second inference_latency_p50_seconds inference_latency_p95_seconds
fit_seconds total_seconds time_to_target_seconds flops_per_sample achieved_flops_per_second energy_joules
valid validity_notes
"""
CONTRACT = TABLE.split()
ADDED = [*LATER, "timing", "timing_notes", "train_samples_per_second_half_width"]


def read(frame: pd.DataFrame, folder: Path) -> list[dict[str, str]]:
    write_frame(frame, folder / "trials.csv")
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_are_those_of_the_contract(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256), devices=("cpu", "cuda"))
    names = list(trials_frame(make.run_of(plan), plan).columns)
    assert names[: len(CONTRACT)] == CONTRACT
    assert names[len(CONTRACT) :] == ADDED


def test_other_axes_stand_after_epochs_and_plugin_metrics_after_the_built_in_ones(make: ModuleType) -> None:
    plan = make.Plan(
        settings={"train.learning_rate": (0.1, 0.2), "train.momentum": (0.0, 0.9), "measure.warmup_steps": (5,)}
    )
    results = [
        make.result_of(trial, metrics={"test_accuracy": 0.5, "zeta": 1.0, "alpha": 2.0}) for trial in plan.trials()
    ]
    names = list(trials_frame(results, plan).columns)
    at = names.index("epochs")
    assert names[at + 1 : at + 4] == ["train.momentum", "measure.warmup_steps", "test_accuracy"]
    at = names.index("energy_joules")
    assert names[at:] == ["energy_joules", "valid", "validity_notes", *ADDED, "alpha", "zeta"]


def test_a_plugin_metric_takes_no_column_away(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),), settings={"train.momentum": (0.5,)})
    metrics = {"status": 1.0, "valid": 2.0, "train.momentum": 3.0, "cell_id": 4.0, "timing": 5.0, "test_accuracy": 0.5}
    frame = trials_frame([make.result_of(trial, metrics=metrics) for trial in plan.trials()], plan)
    (row,) = frame.to_dict("records")
    assert (row["status"], row["valid"], row["train.momentum"], row["test_accuracy"]) == ("ok", None, 0.5, 0.5)
    assert [row[f"metric.{name}"] for name in ("status", "valid", "train.momentum", "cell_id", "timing")] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert row["timing"] == ""
    assert frame.index.name == "cell_id"


def test_without_a_suite_the_settings_that_vary_are_axes(make: ModuleType) -> None:
    plan = make.Plan(settings={"train.momentum": (0.0, 0.9)})
    names = list(trials_frame(make.run_of(plan)).columns)
    assert names[names.index("epochs") + 1] == "train.momentum"


def test_rows_are_in_the_order_of_the_plan_whatever_finished_first(make: ModuleType) -> None:
    plan = make.Plan()
    frame = trials_frame(make.run_of(plan)[::-1], plan)
    assert list(frame["trial_id"]) == [trial.trial_id for trial in plan.trials()]
    assert list(frame["seed"][:4]) == [0, 0, 0, 1]


def test_newest_result_stands_for_its_trial_and_older_ones_are_counted(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),))
    (trial,) = plan.trials()
    new = make.result_of(trial, finished_at="2026-01-02T00:00:00Z", run_id="new")
    failed = make.result_of(trial, status="failed", finished_at="2026-01-01T00:00:00Z", run_id="old")
    same_second = replace(new, run_id="aaa", status="failed", reason="older by run_id")
    frame = trials_frame([new, failed, same_second], plan)
    assert list(frame["run_id"]) == ["new"]
    assert list(frame["status"]) == ["ok"]
    assert frame.attrs["superseded"] == 2


def test_two_environments_are_two_rows(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),))
    (trial,) = plan.trials()
    frame = trials_frame([make.result_of(trial), make.result_of(trial, environment=make.OTHER_MACHINE)], plan)
    assert frame["environment_id"].nunique() == 2
    assert frame.attrs["superseded"] == 0


def test_of_the_rows_of_a_trial_the_newest_is_the_last(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),))
    (trial,) = plan.trials()
    days = [f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3)]
    again = [make.result_of(trial, finished_at=days[0]), make.result_of(trial, finished_at=days[2])]
    elsewhere = make.result_of(trial, finished_at=days[1], environment=make.OTHER_MACHINE)
    for suite in (plan, None):
        rows = latest([*again, elsewhere], suite).rows
        assert [row.result.finished_at for row in rows if row.result] == [days[1], days[2]]


def test_results_of_no_planned_trial_are_left_out_and_counted(make: ModuleType) -> None:
    plan, other = make.Plan(), make.Plan(batch_sizes=(128,))
    frame = trials_frame(make.run_of(plan) + make.run_of(other), plan)
    assert len(frame) == 15
    assert frame.attrs["outside"] == 15


def test_a_deleted_result_is_missing(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    rows = read(trials_frame(results[:3] + results[4:], plan), tmp_path)
    assert len(rows) == 15
    assert (rows[3]["status"], rows[3]["reason"]) == ("missing", "no result yet")
    assert rows[3]["trial_id"] == results[3].trial_id
    assert [rows[3][name] for name in ("environment_id", "test_accuracy", "parameters", "valid", "threads")] == [""] * 5


def test_no_results_at_all(make: ModuleType) -> None:
    plan = make.Plan()
    frame = trials_frame([], plan)
    assert set(frame["status"]) == {"missing"}
    assert list(trials_frame([]).columns) == [*CONTRACT, *ADDED]


def test_what_was_not_measured_is_empty_never_zero(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    rows = read(trials_frame(make.run_of(plan), plan), tmp_path)
    assert {row["energy_joules"] for row in rows} == {""}
    assert {row["device_peak_allocated_bytes"] for row in rows} == {""}


def test_whole_numbers_are_written_whole_and_others_in_full(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(seeds=(2**63 - 1,))
    results = make.run_of(plan)
    results[1] = replace(results[1], metrics={**results[1].metrics, "parameters": 7510.0, "host_peak_bytes": 2.0**21})
    row = read(trials_frame(results, plan), tmp_path)[1]
    assert (row["parameters"], row["host_peak_bytes"], row["batch_size"]) == ("7510", "2097152", "64")
    assert row["seed"] == str(2**63 - 1)
    assert float(row["test_accuracy"]) == results[1].metrics["test_accuracy"]


def test_valid_is_true_false_or_empty(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(seeds=(0,))
    results = make.run_of(plan)
    steady = {"block_seconds": [0.02] * 20, "block_samples": [64.0] * 20}
    notes = ("not alone: 30 %", "unstable: of an older bench", "cold: no warm-up")
    results[0] = replace(results[0], samples=steady, valid=False, validity_notes=notes)
    results[1] = replace(results[1], samples=steady, valid=False, validity_notes=notes[1:2])
    results[2] = make.result_of(results[2].trial, status="oom")
    rows = read(trials_frame(results, plan), tmp_path)
    assert [row["valid"] for row in rows] == ["false", "true", ""]
    assert [row["validity_notes"] for row in rows] == ["not alone: 30 %; cold: no warm-up", "", ""]
    assert all(row["validity_notes"] == row["timing_notes"] for row in rows)
    (rough,) = read(trials_frame([replace(results[0], samples={}, validity_notes=(), valid=True)]), tmp_path)
    assert (rough["valid"], rough["timing"]) == ("false", "rough")  # the one word decides, not what was stored


def test_epochs_are_empty_where_steps_are_set(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(seeds=(0,))
    trials = [replace(trial, train=TrainSettings(steps=100)) for trial in plan.trials()]
    rows = read(trials_frame([make.result_of(trial, metrics={}) for trial in trials]), tmp_path)
    assert {row["epochs"] for row in rows} == {""}


def test_settings_are_json_of_what_differs_from_the_default(make: ModuleType, tmp_path: Path) -> None:
    models = (Component("mlp"), Component("mlp", {"hidden": [50, 20]}), Component("net", {}, {"weights": "ab" * 32}))
    plan = make.Plan(
        seeds=(0,), models=models, datasets=(Component("mnist", {"train_limit": 100, "scaling": "standard"}),)
    )
    rows = read(trials_frame(make.run_of(plan), plan), tmp_path)
    assert [json.loads(row["model_settings"]) for row in rows] == [
        {},
        {"hidden": [50, 20]},
        {"weights": "sha256:" + "ab" * 32},
    ]
    assert json.loads(rows[0]["dataset_settings"]) == {"train_limit": 100, "scaling": "standard"}
    assert {row["model"] for row in rows} == {"mlp", "net"}


def test_threads_are_those_that_a_trial_ran_with(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),), settings={"train.threads": (0, 1)})
    asked = list(plan.trials())
    frame = trials_frame([make.result_of(asked[0])], plan)
    assert list(frame["threads"]) == [2, 1]  # ran with 2; the other asks for 1 and has not run


@pytest.mark.parametrize("text", ["=CMD()", "+1+1", "-x", "@SUM(A1)", "\t=1", "＝1"])
def test_formulas_are_quoted(make: ModuleType, tmp_path: Path, text: str) -> None:
    plan = make.Plan(seeds=(0,), models=(Component("mlp"),))
    (trial,) = plan.trials()
    rows = read(trials_frame([make.result_of(trial, status="failed", reason=text)], plan), tmp_path)
    assert rows[0]["reason"] == f"'{text}"


def test_frame_reads_back_from_its_file(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    frame = trials_frame(make.run_of(plan), plan)
    write_frame(frame, tmp_path / "trials.csv")
    back = pd.read_csv(tmp_path / "trials.csv")
    assert list(back["test_accuracy"]) == list(frame["test_accuracy"])
    assert list(back["parameters"]) == list(frame["parameters"])
    assert back["valid"].dtype == bool


def test_latest_is_linear_enough(make: ModuleType) -> None:
    plan = make.Plan(seeds=range(2000))
    trials = list(plan.trials())
    base = make.result_of(trials[0])
    found = latest([replace(base, trial=trial, trial_id=trial.trial_id) for trial in trials], plan)
    assert len(found.rows) == 6000
