"""`bench export-model`: what is written answers as the trained model does, and what cannot be written is one line."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.base import checkpoint_file
from bench.base.records import Component, TrainSettings, Trial
from bench.errors import BenchError, DataError
from bench.worker import export_model as exporting

TRAIN: dict[str, Any] = {"epochs": 2, "threads": 1, "validation_split": 0.2, "keep_checkpoints": True}
DATA = Component("synthetic", {"train": 320, "test": 100})
onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="needs onnx, onnxscript and onnxruntime: pip install 'bench-models[onnx]'",
)


@pytest.fixture
def trained(run_trial: Any, tmp_path: Path) -> Any:
    """`trained("mlp")` trains one and gives what a worker is asked to export it; `changes` of that."""

    def train(model: str, *, data: Component = DATA, other: Any = None, **changes: Any) -> Mapping[str, Any]:
        artifact, train = tmp_path / f"{model}.h5", {**TRAIN, **(other or {})}
        done = run_trial(model, dataset=data, train=train, artifact=artifact, checkpoints=tmp_path / model)
        assert done.status == "ok", done.traceback
        trial = Trial(data, Component(model), 0, 64, "cpu", TrainSettings(**train))
        asked = {
            "trial": trial.to_json(), "data_root": str(tmp_path), "locations": {}, "plugins": [],
            "artifact": str(artifact), "checkpoint": str(tmp_path / model / checkpoint_file.BEST), "weights": "last",
            "format": "state-dict", "output": str(tmp_path / "exported"),
        }  # fmt: skip
        return {**asked, **changes}

    return train


def logits_of(asked: Mapping[str, Any]) -> np.ndarray:
    with h5py.File(asked["artifact"]) as file:
        return np.asarray(file["test/logits"])


def test_a_state_dict_holds_the_weights_of_the_file(trained: Any) -> None:
    asked = trained("cnn")
    said = exporting.export(asked)
    assert said.endswith("on 100 test images its logits differ by at most 0.0e+00 from the model's")
    state = torch.load(asked["output"], weights_only=True)
    with h5py.File(asked["artifact"]) as file:
        assert set(state) == set(file["weights"])
        assert all(np.array_equal(state[name].numpy(), file[f"weights/{name}"][()]) for name in state)


class Shifts(nn.Module):
    """Writes into its input."""

    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.layer = nn.Linear(pixels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x.sub_(0.5).flatten(1))
        return answer


@pytest.mark.parametrize("form", ["state-dict", "torch-export"])
def test_a_model_that_writes_into_its_input_is_exported(trained: Any, register: Any, form: str) -> None:
    register("shifts", lambda shape, classes: Shifts(shape[0] * shape[1] * shape[2], classes))
    asked = trained("shifts", format=form)
    assert "differ by at most" in exporting.export(asked)
    if form == "torch-export":
        images = torch.zeros(3, 1, 8, 8)
        torch.export.load(asked["output"]).module()(images)
        assert not images.any()


@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_torch_export_answers_as_the_trained_model_did(model: str, trained: Any, run_trial: Any) -> None:
    asked = trained(model, format="torch-export")
    exporting.export(asked)
    program = torch.export.load(io.BytesIO(Path(asked["output"]).read_bytes())).module()
    from bench.worker.common.messages import Request
    from bench.worker.devices.cpu import Cpu
    from bench.worker.trial import data

    test = data.load(Request.from_json(asked), Cpu()).test
    for size in (1, 3, 100):  # what was traced with 50 answers to any number
        found = program(test.batch(0, size)[0]).detach().numpy()
        assert np.allclose(found, logits_of(asked)[:size], atol=1e-5)


@pytest.mark.parametrize("form", ["state-dict", "torch-export", pytest.param("onnx", marks=onnx)])
def test_the_test_set_is_not_shipped_with_the_model(trained: Any, form: str) -> None:
    """100 test images of 28×28 are 300 kB in float32, the weights 31 kB."""
    data = Component("synthetic", {"train": 320, "test": 100, "shape": [1, 28, 28]})
    asked = trained("linear", data=data, format=form)
    exporting.export(asked)
    assert Path(asked["output"]).stat().st_size < 100_000


def test_with_early_stopping_the_best_weights_are_the_trials_own(trained: Any) -> None:
    asked = trained("mlp", other={"early_stopping_patience": 1, "keep_checkpoints": False}, weights="best")
    assert not Path(asked["checkpoint"]).exists()
    exporting.export(asked)
    state = torch.load(asked["output"], weights_only=True)
    with h5py.File(asked["artifact"]) as file:
        assert all(np.array_equal(state[name].numpy(), file[f"weights/{name}"][()]) for name in state)


@onnx
@pytest.mark.parametrize("model", ["linear", "mlp", "cnn"])
def test_onnx_answers_as_the_trained_model_did(model: str, trained: Any) -> None:
    import onnxruntime

    asked = trained(model, format="onnx")
    exporting.export(asked)
    session = onnxruntime.InferenceSession(asked["output"], providers=["CPUExecutionProvider"])
    assert [each.name for each in (*session.get_inputs(), *session.get_outputs())] == ["images", "logits"]


def test_the_best_weights_come_from_the_checkpoint(trained: Any) -> None:
    asked = trained("mlp", weights="best")
    exporting.export(asked)
    state = torch.load(asked["output"], weights_only=True)
    label, content = checkpoint_file.read(Path(asked["checkpoint"]))
    best = torch.load(io.BytesIO(content), weights_only=True)["model"]["state"]
    assert label.epoch in (1, 2)
    assert all(torch.equal(state[name], best[name]) for name in state | best)
    Path(asked["checkpoint"]).unlink()
    with pytest.raises(BenchError, match=r"no such checkpoint: .*keep_checkpoints"):
        exporting.export(asked)


def test_without_its_packages_onnx_says_what_to_install(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"pip install 'bench-models\[onnx\]'"):
        exporting.export({"format": "onnx"})


def test_an_export_that_answers_otherwise_is_not_written(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = trained("linear")

    def wrong(model: nn.Module, images: torch.Tensor, path: Path) -> Any:
        path.write_bytes(b"something")
        return lambda batch: model(batch) + (0.01 if len(batch) == 1 else 0.0)

    monkeypatch.setitem(exporting.FORMATS, "state-dict", wrong)
    with pytest.raises(BenchError, match=r"not written: its logits differ by up to 1\.0e-02"):
        exporting.export(asked)
    monkeypatch.setitem(exporting.FORMATS, "state-dict", lambda m, i, p: lambda batch: m(batch) * float("nan"))
    with pytest.raises(BenchError, match="not written"):
        exporting.export(asked)
    folder = Path(asked["output"]).parent
    assert not [path.name for path in folder.iterdir() if "exported" in path.name]


@pytest.mark.parametrize(
    ("part", "name", "plugins", "told"),
    [
        ("model", "theirs", [], "model 'theirs': a plugin registers it, .* with --plugin FILE.py, or give the suite"),
        ("model", "mlpp", [], "model 'mlpp': a plugin registers it"),
        ("dataset", "their_set", [], "data set 'their_set': a plugin registers it"),
        ("model", "theirs", ["/home/x/other.py"], "--plugin FILE.py beside other.py, or give the suite file in place"),
    ],
)
def test_a_model_or_data_set_of_a_plugin_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, part: str, name: str, plugins: list[str], told: str
) -> None:
    """The choices and the nearest one, as for a name in a suite, would lead to another model than was trained."""
    monkeypatch.setattr("bench.worker.common.discover.load_plugin", lambda spec: None)
    trial = Trial(DATA, Component("mlp"), 0, 64, "cpu", TrainSettings(**TRAIN)).to_json()
    trial |= {part: {"name": name, "settings": {}}}
    asked = {"trial": trial, "data_root": ".", "locations": {}, "plugins": plugins, "format": "state-dict"}
    with pytest.raises(BenchError, match=told) as said:
        exporting.export(asked)
    assert "there are" not in str(said.value)


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir])
def test_a_file_that_is_no_file_is_not_said_to_be_of_another_model(trained: Any, put: Any) -> None:
    asked = trained("linear")
    path = Path(asked["artifact"])
    path.unlink()
    put(path)
    with pytest.raises(BenchError, match=r"h5: cannot be read \(is not a plain file\); run the suite again"):
        exporting.export(asked)


def test_weights_that_are_not_this_models_are_refused(trained: Any, register: Any, tmp_path: Path) -> None:
    asked = trained("mlp")
    other = {**asked["trial"], "model": {"name": "mlp", "settings": {"hidden": 7}}}
    with pytest.raises(DataError, match="its weights are not those of this model"):
        exporting.export({**asked, "trial": other})
    with h5py.File(asked["artifact"], "a") as file:
        for name in list(file["weights"]):
            file[f"weights/{name}"][...] = -file[f"weights/{name}"][()]
    with pytest.raises(BenchError, match=r"of the stored answers: its code, or the data set, is not the one"):
        exporting.export(asked)
    with pytest.raises(DataError, match="or the file is damaged"):
        Path(asked["artifact"]).write_bytes(b"no HDF5")
        exporting.export(asked)
    assert not (tmp_path / "exported").exists()


def test_weights_that_lie_in_another_file_are_not_read(trained: Any, tmp_path: Path) -> None:
    asked = trained("linear")
    shutil.copy(asked["artifact"], tmp_path / "other.h5")
    with h5py.File(asked["artifact"], "a") as file:
        (name,) = [name for name in file["weights"] if name.endswith("weight")]
        del file[f"weights/{name}"]
        file[f"weights/{name}"] = h5py.ExternalLink(str(tmp_path / "other.h5"), f"weights/{name}")
    with pytest.raises(DataError, match="a link"):
        exporting.export(asked)
