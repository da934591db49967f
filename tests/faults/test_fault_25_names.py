"""Fault 25, hostile and unicode names: an allow-list where they are registered, and no file outside its folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.errors import BenchError
from bench.present.format import slug
from bench.registry import Registry
from bench.report.render import render
from bench.results.store import Store

DEVICES = ["con", "nul", "aux", "com1"]  # of Windows, whatever the ending
HOSTILE = [
    "../../escaped",
    "/tmp/bench-escaped",
    "..",
    "a/b",
    "x" * 5000,
    "nul\x00",
    "ü\u202e模\n",
    *DEVICES,
    "ends with a dot.",
    "and a space ",
    ".hidden",
    "-rf",
]


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "a\0b", "é", "x" * 65, "-x", ".x"])
def test_a_name_that_could_escape_is_refused(name: str) -> None:
    with pytest.raises(BenchError, match="a name is"):
        Registry("thing").register(name)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..",
        "",
        "a/b",
        "x" * 300,
        "nul\x00",
        "ü",
        "con",
        "NUL",
        "aux.txt",
        "Com1",
        "lpt9.",
        "x.",
        "x ",
    ],
)
def test_slugs_are_file_names(name: str) -> None:
    made = slug(name)
    assert made
    assert len(made) <= 60
    assert "/" not in made
    assert not made.startswith(".")
    assert slug("digits") == "digits"
    assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", made)
    assert made == made.rstrip(". ")
    assert slug("a(b=1)") != slug("a(b=2)")


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:12])
def test_a_suite_of_such_a_name_is_refused_and_makes_no_folder(
    name: str, project: Any, command: Callable[..., Any]
) -> None:
    if name == "-rf":
        pytest.skip("is an allowed name of a folder")
    suite = project.suite("good")
    suite.write_text(suite.read_text().replace('"mine"', json.dumps(name)))
    before = sorted(project.folder.iterdir())
    done = command("run", suite, "--results", project.folder / "deep/results", "--dry-run")
    assert done.code == 2
    line, *others = done.err.splitlines()
    assert others == [] or "unknown model 'good'" in "".join(others)  # of the plugin that this catalogue does not have
    why = "is a device on Windows" if name in DEVICES else "expected 1 to 64 of the characters a-z, 0-9, _ and -"
    assert "name: " in line
    assert why in line
    assert sorted(project.folder.iterdir()) == before


def test_every_file_of_a_report_lies_in_its_folder(make: ModuleType, tmp_path: Path) -> None:
    """Of results from a stranger, in which every name there is leads somewhere else."""
    folder = tmp_path / "deep/results/mine"
    components = [make.Component(name[:64], {name: name}) for name in HOSTILE]
    plan = make.Plan(datasets=components[:3], models=components, devices=("cpu", "../../escaped"), seeds=(0,))
    trials = list(plan.trials())[:12]
    store = Store(folder)
    writer = store.writer("run-a")
    for trial in trials:
        writer.append(make.result_of(trial))
        writer.append(make.result_of(trial, run_id="../../escaped"))  # of which paths of files are made
    writer.close()
    store.refresh()
    assert (len(store.results), store.damaged) == (12, 12)
    render(folder, suite=None, results=store.results)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) > 10
    assert all(path.is_relative_to(folder) and path.name.isascii() for path in made)
    assert not [path for path in made if path.name.partition(".")[0].lower() in DEVICES]
    assert not Path("/tmp/bench-escaped").exists()
