"""Merges folders of results. By the format that is copying of files; this file handles what could go wrong.

Nothing is written before everything was looked at, and no line is changed on the way: what is damaged stays so, and
is counted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path

from bench.base.records import digest
from bench.errors import BenchError
from bench.results import doctor
from bench.results.store import SUITE_FILE, Store
from bench.suite.combine import combine
from bench.suite.plan import Suite
from bench.suite.stored import suite_from_json, suite_to_json

BESIDE = ("artifacts", "logs")


@dataclass(frozen=True, slots=True)
class MergedFolder:
    """One folder that was merged: its files, its results, and its damaged lines."""

    folder: Path
    files: int
    results: int
    damaged: int


@dataclass(slots=True)
class Merged:
    """The outcome of a merge. `twice`: results that lay in more than one folder; `copied`: files that were written."""

    out: Path
    parts: list[MergedFolder]
    files: int = 0
    results: int = 0
    damaged: int = 0
    twice: int = 0
    copied: int = 0
    notes: list[str] = field(default_factory=list)


def merge(out: Path, sources: Sequence[Path], *, plan: Path | None = None) -> Merged:
    """Put the results of `sources` into `out`; what lies there already is one of them. Again changes nothing.

    `plan`: the one of the folders whose plan is kept, where they are of two. Raises BenchError for a folder without
    results, two suites, two plans, two different files of one trial, and where `out` cannot be written.
    """
    folders = _folders(out, sources)
    stores = [Store(folder) for folder in folders]
    for store in stores:
        store.refresh()
    merged = Merged(out, [_part(store) for store in stores])
    suite = _plan(stores, chosen=plan, notes=merged.notes)
    copies = _lines(stores, out, merged.notes) | _beside(folders, out)
    try:
        for path, source in copies.items():
            merged.copied += _copy(source, path)
        _doctors(stores, out)
        if suite is not None:
            Store(out).save_suite(suite_to_json(suite))
    except OSError as error:
        raise BenchError(f"{out}: cannot be written ({error.strerror or error}); choose another folder") from error
    whole = Store(out)
    whole.refresh()
    merged.files, merged.results = len(list(whole.trials_folder.glob("*.jsonl"))), len(whole.results)
    merged.damaged, merged.twice = whole.damaged, sum(part.results for part in merged.parts) - len(whole.results)
    return merged


def _folders(out: Path, sources: Sequence[Path]) -> list[Path]:
    """Every folder once; the target itself first, where something lies in it."""
    for folder in sources:
        if not list((folder / "trials").glob("*.jsonl")):
            inner = sorted(path.name for path in folder.glob("*/trials") for path in [path.parent])
            hint = f" (did you mean one of its folders: {', '.join(inner[:5])}?)" if inner else ""
            raise BenchError(f"{folder}: no results there (no trials/*.jsonl){hint}")
    own = [out] if list((out / "trials").glob("*.jsonl")) else []
    return list({folder.resolve(): folder for folder in [*own, *sources]}.values())


def _part(store: Store) -> MergedFolder:
    return MergedFolder(store.folder, len(list(store.trials_folder.glob("*.jsonl"))), len(store.results), store.damaged)


def _plan(stores: Sequence[Store], *, chosen: Path | None, notes: list[str]) -> Suite | None:
    """The plan of the merged folder; None where no folder has one."""
    if chosen is not None:
        store = next((each for each in stores if each.folder.resolve() == chosen.resolve()), None)
        stored = None if store is None else store.load_suite()
        if stored is None:
            raise BenchError(f"--plan {chosen}: not one of the merged folders, or without a plan ({SUITE_FILE})")
        notes.append(f"the plan is that of {chosen}")
        return suite_from_json(stored)
    plans = {str(store.folder): suite_from_json(value) for store in stores if (value := store.load_suite()) is not None}
    if without := len(stores) - len(plans):
        notes.append(f"{without} of {len(stores)} folders without a plan ({SUITE_FILE})")
    if not plans:
        return None
    suite, done = combine(plans)
    notes += done
    return suite


def _lines(stores: Sequence[Store], out: Path, notes: list[str]) -> dict[Path, Path]:
    """Target → source of the files of results. Two different ones of one name are kept under two names; of a file and
    its beginning (a copy of a run that went on), the longer one is kept."""
    found: dict[str, Path] = {}
    for path in (path for store in stores for path in sorted(store.trials_folder.glob("*.jsonl"))):
        known = found.setdefault(path.name, path)
        if known == path or cmp(known, path, shallow=False):
            continue
        old, new = known.read_bytes(), path.read_bytes()
        if new.startswith(old) or old.startswith(new):
            found[path.name] = path if len(new) > len(old) else known
            notes.append(f"{path.name}: one copy is the beginning of the other; the longer one is kept")
            continue
        name = f"{path.stem}-{digest(new)[:8]}.jsonl"
        found[name] = path
        notes.append(f"{path.name}: two different files of this name; the second is kept as {name}")
    return {out / "trials" / name: path for name, path in found.items()}


def _beside(folders: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Target → source of artifacts and logs. BenchError where two differ: they are of one trial of one run."""
    found: dict[Path, Path] = {}
    for folder in folders:
        for path in sorted(path for part in BESIDE for path in (folder / part).rglob("*") if path.is_file()):
            known = found.setdefault(out / path.relative_to(folder), path)
            if not cmp(known, path, shallow=False):
                raise BenchError(f"{path}: differs from {known}, and both are of one trial of one run; remove one")
    return found


def _copy(source: Path, target: Path) -> bool:
    """Copy aside, then rename: whole or absent. False where it is there."""
    if target.exists() and (target.samefile(source) or cmp(source, target, shallow=False)):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, aside)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return True


def _doctors(stores: Sequence[Store], out: Path) -> None:
    """What `bench doctor` found on the machines that results are from; the newest of each environment."""
    machines = {doctor.machine_id(result.environment) for store in stores for result in store.results}
    known = {each.environment_id: each for each in doctor.stored(out)}
    found = (each for store in stores for each in doctor.stored(store.folder))
    newest = {each.environment_id: each for each in sorted(found, key=lambda each: each.finished_at)}
    for environment_id, each in newest.items():
        before = known.get(environment_id)
        newer = before is None or each.finished_at > before.finished_at
        if newer and doctor.machine_id(each.environment) in machines:
            doctor.save(each, out)
