"""The two sides of a comparison: two folders of results, or two values of an axis within one."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace

from bench.analysis.cells import axis_label, labels_of, value_text
from bench.base import files
from bench.base.records import NOT_IDENTITY, Result, TrainSettings
from bench.errors import BenchError, nearest
from bench.present.format import listing
from bench.results.doctor import Doctor, stored
from bench.results.frame import Row, age, latest, threads_of
from bench.results.store import Store
from bench.suite.plan import Suite

SHORT = 12  # digits of a commit that are shown; of an environment eight
# What is said of a result, not of its trial.
RECORDED: dict[str, Callable[[Result], str]] = {
    "environment": lambda result: result.environment_id,
    "date": lambda result: result.finished_at,
    "commit": lambda result: str(result.environment.notes.get("commit") or "")[:SHORT],
}
MOST_LISTED = 8


@dataclass(frozen=True, eq=False)
class Folder:
    """The stored results of one suite. `schemas`: the versions of the format that its lines are written in."""

    name: str
    results: tuple[Result, ...]
    suite: Suite | None
    doctors: tuple[Doctor, ...]
    schemas: frozenset[int]
    damaged: int = 0


@dataclass(frozen=True, eq=False)
class Side:
    """One side: its name, its rows (a trial and its newest result in an environment), and the folder they are from.
    `axis`: the setting by which it was split off, if it was. Of a side of a duel every result is a row."""

    name: str
    rows: tuple[Row, ...]
    folder: Folder
    axis: str = ""
    duel: bool = False

    @property
    def results(self) -> list[Result]:
        return [row.result for row in self.rows if row.result is not None]


def read_folder(store: Store, suite: Suite | None, *, name: str) -> Folder:
    """Reads all of `store`. Raises BenchError where nothing is there, or a newer bench wrote it."""
    store.refresh_some()
    planned = None if suite is None else {trial.trial_id for trial in suite.trials()}
    kept = tuple(each for each in store.results if planned is None or each.trial_id in planned)
    if not kept:
        raise BenchError(f"{name}: none of its results belongs to the plan that is stored there; run the suite again")
    doctors = tuple(stored(store.folder))
    return Folder(name, kept, suite, doctors, _schemas(store), store.damaged)


def _schemas(store: Store) -> frozenset[int]:
    """Returns the `schema` of every line that can be read. (A result in memory is always of this version.)"""
    found = set()
    for path in store.lines_files():
        for line in files.read(path, inside=store.folder).splitlines():
            try:
                found.add(int(json.loads(line)["schema"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    return frozenset(found)


def whole(folder: Folder) -> Side:
    """Returns a whole folder as one side."""
    return Side(folder.name, latest(folder.results, folder.suite).rows, folder)


def of_duel(folder: Folder) -> Side:
    """Returns a side of a duel: its seeds may have been repeated, and each result is one of a pair."""
    results = sorted(folder.results, key=age)
    name = next((text for each in results if (text := str(each.environment.notes.get("duel") or ""))), folder.name)
    return Side(name, tuple(Row(each.trial, each) for each in results), folder, duel=True)


def split(folder: Folder, by: str, *, values: Sequence[str] = ()) -> tuple[Side, Side]:
    """Returns two values of `by` within `folder` as sides, in the order of `values`, or of the results.

    `by`: environment, date (UTC) or commit of a result, or a setting: device, model, engine, precision, threads,
    batch_size, train.learning_rate, … A date, a commit or an environment may be given by its first characters.
    Raises BenchError: no such axis or value, or more than two and none chosen.
    """
    found = sides_by(folder, by, values=values)
    if not values and len(found) > 2:  # devices that this machine lacks are no choice
        found = [side for side in found if any(row.status == "ok" for row in side.rows)] or found
    if len(found) == 2:
        return found[0], found[1]
    names = [side.name for side in found]
    if len(names) > 2:
        shown = ", ".join(names[:MOST_LISTED]) + (", …" if len(names) > MOST_LISTED else "")
        raise BenchError(
            f"--by {by}: {folder.name} has {len(names)} ({shown}); choose two: --values {names[0]},{names[1]}"
        )
    if values:
        raise BenchError(f"--by {by} --values {','.join(values)}: give two that differ, as --values A,B")
    raise BenchError(f"--by {by}: {folder.name} has measured only {listing(names) or 'results that do not say'}")


def sides_by(folder: Folder, by: str, *, values: Sequence[str] = ()) -> list[Side]:
    """Returns all values of `by` within `folder` as sides, or those of `values`."""
    if by in RECORDED:
        return _by_record(folder, by, values)
    axis, rows = _axis(by), latest(folder.results, folder.suite).rows
    name = _namer(axis, rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    chosen = [_choice(value, groups, by=by, folder=folder.name) for value in values] or _ordered(groups)
    return [Side(each, tuple(groups[each]), folder, axis) for each in dict.fromkeys(chosen)]


def _ordered(names: Collection[str]) -> list[str]:
    """Returns numbers by size, names in the order of the plan."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return list(names)


def _choice(value: str, groups: dict[str, list[Row]], *, by: str, folder: str) -> str:
    if value in groups:
        return value
    raise BenchError(f"--values {value}: no such {by} in {folder}{nearest(value, groups)} (there are: "
                     f"{', '.join(list(groups)[:MOST_LISTED])})")  # fmt: skip


def _by_record(folder: Folder, by: str, values: Sequence[str]) -> list[Side]:
    """Splits the results before the newest of each trial is taken: a newer result of the other side replaces none."""
    by_key: dict[str, list[Result]] = {}
    for result in sorted(folder.results, key=lambda each: each.finished_at):
        if key := RECORDED[by](result):
            by_key.setdefault(key, []).append(result)
    groups: dict[str, list[Result]] = {value: [] for value in values}
    for key, found in by_key.items():
        names = [value for value in groups if key.startswith(value)] if values else [_short(key, by_key, by=by)]
        for name in names:
            groups.setdefault(name, []).extend(found)
    if absent := [value for value, found in groups.items() if not found]:
        raise BenchError(f"--values {absent[0]}: no result of {folder.name} has a {by} that begins so")
    return [Side(name, latest(found).rows, folder) for name, found in groups.items()]


def _short(key: str, others: Collection[str], *, by: str) -> str:
    """Returns a day, or the first characters of an environment: eight, or as many as tell it from the others."""
    if by == "date":
        return key[:10]
    lengths = (8, 12, len(key)) if by == "environment" else ()
    return next((key[:n] for n in lengths if len({each[:n] for each in others}) == len(others)), key)


def _axis(by: str) -> str:
    """Returns the dotted name of a setting: `engine` → `train.engine`."""
    settings = [field.name for field in fields(TrainSettings) if field.name not in NOT_IDENTITY]
    if by in ("model", "device", "batch_size"):
        return by
    if by in settings:
        return f"train.{by}"
    if by.removeprefix("train.") in settings:
        return by
    names = [*RECORDED, "model", "device", "batch_size", *settings]
    raise BenchError(f"--by {by}: unknown axis{nearest(by, names)} (there are: {', '.join(names)})")


def _namer(axis: str, rows: Sequence[Row]) -> Callable[[Row], str]:
    """Returns what names the value of a row. Threads are those that it ran with."""
    if axis == "model":
        labels = labels_of({row.trial.model.canonical: row.trial.model for row in rows}.values())
        return lambda row: labels[row.trial.model.canonical]
    if axis == "train.threads":
        return lambda row: str(threads_of(row) or "every core")
    return lambda row: value_text(row.trial.setting(axis)).replace(",", "")


def named(a: Side, b: Side) -> tuple[Side, Side]:
    """Returns both sides with names that differ: equal ones get their letter."""
    if a.name != b.name:
        return a, b
    return replace(a, name=f"{a.name} (A)"), replace(b, name=f"{b.name} (B)")


def side_text(side: Side) -> str:
    """Returns `threads 2`, or the name of a folder."""
    return f"{axis_label(side.axis)} {side.name}" if side.axis not in ("", "model", "device") else side.name
