"""Sinks: what TensorBoard and MLflow read back is what the results say, each trial once, without torch."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.errors import BenchError
from bench.export.sinks import key_of, log
from bench.suite.read import check_installed, read_suite

SUITE = 'name = "mine"\n[grid]\ndataset = ["digits"]\nmodel = ["linear"]\n[report]\nsinks = {sinks}\n'


@pytest.fixture
def results(make: ModuleType) -> list[Any]:
    found: list[Any] = make.run_of(make.Plan(seeds=(0, 1), settings={"train.learning_rate": (0.1, 0.05)}))
    found[0] = make.result_of(found[0].trial, status="oom")
    return [*found, make.result_of(make.Plan(seeds=(7,)).trials().__next__(), status="skipped")]


def logged(name: str, results: list[Any], folder: Path, make: ModuleType) -> str:
    plan = make.Plan(name="mine", seeds=(0, 1, 7), settings={"train.learning_rate": (0.1, 0.05)})
    (line,) = log([name], results, folder=folder, suite=plan)
    return line


def test_tensorboard_reads_curves_figures_and_settings(results: list[Any], tmp_path: Path, make: ModuleType) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.plugins.hparams import metadata

    assert "11 of 12" not in logged("tensorboard", results, tmp_path, make)
    folders = sorted(path for path in (tmp_path / "tensorboard").iterdir() if path.is_dir())
    assert len(folders) == 12  # one failed; the skipped one is not there
    result = next(each for each in results if each.status == "ok" and each.trial.model.name == "cnn")
    (folder,) = (path for path in folders if path.name.endswith(key_of(result)))
    assert folder.name.startswith("cnn-digits-cpu-batch-64-seed-0-")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    scalars = {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert [step for step, _ in scalars["curves/test_loss"]] == list(range(1, 11))
    assert [value for _, value in scalars["curves/test_loss"]] == pytest.approx(result.curves["test_loss"])
    for name, value in result.metrics.items():
        assert scalars[f"metrics/{name}"] == [(10, pytest.approx(value))]
    plugin = events.PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(plugin[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["train.learning_rate"].number_value == 0.1
    assert start.hparams["model"].string_value == "cnn"
    end = metadata.parse_session_end_info_plugin_data(plugin[metadata.SESSION_END_INFO_TAG])
    assert end.status == 1
    root = accumulator.EventAccumulator(str(tmp_path / "tensorboard/events.out.tfevents.0.bench"))
    root.Reload()
    columns = metadata.parse_experiment_plugin_data(root.PluginTagToContent("hparams")[metadata.EXPERIMENT_TAG])
    rates = next(each for each in columns.hparam_infos if each.name == "train.learning_rate")
    assert [value.number_value for value in rates.domain_discrete.values] == [0.05, 0.1]
    assert {each.name.tag for each in columns.metric_infos} >= {f"metrics/{name}" for name in result.metrics}


def test_tensorboard_logs_a_trial_once_and_names_no_host(results: list[Any], tmp_path: Path, make: ModuleType) -> None:
    pytest.importorskip("tensorboard")
    assert logged("tensorboard", results[:6], tmp_path, make).startswith("tensorboard  6 of 6 trials logged")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "every trial is there already" in logged("tensorboard", results[:6], tmp_path, make)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert logged("tensorboard", results, tmp_path, make).startswith("tensorboard  6 of 12 trials logged")
    again = replace(results[1], run_id="later", finished_at="2026-01-02T00:00:00Z")
    assert logged("tensorboard", [*results, again], tmp_path, make).startswith("tensorboard  1 of 12")
    assert not [path for path in tmp_path.rglob("*") if platform.node() in path.name]
    assert not list(tmp_path.rglob(".*"))


def test_a_sink_imports_no_torch() -> None:
    pytest.importorskip("tensorboard")
    code = "import bench.export.tensorboard, sys; print('torch' in sys.modules or 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_folder_that_cannot_be_written(results: list[Any], tmp_path: Path, make: ModuleType) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("a file")
    with pytest.raises(BenchError, match="TensorBoard's files cannot be written there"):
        logged("tensorboard", results, tmp_path, make)


@pytest.fixture
def mlflow_store(monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow in its own process' environment: it warns of what it will change itself."""
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    return MlflowClient


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_parameters_curves_and_figures_once(
    results: list[Any], tmp_path: Path, make: ModuleType, mlflow_store: Any
) -> None:
    results = results[:4]
    assert logged("mlflow", results, tmp_path, make).startswith("mlflow  4 of 4 trials logged")
    client = mlflow_store(tracking_uri=(tmp_path / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("mine").experiment_id
    # What a crash left behind is removed, and logged anew.
    broken = client.create_run(experiment, tags={"bench.key": key_of(results[3])}).info.run_id
    assert "every trial is there already" in logged("mlflow", results, tmp_path, make)
    runs = {run.data.tags["bench.key"]: run for run in client.search_runs([experiment])}
    assert len(runs) == 4
    assert broken not in {run.info.run_id for run in runs.values()}
    assert sorted(run.info.status for run in runs.values()) == ["FAILED", "FINISHED", "FINISHED", "FINISHED"]
    run, result = runs[key_of(results[1])], results[1]
    assert run.data.params["train.learning_rate"] == str(result.trial.train.learning_rate)
    assert {name: run.data.metrics[name] for name in result.metrics} == pytest.approx(dict(result.metrics))
    history = client.get_metric_history(run.info.run_id, "curves/test_accuracy")
    assert [each.value for each in history] == result.curves["test_accuracy"]
    assert run.data.tags["bench.commit"] == "0123456789abcdef"
    assert run.data.tags.get("mlflow.user", "unknown") == "unknown"


def test_a_suite_names_its_sinks(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE.format(sinks='["tensorboard"]'))
    assert read_suite(path).sinks == ("tensorboard",)
    path.write_text(SUITE.format(sinks='["tensorbord"]'))
    with pytest.raises(BenchError, match="report.sinks") as caught:
        read_suite(path)
    assert "tensorboard" in str(caught.value)


def test_a_sink_that_is_not_installed_is_refused_before_anything_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.suite.read.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"mlflow is not installed: python -m pip install 'bench-models\[mlflow\]'"):
        check_installed(["mlflow"])
    from bench.execute.prepare import Options, read

    path = tmp_path / "mine.toml"
    path.write_text(SUITE.format(sinks='["mlflow"]'))
    with pytest.raises(BenchError, match="mlflow is not installed"):
        read(Options(suite=path))


def test_a_run_logs_to_its_sinks(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    path = tmp_path / "mine.toml"
    path.write_text(SUITE.format(sinks='["tensorboard"]'))
    command = [sys.executable, "-m", "bench", "run", str(path), "--results", str(tmp_path), "--set", "train.epochs=1"]
    command += ["--set", 'grid.device=["cpu"]']
    said = [subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False) for _ in range(2)]
    assert [done.returncode for done in said] == [0, 0], said[0].stderr
    assert "tensorboard  1 of 1 trial logged" in said[0].stdout
    assert "every trial is there already" in said[1].stdout
    stored = json.loads((tmp_path / "mine/suite.json").read_text())
    assert "sinks" not in stored  # of the run, not of the plan
