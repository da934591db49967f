"""`bench inspect dataset`: settings checked as a suite's are, then a worker process looks at the data set."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Component
from bench.errors import BenchError
from bench.execute.ask_worker import WORKER_ENVIRONMENT, Question, last_line
from bench.execute.prepare import data_root as root_of
from bench.suite.components import ABSENT, Builder, Built
from bench.suite.mistakes import Mistake, key_text
from bench.suite.set_option import parse_set

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


class Inspected(NamedTuple):
    """A data set with its settings, and what a worker found; see bench.worker.inspection.figures."""

    component: Component
    arrays: Arrays


def inspect_dataset(name: str, sets: Sequence[str], *, data_root: Path | None, plugins: Sequence[str]) -> Inspected:
    """Look at a data set. Raises BenchError: an unknown name or setting, data that are not there or not right."""
    root = root_of(data_root)
    specs = [str(Path(spec).resolve()) if spec.endswith(".py") else spec for spec in plugins]
    settings = _settings(sets)
    built = _built(name, settings, root=root, plugins=specs)
    request = {
        "name": built.component.name,
        "settings": dict(built.component.settings),
        "locations": {key: str(path) for key, path in built.files.items()},
        "plugins": specs,
        "data_root": str(root),
    }
    with tempfile.TemporaryDirectory(prefix="bench-inspect-") as folder:
        path = Path(folder) / "found.npz"
        _work(request | {"output": str(path)})
        with np.load(path, allow_pickle=False) as file:
            return Inspected(built.component, {key: file[key] for key in file.files})


def _settings(sets: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in sets:
        keys, value = parse_set(text)
        if len(keys) != 1:
            raise BenchError(f"--set {text}: expected a setting of the data set, as in --set train_limit=1000")
        found[keys[0]] = value
    return found


def _built(name: str, settings: Mapping[str, Any], *, root: Path, plugins: Sequence[str]) -> Built:
    catalogue = Question(plugins).answer()
    builder = Builder(catalogue, folders=(Path.cwd(), root.resolve()))
    try:
        built = builder.build("dataset", {"name": name, **settings}, key=())
    except Mistake as found:
        key = tuple(part for part in found.key if part != "name")
        raise BenchError(f"{f'--set {key_text(key)}: ' if key else ''}{found.text}") from None
    if charged := builder.unknown.get(f"dataset:{name}"):
        raise BenchError(charged)
    absent = [str(built.files[key]) for key, digest in built.component.files.items() if digest == ABSENT]
    if absent:
        raise BenchError(f"{absent[0]}: no such file; give a path from here, or from the data root {root}")
    return built


def _work(request: Mapping[str, Any]) -> None:
    """Have a worker do it. Raises BenchError with what it says."""
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker.inspection"],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **WORKER_ENVIRONMENT},
            check=False,
        )
        if (said := done.stdout.strip()) and (error := json.loads(said).get("error")):
            raise BenchError(error)
        if done.returncode != 0:
            raise BenchError(f"{request['name']}: its process ended (exit code {done.returncode}): {last_line(errors)}")
