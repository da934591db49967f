"""A device is one file: all that bench says of it and does with it follows from that file alone.

The file is the example of docs/new-device.md, a made-up accelerator that calculates on the processor.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.analysis.conditions import device as words_for
from bench.base.records import Environment, Result
from bench.cluster.nodes import Cluster, NodeGroups, joined
from bench.execute.ask_worker import catalogue_question
from bench.registry import DEVICES
from bench.results.store import Store
from bench.suite.catalogue import Catalogue
from bench.worker.common.discover import load_plugin

ROOT = Path(__file__).resolve().parents[3]
NAME = "Made-Up 9000"
SUITE = """
name = "made-up"
plugins = ["my_device.py"]
[grid]
dataset = [{ name = "synthetic", train = 320, test = 50 }]
model = ["linear"]
device = ["auto", "cpu"]
seed = [0]
[train]
epochs = 2
threads = 1
[measure]
energy = true
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file out of the documentation; its device is not there."""
    text = (ROOT / "docs/new-device.md").read_text(encoding="utf-8")
    (tmp_path / "my_device.py").write_text(re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0])
    monkeypatch.setenv("BENCH_LOCK", str(tmp_path / "lock"))
    monkeypatch.delenv("ACCELERATOR", raising=False)
    return str(tmp_path / "my_device.py")


def asked(plugin: str, name: str = "") -> dict[str, Any]:
    """What the worker says there is, on a machine whose accelerator has this name; without one there is none."""
    if name:
        os.environ["ACCELERATOR"] = name  # `plugin` takes it away again
    return catalogue_question((plugin,)).answer()


@pytest.fixture
def run(tmp_path: Path, plugin: str) -> Any:
    def command(*arguments: str, fails: bool = False) -> str:
        (tmp_path / "suite.toml").write_text(SUITE)
        done = subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout + done.stderr

    return command


def results(folder: Path) -> dict[str, Result]:
    """By the name of the device."""
    store = Store(folder / "results/made-up")
    store.refresh()
    return {result.trial.device: result for result in store.results}


def test_auto_takes_it_where_it_is_there_and_it_is_asked_again_where_that_changes(
    plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = Catalogue.from_json(asked(plugin))
    assert absent.best_device == "cpu"
    assert not absent.devices["accelerator"].available
    assert absent.devices["accelerator"].reason == "accelerator: none here; set ACCELERATOR to its name"
    monkeypatch.setenv("ACCELERATOR", NAME)
    there = Catalogue.from_json(asked(plugin))
    assert there.best_device == "accelerator"
    assert (there.devices["accelerator"].description, there.devices["accelerator"].peak_rows) == (NAME, 512)
    assert there.devices["accelerator"].needs == {"fork_is_safe": False, "ray_gpus": 1}
    # Its firmware makes another environment; what it is called does not.
    assert there.environment.facts == {**absent.environment.facts, "accelerator": {"firmware": "1.2"}}
    assert there.environment.notes["devices"] == {"accelerator": f"accelerator: {NAME}", "cpu": "CPU"}
    monkeypatch.delenv("ACCELERATOR")
    assert Catalogue.from_json(asked(plugin)).best_device == "cpu"


def test_a_trial_runs_on_it_and_the_report_calls_it_by_its_name(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATOR", NAME)
    monkeypatch.setenv("ACCELERATOR_HOT", "1")
    run("run", "suite.toml")
    found = results(tmp_path)
    on_it, on_cpu = found["accelerator"], found["cpu"]
    assert on_it.status == on_cpu.status == "ok"
    assert on_it.metrics["test_loss"] == on_cpu.metrics["test_loss"]  # it calculates on the processor
    assert on_it.metrics["device_peak_allocated_bytes"] == 2**20
    assert on_it.instruments["device_peak_allocated_bytes"] == "a figure that is made up"
    # What is only timed, after the training, is in no other figure.
    trained = len(on_it.samples["block_seconds"]) - on_it.samples["timing_only_blocks"][0]
    assert on_it.metrics["energy_joules"] == 2.0 * trained
    assert on_it.instruments["energy_joules"] == "the counter of the accelerator, over the timed blocks"
    assert "throttled: the accelerator is at its power limit" in on_it.validity_notes
    report = (tmp_path / "results/made-up/report/report.md").read_text(encoding="utf-8")
    conditions = [line for line in report.splitlines() if line.startswith("Conditions:")]
    assert sum(f" · accelerator: {NAME} · 1 thread · " in line for line in conditions) == 1
    assert sum(" · CPU · 1 thread · " in line for line in conditions) == 1


def test_where_it_is_absent_its_trials_are_skipped_with_its_reason(run: Any, tmp_path: Path) -> None:
    only = ("--set", 'grid.device=["accelerator"]', "--no-report")
    assert "none here" in run("run", "suite.toml", *only)
    assert results(tmp_path)["accelerator"].status == "skipped"
    assert results(tmp_path)["accelerator"].reason == "accelerator: none here; set ACCELERATOR to its name"


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        (
            {"engine": "compiled"},
            "engine 'compiled': torch.compile is a prototype on accelerator: use engine 'eager'",
        ),
        (
            {"engine": "cudagraph"},
            "engine 'cudagraph': accelerator has no graphs of launches that could be captured: use engine 'eager'",
        ),
        ({"precision": "float16"}, "accelerator: has no float16"),
    ],
)
def test_what_it_cannot_is_skipped_with_its_reason(
    train: dict[str, str], reason: str, plugin: str, run_trial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DEVICES, "_entries", dict(DEVICES._entries))
    monkeypatch.setenv("ACCELERATOR", NAME)
    load_plugin(plugin)
    outcome = run_trial(device="accelerator", train=train)
    assert (outcome.status, outcome.reason) == ("skipped", reason)


def test_engines_ask_it_what_it_can(plugin: str, run_trial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same device, but it records and replays."""
    monkeypatch.setattr(DEVICES, "_entries", dict(DEVICES._entries))
    monkeypatch.setenv("ACCELERATOR", NAME)
    load_plugin(plugin)
    can = DEVICES.get("accelerator").build
    monkeypatch.setattr(can, "cannot_capture", lambda device: "")
    monkeypatch.setattr(can, "capture", lambda device, call: call)
    captured, eager = (run_trial(device="accelerator", train={"engine": name}) for name in ("cudagraph", "eager"))
    assert captured.status == eager.status == "ok", captured.traceback
    assert captured.curves["train_loss"] == eager.curves["train_loss"]


def test_a_cluster_gives_it_what_ray_counts_as_a_gpu(plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = asked(plugin)
    monkeypatch.setenv("ACCELERATOR", NAME)
    groups = NodeGroups()
    groups.of(absent, gpu=False, node="1")
    groups.of(asked(plugin), gpu=True, node="2")
    whole = joined(Catalogue.from_json(absent), list(groups))
    assert whole.best_device == "accelerator"
    assert [group.name.endswith(f", {NAME}") for group in groups] == [False, True]
    assert [group.can("accelerator") for group in groups] == [False, True]
    voice = SimpleNamespace(say=lambda line: None)
    cluster = Cluster(SimpleNamespace(), (), voice)  # type: ignore[arg-type]
    cluster.groups, cluster.alive = groups, {"1": {"CPU": 4.0}, "2": {"CPU": 8.0, "GPU": 1.0}}
    needs, on_cpu = cluster.needs("accelerator", None), cluster.needs("cpu", None)
    assert needs is not None
    assert on_cpu is not None
    assert (needs.cpus, needs.options()["num_gpus"]) == (8.0, 1)
    assert (on_cpu.cpus, on_cpu.options()["num_gpus"]) == (4.0, 0)


@pytest.mark.parametrize(
    ("name", "facts", "words"),
    [
        ("cpu", {}, "CPU"),
        ("cuda", {"gpu": "NVIDIA H200"}, "GPU (cuda): NVIDIA H200"),
        ("cuda", {}, "device cuda"),
        ("mps", {"gpu": "NVIDIA H200"}, "device mps"),
    ],
)
def test_results_of_older_versions_say_nothing_of_devices(name: str, facts: dict[str, Any], words: str) -> None:
    assert words_for(name, Environment(facts)) == words
