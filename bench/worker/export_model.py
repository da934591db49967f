"""`bench export-model`: a trained model as a file for others. A process of its own, since the parent has no torch.

    python -m bench.worker.export_model

The request: that of a trial (bench.worker.common.messages), with checkpoint, weights (last, best), format and output.
The answer: {"message": text}.

The model is built anew and given the weights that the trial stored. Those of a trial with early stopping are its best
ones. Every export is loaded again, and has to answer to images of the test set what that model answers; else nothing is
left on disk.
"""

import copy
import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.base import checkpoint_file, files, hdf5
from bench.base.records import Json
from bench.errors import BenchError, DataError
from bench.registry import DATASETS, MODELS
from bench.worker.common.answer import Say, answer, register_all
from bench.worker.common.failures import first_line
from bench.worker.common.inputs import give_own_memory
from bench.worker.common.messages import Request
from bench.worker.datasets.files import replacing
from bench.worker.devices.cpu import Cpu
from bench.worker.evaluate.accuracy import evaluate
from bench.worker.trial import checkpoints, data
from bench.worker.trial.learner_state import load_model_state
from bench.worker.trial.tried import Tried

# Batches that an export has to answer to: any size will do, whatever it was made with.
BATCHES = (1, 7, 256)
# Images that a graph is traced with. torch.export stores them in the file, whole; of one it would keep the batch size.
TRACED_IMAGES = 2
# An answer may differ by so much of the largest logit, or of 1 where that is smaller.
TOLERANCE = 1e-3
# Of the test set, how many answers of the model that was built anew have to be those that the trial stored. A GPU's
# and a processor's differ where two classes are as good as equal.
SAME_ANSWERS = 0.99
# What torch's exporters raise of a model that they do not take.
REFUSALS = (RuntimeError, ValueError, TypeError, AssertionError, NotImplementedError)

Answers = Callable[[torch.Tensor], torch.Tensor]


def export(wanted: Mapping[str, Json]) -> str:
    """Export what `wanted` says, and say how well it answers. Raises BenchError."""
    write = FORMATS[wanted["format"]]
    needed = ("onnx", "onnxscript", "onnxruntime")
    if wanted["format"] == "onnx" and any(importlib.util.find_spec(name) is None for name in needed):
        raise BenchError("--format onnx needs onnx, onnxscript and onnxruntime: pip install 'bench-models[onnx]'")
    register_all(wanted["plugins"])
    request = Request.from_json(wanted)
    _refuse_unknown(request, wanted["plugins"])
    loaded = data.load(request, Cpu())
    trial, is_regression = request.trial, loaded.judge.task == "regression"
    tried = Tried(trial.model, loaded.input_shape, loaded.num_outputs, task=loaded.judge.task)
    model = tried.built().eval()
    images = loaded.test.batch(0, max(BATCHES))[0]
    with torch.no_grad():
        tried.logits(model, images)
    if tried.writes_input:
        give_own_memory(model, in_training=True)
    if wanted["weights"] == "best" and not trial.train.early_stopping_patience:
        _load_best(model, Path(wanted["checkpoint"]))
    else:
        assert request.artifact is not None
        stored = _load_stored(model, request.artifact, is_regression=is_regression)
        precision = trial.train.precision
        found = evaluate(model, loaded.test, batch_size=trial.batch_size, precision=precision, judge=loaded.judge)
        same = _same_answers(found.outputs.numpy(), stored, is_regression=is_regression)
        if same < SAME_ANSWERS:
            raise BenchError(
                f"model {trial.model.name!r}: built anew with the stored weights it gives {same:.1%} of the stored "
                "answers: its code, or the data set, is not the one that it was trained with"
            )
    difference = _write(Path(wanted["output"]), write, model=model, images=images)
    count = sum(parameter.numel() for parameter in model.parameters())
    what = "outputs" if is_regression else "logits"
    return (
        f"{wanted['output']}: {trial.model.label}, {count:,} parameters\n"
        f"on {len(images)} test images its {what} differ by at most {difference:.1e} from the model's"
        + _in_own_unit(loaded)
    )


def _in_own_unit(loaded: data.TrialData) -> str:
    """How the outputs of a regression become predictions; empty of a classification."""
    if loaded.judge.unit is None:
        return ""
    shift, scale = loaded.judge.unit.shift, loaded.judge.unit.scale
    each = [f"{name} = {1 / b:.9g} · output + {a:.9g}" for name, a, b in zip(loaded.names, shift, scale, strict=True)]
    return f"\nits outputs are of scaled targets: {', '.join(each)}"


def _refuse_unknown(request: Request, plugins: Sequence[str]) -> None:
    """Raises BenchError where nobody here registers the trial's model or data set: a plugin of its suite did."""
    named = ((MODELS, request.trial.model.name), (DATASETS, request.trial.dataset.name))
    for registry, name in named:
        if name not in registry:
            given = f" beside {', '.join(Path(spec).name for spec in plugins)}" if plugins else ""
            raise BenchError(
                f"{registry.kind} {name!r}: a plugin registers it, and a folder of results loads none: name its file "
                f"with --plugin FILE.py{given}, or give the suite file in place of the folder"
            )


def _load_stored(model: nn.Module, path: Path, *, is_regression: bool) -> np.ndarray:
    """Give `model` the weights in the HDF5 file of its trial; returns the answers (N, K) that lie there.

    Only arrays of the model's own names and shapes are read: the file may come from a stranger.
    """
    try:
        with hdf5.opened(path, inside=path.parents[2]) as file:  # <results>/artifacts/<run>/<trial>.h5
            state = {
                name: torch.from_numpy(_array(file, f"weights/{name}", shape=tuple(value.shape))).to(value.dtype)
                for name, value in model.state_dict().items()
                if isinstance(value, torch.Tensor)
            }
            outputs = hdf5.array(file, "test/predictions" if is_regression else "test/logits", kinds="f")
        model.load_state_dict(state)
    except FileNotFoundError as error:
        raise BenchError(f"{path}: the trial's file is not there: run the suite again with --fresh") from error
    except hdf5.UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:  # of the system: it says nothing of what the file holds
            raise BenchError(
                f"{path}: cannot be read ({files.why(error)}); run the suite again with --fresh"
            ) from error
        raise DataError(
            f"{path}: its weights are not those of this model ({first_line(error)}): its code was edited since, "
            "or the file is damaged; run the suite again with --fresh"
        ) from error
    return outputs


def _same_answers(ours: np.ndarray, stored: np.ndarray, *, is_regression: bool) -> float:
    """Share of the test set with the same answer, (N, K) each: the same class, or predictions that are as good as equal
    for their spread."""
    if ours.shape != stored.shape:
        return 0.0
    if is_regression:
        return float((np.abs(ours - stored) <= TOLERANCE * np.maximum(1e-12, stored.std(axis=0))).all(axis=1).mean())
    return float((ours.argmax(1) == stored.argmax(1)).mean())


def _array(file: Any, place: str, *, shape: tuple[int, ...]) -> np.ndarray:
    """The array of that shape at `place`; of another shape nothing is read."""
    if (have := hdf5.dataset(file, place).shape) != shape:
        raise ValueError(f"{place} is {have}, not {shape}")
    return hdf5.array(file, place, kinds="biuf")


def _load_best(model: nn.Module, path: Path) -> None:
    try:
        _, content = checkpoint_file.read(path)
        load_model_state(model, checkpoints.loaded(content)["model"])
    except FileNotFoundError as error:
        raise BenchError(
            f"{path}: no such checkpoint: the best one is kept where train.keep_checkpoints is true and "
            "train.validation_split above 0; with train.early_stopping_patience the trial's own weights are the best"
        ) from error
    except Exception as error:  # a stranger's file can raise anything
        raise DataError(f"{path}: no checkpoint of this model ({first_line(error)})") from error


def _write(
    path: Path, write: Callable[[nn.Module, torch.Tensor, Path], Answers], *, model: nn.Module, images: torch.Tensor
) -> float:
    """Export aside, compare, rename; the greatest difference of a logit."""
    try:
        with replacing(path) as aside:
            # A copy: of a part of the test set, torch would store all that lies in the memory that it is a view of.
            answers = write(model, images[:TRACED_IMAGES].clone(), aside)
            difference, largest = _compare(model, answers, images)
            if not difference <= TOLERANCE * max(1.0, largest):
                raise BenchError(f"{path}: not written: its logits differ by up to {difference:.1e} from the model's")
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror or error}); choose another -o FILE") from error
    return difference


@torch.no_grad()
def _compare(model: nn.Module, answers: Answers, images: torch.Tensor) -> tuple[float, float]:
    """The greatest difference of a logit over all sizes of batch, and the greatest logit. NaN where one is."""
    differences, largest = [], 0.0
    for size in BATCHES:
        wanted = model(images[:size])
        differences.append(float((answers(images[:size]) - wanted).abs().max()))
        largest = max(largest, float(wanted.abs().max()))
    return max(differences, key=lambda value: (value != value, value)), largest


def _state_dict(model: nn.Module, images: torch.Tensor, path: Path) -> Answers:
    """Weights and buffers by name, for `load_state_dict` of the same module: checked in a copy that had others."""
    torch.save(model.state_dict(), path)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in other.state_dict().values():
            tensor.zero_()
    other.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return other


def _torch_export(model: nn.Module, images: torch.Tensor, path: Path) -> Answers:
    """The graph as torch.export writes it, for a batch of any size."""
    try:
        program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        with path.open("wb") as file:
            torch.export.save(program, file)
        with path.open("rb") as file:
            module = torch.export.load(file).module()
    except REFUSALS as error:
        raise _refused("torch.export", error) from error
    answers: Answers = module
    return answers


def _onnx(model: nn.Module, images: torch.Tensor, path: Path) -> Answers:
    """An ONNX file with input `images` and output `logits`, run by onnxruntime on the processor."""
    import onnxruntime

    try:
        program = torch.onnx.export(
            model, (images,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch")},), input_names=["images"],
            output_names=["logits"], verbose=False,
        )  # fmt: skip
        assert program is not None
        program.save(str(path), external_data=False)
    except REFUSALS as error:
        raise _refused("torch.onnx", error) from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda batch: torch.from_numpy(session.run(["logits"], {"images": batch.contiguous().numpy()})[0])


def _refused(exporter: str, error: Exception) -> BenchError:
    why = f"{type(error).__name__}: {first_line(error)}"
    return BenchError(f"{exporter} does not take this model for a batch of any size: {why}")


FORMATS: dict[str, Callable[[nn.Module, torch.Tensor, Path], Answers]] = {
    "state-dict": _state_dict,
    "torch-export": _torch_export,
    "onnx": _onnx,
}


def work(request: dict[str, Json], say: Say) -> None:
    """Export, and say how well it answers."""
    warnings.simplefilter("ignore")  # torch's own exporters warn of what they do themselves
    say({"message": export(request)})


if __name__ == "__main__":
    sys.exit(answer(work))
