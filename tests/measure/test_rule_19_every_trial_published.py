"""Rule 19: every trial of the plan is published. Delete a record, and the report says that it is missing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from bench.cli.report import report as render

SUITE = """
dataset = [{ name = "synthetic", train = 64, test = 32 }]
model = ["linear", "mlp", "breaks"]
seed = { count = 2 }
device = ["cpu"]
[train]
epochs = 1
threads = 1
"""
PLUGIN = """
def boom():
    raise RuntimeError("no such luck")

@model("breaks")
def breaks(input_shape, num_classes):
    return Known(input_shape, num_classes, boom)
"""


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "report/tables/trials.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("without_plots")
def test_a_deleted_record_is_missed_and_a_failed_trial_is_shown(bench: Any) -> None:
    results = bench.run(SUITE, plugin=PLUGIN, fails=True)
    folder = bench.folder / "results/proof"
    gone = next(result for result in results if result.trial.model.name == "mlp" and result.trial.seed == 1)
    render(folder, results=folder.parent)
    before = {row["trial_id"]: row["status"] for row in table(folder)}
    assert sorted(before.values()) == ["failed", "failed", "ok", "ok", "ok", "ok"]

    (path,) = (folder / "trials").glob("*.jsonl")
    kept = [line for line in path.read_text().splitlines(keepends=True) if gone.trial_id not in line]
    assert len(kept) == 5
    path.write_text("".join(kept))
    render(folder, results=folder.parent)

    after = {row["trial_id"]: row["status"] for row in table(folder)}
    assert after == before | {gone.trial_id: "missing"}
    report = (folder / "report/report.md").read_text()
    assert "1 missing" in report
    assert "2 failed" in report
    assert "no such luck" in report
