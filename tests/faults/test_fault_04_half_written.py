"""Fault 4, a half-written record: whole or absent, at whichever byte it is cut; and the report counts it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.base.records import Result, canonical_json
from bench.errors import BenchError
from bench.results.store import Store
from bench.suite.stored import suite_from_json, suite_to_json


@pytest.fixture
def results(make: ModuleType) -> list[Result]:
    """Results of one model; the seed is the place in the list."""
    found: list[Result] = make.run_of(make.Plan(models=(make.Component("mlp"),)))
    return found


def written(folder: Path, results: list[Result]) -> Store:
    store = Store(folder)
    writer = store.writer("run-a")
    for result in results:
        writer.append(result)
    writer.close()
    return store


def test_a_record_cut_at_any_byte_is_whole_or_absent(results: list[Result], tmp_path: Path) -> None:
    short = [replace(each, metrics={"test_accuracy": 0.5}, curves={}, samples={}) for each in results[:2]]
    store = written(tmp_path, short)
    file = store.trials_folder / "run-a.jsonl"
    text = file.read_bytes()
    first_end = text.index(b"\n") + 1
    for cut in range(len(text) + 1):
        file.write_bytes(text[:cut])
        found = Store(tmp_path)
        seeds = [one.trial.seed for one in found.refresh()]
        whole = (cut >= first_end - 1) + (cut >= len(text) - 1)
        assert seeds == [0, 1][:whole]
        partial = cut not in (0, first_end - 1, first_end, len(text) - 1, len(text))
        assert found.damaged == partial


def test_a_line_that_grows_between_two_readings_is_read_once(results: list[Result], tmp_path: Path) -> None:
    store = written(tmp_path, results[:1])
    file = store.trials_folder / "run-a.jsonl"
    line = canonical_json(results[1].to_json()).encode() + b"\n"
    store.refresh()
    with file.open("ab") as growing:
        growing.write(line[:50])
        growing.flush()
        assert store.refresh() == []
        assert store.damaged == 1
        growing.write(line[50:])
    assert [one.trial.seed for one in store.refresh()] == [1]
    assert store.damaged == 0


def test_the_report_counts_what_it_left_out_and_the_next_run_is_a_whole_one(
    results: list[Result], project: Any
) -> None:
    folder = project.results / "mine"
    store = written(folder, results)
    file = store.trials_folder / "run-a.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], lines[1][:-40] + b"\n", *lines[2:4], lines[4][:100]]))
    assert project.bench("report", folder).code == 0
    assert "2 damaged lines" in (folder / "report/report.md").read_text()
    assert [row["seed"] for row in project.rows()] == ["0", "2", "3"]
    # What another run appends stands in a file of its own: it does not lengthen the line that was cut.
    writer = Store(folder).writer("run-b")
    writer.append(results[4])
    writer.close()
    assert project.bench("report", folder).code == 0
    assert [row["seed"] for row in project.rows()] == ["0", "2", "3", "4"]


def test_a_plan_cut_at_any_byte_is_the_plan_or_one_line(tmp_path: Path, plan: Any) -> None:
    store, suite = Store(tmp_path), plan()
    store.save_suite(suite_to_json(suite))
    path = tmp_path / "suite.json"
    text = path.read_bytes()
    for cut in range(len(text) + 1):
        path.write_bytes(text[:cut])
        if cut >= len(text) - 1:  # without its last line break it is whole too
            assert suite_from_json(store.load_suite()) == suite
            continue
        with pytest.raises(BenchError, match=r"suite.json: damaged; run the suite again"):
            store.load_suite()


KILLED_WHILE_WRITING = """
import os, sys
from pathlib import Path
from bench.base.files import write
path, moment = Path(sys.argv[1]), int(sys.argv[2])
write(path, "old " * 100, sync=True)
if moment == 0:
    os.fsync = lambda descriptor: os._exit(9)
else:
    Path.replace = lambda self, target: os._exit(9)
write(path, "new " * 100, sync=True)
"""


@pytest.mark.parametrize("moment", [0, 1], ids=["before it is on the disk", "before it has its name"])
def test_a_file_that_is_replaced_is_the_old_or_the_new_one(moment: int, tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(path), str(moment)]
    assert subprocess.run(command, check=False).returncode == 9
    assert path.read_text() == "old " * 100
