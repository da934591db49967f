"""`bench check`: look at everything in a folder of results, and say what is not right with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError
from bench.execute.lock import MeasureLock
from bench.execute.results_folder import open_results
from bench.present.check_text import check_text
from bench.results import check as checks
from bench.results.check import Checked, Finding
from bench.results.repair import move_damaged_lines
from bench.results.store import SUITE_FILE
from bench.suite import stored
from bench.suite.plan import Suite


def check(target: Path, *, repair: bool, results: Path, data_root: Path | None, plugins: Sequence[str]) -> int:
    """Print what was found in the folder that `target` names; 1 where something was, 0 where nothing."""
    folder, suite, wrong = _opened(target, results=results, data_root=data_root, plugins=plugins)
    plan = None if suite is None else _whole_plan(suite)
    try:
        if repair:
            _repair(folder)
        found: Checked = checks.check(folder, plan=plan)
    except OSError as error:
        raise BenchError(
            f"{error.filename or folder}: cannot be read or written ({error.strerror}); "
            "run it as a user who may, and nothing is lost"
        ) from error
    found.findings += wrong
    print(check_text(folder, found))
    return EXIT_TRIALS if found.findings else EXIT_OK


def _opened(
    target: Path, *, results: Path, data_root: Path | None, plugins: Sequence[str]
) -> tuple[Path, Suite | None, list[Finding]]:
    """The folder, its plan, and what is wrong with the plan that lies in it."""
    if target.suffix == ".toml" or target.is_file():
        store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
        _refuse_other(store.folder)
        return store.folder, suite, []
    _refuse_other(target)
    path = target / SUITE_FILE
    if not path.is_file():
        return target, None, [Finding("orphaned", SUITE_FILE, "not there: the results have no plan")]
    try:
        value = json.loads(path.read_bytes())
        return target, stored.suite_from_json(value), []
    except (BenchError, ValueError, RecursionError, OSError) as error:
        newer = "reads up to" in str(error)
        text = str(error) if isinstance(error, BenchError) else "cut off or damaged: run the suite again to write it"
        return target, None, [Finding("newer" if newer else "damaged", SUITE_FILE, text)]


def _refuse_other(folder: Path) -> None:
    if not folder.is_dir() or not any((folder / name).exists() for name in ("trials", SUITE_FILE)):
        raise BenchError(
            f"{folder}: no folder of results (no {SUITE_FILE}, no trials/); such a folder is results/<suite>"
        )


def _whole_plan(suite: Suite) -> frozenset[str]:
    """Every trial of the grid: the last run may have kept only a part of it, and the others are there by right."""
    return frozenset(trial.trial_id for trial in replace(suite, keep=(), only=(), shard=None).trials())


def _repair(folder: Path) -> None:
    lock = MeasureLock()
    if not lock.try_acquire():
        raise BenchError(f"{folder}: a run is measuring on this machine and may be writing there; repair when it ended")
    try:
        moved = move_damaged_lines(folder)
    finally:
        lock.release()
    if moved:
        sys.stderr.write(f"moved {moved} damaged line{'' if moved == 1 else 's'} into {folder / 'trials'}/*.damaged\n")
