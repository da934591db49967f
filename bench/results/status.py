"""The status file of a run: status/<run_id>.json, written when a job begins, removed when the run ends.

Results are in trials/*.jsonl; here is what cannot be seen there: which trials are running, since when, until when at
the latest, and in which process. A run that was killed leaves its file, but its process has ended. Neither host nor
user is named.

History of the schema:
  1  the first one.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.base import files
from bench.base.records import Json, canonical_json, digest
from bench.results.validate import read_record

SCHEMA = 1
FOLDER = "status"
FILE = re.compile(r"[0-9A-Za-z-]+\.json")
# What a run on another machine may take beyond the limit of its job: to end it, to store its results, to begin the next
# one; and clocks that differ.
GRACE_SECONDS = 120.0

Phase = Literal["waiting", "running"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process, known by more than its number, which is given to others when it has ended.

    `place`: digest of the kernel's boot and of the process's PID namespace. `started`: when, as the system counts it.
    """

    place: str
    pid: int
    started: str

    @classmethod
    def own(cls) -> "Process":
        """This process."""
        return cls(here(), os.getpid(), _started(os.getpid()) or "")

    def lives(self) -> bool | None:
        """Whether it is still there; None where that cannot be known here: it is another machine's."""
        if self.place != here():
            return None
        return _started(self.pid) == self.started


def here() -> str:
    """Digest of the kernel's boot and of the PID namespace: the same for processes that can see each other."""
    parts = [sys.platform]
    with suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").readlink())]
    if len(parts) < 3:  # not Linux
        import psutil

        parts.append(str(round(psutil.boot_time(), -1)))
    return digest("\n".join(parts))


def _started(pid: int) -> str | None:
    """When the process started; None where it has ended, also where it still waits for its parent."""
    try:
        # Behind the name in brackets, which may hold anything: state, then 18 others, then the start in clock ticks.
        words = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except (OSError, IndexError):
        return None
    import psutil  # not Linux

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a run: since when, which process, which trials, and which results count as its plan's.

    `again`: the words of `--retry`: of what it runs again only this run's own results count ("*": of everything).
    `trials`: those in work, since `began_at`, for `limit_seconds` at most.
    """

    run_id: str
    process: Process
    phase: Phase
    started_at: str
    written_at: str
    to_run: int
    environments: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    trials: tuple[str, ...] = ()
    began_at: str = ""
    limit_seconds: float | None = None
    budget_seconds: float | None = None

    def alive(self, *, at: datetime) -> bool:
        """Whether the run goes on: its process is there; on another machine, its trials are not over their limit."""
        lives = self.process.lives()
        if lives is not None:
            return lives
        if self.limit_seconds is None:  # it waits for another run, for as long as that takes
            return True
        return age_seconds(self.written_at, at=at) <= self.limit_seconds + GRACE_SECONDS

    def to_json(self) -> dict[str, Json]:
        return {"schema": SCHEMA} | asdict(self)

    @classmethod
    def from_json(cls, value: Json) -> "Status":
        """Raises ValueError where `value` is not what `to_json` gives."""
        found = read_record(cls, value)
        for moment in (found.started_at, found.written_at):
            datetime.fromisoformat(moment)
        return found


def age_seconds(moment: str, *, at: datetime) -> float:
    """Seconds from a moment, ISO 8601, until then; 0 where that is no moment."""
    try:
        return max(0.0, (at - datetime.fromisoformat(moment)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def status_path(folder: Path, run_id: str) -> Path:
    """The status file of a run into the folder of a suite."""
    return folder / FOLDER / f"{run_id}.json"


def write_status(path: Path, status: Status) -> None:
    """Write the file whole. Where it cannot be written the run goes on without; nothing waits for the disk."""
    with suppress(OSError):
        files.write(path, canonical_json(status.to_json()) + "\n", inside=path.parents[1])


def remove_status(path: Path) -> None:
    """Remove the file, and the folder with its last file."""
    with suppress(OSError):
        files.refuse_links(path, inside=path.parents[1])
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def statuses(folder: Path) -> list[Status]:
    """The status of every run into the folder of a suite, the oldest first. Damaged files are left out."""
    return sorted((status for _, status in _read(folder / FOLDER)), key=lambda each: each.started_at)


def _read(folder: Path) -> Iterator[tuple[Path, Status]]:
    for path in files.plain_files(folder, "*.json", inside=folder.parent):
        if FILE.fullmatch(path.name):
            with suppress(OSError, ValueError, RecursionError):
                yield path, Status.from_json(json.loads(files.read(path, inside=folder.parent)))


def sweep(folder: Path) -> None:
    """Remove the status files of runs on this machine that were killed."""
    with suppress(OSError):
        for path, status in list(_read(folder / FOLDER)):
            if status.process.lives() is False:
                path.unlink(missing_ok=True)
        for path in files.plain_files(folder / FOLDER, ".*.json.*", inside=folder):
            pid = path.name.partition(".json.")[2].partition(".")[0]
            if pid.isdigit() and _started(int(pid)) is None:
                path.unlink(missing_ok=True)


def now() -> datetime:
    """The time now, UTC."""
    return datetime.now(UTC)
