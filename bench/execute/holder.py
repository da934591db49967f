"""Who holds the lock of the machine: the note that a holder leaves, and what is said of it to one that waits.

The note lies in the user's own cache folder: it names a folder of results. Who holds the lock is the kernel's to say; a
note that cannot be read, or of a process that has ended, is none. Of another user's run the kernel tells the process.
"""

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from bench.base import files
from bench.base.cache import cache_folder
from bench.base.kernel import text_of
from bench.base.records import canonical_json, digest
from bench.results.status import Process, age_seconds, now
from bench.results.validate import DAMAGED, read_record

WAITING = "waiting: another run is measuring on this machine"
MOST_NOTE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that measures: its command (`bench run`), its suite and its folder of results where it has them."""

    command: str
    suite: str = ""
    folder: str = ""
    since: str = ""
    process: Process = field(default_factory=Process.own)


def leave_note(holder: Holder, lock: Path) -> None:
    """Leaves the note of a process that has the lock now. Where it cannot be written the run goes on without."""
    with suppress(OSError):
        folder = cache_folder() / "measuring"
        folder.mkdir(mode=0o700, exist_ok=True)
        text = canonical_json(asdict(replace(holder, since=now().isoformat(timespec="seconds"))))
        files.write(_note_path(lock), text, inside=cache_folder())


def remove_note(lock: Path) -> None:
    """Removes the note, by the process that has the lock still."""
    with suppress(OSError):
        files.refuse_links(path := _note_path(lock), inside=cache_folder())
        path.unlink(missing_ok=True)


def holder_of(lock: Path) -> Holder | None:
    """Who holds the lock, as far as that can be known: a note of this user, whose process is there and, where the
    kernel tells who holds it, is that one."""
    pid = holding_process(lock)
    with suppress(OSError, *DAMAGED):
        path = _note_path(lock)
        if path.lstat().st_uid != os.getuid():
            return None
        found = read_record(Holder, json.loads(files.read(path, inside=cache_folder(), most_bytes=MOST_NOTE_BYTES)))
        datetime.fromisoformat(found.since).astimezone()  # raises where it is no moment
        if found.process.lives() and pid in (None, found.process.pid):
            return found
    return None


def holding_process(lock: Path) -> int | None:
    """The process that holds the lock, as the kernel tells it in /proc/locks (proc(5)); None where it does not."""
    with suppress(OSError, ValueError):
        about = lock.stat()
        device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
        for line in text_of(Path("/proc/locks")).splitlines():
            # 1: FLOCK  ADVISORY  WRITE 348 fe:00:2146835 0 EOF; of one that waits, "->" stands before FLOCK
            words = line.split()
            if words[1:2] == ["FLOCK"] and words[5:6] == [device] and int(words[4]) > 0:
                return int(words[4])
    return None


def waiting_lines(lock: Path) -> list[str]:
    """What one that waits says: who measures, since when, how long it still takes, and how not to wait."""
    from bench.execute.opening_lines import wrapped

    holder = holder_of(lock)
    if holder is None:
        lines = _of_process(holding_process(lock))
    else:
        goes_on = "; what is done is stored, the same command goes on from there" if holder.folder else ""
        lines = (
            f"{WAITING}: " + " · ".join(_said(holder, at=now())),
            _not_to_wait(f"end that one (kill {holder.process.pid}{goes_on}), "),
        )
    return [part for line in lines for part in wrapped(line)]


def _said(holder: Holder, *, at: datetime) -> Iterator[str]:
    """The suite, since when, how long it still takes, which process."""
    if holder.suite:
        yield f"suite {holder.suite}"
    began = datetime.fromisoformat(holder.since).astimezone()
    form = "%H:%M" if began.date() == at.astimezone().date() else "%Y-%m-%d %H:%M"
    yield f"since {began:{form}}"
    if holder.folder and (left := time_left(holder, at=at)):
        yield left
    yield f"{holder.command}, process {holder.process.pid}"


def time_left(holder: Holder, *, at: datetime) -> str:
    """`2.4 min [2.1, 2.8] left`, as `bench status` computes it; empty where it has not begun to train."""
    from bench.planning.progress import look
    from bench.planning.text import ago, seconds_text
    from bench.results.store import Store

    with suppress(OSError, *DAMAGED):
        suite, found = look(Store(Path(holder.folder)))
        own = next((run.status for run in found.runs if run.status.process == holder.process), None)
        if own is None:
            return ""
        if own.phase == "waiting":
            return "it waits until the machine is quiet"
        if own.budget_seconds is not None:
            return f"at most {ago(max(0.0, own.budget_seconds - age_seconds(holder.since, at=at)))} left of its budget"
        left = found.all.seconds_left
        of = " of this round of seeds" if suite.decide is not None else ""
        return f"{seconds_text(left)} left{of}" if left is not None else "how long it still takes is not known yet"
    return ""


def _of_process(pid: int | None) -> tuple[str, str]:
    """The same where no note says who it is: the process at least, and whose it is where it is another user's."""
    if pid is None:
        return WAITING, _not_to_wait("")
    user = None
    with suppress(OSError):
        user = Path(f"/proc/{pid}").stat().st_uid
    if user in (None, os.getuid()):
        return f"{WAITING} (process {pid})", _not_to_wait(f"end that one (kill {pid}), ")
    name = str(user)
    with suppress(KeyError):
        name = pwd.getpwuid(user or 0).pw_name
    return f"{WAITING} (process {pid} of the user {name})", _not_to_wait(f"ask {name} to end that one, ")


def _not_to_wait(end: str) -> str:
    way = "stop this one (Ctrl-C) and run it later or on another machine"
    return f"not to wait: {end}{'or ' if end else ''}{way}; every executor waits, inline too"


def _note_path(lock: Path) -> Path:
    return cache_folder() / "measuring" / f"{digest(str(lock.absolute()))}.json"
