"""The house: which folder stands on which floor, and what may import what. Every import of a file counts: at its top,
inside its functions, and under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up. A file imports from its own folder, from floors below its own, and on its floor from folders that
# stand before its own: but a feature imports no other feature.
FEATURES = (
    "report", "comparison", "diagnose", "inspect", "history", "lr_find", "doctor", "publish", "export", "duel",
    "explain", "gate",
)  # fmt: skip
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "base", "statistics"),
    ("registry", "suite"),
    ("results", "worker", "models"),
    ("present",),
    ("analysis", "plots"),
    ("tune", "planning", "execute", "cluster", "run_suite", "pairing"),
    FEATURES,
    ("cli", "api", "plugin", "__main__", "__init__"),
)
PLACES = {name: (floor, place) for floor, names in enumerate(FLOORS) for place, name in enumerate(names)}
# The worker runs in processes of its own: it is started by name, and stands on what is here and on nothing else.
WORKER_STANDS_ON = frozenset({"errors", "base", "registry"})
HEAVY = frozenset({"torch", "torchvision", "sklearn", "ray"})


def modules() -> dict[str, Path]:
    """Every module of the house by its dotted name; a package is called as its folder."""
    found = {}
    for folder in ("bench", "models"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports, wherever in it; a submodule by its own name where a package gives it."""
    found = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                longer = f"{module}.{alias.name}"
                found.add(longer if longer in MODULES else module)
    return frozenset(found)


def ours(name: str) -> dict[str, None]:
    """The modules of the house that a module of it imports."""
    return {each: None for each in sorted(imports(MODULES[name])) if each in MODULES and each != name}


def folder_of(module: str) -> str:
    """`report` of bench.report.page; `registry` of bench.registry; `models` of models.mlp; `__init__` of bench."""
    parts = module.split(".")
    return "models" if parts[0] == "models" else parts[1] if len(parts) > 1 else "__init__"


def goes_up(importer: str, imported: str) -> bool:
    """Whether this import goes up a floor, or to a folder that stands behind on the same one."""
    here, there = folder_of(importer), folder_of(imported)
    if here == there:
        return False
    if here in ("worker", "models"):
        return there not in WORKER_STANDS_ON and there != here
    if there in ("worker", "models"):
        return here != "plugin"  # which names them for type checkers, and imports them when they are asked for
    (floor, place), (other_floor, other_place) = PLACES[here], PLACES[there]
    return other_floor > floor or (other_floor == floor and (other_place > place or here in FEATURES))


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_every_folder_and_file_of_bench_has_a_floor() -> None:
    beside = {path.stem for path in (ROOT / "bench").iterdir() if path.suffix == ".py"}
    folders = {path.name for path in (ROOT / "bench").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert (beside | folders) - set(PLACES) == set(), "give it a place in FLOORS"
    assert set(PLACES) - beside - folders - {"models"} == set(), "FLOORS names what is not there"


def test_no_import_goes_up() -> None:
    assert len(MODULES) > 200
    assert not [f"{name} imports {each}" for name in MODULES for each in ours(name) if goes_up(name, each)]


def circles() -> Iterator[list[str]]:
    """The groups of modules that import each other, by Tarjan's strongly connected components."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> Iterator[list[str]]:
        index[name] = low[name] = len(index)
        stack.append(name)
        for each in ours(name):
            if each not in index:
                yield from visit(each)
                low[name] = min(low[name], low[each])
            elif each in stack:
                low[name] = min(low[name], index[each])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                yield sorted(group)

    for name in MODULES:
        if name not in index:
            yield from visit(name)


def test_no_files_import_each_other_in_a_circle() -> None:
    assert not list(circles())


def test_nothing_lies_deeper_than_two_folders_below_bench() -> None:
    found = [path for path in (ROOT / "bench").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert not [str(path) for path in found if len(path.relative_to(ROOT / "bench").parts) > 3]


def test_what_bench_offers_to_python_is_no_folder() -> None:
    """`bench.compare` is a function: a folder of that name would take its place as soon as something imports it."""
    import bench

    assert not [name for name in bench.__all__ if f"bench.{name}" in MODULES]


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
    parent = [name for name in MODULES if folder_of(name) not in ("worker", "models", "__main__")]
    loaded = loaded_after(f"import {', '.join(parent)}")
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}
    assert "bench.execute.run" in loaded


def test_import_bench_is_cheap() -> None:
    heavy = {"torch", "pandas", "matplotlib", "numpy", "scipy", "pydantic", "typer", "rich"}
    assert not loaded_after("import bench") & heavy


def test_help_loads_nothing_that_takes_long() -> None:
    loaded = loaded_after("import bench.cli.app")
    assert not loaded & {"torch", "pandas", "matplotlib", "numpy", "scipy", "pydantic", "h5py"}


def test_every_package_says_what_it_is() -> None:
    for path in files("bench"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
