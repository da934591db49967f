"""Duels of this interpreter with itself, and with one whose torch waits: how often a verdict is wrong, or found.

Each is a duel of the smoke suite, as `bench duel --against` runs it.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.base.records import Result
from bench.comparison.ask import compare_folders
from bench.duel.run import duel
from bench.duel.sides import Opponent
from bench.execute.prepare import Options
from bench.execute.progress import Voice
from tests.benchmarks.beside.measured import ROOT, Json, Settings, say
from tests.benchmarks.beside.slower import slower_python

DUELS, PLANTED = 40, 5  # with itself; with a side that waits
SHARE = 0.05  # of a step
# No duel with itself begins later, unless it is said how many there are to be: fewer were run then, and that is told.
MOST_SECONDS = 580.0
VERDICTS = ("faster", "slower", "same", "ambiguous", "doubtful")


def measure(settings: Settings) -> Json:
    """Of every duel the cells' [model, ratio, low, high, verdict], by what its side B waits."""
    count = settings.asked_rounds or (2 if settings.quick else DUELS)
    few = max(1, count * PLANTED // DUELS)
    itself, waits = Path(sys.executable), slower_python(settings.work / "slower", share=SHARE)
    stop = math.inf if settings.asked_rounds else time.monotonic() + MOST_SECONDS
    found: list[Json] = []
    for share, against, duels in ((SHARE, waits, few), (0.0, itself, count)):
        cells: list[Json] = []
        while len(cells) < duels and time.monotonic() < stop:
            cells.append(_cells(settings, against))
            settings.keep({"cases": [*found, {"share": share, "duels": cells}]})
            told = ", ".join(f"{cell[0]} {cell[1]:.3f} {cell[4]}" for cell in cells[-1])
            say(f"duel, {share:.0%} planted, {len(cells)}/{duels}: {told}")
        if cells:
            found.append({"share": share, "duels": cells})
    for case in found:  # together, at the end
        say(f"duel, {case['share']:.0%} planted: {counted(case['duels'])}")
    return {"cases": found}


def verdicts(duels: Sequence[Json]) -> Counter[str]:
    """How many cells have which verdict."""
    return Counter(cell[4] for cells in duels for cell in cells)


def decided(duels: Sequence[Json]) -> int:
    """In how many duels a cell is called faster or slower."""
    return sum(any(cell[4] in ("faster", "slower") for cell in cells) for cells in duels)


def agreed(duels: Sequence[Json]) -> int:
    """In how many duels all cells are called so."""
    return sum(len({cell[4] for cell in cells}) == 1 and cells[0][4] in ("faster", "slower") for cells in duels)


def left_out(duels: Sequence[Json]) -> int:
    """Of how many cells the interval leaves out 1, whatever disturbed the timings."""
    return sum(not cell[2] <= 1 <= cell[3] for cells in duels for cell in cells)


def counted(duels: Sequence[Json]) -> str:
    """All of it in words."""
    told = verdicts(duels)
    listed = ", ".join(f"{told[each]} {each}" for each in VERDICTS if told[each])
    return (
        f"{decided(duels)} of {len(duels)} duels call a cell faster or slower, {agreed(duels)} all cells; "
        f"cells: {listed}; {left_out(duels)} of {told.total()} intervals leave out 1"
    )


class Silent(Voice):
    """Says only what keeps it waiting."""

    def trial_ends(self, result: Result, *, side: str = "") -> None:
        """Nothing."""


def _cells(settings: Settings, against: Path) -> list[list[Json]]:
    """Runs one duel. Of each cell: model, ratio, its interval, verdict."""
    results = settings.work / "results"
    sets = ["train.epochs=1"] if settings.quick else []
    options = Options(suite=ROOT / "suites/smoke.toml", sets=sets, results=results, fresh=True)
    fought = duel(options, Opponent(str(against)), rounds=None, voice=Silent())
    if not fought.whole:
        raise SystemExit(f"a trial has not ended well: {fought.folder}")
    rows = compare_folders(fought.folder).frame.to_dict("records")
    shutil.rmtree(results)
    return [[row["model"], *(float(row[name]) for name in ("ratio", "ratio_low", "ratio_high")), row["verdict"]]
            for row in rows]  # fmt: skip
