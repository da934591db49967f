"""Results on disk: append-only JSON lines, one result a line, one writer a file.

Every `trials/*.jsonl` is read, whatever its name: merging folders is copying files together. A line is whole or it
does not count: what a crash cut off is left out, and counted.
"""

import gc
import hashlib
import json
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.base import checkpoint_file, files
from bench.base.records import Json, Result, canonical_json
from bench.errors import BenchError
from bench.results.duels import instead_of
from bench.results.lines import read_line
from bench.results.timing import DISTURBED, timings

SUITE_FILE = "suite.json"
MOST_SUITE_BYTES = 64 << 20


class Store:
    """The folder of one suite's results. `refresh` reads what is new since the last time.

    `results` are those of trials; those of trainings that only serve a search are in `searches`, so that none of them
    is ever taken for a replicate.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results: list[Result] = []
        self.searches: list[Result] = []
        self._damaged: dict[tuple[Path, str], int] = {}
        self._read: dict[Path, int] = {}
        self._seen: set[tuple[str, str, str]] = set()

    @property
    def trials_folder(self) -> Path:
        return self.folder / "trials"

    def refresh_some(self) -> list[Result]:
        """As `refresh`; BenchError where the folder holds no result at all."""
        new = self.refresh()
        if not self.results:
            why = instead_of(self.folder)
            why = why or "no results there (no trials/*.jsonl); run the suite first, or give results/NAME"
            if self.searches:
                why = "only a search lies there, no training at the settings that it chose: bench run makes these"
            if self.damaged:
                why = "no result there can be read (damaged, or a link, which is not followed): see bench check"
            raise BenchError(f"{self.folder}: {why}")
        return new

    def refresh(self) -> list[Result]:
        """Read what was written since; returns the new results of trials. BenchError: a file is of a newer bench."""
        new: list[Result] = []
        with _no_collection():
            for path in sorted(self.trials_folder.glob("*.jsonl")):
                if files.is_plain(path, inside=self.folder):
                    new += self._refresh_file(path)
                else:  # a link is not followed, a pipe would be waited for
                    self._damaged[path, "whole"] = 1
        own = [result for result in new if result.trial.search is None]
        self.searches += [result for result in new if result.trial.search is not None]
        self.results += own
        return own

    @property
    def count(self) -> int:
        """The number of all results."""
        return len(self.results) + len(self.searches)

    def lines_files(self) -> list[Path]:
        """The files of results; not links, not pipes."""
        return files.plain_files(self.trials_folder, "*.jsonl", inside=self.folder)

    @property
    def damaged(self) -> int:
        """The number of damaged lines, which were left out."""
        return sum(self._damaged.values())

    def _refresh_file(self, path: Path) -> Iterator[Result]:
        self._damaged[path, "end"] = 0
        with files.opened(path, inside=self.folder) as file:
            start = file.seek(self._read.get(path, 0))
            while line := file.readline(files.MOST_LINE_BYTES):
                # What stands behind the last line break may still be growing: it is read again the next time.
                whole = line.endswith(b"\n")
                at, start = start, start + len(line)
                self._read[path] = start if whole else at
                found = read_line(line, path, at=at) if line.strip() else None
                if found is not None:
                    # The same line in two files is one result: a folder was merged into itself.
                    key = (found.trial_id, found.run_id, found.finished_at)
                    if key not in self._seen:
                        self._seen.add(key)
                        yield found
                elif line.strip():
                    where = (path, "whole" if whole else "end")
                    self._damaged[where] = self._damaged.get(where, 0) + 1
                if not whole:  # a longer one than any of ours is not read to its end
                    break

    def refuse_unwritable(self) -> None:
        """Raise BenchError where a result could not be written. Makes no folder: where ours is not there yet, the one
        that it would be made in is tried."""
        place = self.trials_folder
        while not place.exists() and place != place.parent:
            place = place.parent
        try:
            for name in (self.trials_folder.name, "artifacts", "logs", checkpoint_file.FOLDER):
                files.refuse_links(self.folder / name, inside=self.folder)
            probe = place / f".probe-{secrets.token_hex(8)}"
            try:
                with files.created(probe) as file:
                    file.write(b"x")
            finally:
                with suppress(OSError):
                    probe.unlink()
        except OSError as error:
            why = f"results cannot be written there ({files.why(error)}); choose another folder with --results"
            raise BenchError(f"{self.folder}: {why}") from error

    def writer(self, run_id: str) -> "Writer":
        return Writer(self.trials_folder / f"{run_id}.jsonl")

    def log_path(self, run_id: str, trial_id: str) -> Path:
        return self.folder / "logs" / run_id / f"{trial_id}.log"

    def artifact_path(self, run_id: str, trial_id: str) -> Path:
        return self.folder / "artifacts" / run_id / f"{trial_id}.h5"

    def checkpoint_folder(self, trial_id: str) -> Path:
        return self.folder / checkpoint_file.FOLDER / trial_id

    def remove_checkpoints(self, trial_id: str) -> None:
        """Remove the checkpoints of a trial that needs none any more. Other files and links are left alone."""
        folder = self.checkpoint_folder(trial_id)
        with suppress(OSError):
            files.refuse_links(folder, inside=self.folder)
            for name in (checkpoint_file.LAST, checkpoint_file.BEST):
                for path in (folder / name, folder / (name + checkpoint_file.ASIDE)):
                    path.unlink(missing_ok=True)
            folder.rmdir()
            folder.parent.rmdir()

    def artifact_sha256(self, run_id: str, trial_id: str) -> str:
        """SHA-256 of what the trial left, in hex; empty where it left nothing. OSError: it cannot be read."""
        try:
            with files.opened(self.artifact_path(run_id, trial_id), inside=self.folder) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return ""

    def save_suite(self, suite: Json) -> None:
        """Keep the resolved suite beside the results. BenchError where the disk does not take it."""
        try:
            files.write(self.folder / SUITE_FILE, canonical_json(suite) + "\n", inside=self.folder, sync=True)
        except OSError as error:
            raise cannot_write(self.folder, files.why(error)) from error

    def load_suite(self) -> Json:
        """What `save_suite` kept; None where there is none. BenchError where it is damaged."""
        path = self.folder / SUITE_FILE
        if not path.is_file() and not path.is_symlink():
            return None
        try:
            return json.loads(files.read(path, inside=self.folder, most_bytes=MOST_SUITE_BYTES))
        except (OSError, ValueError, RecursionError) as error:
            raise BenchError(f"{path}: damaged; run the suite again, or report it by its suite file") from error


@dataclass
class Writer:
    """The one writer of one file. The file is made with the first result."""

    path: Path
    _descriptor: int | None = field(default=None, repr=False)
    _size: int = 0
    _last: int = 0  # where the last line begins

    def refuse_lost(self) -> None:
        """Raise BenchError where the file is no longer the one that lines were written to: they would be lost."""
        if self._descriptor is None:
            return
        own = os.fstat(self._descriptor)
        try:
            there = self.path.lstat()
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino):
            what = "was removed, renamed or replaced"
        elif own.st_size < self._last:
            what = f"was cut from {self._size:,} to {own.st_size:,} bytes"
        else:
            return
        how = "move the file back if you moved it, and run the same command again: it trains what has no result"
        raise BenchError(f"{self.path}: {what} while the run wrote to it, so the run has stopped; {how}")

    def append(self, result: Result) -> None:
        """Write one line and wait until the disk has it. OSError (disk full): what was half written is cut off.
        BenchError: the file was removed or replaced."""
        line = _line(result.to_json())
        self.refuse_lost()
        if self._descriptor is None:
            inside = self.path.parents[1]
            files.folder(self.path.parent, inside=inside)
            self._descriptor = files.descriptor(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, inside=inside)
            self._size = os.fstat(self._descriptor).st_size
            _sync_folder(self.path.parent)
        size = os.fstat(self._descriptor).st_size
        if size != self._size:  # somebody cut it under our feet: what is left of that line must not eat this one
            line = b"\n" + line
        try:
            written = 0
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
            self._size, self._last = size + len(line), size
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _line(value: Json) -> bytes:
    """The line of a result. Half characters, of file names that are no UTF-8, are spelled out: UTF-8 has none."""
    text = canonical_json(value)
    if "\\ud" in text:
        text = canonical_json(_spelled_out(value))
    return text.encode() + b"\n"


def _spelled_out(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_spelled_out(key): _spelled_out(item) for key, item in value.items()}
    return [_spelled_out(item) for item in value] if isinstance(value, list | tuple) else value


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection meanwhile: it would look through all results, which takes as long as reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def newest(results: Iterable[Result]) -> dict[tuple[str, str, str], Result]:
    """The newest result of every (trial_id, environment_id, code_id)."""
    found: dict[tuple[str, str, str], Result] = {}
    for result in results:
        key = (result.trial_id, result.environment_id, result.code_id)
        if key not in found or (found[key].finished_at, found[key].run_id) <= (result.finished_at, result.run_id):
            found[key] = result
    return found


def to_repeat(results: Iterable[Result], asked: Collection[str]) -> set[tuple[str, str, str]]:
    """Keys, as `newest` has them, of the newest results that `--retry` asks for: those of a status, or DISTURBED with
    all that shared their time by turns, so that they can share it anew."""
    found = newest(results)
    again = {key for key, result in found.items() if result.status in asked}
    if DISTURBED in asked:  # numpy, scipy: only where it is asked for
        words = timings(list(found.values()))
        disturbed = {key for key, timing in zip(found, words, strict=True) if timing.word == DISTURBED}
        groups = {found[key].group_id for key in disturbed} - {""}
        again |= disturbed | {key for key, result in found.items() if result.group_id in groups}
    return again


def newest_ok(results: Sequence[Result], trial: str) -> Result:
    """The newest result that is ok of the one trial whose id begins with `trial`. BenchError where there is none."""
    matching = [result for result in results if result.trial_id.startswith(trial)]
    ids = sorted({result.trial_id for result in matching})
    if len(ids) != 1:
        known = "no such trial" if not ids else f"{len(ids)} trials begin with it: {', '.join(ids[:4])}"
        raise BenchError(f"trial {trial!r}: {known}; report/tables/trials.csv lists them")
    ok = [result for result in matching if result.status == "ok"]
    if not ok:
        raise BenchError(f"trial {ids[0]}: it is {matching[-1].status}, so there is no trained model of it")
    return max(ok, key=lambda result: result.finished_at)


def cannot_write(path: Path, why: str) -> BenchError:
    """The error of a disk that is full, or no longer there."""
    return BenchError(
        f"{path}: cannot be written ({why}); every result before this is safe: make room and run the same command again"
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
