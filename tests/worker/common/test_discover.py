"""Finding models, data sets and plugins: by path, by name, twice, and broken ones."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.registry import DATASETS, MODELS
from bench.worker.common import discover
from bench.worker.common.discover import installed_plugins, load_builtin, load_plugin, models_folder, plugin_module

load_builtin()  # before the registries are remembered: a second call does nothing

PLUGIN = """
from torch import nn
from bench.registry import model

@model("{name}")
def build(input_shape, num_classes):
    \"\"\"A plugin's model.\"\"\"
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))
"""


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers or puts on the path is gone after it."""
    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(discover, "_failed", {})


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_loads_what_is_built_in_once() -> None:
    load_builtin()
    known = [entry.name for registry in (MODELS, DATASETS) for entry in registry]
    assert {"linear", "mlp", "cnn", "digits", "optdigits", "mnist", "fashion_mnist", "cifar10", "hdf5"} <= set(known)
    load_builtin()
    assert [entry.name for registry in (MODELS, DATASETS) for entry in registry] == known
    assert MODELS.get("mlp").source == models_folder() / "mlp.py"
    assert MODELS.get("mlp").build.__module__ == "bench_models.mlp"


def test_an_installed_bench_has_its_models_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discover, "BENCH_FOLDER", tmp_path / "bench")
    assert models_folder() == tmp_path / "models"
    (tmp_path / "bench" / "_models").mkdir(parents=True)
    assert models_folder() == tmp_path / "bench" / "_models"


BROKEN_MODELS = """
import sys
from pathlib import Path
from bench.errors import BenchError
from bench.worker.common import discover
discover.models_folder = lambda: Path(sys.argv[1])
for _ in range(2):
    try:
        discover.load_builtin()
    except BenchError as error:
        print(error, "|", type(error.__cause__).__name__)
"""


def test_a_broken_file_among_the_models_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "wide.py", "def wide(:\n")
    command = [sys.executable, "-c", BROKEN_MODELS, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = found.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("models/wide.py: failed to import: SyntaxError: invalid syntax")
    assert lines[0].endswith("| SyntaxError")


def test_a_plugin_by_path_with_an_import_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "bench_test_widths.py", "WIDTH = 7\n")
    path = write(tmp_path / "wide.py", "import bench_test_widths\n" + PLUGIN.format(name="plugged"))
    for _ in range(2):
        load_plugin(str(path))
    assert MODELS.get("plugged").source == path
    assert MODELS.get("plugged").build((1, 2, 2), 3)(torch.zeros(5, 1, 2, 2)).shape == (5, 3)


def test_two_plugins_of_one_file_name_are_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        load_plugin(str(write(tmp_path / name / "same.py", PLUGIN.format(name=f"plugged-{name}"))))
    assert "plugged-one" in MODELS
    assert "plugged-two" in MODELS


def test_a_plugin_by_module_name_and_one_that_registers_nothing(tmp_path: Path) -> None:
    write(tmp_path / "bench_test_by_name.py", PLUGIN.format(name="plugged-by-name"))
    sys.path.insert(0, str(tmp_path))
    load_plugin("bench_test_by_name")
    assert "plugged-by-name" in MODELS
    load_plugin(str(write(tmp_path / "nothing.py", "")))


def test_the_folder_of_a_plugin_stands_behind_python_and_before_what_is_installed(tmp_path: Path) -> None:
    path = ["/first", sysconfig.get_path("stdlib"), f"{sysconfig.get_path('platstdlib')}/lib-dynload", "/site-packages"]
    sys.path[:] = path
    write(tmp_path / "own" / "bench_test_beside.py", "")
    load_plugin(str(write(tmp_path / "own" / "plugged.py", "import bench_test_beside\n")))
    assert sys.path == [*path[:3], str(tmp_path / "own"), "/site-packages"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import bench_test_absent", "ModuleNotFoundError: No module named 'bench_test_absent'"),
        ("def (", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        (
            "from bench.registry import model\nmodel('mlp')(lambda: None)",
            "BenchError: model 'mlp' is registered already",
        ),
        ("\0", ""),  # SyntaxError; before Python 3.11.4 ValueError
    ],
)
def test_a_plugin_that_fails_is_one_line_with_its_cause(text: str, message: str, tmp_path: Path) -> None:
    load_builtin()
    path = write(tmp_path / "wide.py", text)
    for _ in range(2):  # it is not run a second time: it may have registered half of its names
        with pytest.raises(BenchError) as caught:
            load_plugin(str(path))
        assert str(caught.value).startswith(f"wide.py: failed to import: {message}")
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is not None
        path.write_text(PLUGIN.format(name="never"))
    assert "never" not in MODELS
    assert plugin_module(path) not in sys.modules


def test_a_plugin_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"none.py: failed to import: FileNotFoundError: no such file: none.py"):
        load_plugin(str(tmp_path / "none.py"))
    with pytest.raises(BenchError, match="bench_absent.module: failed to import: ModuleNotFoundError"):
        load_plugin("bench_absent.module")


def test_entry_points_are_module_names() -> None:
    assert all(isinstance(name, str) for name in installed_plugins())
