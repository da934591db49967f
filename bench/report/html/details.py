"""What lies beside a result and is shown in its section of the page: its log, confusion matrix and calibration."""

from dataclasses import dataclass, field
from pathlib import Path

from bench.analysis import artifacts
from bench.base import files
from bench.base.privacy import published
from bench.base.records import Json, Result
from bench.errors import BenchError
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
            with files.opened(path, inside=self.folder) as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - LOG_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        text = published(text)
        left_out = f"… only the end of {size:,} bytes is shown\n"
        return text if len(text) <= LOG_CHARACTERS else left_out + text[-LOG_CHARACTERS:]

    def arrays(self, result: Result) -> dict[str, Json]:
        """Of what the trial's HDF5 file holds: `confusion` and `calibration`; empty where there is none to read.

        confusion: {"classes": index, "counts": [[…]]}, row the true class; of more than MOST_CLASSES it is left out.
        calibration: [count, mean confidence, accuracy] of each bin of confidence that is not empty.
        """
        try:
            names, counts, bins = artifacts.summary(Store(self.folder).artifact_path(result.run_id, result.trial_id))
        except BenchError:
            return {}  # not there, cut off, or no file of ours: the page is about the rest
        found: dict[str, Json] = {
            "calibration": [[count, round(sure, 4), round(right, 4)] for count, sure, right in bins]
        }
        if len(counts) <= MOST_CLASSES:
            found["confusion"] = {"classes": self._classes(names), "counts": counts}
        return found

    def _classes(self, names: list[str]) -> int:
        if names not in self.classes:
            self.classes.append(names)
        return self.classes.index(names)
