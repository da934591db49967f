"""The house: which side imports what, and how quickly the command line answers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BASE = {
    "bench.checkpoint_file",
    "bench.errors",
    "bench.registry",
    "bench.records",
    "bench.metrics",
    "bench.cache",
    "bench.privacy",
    "bench",
}
ALLOWED = {
    "bench/worker": {"bench.worker"},
    "models": set(),
    "bench/suite": {"bench.suite"},
    "bench/results": {"bench.results", "bench.suite"},
    "bench/statistics": {"bench.statistics"},
    "bench/planning": {"bench.planning", "bench.results", "bench.suite", "bench.statistics"},
    "bench/report": {"bench.report", "bench.planning", "bench.results", "bench.suite", "bench.statistics"},
    "bench/execute": {"bench.execute", "bench.planning", "bench.suite", "bench.results", "bench.statistics"},
}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", ALLOWED)
def test_stages_import_in_one_direction(folder: str) -> None:
    wrong = []
    for path in files(folder):
        ours = {name for name in imports(path) if name == "bench" or name.startswith("bench.")}
        for name in ours:
            stage = ".".join(name.split(".")[:2])
            base = stage in BASE or name == "bench"
            if not base and stage not in ALLOWED[folder]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert files(folder)
    assert not wrong


@pytest.mark.parametrize("folder", ["bench/worker", "models"])
def test_worker_side_imports_neither_pandas_nor_matplotlib(folder: str) -> None:
    wrong = {str(p): imports(p) & {"pandas", "matplotlib", "matplotlib.pyplot"} for p in files(folder)}
    assert not {path: names for path, names in wrong.items() if names}


def test_only_devices_speak_of_cuda_and_mps() -> None:
    words = ("torch.cuda", "torch.mps", "torch.backends.cuda", "torch.backends.mps", "torch.backends.cudnn")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*files("bench"), *files("models")]
        if "devices" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(word in line for word in words)
    ]
    assert not wrong


def loaded_after(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


def test_the_parent_never_imports_torch_nor_ray() -> None:
    modules = ", ".join(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for folder in (
            "bench/suite",
            "bench/results",
            "bench/statistics",
            "bench/planning",
            "bench/report",
            "bench/execute",
        )
        for path in files(folder)
        if path.stem != "__init__"
    )
    loaded = loaded_after(f"import bench, bench.cli, bench.commands.main, bench.commands.listing, {modules}")
    assert not {name for name in loaded if name.split(".")[0] in ("torch", "torchvision", "sklearn", "ray")}
    assert "bench.execute.run" in loaded


def test_import_bench_is_cheap() -> None:
    heavy = {"torch", "pandas", "matplotlib", "numpy", "scipy", "pydantic", "typer", "rich"}
    assert not loaded_after("import bench") & heavy


def test_help_loads_nothing_that_takes_long() -> None:
    loaded = loaded_after("import bench.cli")
    assert not loaded & {"torch", "pandas", "matplotlib", "numpy", "scipy", "pydantic", "h5py"}


def test_every_package_says_what_it_is() -> None:
    for path in files("bench"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
