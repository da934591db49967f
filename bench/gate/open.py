"""The two sides of a gate, from the paths that a command line gives."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.base import files
from bench.base.records import Json
from bench.errors import BenchError
from bench.gate.records import Asked
from bench.pairing.open import RESULTS, names_of, open_folder
from bench.pairing.sides import Folder, Side, of_duel, whole
from bench.results.duels import folders_of

MARK = "gate.json"  # in the folder of a duel that a gate has looked at after each round: what it found
SECOND = "give two folders, bench gate BEFORE AFTER, or measure: bench gate SUITE --against PYTHON"


def sides_of(
    before: Path,
    after: Path | None,
    *,
    results: Path = RESULTS,
    data_root: Path | None = None,
    plugins: Sequence[str] = (),
) -> tuple[Side, Side, bool]:
    """BEFORE and AFTER, and whether they were looked at after each round.

    One path is that of a duel, or of several, whose newest counts: what it was measured against (B) is before, what
    ran the command (A) is after. Raises BenchError where a path holds no results.
    """
    opened = partial(open_folder, results=results, data_root=data_root, plugins=plugins)
    if after is None:
        duel = folders_of(before)
        if duel is None:
            raise BenchError(f"bench gate {before}: a second folder is missing; {SECOND}")
        return (*duel_sides(opened(duel[1]), opened(duel[0])), (duel[0].parent / MARK).is_file())
    first, second = opened(before), opened(after)
    if share_time(first, second):
        live = before.resolve().parent == after.resolve().parent and (before.resolve().parent / MARK).is_file()
        return (*duel_sides(first, second), live)
    one, other = names_of(before, after)
    return replace(whole(first), name=one), replace(whole(second), name=other), False


def was_looked_at(folder: Path) -> bool:
    """Whether the duel in `folder`, or the newest of several, was looked at after each round."""
    duel = folders_of(folder)
    return duel is not None and (duel[0].parent / MARK).is_file()


def duel_sides(before: Folder, after: Folder) -> tuple[Side, Side]:
    """Both sides of a duel, with the names that it gave them."""
    return of_duel(before), of_duel(after)


def share_time(before: Folder, after: Folder) -> bool:
    """Whether trials of both sides trained by turns."""
    groups = [{each.group_id for each in folder.results if each.group_id} for folder in (before, after)]
    runs = [{each.run_id for each in folder.results} for folder in (before, after)]
    return bool(groups[0] & groups[1]) and not runs[0] & runs[1]


def is_judged_by_turns(before: Side, after: Side) -> bool:
    """Whether the speeds of two sides can be judged: they are those of one duel."""
    return before.duel and after.duel


def write_mark(folder: Path, found: Json) -> None:
    """Keeps in the folder of a duel that it was looked at after each round, and what was found."""
    files.write(folder / MARK, json.dumps(found, indent=2) + "\n", inside=folder)


def unjudged(asked: Asked, before: Side, after: Side) -> str:
    """Why speed is not judged where it was not asked for, a clause; empty where it is."""
    if asked.slower is not None or is_judged_by_turns(before, after):
        return ""
    return "Speed is not judged: the two sides ran at different times, and what the machine did meanwhile is in it"
