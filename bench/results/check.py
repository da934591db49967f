"""Checks a folder of results for what is damaged, duplicated, orphaned, foreign, or of a newer schema.

`check` changes nothing, follows no link, and uses nothing that a file says as a path. `move_damaged_lines` is the one
repair that cannot lose anything.
"""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from pydantic import ValidationError

from bench.base import files
from bench.base.checkpoint_file import ASIDE, BEST, FOLDER, LAST, Damaged
from bench.base.checkpoint_file import read as read_checkpoint
from bench.base.records import SCHEMA, Result, canonical_json, digest
from bench.errors import one_line
from bench.results import doctor, status
from bench.results.store import SUITE_FILE, Store
from bench.results.validate import DAMAGED, Newer, parse, read_record, read_result, refuse_newer

# "note": what an ordinary use leaves behind, and no fault.
ProblemKind = Literal["damaged", "duplicated", "orphaned", "foreign", "newer", "note"]
KINDS: tuple[str, ...] = get_args(ProblemKind)
Key = tuple[str, str]  # run_id, trial_id: a run runs a trial once
LINES_FILE = re.compile(r"trials/[^/]*\.jsonl", re.DOTALL)
MOVED_ASIDE = re.compile(r"trials/.*\.damaged", re.DOTALL)  # by `--repair`
RUN_FILE = re.compile(r"(?:artifacts|logs)/([^/]+)/([0-9a-f]{16})\.(h5|log|part)")
CHECKPOINT = re.compile(rf"{FOLDER}/([0-9a-f]{{16}})/(?:{re.escape(LAST)}|{re.escape(BEST)})({re.escape(ASIDE)})?")
# What a run writes beside the results, and can be made again from them.
DERIVED = ("report/", "tensorboard/", "mlruns/", "lr-find/")
LEFT_BEHIND = re.compile(rf"(\.probe.*|(.+/)?{files.ASIDE}|trials/\.probe-.+|report/\.new-[^/]+(/.*)?)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem. `where`: a path relative to the folder, with the number of the line."""

    kind: ProblemKind
    where: str
    what: str


@dataclass(slots=True)
class Checked:
    """The content of a folder, and the problems in it."""

    results: int = 0
    files: int = 0
    older: int = 0  # results of an older schema: they are read as if they were of this one
    findings: list[Finding] = field(default_factory=list)
    damaged: list[tuple[str, int, bytes]] = field(default_factory=list)  # file, number and bytes of each damaged line

    @property
    def faults(self) -> list[Finding]:
        """What is not right: without notes."""
        return [finding for finding in self.findings if finding.kind != "note"]


def check(folder: Path, *, plan: Collection[str] | None) -> Checked:
    """Read everything under `folder`. `plan`: the trial_ids of the suite, where it is known. OSError: unreadable."""
    found = Checked()
    names = sorted(_names(folder))
    lines = [name for name in names if LINES_FILE.fullmatch(name) and files.is_plain(folder / name, inside=folder)]
    results = _check_lines(folder, lines, plan, found)
    found.findings += _check_artifacts(folder, results, frozenset(names))
    for name in (name for name in names if MOVED_ASIDE.fullmatch(name)):
        if files.is_plain(folder / name, inside=folder):
            found.damaged += [(name, number, line) for number, _, line in lines_of(folder / name, inside=folder)]
    for name in names:
        if name not in lines:
            found.findings += _check_file(folder, name, results, found.damaged)
            found.findings += _check_checkpoint(folder, name, results, plan)
    if (folder / SUITE_FILE).is_file() and not results:
        found.findings.append(Finding("note", SUITE_FILE, "a plan without a result yet"))
    return found


def _names(folder: Path) -> Iterator[str]:
    """Every file and link under `folder`, relative to it."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in [*names, *links]:
            yield (Path(place) / name).relative_to(folder).as_posix()


def lines_of(path: Path, *, inside: Path) -> Iterator[tuple[int, int, bytes]]:
    """(number from 1, offset in bytes, line without its end) of each line that is not blank; the last one is longer
    than any of ours, where there is such a one."""
    offset = number = 0
    with files.opened(path, inside=inside) as file:
        while (line := file.readline(files.MOST_LINE_BYTES)) and offset >= 0:
            number += 1
            if line.strip():
                yield number, offset, line.removesuffix(b"\n")
            if len(line) == files.MOST_LINE_BYTES:
                return
            offset += len(line)


def read_line(line: bytes) -> tuple[Result | None, str]:
    """The result on a line, and "" or why there is none. Newer: it is of a newer version of bench."""
    try:
        value = parse(line)
        refuse_newer(value, "this line")
        return read_result(value), ""
    except Newer:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:60]
        found = "not there" if first["type"] == "missing" else f"{first['input']!r:.60} is not what bench writes there"
        return None, one_line(f"{place}: {found}")
    except json.JSONDecodeError as error:
        return None, f"cut off or damaged: of {len(line):,} bytes, no valid JSON from byte {error.pos:,} on"
    except DAMAGED as error:
        return None, one_line(f"not a result ({type(error).__name__}: {str(error)[:100]})")


def _check_lines(
    folder: Path, names: Collection[str], plan: Collection[str] | None, found: Checked
) -> Mapping[Key, Result]:
    """The results of all files, by run and trial."""
    results: dict[Key, Result] = {}
    places: dict[Key, str] = {}
    found.files = len(names)
    for name in names:
        strangers = 0
        for number, _, line in lines_of(folder / name, inside=folder):
            where = f"{name}, line {number}"
            try:
                result, why = read_line(line)
            except Newer as error:
                found.findings.append(Finding("newer", where, str(error)))
                continue
            if result is None:
                found.findings.append(Finding("damaged", where, why))
                found.damaged.append((name, number, line))
                continue
            key = result.run_id, result.trial_id
            if key in results:
                same = "the same result" if results[key] == result else "another result of the same trial and run"
                found.findings.append(Finding("duplicated", where, f"{same} as in {places[key]}"))
                continue
            results[key], places[key] = result, where
            found.results += 1
            found.older += json.loads(line)["schema"] < SCHEMA
            found.findings += [Finding("damaged", where, text) for text in _wrong_ids(result)]
            strangers += plan is not None and result.trial_id not in plan and result.trial.search is None
        if strangers:
            noun = "result" if strangers == 1 else "results"
            what = f"{strangers:,} {noun} of trials that are not in this plan: of other settings, or of another suite"
            found.findings.append(Finding("note", name, what))
    return results


def _wrong_ids(result: Result) -> Iterator[str]:
    """The ids that do not follow from the content of the line: it was edited."""
    made = {
        "trial_id": (result.trial_id, result.trial.trial_id),
        "environment_id": (result.environment_id, result.environment.identity(threads=result.threads)),
        "code_id": (result.code_id, digest(canonical_json(dict(result.code)))),
    }
    for name, (written, right) in made.items():
        if written != right:
            yield f"its {name} is {written}, its content gives {right}: the line was edited"


def _check_artifacts(folder: Path, results: Mapping[Key, Result], names: Collection[str]) -> Iterator[Finding]:
    named = {key: result for key, result in results.items() if result.artifact_sha256}
    if named and not (folder / "artifacts").is_dir():
        words = f"{len(named):,} results name" if len(named) > 1 else "1 result names"
        yield Finding("note", "artifacts", f"not there; {words} what is in it: copied without, they have figures only")
        return
    store = Store(folder)
    for (run_id, trial_id), result in named.items():
        name = f"artifacts/{run_id}/{trial_id}.h5"
        if name not in names:
            yield Finding("orphaned", name, "not there; a result names it")
        elif (
            files.is_plain(folder / name, inside=folder)
            and store.artifact_sha256(run_id, trial_id) != result.artifact_sha256
        ):
            yield Finding("damaged", name, "its SHA-256 is not the one in its result")


def _check_file(
    folder: Path, name: str, results: Mapping[Key, Result], damaged: Sequence[tuple[str, int, bytes]]
) -> Iterator[Finding]:
    """A file that does not hold results."""
    if (folder / name).is_symlink():
        yield Finding("foreign", name, "a link; it was not followed")
    elif not (folder / name).is_file():
        yield Finding("foreign", name, "not a regular file: a pipe, a socket or a device")
    elif LEFT_BEHIND.fullmatch(name):
        yield Finding("orphaned", name, "left behind by a command that was killed")
    elif match := RUN_FILE.fullmatch(name):
        run_id, trial_id, form = match.groups()
        if form == "part":
            yield Finding("orphaned", name, "left behind by a trial that was killed")
        elif (run_id, trial_id) not in results:
            line = _damaged_line(run_id, trial_id, damaged)
            yield Finding("note", name, line) if line else Finding("orphaned", name, "no result belongs to it")
    elif CHECKPOINT.fullmatch(name):
        return  # that of another function
    elif name.startswith((f"{doctor.FOLDER}/", f"{status.FOLDER}/")):
        yield from _check_record(folder, name)
    elif MOVED_ASIDE.fullmatch(name):
        return  # what `--repair` has moved aside
    elif name != SUITE_FILE and not name.startswith(DERIVED):
        yield Finding("foreign", name, "not a file that bench writes")


def _damaged_line(run_id: str, trial_id: str, damaged: Sequence[tuple[str, int, bytes]]) -> str:
    """On which damaged line the result of a file stands; of one that was cut before its ids, that it may. "" if none.
    A run writes its lines into a file that has its name."""
    perhaps = ""
    for name, number, line in damaged:
        if trial_id.encode() in line and (run_id.encode() in line or run_id in name):
            return f"its result is a damaged line: {name}, line {number}"
        if run_id in name and b'"trial_id"' not in line:
            perhaps = perhaps or f"its result may be a damaged line that was cut off: {name}, line {number}"
    return perhaps


def _check_checkpoint(
    folder: Path, name: str, results: Mapping[Key, Result], plan: Collection[str] | None
) -> Iterator[Finding]:
    """A checkpoint. That of a trial that was stopped is no finding: the next run goes on from it."""
    match = CHECKPOINT.fullmatch(name)
    if not match or not files.is_plain(folder / name, inside=folder):
        return
    trial_id, aside = match.groups()
    if aside:
        yield Finding("orphaned", name, "left behind by a trial that was killed")
        return
    try:
        label, _ = read_checkpoint(folder / name)
    except Damaged as error:
        yield Finding("damaged", name, f"not a usable checkpoint: {error}")
        return
    identity = trial_id, label.environment_id, label.code_id
    ok = {(r.trial_id, r.environment_id, r.code_id) for r in results.values() if r.status == "ok"}
    if label.trial_id != trial_id:
        yield Finding("foreign", name, "a checkpoint of another trial")
    elif plan is not None and trial_id not in plan:
        yield Finding("note", name, "a checkpoint of a trial that is not in this plan")
    elif identity in ok and not label.kept:
        yield Finding("orphaned", name, "its trial is ok, and does not keep its checkpoints")


def _check_record(folder: Path, name: str) -> Iterator[Finding]:
    """An outcome of bench doctor, or the status file of a run."""
    of = doctor if name.startswith(f"{doctor.FOLDER}/") else status
    if of is status and not status.FILE.fullmatch(name.removeprefix(f"{status.FOLDER}/")):
        yield Finding("orphaned", name, "left behind by a run that was killed")
        return
    try:
        value = json.loads(files.read(folder / name, inside=folder))
        if isinstance(value["schema"], int) and value["schema"] > of.SCHEMA:
            yield Finding("newer", name, f"schema {value['schema']}, this bench reads up to {of.SCHEMA}")
        elif of is doctor:
            read_record(doctor.Doctor, value)
        elif not status.Status.from_json(value).alive(at=status.now()):
            yield Finding("orphaned", name, "left behind by a run that was killed; the next run removes it")
    except FileNotFoundError:  # the run has ended meanwhile
        return
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = "an outcome of bench doctor" if of is doctor else "the status of a run"
        yield Finding("damaged", name, one_line(f"not {what} ({type(error).__name__})"))


def move_damaged_lines(folder: Path) -> int:
    """Copy every damaged line of trials/*.jsonl to trials/<name>.damaged, then blank it where it stood; how many.

    Good lines, and those of a newer bench, stay as and where they are: only bytes of damaged ones become spaces.
    OSError: something cannot be read or written; nothing is blanked then that was not copied before.
    """
    return sum(_repair(path, folder) for path in Store(folder).lines_files())


def _repair(path: Path, folder: Path) -> int:
    damaged = []
    for _, offset, line in lines_of(path, inside=folder):
        with suppress(Newer):
            if len(line) < files.MOST_LINE_BYTES and read_line(line)[0] is None:
                damaged.append((offset, line))
    if damaged:
        with files.changed(path, inside=folder) as file:
            with files.appended(path.with_name(f"{path.name}.damaged"), inside=folder) as copy:
                copy.write(b"".join(line + b"\n" for _, line in damaged))
                copy.flush()
                os.fsync(copy.fileno())
            for offset, line in damaged:
                file.seek(offset)
                file.write(b" " * len(line))
            file.flush()
            os.fsync(file.fileno())
    return len(damaged)
