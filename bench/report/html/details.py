"""What lies beside a result and is shown in its section of the page: its log, and its confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.privacy import published
from bench.records import Result
from bench.results.store import Store

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

    def confusion(self, result: Result) -> dict[str, object] | None:
        """`{"classes": index, "counts": [[…]]}`, row the true class; None where none is stored or it cannot be read."""
        import h5py

        path = Store(self.folder).artifact_path(result.run_id, result.trial_id)
        try:
            if not path.is_file():
                return None
            with h5py.File(path, "r", locking="best-effort") as file:
                matrix = file["test/confusion_matrix"]
                if matrix.ndim != 2 or max(matrix.shape) > MOST_CLASSES:
                    return None
                names = [str(name) for name in matrix.attrs.get("class_names", [])]
                return {"classes": self._classes(names), "counts": matrix[()].tolist()}
        except (OSError, KeyError, ValueError, AttributeError, RuntimeError):
            return None  # cut off, or no file of ours: the page is about the rest

    def _classes(self, names: list[str]) -> int:
        if names not in self.classes:
            self.classes.append(names)
        return self.classes.index(names)
