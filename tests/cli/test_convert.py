"""`bench convert`, as a user runs it: a set in HDF5 files trains to the bit as the set itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

SUITE = """
name = "both"
[grid]
dataset = [{own}, {converted}]
model = [{{ name = "mlp", hidden = 8 }}]
seed = [0, 1]
device = ["cpu"]
[train]
epochs = 1
threads = 1
validation_split = 0.1
"""


def bench(*arguments: str, cwd: Path, data_root: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_DATA": str(data_root or cwd / "none")}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=environment)


def learnt(folder: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """(data set, seed) → losses, and every array of logits and weights of its trial."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for file in (folder / "trials").glob("*.jsonl"):
        for result in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            assert result["status"] == "ok", result["reason"]
            path = folder / "artifacts" / result["run_id"] / f"{result['trial_id']}.h5"
            with h5py.File(path) as held:
                arrays = {name: held[f"weights/{name}"][()] for name in held["weights"]}
                arrays["logits"], names = held["test/logits"][()], held["test/confusion_matrix"].attrs["class_names"]
            losses = [result["metrics"][name] for name in ("train_loss", "test_loss", "test_accuracy")]
            key = result["trial"]["dataset"]["name"], result["trial"]["seed"]
            found[key] = {"losses": losses, "arrays": arrays, "names": [str(name) for name in names]}
    return found


def assert_trains_as_itself(
    own: str, converted: str, *, name: str, folder: Path, sets: list[str], data_root: Path | None = None
) -> None:
    written = bench("convert", name, "set.h5", *sets, cwd=folder, data_root=data_root)
    assert (written.returncode, written.stderr) == (0, "")
    assert converted.split(", scaling")[0].rstrip(" }") in written.stdout
    (folder / "both.toml").write_text(SUITE.format(own=own, converted=converted), encoding="utf-8")
    ran = bench("run", "both.toml", "--no-report", cwd=folder, data_root=data_root)
    assert ran.returncode == 0, ran.stderr
    results = learnt(folder / "results" / "both")
    assert len(results) == 4
    for seed in (0, 1):
        a, b = results[name, seed], results["hdf5", seed]
        assert a["losses"] == b["losses"]
        assert a["names"] == b["names"]
        assert a["arrays"].keys() == b["arrays"].keys()
        assert all(np.array_equal(a["arrays"][key], b["arrays"][key]) for key in a["arrays"])
    assert not np.array_equal(results[name, 0]["arrays"]["logits"], results[name, 1]["arrays"]["logits"])


def test_a_set_with_a_test_part_of_its_own_trains_to_the_bit_as_before(tmp_path: Path) -> None:
    assert_trains_as_itself(
        '{ name = "synthetic", train = 200, test = 50 }',
        '{ name = "hdf5", path = "set.h5", test_path = "set_test.h5" }',
        name="synthetic",
        folder=tmp_path,
        sets=["--set", "train=200", "--set", "test=50"],
    )


def test_a_set_whose_test_part_the_seed_draws_trains_to_the_bit_as_before(tmp_path: Path) -> None:
    """The digits: a maximum of 16, and a mean and sd of their own, which the file has to say."""
    assert_trains_as_itself(
        '{ name = "digits", scaling = "standard" }',
        '{ name = "hdf5", path = "set.h5", scaling = "standard" }',
        name="digits",
        folder=tmp_path,
        sets=[],
    )
    assert not (tmp_path / "set_test.h5").exists()


@pytest.mark.data
def test_mnist_trains_to_the_bit_as_before(tmp_path: Path, data_root: Path) -> None:
    assert_trains_as_itself(
        '{ name = "mnist", train_limit = 1000, test_limit = 200, scaling = "standard" }',
        '{ name = "hdf5", path = "set.h5", test_path = "set_test.h5", scaling = "standard" }',
        name="mnist",
        folder=tmp_path,
        sets=["--set", "train_limit=1000", "--set", "test_limit=200"],
        data_root=data_root,
    )


def test_force_replaces(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"old")
    done = bench("convert", "synthetic", "x.h5", "--force", "--set", "train=20", "--set", "test=5", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with h5py.File(tmp_path / "x.h5") as file, h5py.File(tmp_path / "x_test.h5") as test:
        assert (len(file["images"]), len(test["images"])) == (20, 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.h5", "x_test.h5"]


def test_where_the_file_is_absent_a_trial_is_skipped_with_the_command(tmp_path: Path) -> None:
    suite = SUITE.format(own='{ name = "hdf5", path = "digits.h5" }', converted='{ name = "hdf5", path = "my.h5" }')
    (tmp_path / "both.toml").write_text(suite, encoding="utf-8")
    ran = bench("run", "both.toml", cwd=tmp_path)
    assert ran.returncode == 0
    trials = [
        json.loads(line) for path in tmp_path.glob("results/*/trials/*") for line in path.read_text().splitlines()
    ]
    reasons = {result["trial"]["dataset"]["settings"]["path"]: result["reason"] for result in trials}
    assert {result["status"] for result in trials} == {"skipped"}
    assert "`python -m bench convert digits FOLDER/digits.h5` makes it" in reasons["digits.h5"]
    assert "convert" not in reasons["my.h5"]
