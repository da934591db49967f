"""Faults 22 to 24: the same suite again, two runs on one results folder, and a clock that jumps."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WIDE = """
from torch import nn
from bench.registry import model

@model("wide")
def wide(input_shape, num_classes, *, width=WIDTH):
    c, h, w = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, width), nn.Linear(width, num_classes))
"""
# Every look at the clock of the wall finds it an hour earlier than the last one, whoever looks; the others are right.
JUMPING = """
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long looks;

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec -= 3600 * (++looks % 5000);
    return failed;
}
time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return told ? (*told = now.tv_sec) : now.tv_sec;
}
"""


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("trials/*.jsonl") for line in path.read_text().splitlines()]


def test_a_second_run_trains_nothing(project: Any) -> None:
    suite = project.suite("good", seeds="0, 1", extra="[report]\nbaseline = 'good'\n")
    first = project.run(suite, report=True)
    rows = project.rows()
    assert first.code == 0, first.err
    assert [row["status"] for row in rows] == ["ok", "ok"]
    again = project.run(suite, report=True)
    assert again.code == 0
    assert "0 to train · 2 there already" in again.err
    assert project.rows() == rows
    assert len(lines_of(project.results / "mine")) == 2
    # Other programs on the machine make it slower, never quicker.
    assert again.seconds < 3 or any(project.run(suite, report=True).seconds < 3 for _ in range(5))
    # Another spelling of the same trial is the same trial; another suite name is the same trial in another folder.
    other = project.run(suite, "--set", "train.epochs=2", "--set", "report.baseline=''")
    assert "0 to train" in other.err


def test_an_edited_model_trains_again_and_the_run_says_why(project: Any) -> None:
    suite = project.suite("wide")
    parameters = []
    for width in (8, 9):
        (project.folder / "models.py").write_text(WIDE.replace("WIDTH", str(width)))
        done = project.run(suite)
        parameters.append([row["parameters"] for row in project.rows()])
    assert "1 train again: models.py has changed since" in done.err
    assert parameters == [[str(64 * 8 + 8 + 8 * 10 + 10)], [str(64 * 9 + 9 + 9 * 10 + 10)]]


def test_two_runs_at_once_lose_nothing_and_train_nothing_twice(project: Any) -> None:
    suite = project.suite("good", seeds="0, 1, 2, 3, 4")
    both = [project.start("run", suite, "--results", project.results) for _ in range(2)]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting: another run is measuring on this machine" in text for text in said) == 1
    ids = [line["trial_id"] for line in lines_of(project.results / "mine")]
    assert len(ids) == len(set(ids)) == 5


def test_a_clock_that_jumps_makes_no_duration_negative(project: Any) -> None:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("needs a C compiler, to put another clock before that of the system")
    (project.folder / "clock.c").write_text(JUMPING)
    library = project.folder / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, project.folder / "clock.c"], check=True)
    suite = project.suite("good", seeds="0, 1", extra="[measure]\ntarget_accuracy = 0.01\n")
    done = project.bench("run", suite, "--results", project.results, LD_PRELOAD=str(library))
    assert done.code == 0, done.err
    stored = lines_of(project.results / "mine")
    began = [value["started_at"] for value in stored]
    assert any(value["finished_at"] < value["started_at"] for value in stored), "the clock did not jump"
    assert len(began) == 2
    for value in stored:
        timed = {k: v for k, v in value["metrics"].items() if k.endswith(("_seconds", "_per_second"))}
        assert len(timed) >= 8
        assert all(0 < v < 1e12 for v in timed.values()), timed
        assert 0 < value["metrics"]["total_seconds"] < 300
        for name, samples in value["samples"].items():
            assert all(each >= 0 for each in samples), name
        assert value["curves"]["train_seconds"] == sorted(value["curves"]["train_seconds"])
    again = project.bench("run", suite, "--results", project.results, LD_PRELOAD=str(library))
    assert "0 to train · 2 there already" in again.err
