"""The outcome of `bench doctor` on a machine: doctor/<environment_id>.json beside the results.

History of the schema:
  1  the first one.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from bench.base import files
from bench.base.records import Environment, Json, canonical_json, digest
from bench.errors import BenchError
from bench.results.validate import read_record

SCHEMA = 1
FOLDER = "doctor"
FILE = re.compile(r"[0-9a-f]{16}\.json")

# "doubtful": what was read is off, and noise explains it; "absent": there is no such instrument here.
Verdict = Literal["ok", "WRONG", "doubtful", "absent"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One proof: what was put in, what was read, in words, and as numbers for machines."""

    name: str
    injected: str
    measured: str
    verdict: Verdict
    detail: str = ""
    numbers: Mapping[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SelfComparison:
    """A trial compared with itself: samples a second of each process, `a` and `b` in turns.

    `low` and `high`: 95 % interval of `ratio`, a over b. `log_sd`: sd of the logarithm between processes. `smallest`:
    the smallest difference that can be told from noise, as a share.
    """

    trial: str
    device: str
    threads: int
    a: list[float]
    b: list[float]
    ratio: float
    low: float
    high: float
    log_sd: float
    smallest: float


@dataclass(frozen=True, slots=True)
class Doctor:
    """The outcome of one `bench doctor`. `peaks`: device → threads → FLOP/s of a product of float32 matrices."""

    environment_id: str
    finished_at: str
    threads: int
    findings: tuple[Finding, ...]
    comparisons: tuple[SelfComparison, ...]
    peaks: Mapping[str, Mapping[str, float]]
    advice: tuple[str, ...]
    environment: Environment
    seconds: float = 0.0

    @property
    def wrong(self) -> bool:
        """Whether an instrument is wrong."""
        return any(finding.verdict == "WRONG" for finding in self.findings)

    def smallest_difference(self, device: str) -> float | None:
        """The smallest difference of throughput that can be told from noise on `device`, as a share: the largest of its
        comparisons. None: nothing ran on that device."""
        return max((each.smallest for each in self.comparisons if each.device == device), default=None)

    def peak_flops_per_second(self, device: str, *, threads: int) -> float | None:
        """Peak of float32 matrix products on `device` with `threads` (which count on the CPU only), if measured.

        What fewer threads reach, more can reach too: other work may have been in the way of them.
        """
        found = {int(count): flops for count, flops in self.peaks.get(device, {}).items()}
        if device == "cpu" and threads not in found:
            return None
        return max((flops for count, flops in found.items() if device != "cpu" or count <= threads), default=None)

    def to_json(self) -> dict[str, Json]:
        smallest = {each.device: self.smallest_difference(each.device) for each in self.comparisons}
        return {"schema": SCHEMA, "smallest_difference": smallest} | asdict(self)


def machine_id(environment: Environment) -> str:
    """Digest of the facts of machine and software, without the threads that `environment_id` holds too."""
    return digest(canonical_json(dict(environment.facts)))


def save(doctor: Doctor, folder: Path) -> Path:
    """Write `folder`/doctor/<environment_id>.json whole; an older one is replaced. `folder`: of a suite, or of several.
    BenchError where it cannot be written."""
    path = folder / FOLDER / f"{doctor.environment_id}.json"
    try:
        files.write(path, canonical_json(doctor.to_json()) + "\n", inside=folder, sync=True)
    except OSError as error:
        raise BenchError(f"{path}: the outcome cannot be written there ({files.why(error)})") from error
    return path


def stored(folder: Path) -> list[Doctor]:
    """The outcomes for the suite's folder `folder`: its own and those beside the suites, without damaged ones."""
    found = []
    for place in (folder.resolve().parent, folder):
        for path in files.plain_files(place / FOLDER, "*.json", inside=place):
            if FILE.fullmatch(path.name):
                with suppress(OSError, ValueError, RecursionError):
                    found.append(read_record(Doctor, json.loads(files.read(path, inside=place))))
    return found


def newest(doctors: Iterable[Doctor], *, machine: str) -> Doctor | None:
    """The newest outcome of the machine with that `machine_id`; None where there is none."""
    own = [each for each in doctors if machine_id(each.environment) == machine]
    return max(own, key=lambda each: each.finished_at, default=None)


def refuse_unwritable(folder: Path) -> None:
    """Raise BenchError where an outcome could not be stored under `folder`: before anything is measured."""
    probe = folder / FOLDER / ".probe"
    try:
        files.write(probe, "", inside=folder)
        probe.unlink()
    except OSError as error:
        why = f"the outcome cannot be written there ({files.why(error)}); choose another folder with --results"
        raise BenchError(f"{folder}: {why}") from error
