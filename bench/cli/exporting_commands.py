"""What `bench export-model` does, from Python values to an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.base.checkpoint_file import BEST
from bench.base.records import Json, Result, canonical_json
from bench.errors import EXIT_OK, BenchError, nearest
from bench.execute.ask_worker import WORKER_ENVIRONMENT, last_line
from bench.execute.prepare import data_root
from bench.execute.results_folder import open_results
from bench.results.choose import newest_ok
from bench.results.store import SUITE_FILE, Store
from bench.suite.plan import Suite

FORMATS = ("state-dict", "torch-export", "onnx")
WEIGHTS = ("last", "best")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line of `bench export-model` says. `target`: a suite file or folder; None: all of `results`."""

    target: Path | None
    trial: str
    form: str
    weights: str
    output: Path
    results: Path
    data_root: Path | None
    plugins: Sequence[str]


def export_model(asked: Asked) -> int:
    """Export the model of a trial, and print how well the export answers."""
    for value, choices, option in ((asked.form, FORMATS, "--format"), (asked.weights, WEIGHTS, "--weights")):
        if value not in choices:
            raise BenchError(f"{option} {value}: there is {', '.join(choices)}{nearest(value, choices)}")
    if not asked.output.parent.is_dir():
        raise BenchError(f"{asked.output}: no folder {asked.output.parent}; make it, or choose another -o FILE")
    store, suite, result = _found(asked)
    print(_answer(_wanted(asked, store, suite, result)))
    return EXIT_OK


def _found(asked: Asked) -> tuple[Store, Suite | None, Result]:
    if asked.target is not None:
        store, suite = open_results(
            asked.target, results=asked.results, data_root=asked.data_root, plugins=asked.plugins
        )
        store.refresh_some()
        return store, suite, newest_ok(store.results, asked.trial)
    stores = [Store(path.parent) for path in sorted(asked.results.glob(f"*/{SUITE_FILE}"))]
    holding = [store for store in stores if any(r.trial_id.startswith(asked.trial) for r in store.refresh())]
    if len(holding) != 1:
        names = ", ".join(str(store.folder) for store in holding[:4])
        found = f"it is in {names}: say in which" if holding else f"in no folder of results under {asked.results}"
        raise BenchError(f"trial {asked.trial!r}: {found}; bench export-model SUITE_OR_DIR TRIAL")
    return holding[0], None, newest_ok(holding[0].results, asked.trial)


def _wanted(asked: Asked, store: Store, suite: Suite | None, result: Result) -> dict[str, Json]:
    """What the worker is told. A folder of results may come from anybody: no plugin that it names is loaded."""
    trial = result.trial
    plugins = [*(suite.plugins if suite is not None and _is_suite(asked.target) else ()), *map(_plugin, asked.plugins)]
    places = suite.locations if suite is not None else {}
    return {
        "trial": trial.to_json(),
        "data_root": str(data_root(asked.data_root)),
        "locations": {
            name: at for name in trial.dataset.files if (at := places.get(f"{trial.dataset.canonical}|{name}"))
        },
        "plugins": list(dict.fromkeys(plugins)),
        "artifact": str(store.artifact_path(result.run_id, result.trial_id).resolve()),
        "checkpoint": str((store.checkpoint_folder(result.trial_id) / BEST).resolve()),
        "weights": asked.weights,
        "format": asked.form,
        "output": str(asked.output),
    }


def _is_suite(target: Path | None) -> bool:
    return target is not None and (target.suffix == ".toml" or target.is_file())


def _plugin(spec: str) -> str:
    return str(Path(spec).resolve()) if spec.endswith(".py") else spec


def _answer(wanted: dict[str, Json]) -> str:
    """What the worker said. BenchError where it could not do it, or died."""
    command = [sys.executable, "-m", "bench.worker.export_model"]
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(
            command,
            input=canonical_json(wanted).encode() + b"\n",
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **WORKER_ENVIRONMENT},
            check=False,
        )
        told = json.loads(done.stdout) if done.stdout else {"error": f"the export failed: {last_line(errors)}"}
    if "error" in told:
        raise BenchError(told["error"])
    message: str = told["message"]
    return message
