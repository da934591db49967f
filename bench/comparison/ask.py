"""From paths to a comparison: two folders, or two values of an axis within one."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.metric_words import said
from bench.comparison.pairs import DEFAULT_METRIC, Comparison, compare_sides
from bench.comparison.tables import cells_frame
from bench.comparison.text import comparison_text
from bench.errors import BenchError, nearest
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


def check_fail_on(names: Sequence[str]) -> None:
    """Raises BenchError for a name that `--fail-on` does not know."""
    for name in names:
        if name not in FAILURES:
            choices = ", ".join(FAILURES)
            raise BenchError(f"--fail-on {name}: unknown{nearest(name, FAILURES)} (there are: {choices})")


def failures(found: Comparison, fail_on: Sequence[str]) -> list[str]:
    """Returns a sentence for each name of `fail_on` (slower, accuracy, missing) that is true of the comparison."""
    if "slower" in fail_on and not found.metric.built_in:
        raise BenchError(f"--fail-on slower: nobody said whether more or less of {found.metric.name} is better")
    return [text for name in fail_on if (text := FAILURES[name](found))]


def _slower(found: Comparison) -> str:
    count = found.count("slower")
    word = said("slower", found.metric)
    return f"{count} of {len(found.compared)} cells {'is' if count == 1 else 'are'} {word}" if count else ""


def _less_accurate(found: Comparison) -> str:
    cells = [cell for cell in found.cells if cell.trains_differently and cell.accuracy and cell.accuracy.mean < 0]
    return f"{len(cells)} of {len(found.cells)} cells less accurate" if cells else ""


def _missing(found: Comparison) -> str:
    absent = len(found.only_a) + sum(cell.ratio is None for cell in found.cells)
    return f"{absent} of the cells of A cannot be compared with B" if absent else ""


FAILURES: dict[str, Callable[[Comparison], str]] = {
    "slower": _slower,
    "accuracy": _less_accurate,
    "missing": _missing,
}
