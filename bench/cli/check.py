"""`bench check`: look at everything in a folder of results, and say what is not right with it."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.base import files
from bench.cli import options as opt
from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError, escaped
from bench.present.format import plural
from bench.suite.shipped import suite_or_results

if TYPE_CHECKING:
    from bench.results.check import Checked, Finding
    from bench.suite.plan import Suite

INDENT, SHOWN = 12, 20  # characters before a text; findings of a kind


def check(
    target: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", help="A folder of results, or a suite.", callback=suite_or_results),
    ],
    repair: Annotated[
        bool, typer.Option("--repair", help="Move damaged lines into trials/*.damaged; change nothing else.")
    ] = False,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Look for damaged, duplicate or foreign results.

    Also for orphaned files, and for results of a newer bench. Exit code 1 where something is found; a note, of what an
    ordinary use leaves behind, is no fault.

    \b
    Examples:
      python -m bench check results/baseline
      python -m bench check suites/baseline.toml
      python -m bench check results/baseline --repair
    """
    from bench.results import check as checks

    folder, suite, wrong = _opened(target, results, data_root, plugin)
    plan = None if suite is None else _whole_plan(suite)
    try:
        if repair:
            _repair(folder)
        found = checks.check(folder, plan=plan)
    except OSError as error:
        raise BenchError(
            f"{error.filename or folder}: cannot be read or written ({files.why(error)}); "
            "run it as a user who may, and nothing is lost"
        ) from error
    found.findings += wrong
    print(*_lines(folder, found), sep="\n")
    return EXIT_TRIALS if found.faults else EXIT_OK


def _opened(
    target: Path, results: Path, data_root: Path | None, plugins: opt.Strings
) -> "tuple[Path, Suite | None, list[Finding]]":
    """The folder, its plan, and what is wrong with the plan that lies in it."""
    from bench.execute.prepare import open_results
    from bench.results.check import Finding, ProblemKind
    from bench.results.store import SUITE_FILE, Store
    from bench.suite.stored import suite_from_json

    if target.suffix == ".toml" or target.is_file():
        store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins or ())
        _refuse_other(store.folder)
        return store.folder, suite, []
    _refuse_other(target)
    try:
        if (stored := Store(target).load_suite()) is None:
            return target, None, [Finding("note", SUITE_FILE, "not there: the results have no plan")]
        return target, suite_from_json(stored), []
    except BenchError as error:
        kind: ProblemKind = "newer" if "reads up to" in str(error) else "damaged"
        return target, None, [Finding(kind, SUITE_FILE, str(error).removeprefix(f"{target / SUITE_FILE}: "))]


def _refuse_other(folder: Path) -> None:
    from bench.results.duels import instead_of
    from bench.results.store import SUITE_FILE

    if not folder.is_dir() or not any((folder / name).exists() for name in ("trials", SUITE_FILE)):
        why = f"no folder of results (no {SUITE_FILE}, no trials/); such a folder is results/<suite>"
        raise BenchError(f"{folder}: {instead_of(folder) or why}")


def _whole_plan(suite: "Suite") -> frozenset[str]:
    """Every trial of the grid: the last run may have kept only a part of it, and the others are there by right."""
    from dataclasses import replace

    return frozenset(trial.trial_id for trial in replace(suite, keep=(), only=(), shard=None).trainings())


def _repair(folder: Path) -> None:
    from bench.execute.lock import MeasureLock
    from bench.present.format import plural
    from bench.results.check import move_damaged_lines

    lock = MeasureLock()
    if not lock.try_acquire():
        raise BenchError(f"{folder}: a run is measuring on this machine and may be writing there; repair when it ended")
    try:
        moved = move_damaged_lines(folder)
    finally:
        lock.release()
    if moved:
        sys.stderr.write(f"moved {plural(moved, 'damaged line')} into {folder / 'trials'}/*.damaged\n")


def _lines(folder: Path, checked: "Checked") -> Iterator[str]:
    """What lies there, then what is not right with it, by kind."""
    from bench.results.check import KINDS

    old = f", {checked.older:,} of an older schema" if checked.older else ""
    yield f"{folder}: {plural(checked.results, 'result')} in {plural(checked.files, 'file')}{old}"
    for kind in KINDS:
        found = [finding for finding in checked.findings if finding.kind == kind]
        for finding in found[:SHOWN]:
            yield from _finding(finding)
        if len(found) > SHOWN:
            yield f"{'':{INDENT}}… and {len(found) - SHOWN:,} more that are {kind}"
    counts = Counter(finding.kind for finding in checked.faults)
    by_kind = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])  # type: ignore[index]
    yield f"{plural(len(checked.faults), 'thing')} found: {by_kind}" if by_kind else "nothing is wrong with it"


def _finding(finding: "Finding") -> Iterator[str]:
    from bench.present.columns import wrapped

    yield f"{finding.kind:{INDENT}}{escaped(finding.where)}"  # a file may be called anything
    yield from wrapped(" " * INDENT + finding.what, indent=" " * INDENT)
