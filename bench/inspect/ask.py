"""`bench inspect dataset`: settings checked as a suite's are, then a worker process looks at the data set."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.execute.ask_worker import Question
from bench.execute.prepare import dataset_request
from bench.inspect.inspection import Inspection
from bench.suite.components import ABSENT
from bench.suite.mistakes import Mistake, key_text


def inspect_dataset(name: str, sets: Sequence[str], *, data_root: Path | None, plugins: Sequence[str]) -> Inspection:
    """Look at a data set. Raises BenchError: an unknown name or setting, data that are not there or not right."""
    try:
        built, request = dataset_request(name, sets, data_root=data_root, plugins=plugins)
    except Mistake as found:
        raise BenchError(f"{f'--set {key_text(found.key)}: ' if found.key else ''}{found.text}") from None
    absent = [str(built.files[key]) for key, digest in built.component.files.items() if digest == ABSENT]
    if absent:
        raise BenchError(
            f"{absent[0]}: no such file; give a path from here, or from the data root {request['data_root']}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-inspect-") as folder:
        path = Path(folder) / "found.npz"
        request["output"] = str(path)
        Question("bench.worker.inspection", request=request, failed=f"{name} cannot be inspected").answer()
        with np.load(path, allow_pickle=False) as file:
            return Inspection(built.component, {key: file[key] for key in file.files})
