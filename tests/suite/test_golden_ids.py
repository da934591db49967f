"""The ids of every shipped suite are those of the golden file: people have results under them.

A suite or a setting that is new adds lines to the golden file; no line of it ever changes. The ids are those of a
machine whose best device is the CPU, with no data file there: a data file counts by its content, and the identity of an
absent one by its path.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.suite.catalogue import Catalogue
from bench.suite.read import read_suite
from bench.suite.resolve import resolve

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = json.loads((Path(__file__).parent / "golden" / "ids.json").read_text(encoding="utf-8"))


def test_every_shipped_suite_is_in_it() -> None:
    assert {path.name for path in (ROOT / "suites").glob("*.toml")} == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_trials_and_cells_are_those_of_the_golden_file(name: str, worker_catalogue: Catalogue, tmp_path: Path) -> None:
    path = Path(shutil.copy(ROOT / "suites" / name, tmp_path))
    devices = {each: replace(info, available=info.is_host) for each, info in worker_catalogue.devices.items()}
    catalogue = replace(worker_catalogue, devices=devices)
    suite = resolve(read_suite(path), catalogue, data_root=tmp_path / "no data")
    ids = [[trial.trial_id, trial.cell_id] for trial in suite.trials()]
    assert {"trials": len(ids), "sha256": hashlib.sha256(json.dumps(ids).encode()).hexdigest()} == GOLDEN[name]
