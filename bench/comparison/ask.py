"""From paths to a comparison: two folders, or two values of an axis within one."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from bench.comparison.pairs import DEFAULT_METRIC, Comparison, compare_sides
from bench.comparison.tables import cells_frame
from bench.comparison.text import comparison_text
from bench.pairing.open import RESULTS, open_sides

if TYPE_CHECKING:
    import pandas as pd


class ShownComparison(Comparison):
    """A comparison as `bench.compare` gives it: `frame` has its cells, `print` shows what the command prints."""

    @property
    def frame(self) -> "pd.DataFrame":
        """One row a cell: the columns of comparison.csv."""
        return cells_frame(self)

    def __str__(self) -> str:
        return comparison_text(self)


def compare_folders(
    a: Path,
    b: Path | None = None,
    *,
    by: str = "",
    values: Sequence[str] = (),
    metric: str = "",
    results: Path = RESULTS,
    data_root: Path | None = None,
    plugins: Sequence[str] = (),
) -> ShownComparison:
    """Compares folder `b` with `a`, within `a` one value of the axis `by` with another, or both sides of the duel in
    `a`. Raises BenchError where the question is wrong, a folder has no results, or the two have no cell in common."""
    sides = open_sides(a, b, by=by, values=values, results=results, data_root=data_root, plugins=plugins)
    found = compare_sides(*sides, metric=metric or DEFAULT_METRIC)
    return ShownComparison(**{field.name: getattr(found, field.name) for field in fields(found)})


def missing(found: Comparison) -> str:
    """Returns how many cells of A cannot be compared with B; empty where all can."""
    absent = len(found.only_a) + sum(cell.ratio is None for cell in found.cells)
    return f"{absent} of the cells of A cannot be compared with B" if absent else ""
