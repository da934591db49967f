"""What lies beside a result and is shown in its section of the page: its log, confusion matrix and calibration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.base.privacy import published
from bench.base.records import Result
from bench.results.store import Store

if TYPE_CHECKING:
    import h5py

LOG_CHARACTERS = 4000  # of each trial: its end, which says most
LOG_BYTES = 64 * 1024  # read of each log, so that one of gigabytes costs nothing
MOST_CLASSES = 100  # a matrix of more has more cells than people look at


@dataclass
class Details:
    """Reads logs and artifacts of one folder of results. Class names are kept once for all trials that share them."""

    folder: Path
    classes: list[list[str]] = field(default_factory=list)

    def log(self, result: Result) -> str:
        """The end of what the trial printed, without names of people and machines; empty where it printed nothing."""
        path = Store(self.folder).log_path(result.run_id, result.trial_id)
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - LOG_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        text = published(text)
        left_out = f"… only the end of {size:,} bytes is shown\n"
        return text if len(text) <= LOG_CHARACTERS else left_out + text[-LOG_CHARACTERS:]

    def arrays(self, result: Result) -> dict[str, object]:
        """Of what the trial's HDF5 file holds: `confusion` and `calibration`; empty where there is none to read."""
        import h5py

        path = Store(self.folder).artifact_path(result.run_id, result.trial_id)
        try:
            if not path.is_file():
                return {}
            with h5py.File(path, "r", locking="best-effort") as file:
                return {"confusion": self._confusion(file), "calibration": _calibration(file)}
        except (OSError, KeyError, ValueError, AttributeError, TypeError, RuntimeError):
            return {}  # cut off, or no file of ours: the page is about the rest

    def _confusion(self, file: h5py.File) -> dict[str, object] | None:
        """`{"classes": index, "counts": [[…]]}`, row the true class; None where there are more than fit."""
        matrix = file["test/confusion_matrix"]
        if matrix.ndim != 2 or max(matrix.shape) > MOST_CLASSES:
            return None
        names = [str(name) for name in matrix.attrs.get("class_names", [])]
        return {"classes": self._classes(names), "counts": matrix[()].tolist()}

    def _classes(self, names: list[str]) -> int:
        if names not in self.classes:
            self.classes.append(names)
        return self.classes.index(names)


def _calibration(file: h5py.File) -> list[list[float]] | None:
    """[count, mean confidence, accuracy] of each bin of confidence that is not empty; None where it is not stored."""
    if "diagnosis/calibration" not in file:
        return None
    group = file["diagnosis/calibration"]
    bins = zip(*(group[name][()].tolist() for name in ("count", "confidence", "accuracy")), strict=True)
    return [[count, round(confidence, 4), round(accuracy, 4)] for count, confidence, accuracy in bins if count]
