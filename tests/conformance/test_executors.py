"""The contract of every registered executor: the same trial gives the same numbers, whoever runs it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component, TrainSettings, Trial
from bench.registry import EXECUTORS
from bench.run_suite import make_executor

make_executor("local")
NAMES = [entry.name for entry in EXECUTORS]


def request_for(folder: Path, *, model: str = "linear", name: str = "trial") -> dict[str, Any]:
    trial = Trial(
        Component("synthetic", {"train": 128, "test": 64}), Component(model), 0, 32, "cpu", TrainSettings(threads=1)
    )
    return {
        "trial": trial.to_json(),
        "data_root": str(folder),
        "locations": {},
        "plugins": [],
        "artifact": str(folder / f"{name}.h5"),
        "attributes": {"trial_id": trial.trial_id},
        "log": str(folder / f"{name}.log"),
    }


@pytest.fixture(scope="module")
def accuracies() -> dict[str, float]:
    return {}


@pytest.mark.parametrize("name", NAMES)
def test_an_executor_runs_trials_one_after_the_other(
    name: str,
    tmp_path: Path,
    accuracies: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if name == "ray":
        pytest.importorskip("ray", reason="needs the extra ray: pip install 'bench-models[ray]'")
        folder = tempfile.mkdtemp(prefix="ray-")  # a cluster of its own; paths of sockets are short
        request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
        monkeypatch.setenv("RAY_TMPDIR", folder)
    executor = make_executor(name)
    told: list[Mapping[str, Any]] = []
    executor.start()
    try:
        first = executor.run(request_for(tmp_path, name="1"), timeout_seconds=120, on_progress=told.append)
        second = executor.run(request_for(tmp_path, name="2"), timeout_seconds=120, on_progress=told.append)
        failed = executor.run(request_for(tmp_path, model="none"), timeout_seconds=120, on_progress=told.append)
    finally:
        executor.close()
    assert first.outcome is not None
    assert second.outcome is not None
    assert failed.outcome is not None
    assert first.outcome["status"] == "ok", first.outcome["traceback"]
    assert first.outcome["metrics"]["test_loss"] == second.outcome["metrics"]["test_loss"]
    assert failed.outcome["status"] == "failed"
    assert "unknown model 'none'" in failed.outcome["reason"]
    assert (tmp_path / "1.h5").exists()
    accuracies[name] = first.outcome["metrics"]["test_loss"]
    assert len(set(accuracies.values())) == 1
