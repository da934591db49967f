"""`bench inspect dataset`, the worker's part: build the data set, look at it, leave what was found in a file.

    python -m bench.worker.inspection < request.json

The request: name, settings, locations (setting → path of a data file), plugins, data_root, output (an .npz that is
written). On stdout comes one JSON object: {} or {"error": text}.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.base.records import Json
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError
from bench.registry import DATASETS
from bench.worker.common import discover as components
from bench.worker.datasets.prepare import prepare
from bench.worker.inspection.figures import Arrays, figures
from bench.worker.process.process import die_with_parent

SEED = 0  # draws the test part of a set that has none of its own


def main(request: dict[str, Json]) -> Arrays:
    """What was found. Raises Unavailable, DataError, BenchError."""
    components.load_builtin()
    for plugin in request["plugins"]:
        components.load_plugin(plugin)
    settings = dict(request["settings"])
    limits = {key: settings.pop(key, None) for key in ("train_limit", "test_limit")}
    settings.pop("scaling", None)
    settings |= {key: Path(path) for key, path in request["locations"].items()}
    splits = DATASETS.get(request["name"]).build(Path(request["data_root"]), **settings)
    return figures(splits, prepare(splits, seed=SEED, validation_split=0.0, **limits))


if __name__ == "__main__":
    die_with_parent(signal.SIGTERM)
    said = sys.stdout
    sys.stdout = sys.stderr  # what a data set prints must not get between
    asked = json.load(sys.stdin)
    try:
        found: dict[str, Any] = dict(main(asked))
        np.savez(asked["output"], **found)
        answer, code = {}, EXIT_OK
    except BenchError as error:
        answer, code = {"error": str(error)}, EXIT_USAGE
    except MemoryError:
        answer, code = {"error": f"{asked['name']}: not enough memory; try --set train_limit=1000"}, EXIT_USAGE
    said.write(json.dumps(answer) + "\n")
    said.flush()
    sys.exit(code)
