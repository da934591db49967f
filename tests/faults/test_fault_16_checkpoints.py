"""Fault 16, a checkpoint from a stranger: no file of a results folder, of a cache or of data is unpickled or called.

Nothing of ours loads a checkpoint yet: weights lie in HDF5 files, as plain arrays. What does not exist is asserted of
the source, so that the first `torch.load` has to come with `weights_only=True`; what exists is attacked.
"""

from __future__ import annotations

import ast
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
# module.function → where it may stand
CALLS = {
    "eval": (), "exec": (), "compile": (), "__import__": (), "os.system": (), "os.popen": (),
    "pickle.load": (), "pickle.loads": (), "joblib.load": (), "yaml.load": (), "marshal.loads": (), "shelve.open": (),
    "tarfile.extractall": (), "zipfile.extractall": (), "shutil.unpack_archive": (),
}  # fmt: skip


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def sources() -> list[Path]:
    return [*(ROOT / "bench").rglob("*.py"), *(ROOT / "models").rglob("*.py")]


def test_no_line_of_ours_runs_what_a_file_says() -> None:
    wrong = []
    for path in sources():
        for name, call in calls(path):
            words = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            bad = name in CALLS or name.endswith((".extract", ".extractall")) or words.get("shell") == "True"
            bad = bad or words.get("allow_pickle") == "True"
            bad = bad or (name == "np.load" and words.get("allow_pickle") != "False")
            bad = bad or (name == "torch.load" and words.get("weights_only") != "True")
            if bad:
                wrong.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}")
    assert not wrong
    # The one unpickler is the restricted one.
    held = [path.name for path in sources() if "import pickle" in path.read_text(encoding="utf-8")]
    assert held == ["restricted_pickle.py"]


class Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.slow
def test_a_results_folder_from_a_stranger_is_read_and_nothing_in_it_is_called(project: Any) -> None:
    marker = project.folder / "marker"
    suite = project.suite("good")
    assert project.run(suite).code == 0
    (weights,) = (project.results / "mine/artifacts").rglob("*.h5")
    attack = Attack(marker)
    for path in (weights, weights.with_suffix(".pt"), weights.with_name("checkpoint.pth"), weights.with_name("x.pkl")):
        torch.save({"state": attack}, path) if path.suffix == ".pt" else path.write_bytes(pickle.dumps(attack))
    with pytest.raises(pickle.UnpicklingError):  # what we would rely on, were one to be loaded
        torch.load(weights.with_suffix(".pt"), weights_only=True)
    assert project.bench("report", project.results / "mine").code == 0
    assert project.bench("export", project.results / "mine", "--format", "json").code == 0
    assert project.run(suite, "--fresh").code == 0
    assert not marker.exists()
    pickle.loads(pickle.dumps(attack))  # and the attack is one
    assert marker.exists()


def test_weights_are_plain_arrays(run_trial: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    assert run_trial("mlp", artifact=path).status == "ok"
    kinds = []
    with h5py.File(path) as file:
        file.visititems(lambda name, node: kinds.append(node.dtype) if isinstance(node, h5py.Dataset) else None)
    assert kinds
    assert all(kind.kind in "iuf" for kind in kinds)
