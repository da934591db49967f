"""Row 37: files of the user's that are called like modules, in the current folder, beside the suite or a plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Of Python, of torch and what it imports late, of ours.
NAMES = ("random.py", "types.py", "signal.py", "queue.py", "copy.py", "inspect.py", "numpy.py", "torch.py",
         "sklearn.py", "h5py.py", "bench/__init__.py", "models/__init__.py", "bench_models/__init__.py")  # fmt: skip
BESIDE_A_PLUGIN = ("random.py", "types.py", "signal.py", "code.py", "statistics.py", "pickle.py", "bench/__init__.py",
                   "models/__init__.py")  # fmt: skip
PLUGIN = """
import helper
from torch import nn
from bench.registry import model

@model("{name}")
def build(input_shape, num_classes):
    import code, pickle, random, statistics  # Python's own
    assert random.random and statistics.fmean and code.interact and pickle.loads
    return nn.Sequential(nn.Flatten(), nn.Linear(helper.PIXELS, num_classes))
"""
SUITE = """
name = "mine"
plugins = ["own/wide.py", "by_name"]
[grid]
dataset = [{ name = "synthetic", train = 64, test = 16 }]
model = ["wide", "by-name"]
device = ["cpu"]
[train]
epochs = 1
threads = 1
loader = "dataloader"
num_workers = 1
"""


def shadow(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("X = 1\nraise ImportError('a file of the user is imported')\n")


def bench(folder: Path, *words: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "bench", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_nothing_notices(project: Any) -> None:
    """As the command `bench`, which leaves the current folder off the path, with plugins by file and by name."""
    folder = project.folder
    shadow(folder, NAMES)
    shadow(folder / "own", BESIDE_A_PLUGIN)
    pixels = "PIXELS = 64\n"
    (folder / "own/wide.py").write_text(PLUGIN.format(name="wide"))
    (folder / "own/helper.py").write_text(pixels)
    (folder / "by_name.py").write_text(
        PLUGIN.format(name="by-name").replace("import helper", "import by_name_helper as helper")
    )
    (folder / "by_name_helper.py").write_text(pixels)
    (folder / "mine.toml").write_text(SUITE)
    done = bench(folder, "run", "mine.toml", "--results", "results", "--no-report", python=("-P",))
    assert done.returncode == 0, done.stderr
    assert {row["model"]: row["status"] for row in project.rows()} == {"wide": "ok", "by-name": "ok"}


@pytest.mark.parametrize("python", [("-P",), ()], ids=["the command", "python -m"])
def test_nothing_of_the_current_folder_is_imported(python: tuple[str, ...], tmp_path: Path) -> None:
    """With -m Python itself imports a `types.py` or a `bench/` of the current folder before a line of ours runs."""
    shadow(tmp_path, tuple(name for name in NAMES if python or name not in ("types.py", "bench/__init__.py")))
    done = bench(tmp_path, "list", "models", python=python)
    assert done.returncode == 0, done.stderr
    assert "linear" in done.stdout
