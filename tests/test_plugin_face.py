"""The public face for plugins: what it exports, that it is light, and that the examples of the docs use it."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench.plugin

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("new-*.md"))
# Other people's plugins import these names: one may be added, none taken away.
DECORATORS = {"dataset", "device", "executor", "metric", "model", "report_format"}
ERRORS = {"BenchError", "DataError", "Unavailable"}
OF_DEVICES = {"Device", "DeviceMemory", "DeviceWatch", "Meter"}
LATER = OF_DEVICES | {"Column", "Report", "Ending", "Executor", "Splits", "Table", "TableCell"}
OLDER = (
    "bench.registry",
    "bench.errors",
    "bench.worker.datasets.splits",
    "bench.worker.devices.base",
    "bench.worker.measure.energy",
)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_it_exports_exactly_these_names() -> None:
    assert set(bench.plugin.__all__) == DECORATORS | ERRORS | LATER
    assert dir(bench.plugin) == sorted(bench.plugin.__all__)
    for name in bench.plugin.__all__:
        assert getattr(bench.plugin, name).__name__ == name


def test_a_name_is_the_same_object_by_its_older_path() -> None:
    found = {name: module for module in map(importlib.import_module, OLDER) for name in vars(module)}
    for name in DECORATORS | ERRORS | OF_DEVICES | {"Splits"}:
        assert getattr(bench.plugin, name) is getattr(found[name], name)


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'splits'; it has: .*Splits"):
        bench.plugin.splits  # noqa: B018


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "pandas", "matplotlib", "pydantic", "scipy", "h5py"}
    loaded = set(run("import bench.plugin, sys; print(*sys.modules)").split())
    assert "bench.plugin" in loaded
    assert not loaded & heavy
    assert "torch" not in set(run("from bench.plugin import Splits; import sys; print(*sys.modules)").split())


def test_nothing_of_ours_imports_it() -> None:
    ours = [path for folder in ("bench", "models") for path in (ROOT / folder).rglob("*.py")]
    # `bench new` has texts that import it.
    importing = re.compile(r"^\s*(from|import) bench\.plugin\b|^\s*from bench import .*\bplugin\b", re.MULTILINE)
    assert len(ours) > 200
    users = [path for path in ours if importing.search(path.read_text(encoding="utf-8"))]
    assert {path.name for path in users} <= {"plugin.py", "new.py"}


def examples() -> list[tuple[str, str]]:
    """(page, Python code) of every example of the docs that imports something of bench."""
    found = []
    for page in PAGES:
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        found += [(page.name, block) for block in blocks if "bench" in block]
    return found


@pytest.mark.parametrize(("page", "code"), examples(), ids=lambda value: value if value.endswith(".md") else "")
def test_every_name_that_an_example_imports_is_there(page: str, code: str) -> None:
    names = {
        (node.module, alias.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench")
        for alias in node.names
    }
    assert names, page
    for module, name in names:
        assert hasattr(importlib.import_module(str(module)), name), f"{page}: from {module} import {name}"


def test_the_examples_of_models_and_data_sets_use_it() -> None:
    pages = {page for page, code in examples() if "from bench.plugin import" in code}
    assert pages >= {"new-model.md", "new-dataset.md", "new-device.md"}
