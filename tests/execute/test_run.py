"""`bench run` as a user sees it: what is there is not trained again, what changed is, and two runs meet in peace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WIDE = """
from torch import nn
from bench.registry import metric, model

@model("wide")
def wide(input_shape, num_classes, *, width=WIDTH):
    c, h, w = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, width), nn.Linear(width, num_classes))

@metric("top3_accuracy", unit="fraction")
def top3(logits, labels):
    return (logits.topk(3, dim=1).indices == labels[:, None]).any(1).float().mean()
"""


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("trials/*.jsonl") for line in path.read_text().splitlines()]


def test_environment_and_code_are_the_same_in_two_runs_in_a_row(project: Any) -> None:
    suite = project.suite("good")
    project.run(suite)
    project.run(suite, "--fresh")
    one, two = lines_of(project.results / "mine")
    assert one["run_id"] != two["run_id"]
    for name in ("trial_id", "environment_id", "code_id"):
        assert one[name] == two[name]
    assert one["metrics"]["test_loss"] == two["metrics"]["test_loss"]
    # One row a trial: the newest. The older one stays on file.
    assert [row["run_id"] for row in project.rows()] == [max(one["run_id"], two["run_id"])]


def test_a_metric_of_a_plugin_is_a_column(project: Any) -> None:
    suite = project.suite("wide")
    (project.folder / "models.py").write_text(WIDE.replace("WIDTH", "8"))
    project.run(suite)
    (row,) = project.rows()
    assert float(row["test_accuracy"]) <= float(row["top3_accuracy"]) <= 1


def test_retry_runs_those_again_that_ended_so(project: Any) -> None:
    suite = project.suite("good", "raises")
    assert project.run(suite).code == 1
    assert "0 to train · 2 there already" in project.run(suite).err
    again = project.run(suite, "--retry", "failed,timeout")
    assert "1 to train · 1 there already" in again.err
    assert len(lines_of(project.results / "mine")) == 3
    wrong = project.run(suite, "--retry", "faild")
    assert wrong.code == 2
    assert wrong.err.strip() == (
        "--retry faild: unknown status; did you mean failed? (there are: ok, failed, diverged, oom, timeout, crashed, "
        "skipped, interrupted, disturbed)"
    )


def test_only_and_shards_keep_a_part(project: Any) -> None:
    suite = project.suite("good", "chatty", seeds="0, 1")
    only = project.run(suite, "--only", "model=chatty", "--only", "seed=1")
    assert only.code == 0
    assert [(row["model"], row["seed"]) for row in project.rows()] == [("chatty", "1")]
    for part in ("1/2", "2/2"):
        assert (
            project.bench("run", suite, "--results", project.folder / part[0], "--shard", part, "--no-report").code == 0
        )
    ids = [{line["trial_id"] for line in lines_of(project.folder / part / "mine")} for part in "12"]
    assert [len(found) for found in ids] == [2, 2]
    assert not ids[0] & ids[1]


SHARDS = """
import sys, bench
suite, folder = sys.argv[1:]
options = {"executor": "inline"}
bench.run(suite, results=f"{folder}/whole", **options)
for number in range(1, 6):
    bench.run(suite, results=f"{folder}/{number}", shard=f"{number}/5", **options)
"""


def test_five_shards_run_apart_and_copied_together_equal_the_whole(project: Any) -> None:
    suite = project.suite("good", "chatty", seeds="0")
    sizes = ", ".join(str(16 + number) for number in range(10))
    suite.write_text(suite.read_text().replace('device = ["cpu"]', f'device = ["cpu"]\nbatch_size = [{sizes}]'))
    # In one process, which imports torch once; the parts know nothing of each other.
    subprocess.run(
        [sys.executable, "-c", SHARDS, suite, project.folder],
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stderr=subprocess.DEVNULL,
    )
    together = project.folder / "together" / "mine" / "trials"
    together.mkdir(parents=True)
    parts = [path for k in range(1, 6) for path in (project.folder / str(k)).glob("mine/trials/*.jsonl")]
    for path in parts:
        shutil.copy(path, together)
    assert len(parts) == 5
    assert project.bench("report", suite, "--results", project.folder / "together").code == 0

    def rows(name: str) -> list[tuple[Any, ...]]:
        found = lines_of(project.folder / name / "mine")
        return sorted((line["trial_id"], line["code_id"], line["metrics"]["test_loss"]) for line in found)

    assert len(rows("whole")) == 20
    assert rows("together") == rows("whole")


def test_without_a_report_everything_is_stored_and_the_next_command_said(project: Any) -> None:
    suite = project.suite("good", "raises", seeds="0")
    done = project.run(suite)
    folder = project.results / "mine"
    assert done.code == 1
    assert done.out.splitlines() == [f"results: {folder} (python -m bench report {folder})"]
    assert {path.name for path in folder.iterdir()} >= {"suite.json", "trials"}
    assert not (folder / "report").exists()
    assert project.bench("report", folder).code == 0
    assert {row["model"]: row["status"] for row in project.rows()} == {"good": "ok", "raises": "failed"}


def test_a_shard_without_a_trial_says_so_and_leaves_no_report(project: Any) -> None:
    suite = project.suite("good", seeds="0")
    done = project.run(suite, "--shard", "2/2")
    assert done.code == 0
    assert done.err.splitlines()[-1] == "this shard has no trial"
    assert done.out == ""
    assert not (project.results / "mine" / "report").exists()
    assert not (project.results / "mine" / "suite.json").exists()


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_unknown_executor_is_refused(more: tuple[str, ...], project: Any) -> None:
    done = project.run(project.suite("good"), "--executor", "lokal", *more)
    assert done.code == 2
    assert done.err.strip() == "unknown executor 'lokal'; did you mean local? (there are: inline, local, ray)"
    assert done.out == ""


def test_trials_of_a_sweep_can_be_told_apart(project: Any) -> None:
    suite = project.suite("good")
    sweep = ("--set", "grid.train.learning_rate=[0.1, 0.01]")
    planned = project.run(suite, *sweep, "--dry-run").out
    done = project.run(suite, *sweep)
    for rate in ("0.1", "0.01"):
        assert f"· seed 0 · learning rate {rate}\n" in planned
        assert f"· seed 0 · learning rate {rate}: accuracy " in done.err


def test_dry_run_trains_nothing_and_says_what_would_run(project: Any) -> None:
    suite = project.suite("good", seeds="0, 1")
    done = project.run(suite, "--dry-run")
    assert done.code == 0
    assert "2 trials = " in done.out
    assert "2 to train" in done.out
    assert done.out.count("synthetic(test=64, train=256) · good") == 2
    assert " · time not known yet" in done.out
    assert not project.results.exists()
    project.run(suite)
    later = project.run(suite, "--dry-run", "--fresh")
    assert "about" in later.out  # an estimate, now that there is something to go by


def test_a_data_set_that_is_not_there_is_skipped_with_the_command(project: Any) -> None:
    suite = project.suite("good")
    suite.write_text(suite.read_text().replace('{ name = "synthetic", train = 256, test = 64 }', '"mnist"'))
    done = project.run(suite, "--data-root", project.folder / "empty")
    (row,) = project.rows()
    assert done.code == 0
    assert row["status"] == "skipped"
    assert "bench fetch mnist" in row["reason"]


def test_the_list_command_says_what_there_is(project: Any) -> None:
    project.suite("good")
    models = project.bench("list", "models", "--plugin", "models.py")
    assert models.code == 0
    assert "hidden: an integer" in models.out
    assert "good" in models.out
    devices = project.bench("list", "devices")
    assert "mps" in devices.out
    assert "fetch" not in project.bench("list", "datasets").err
    assert "test_accuracy" in project.bench("list", "metrics").out


def test_report_renders_again_from_a_folder_and_from_a_suite(project: Any) -> None:
    suite = project.suite("good")
    project.run(suite, report=True)
    folder = project.results / "mine"
    page = (folder / "report/report.md").read_text()
    for target in (folder, suite):
        (folder / "report/report.md").unlink()
        assert project.bench("report", target, "--results", project.results).code == 0
        assert (folder / "report/report.md").read_text() == page


def test_from_python(project: Any) -> None:
    import bench

    frame = bench.run(project.suite("good", seeds="0, 1"), results=project.results)
    assert list(frame["status"]) == ["ok", "ok"]
    summary = bench.summarize(frame)
    assert list(summary["n"]) == [2]
    assert bench.load(project.results / "mine").equals(frame)
