"""What is too large for a line of JSON: curves, confusion matrix, logits and weights, in one HDF5 file a trial."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bench.base import files
from bench.worker.common.messages import Request, TrialOutcome
from bench.worker.evaluate.diagnosis import Arrays

if TYPE_CHECKING:
    import h5py


HISTOGRAM_BINS = 40
# Near zero: smaller than a hundredth of the layer's root mean square, so that the scale of a layer does not matter.
NEAR_ZERO_SHARE = 0.01


def write(
    request: Request,
    outcome: TrialOutcome,
    *,
    model: nn.Module,
    outputs: torch.Tensor,
    targets: npt.NDArray[Any],
    names: Sequence[str],
    diagnosis: Arrays,
) -> None:
    """Writes the file that the request names, whole or not at all. Raises OSError where the disk does not take it.

    `outputs` (N, K) lie on the host; `targets`: labels (N,), or floats (N,) or (N, T); `names`: of classes or targets.
    The file is put together in memory: HDF5 ends the process with SIGSEGV where it writes to a full disk (seen with
    1.14).

    Layout: attributes `trial_id`, `run_id`; curves/<name> (epochs,); test/logits (N, K) float32, test/labels (N,)
    int64, test/confusion_matrix (K, K) int64 (row: true class) with attribute `class_names`; in place of these three of
    a regression test/predictions (N, T) float32 with attribute `target_names`, test/targets (N, T) float32;
    weights/<name of the parameter>. Where the trial was diagnosed: diagnosis/<part>/<name> (see `evaluate.diagnosis`,
    `evaluate.residuals`), and `attributes_of` each floating array of weights/.
    """
    import h5py

    path = request.artifact
    assert path is not None
    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        file.attrs.update(dict(request.attributes))
        for name, values in outcome.curves.items():
            known = [np.nan if value is None else value for value in values]
            file[f"curves/{name}"] = np.array(known, dtype=np.float64)
        if targets.dtype.kind == "f":
            _write_predictions(file, outputs, targets, names)
        else:
            _write_answers(file, outputs, targets, names)
        for place, found in diagnosis.items():
            file[f"diagnosis/{place}"] = found
        _write_weights(file, model, with_statistics=bool(diagnosis))
        file.flush()
        image: bytes = file.id.get_file_image()
    files.write(path, image)


def _write_answers(file: "h5py.File", logits: torch.Tensor, labels: npt.NDArray[Any], names: Sequence[str]) -> None:
    count = logits.shape[1]
    pairs = labels * count + logits.argmax(1).numpy()
    file["test/logits"], file["test/labels"] = logits.numpy(), labels
    file["test/confusion_matrix"] = np.bincount(pairs, minlength=count**2).reshape(count, count)
    file["test/confusion_matrix"].attrs["class_names"] = list(names)


def _write_predictions(
    file: "h5py.File", predictions: torch.Tensor, targets: npt.NDArray[Any], names: Sequence[str]
) -> None:
    file["test/predictions"], file["test/targets"] = predictions.numpy(), targets.reshape(len(targets), -1)
    file["test/predictions"].attrs["target_names"] = list(names)


def _write_weights(file: "h5py.File", model: nn.Module, *, with_statistics: bool) -> None:
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            held = tensor.detach().cpu()
            array = (held.float() if held.dtype is torch.bfloat16 else held).numpy()
            file[f"weights/{name}"] = array
            if with_statistics and is_shown(array):
                file[f"weights/{name}"].attrs.update(attributes_of(array))


def is_shown(weights: npt.NDArray[Any]) -> bool:
    """Whether there is something to look at: floating, not empty, every value finite."""
    return bool(np.issubdtype(weights.dtype, np.floating) and weights.size and np.isfinite(weights).all())


def attributes_of(weights: npt.NDArray[Any]) -> dict[str, Any]:
    """The statistics of a layer, and histogram_counts (B,) and histogram_edges (B+1,) of its values."""
    counts, edges = np.histogram(np.asarray(weights, dtype=np.float64), bins=HISTOGRAM_BINS)
    return statistics(weights) | {"histogram_counts": counts, "histogram_edges": edges}


def statistics(weights: npt.NDArray[Any]) -> dict[str, float]:
    """Mean, sd, minimum, maximum, L2 norm, and the share of values near zero: all of them in a layer of zeros.

    Any shape; needs at least one value.
    """
    values = np.asarray(weights, dtype=np.float64).ravel()
    rms = float(np.sqrt(np.mean(values**2)))
    return {
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "l2_norm": float(np.linalg.norm(values)),
        "near_zero": float(np.mean(np.abs(values) <= NEAR_ZERO_SHARE * rms)),
    }
