"""A catalogue as a worker gives it, and short ways from the text of a suite to its plan or its refusal."""

# ruff: noqa: E501  # tables of messages read best with one case a line

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.suite.catalogue import Catalogue
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve

ROOT = Path(__file__).resolve().parents[2]
GRID = '[grid]\ndataset = ["digits"]\nmodel = ["linear", "mlp", "cnn"]\n'

INTEGER_OR_LIST = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}
OPTIONAL_STRING = {"anyOf": [{"type": "string"}, {"type": "null"}]}


def _setting(schema: dict[str, Any], default: Any = None, **more: bool) -> dict[str, Any]:
    return {"schema": schema, "default": default, "required": False, "file": False, **more}


COMMON = {
    "train_limit": _setting({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
    "test_limit": _setting({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
    "scaling": _setting({"enum": ["unit", "standard", "symmetric"], "type": "string"}, "unit"),
}
HDF5 = {
    "path": _setting({"type": "string"}, required=True, file=True),
    "test_path": _setting(OPTIONAL_STRING, file=True),
    "images": _setting({"type": "string"}, "images"),
    "test_fraction": _setting({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.2),
}
CATALOGUE: dict[str, Any] = {
    "models": {
        "linear": {"summary": "Softmax regression.", "settings": {}, "source": "models/linear.py"},
        "mlp": {"summary": "", "settings": {"hidden": _setting(INTEGER_OR_LIST, 100), "slope": _setting({"type": "number"}, 0)}},
        "cnn": {"summary": "", "settings": {"channels": _setting({"type": "array", "items": {"type": "integer"}}, [16, 32])}},
        "odd": {"summary": "", "settings": {"anything": _setting({}), "flag": _setting({"type": "boolean"}, False)}},
    },
    "datasets": {
        **{name: {"settings": COMMON} for name in ("digits", "mnist", "fashion_mnist", "cifar10")},
        "optdigits": {"settings": {**COMMON, "split": _setting({"enum": ["random", "writers"]}, "random")}},
        "hdf5": {"settings": {**COMMON, **HDF5}},
    },
    "devices": {
        "cpu": {"available": True, "description": "a CPU"},
        "cuda": {"available": False, "reason": "no CUDA device on this machine"},
        "mps": {"available": False, "reason": "no Apple GPU on this machine"},
    },
    "plugins": {},
    "physical_cores": 2,
    "environment": {"facts": {"os": "Linux"}, "notes": {}},
    "worker_sha256": "00",
}  # fmt: skip
BROKEN = "wide.py: failed to import: ImportError: no torch"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.from_json(CATALOGUE)


@pytest.fixture(scope="session")
def worker_catalogue() -> Catalogue:
    """The catalogue that a worker gives, of everything that bench itself registers."""
    command = [sys.executable, "-m", "bench.worker.catalogue"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, cwd=ROOT)
    return Catalogue.from_json(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="session")
def broken_plugin() -> Catalogue:
    """The same, where a plugin failed to import."""
    return Catalogue.from_json({**CATALOGUE, "plugins": {"wide.py": {"error": BROKEN, "sha256": ""}}})


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property: hypothesis allows no folder an example."""
    return tmp_path_factory.mktemp("suites")


@pytest.fixture(scope="session")
def plan(folder: Path, catalogue: Catalogue) -> Callable[..., Suite]:
    """Text of a suite, less its name -> its plan. `rest` follows a grid of digits and three models."""

    def make(rest: str = "", *, text: str | None = None, sets: tuple[str, ...] = (), **how: Any) -> Suite:
        path = folder / "mine.toml"
        path.write_text('name = "mine"\n' + (GRID + rest if text is None else text))
        return resolve(read_suite(path, sets=sets), how.pop("catalogue", catalogue), **how)

    return make


@pytest.fixture(scope="session")
def refusal(folder: Path, plan: Callable[..., Suite]) -> Callable[..., str]:
    """The one line that refuses a suite, with the suite's folder left out."""

    def make(*args: Any, **how: Any) -> str:
        with pytest.raises(BenchError) as caught:
            plan(*args, **how)
        line = str(caught.value)
        assert "\n" not in line
        assert len(line) < 600
        return line.replace(f"{folder}/", "")

    return make
