"""What is too large for a line of JSON: curves, confusion matrix, logits and weights, in one HDF5 file a trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from bench.worker.evaluate import weights
from bench.worker.evaluate.diagnosis import Arrays

if TYPE_CHECKING:
    import h5py


def confusion_matrix(logits: torch.Tensor, labels: torch.Tensor, *, num_classes: int) -> np.ndarray:
    """Counts (K, K) int64: row the true class, column the answer."""
    pairs = labels.cpu() * num_classes + logits.argmax(1).cpu()
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes).numpy()


def write(
    path: Path,
    *,
    model: nn.Module,
    logits: torch.Tensor,
    labels: torch.Tensor,
    class_names: Sequence[str],
    curves: Mapping[str, Sequence[float | None]],
    diagnosis: Arrays,
    attributes: Mapping[str, str],
) -> None:
    """Write `path` whole or not at all: aside first, then renamed. Raises OSError where the disk does not take it.

    Put together in memory: HDF5 ends the process with SIGSEGV where it writes to a full disk (seen with 1.14).

    Layout: attributes `trial_id`, `run_id`; curves/<name> (epochs,); test/logits (N, K) float32, test/labels (N,)
    int64, test/confusion_matrix (K, K) int64 with attribute `class_names`; weights/<name of the parameter>. Where the
    trial was diagnosed: diagnosis/<part>/<name> (see `evaluate.diagnosis`), and the attributes of
    `evaluate.weights.attributes_of` on the floating arrays of weights/.
    """
    import h5py

    with h5py.File(path.name, "w", driver="core", backing_store=False) as file:
        file.attrs.update(dict(attributes))
        for name, values in curves.items():
            known = [np.nan if value is None else value for value in values]
            file[f"curves/{name}"] = np.array(known, dtype=np.float64)
        file["test/logits"] = logits.numpy()
        file["test/labels"] = labels.cpu().numpy()
        file["test/confusion_matrix"] = confusion_matrix(logits, labels, num_classes=logits.shape[1])
        file["test/confusion_matrix"].attrs["class_names"] = list(class_names)
        for place, found in diagnosis.items():
            file[f"diagnosis/{place}"] = found
        _write_weights(file, model, with_statistics=bool(diagnosis))
        file.flush()
        image: bytes = file.id.get_file_image()
    _replace(path, image)


def _write_weights(file: h5py.File, model: nn.Module, *, with_statistics: bool) -> None:
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            held = tensor.detach().cpu()
            array = (held.float() if held.dtype is torch.bfloat16 else held).numpy()
            file[f"weights/{name}"] = array
            if with_statistics and weights.is_shown(array):
                file[f"weights/{name}"].attrs.update(weights.attributes_of(array))


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    try:
        aside.write_bytes(content)
        aside.rename(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
