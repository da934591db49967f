"""Fault 32, an environment that changed between two halves of a suite: kept apart, and said."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Component
from bench.report.render import render
from bench.results.frame import trials_frame
from bench.results.summary import summary_frame

# Another kernel, as far as Python can tell.
ANOTHER_KERNEL = """
import os, platform
real = platform.release
platform.release = lambda: "99.0-other"
"""


def report_of(folder: Path, plan: Any, results: Any) -> str:
    return render(folder, suite=plan, results=results).report_path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("without_plots")
def test_two_environments_are_kept_apart_and_said(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan()
    results = make.run_of(plan)
    moved = [make.result_of(each.trial, environment=make.OTHER_MACHINE) for each in results[7:]]
    text = report_of(tmp_path, plan, results[:7] + moved)
    assert "come from 2 environments" in text
    assert text.count("## digits · cpu · environment ") == 2
    assert "AMD EPYC, 64 cores" in text


@pytest.mark.usefixtures("without_plots")
def test_how_environments_differ_is_said(make: ModuleType, tmp_path: Path) -> None:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=(0, 1))
    results = make.run_of(plan)
    there = replace(make.MACHINE, facts={**make.FACTS, "torch": "2.14.0"})
    moved = [replace(r, environment=there, environment_id=there.identity(threads=2)) for r in results[2:]]
    text = report_of(tmp_path, plan, results[:2] + moved)
    assert "- The environments differ in: torch 2.15.0 against 2.14.0.\n" in text
    assert "### Environment " in text
    assert "Machine" not in text


def test_environments_and_code_are_not_pooled(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0, 1, 2), models=(Component("mlp"),))
    results = make.run_of(plan)
    elsewhere = make.result_of(results[0].trial, environment=make.OTHER_MACHINE)
    edited = replace(results[2], code_id="edited")
    frame = summary_frame(trials_frame([*results[:2], edited, elsewhere], plan))
    assert sorted(frame["n"]) == [1, 1, 2]
    assert frame["environment_id"].nunique() == 2


def test_two_halves_of_a_run_are_kept_apart_and_said(project: Any, at_start: Callable[[str], dict[str, str]]) -> None:
    suite = project.suite("good", seeds="0, 1")
    assert project.run(suite, "--only", "seed=0").code == 0
    done = project.bench("run", suite, "--results", project.results, **at_start(ANOTHER_KERNEL))
    assert done.code == 0
    assert "1 have results of another environment only: those are kept apart" in done.err
    rows = project.rows()
    assert len(rows) == 3  # seed 0 in both, 1 in the second one only
    assert len({row["environment_id"] for row in rows}) == 2
    with (project.results / "mine/report/tables/summary.csv").open(encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert sorted(cell["n"] for cell in cells) == ["1", "2"]
    page = (project.results / "mine/report/report.md").read_text()
    assert "come from 2 environments" in page
    assert "99.0-other" in page
