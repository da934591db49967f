"""costs.toml and the tests: what it names is there, what it says is a marker, and each marker has its tests."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
README = TESTS.parent / "README.md"
COSTS = tomllib.loads((TESTS / "costs.toml").read_text(encoding="utf-8"))
MARKERS = ("fast", "process", "browser", "simulation", "long", "alone")
NAMED = [(path, name) for path, tests in COSTS["tests"].items() for name in tests]


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_file_that_it_names_is_there() -> None:
    assert not [path for path in {**COSTS["files"], **COSTS["tests"]} if not (TESTS / path).is_file()]


def test_every_test_that_it_names_is_there() -> None:
    assert not [f"{path}::{name}" for path, name in NAMED if name.partition("[")[0] not in functions(path)]


def test_every_case_that_it_names_is_there(collected: set[tuple[str, str]], request: pytest.FixtureRequest) -> None:
    """Of the files that were collected with this one."""
    if request.config.getoption("lf") or any("::" in argument for argument in request.config.args):
        pytest.skip("only a part of the files was collected")
    here = {path for path, _ in collected}
    cases = [(path, name) for path, name in NAMED if path in here and "[" in name]
    assert not [f"{path}::{name}" for path, name in cases if (path, name) not in collected]


def test_what_it_says_is_a_marker_and_each_is_said() -> None:
    """`fast` is what stands nowhere."""
    said = {*COSTS["files"].values(), *(kind for tests in COSTS["tests"].values() for kind in tests.values())}
    assert said | {"fast"} == set(MARKERS)


def test_no_line_says_what_holds_without_it() -> None:
    assert "fast" not in COSTS["files"].values()
    assert not [
        f"{path}::{name}"
        for path, tests in COSTS["tests"].items()
        for name, kind in tests.items()
        if kind == COSTS["files"].get(path, "fast")
    ]


def test_each_test_has_one_of_them(request: pytest.FixtureRequest) -> None:
    """The mark is put on when the tests are collected, and -m sees it."""
    for item in request.session.items:
        assert len({mark.name for mark in item.iter_markers()} & set(MARKERS)) == 1, item.nodeid


def test_the_script_runs_what_the_readme_says() -> None:
    (command,) = re.findall(
        r"^python -m pip install .* && (python -m pytest.*)$", README.read_text("utf-8"), re.MULTILINE
    )
    assert f"exec {command} " in (TESTS.parent / "scripts/test").read_text(encoding="utf-8")


def test_no_test_says_its_own_cost() -> None:
    marks = [f"mark.{name}" for name in MARKERS]
    files = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    assert not [str(path) for path in files if any(mark in path.read_text(encoding="utf-8") for mark in marks)]
