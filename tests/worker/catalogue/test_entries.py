"""Which files the results of a builder come from: its own, and what it imports beside itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.worker.catalogue import entries
from bench.worker.catalogue.kept import sha256
from bench.worker.common.discover import models_folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the models that can be edited."""
    return Path(shutil.copytree(models_folder(), tmp_path / "models"))


def digest(path: Path) -> object:
    return entries._source(path)["source_sha256"]


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn"])
def test_an_edit_of_the_shared_initialisation_is_an_edit_of_the_models_that_use_it(name: str, models: Path) -> None:
    path, shared = models / f"{name}.py", models / "_initialisation.py"
    assert entries.imported_beside(path) == {shared}
    before = digest(path)
    assert digest(path) == before
    shared.write_text(shared.read_text() + "\n# edited\n")
    assert digest(path) != before


def test_a_file_that_imports_nothing_beside_it_counts_alone(models: Path) -> None:
    path = models / "alone.py"
    path.write_text("from bench.registry import model\nfrom . import nothing_there\n")
    (models / "unrelated.py").write_text("")
    assert digest(path) == sha256(path)


def test_imports_are_followed_however_far_and_in_circles(models: Path) -> None:
    for name, text in {
        "a": "from . import b, missing",
        "b": "from .c import x",
        "c": "def later():\n    from .a import y",
    }.items():
        (models / f"{name}.py").write_text(text)
    path = models / "a.py"
    assert entries.imported_beside(path) == {models / "b.py", models / "c.py"}
    before = digest(path)
    (models / "c.py").write_text("x = 1")
    assert digest(path) != before
