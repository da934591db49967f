"""From paths to a comparison: two folders, or two values of an axis within one."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.metric_words import said
from bench.comparison.pairs import DEFAULT_METRIC, Comparison, compare_sides
from bench.comparison.sides import Folder, of_duel, read_folder, split, whole
from bench.comparison.tables import cells_frame
from bench.comparison.text import comparison_text
from bench.errors import BenchError, nearest
from bench.execute.prepare import open_results
from bench.results.duels import folders_of

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path("results")


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
    duel = folders_of(a) if b is None and not by else None
    if b is None and not by and duel is None:
        raise BenchError("bench compare: a second folder is missing; within one folder say what by: --by environment")
    if b is not None and by:
        raise BenchError("bench compare: --by compares within one folder; give one folder, or two without --by")
    if values and not by:
        raise BenchError("bench compare: --values chooses values of --by AXIS, which is not given")
    opened = partial(open_folder, results=results, data_root=data_root, plugins=plugins)
    if duel is not None:
        sides = of_duel(opened(duel[0])), of_duel(opened(duel[1]))
    elif b is None:
        sides = split(opened(a), by, values=values)
    else:
        first, second = opened(a), opened(b)
        names = _names(a, b)
        sides = replace(whole(first), name=names[0]), replace(whole(second), name=names[1])
    found = compare_sides(*sides, metric=metric or DEFAULT_METRIC)
    return ShownComparison(**{field.name: getattr(found, field.name) for field in fields(found)})


def open_folder(
    target: Path, *, results: Path = RESULTS, data_root: Path | None = None, plugins: Sequence[str] = ()
) -> Folder:
    """Returns the results that `target` names: a folder, or a suite file."""
    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    return read_folder(store, suite, name=str(target))


def _names(a: Path, b: Path) -> tuple[str, str]:
    """Returns the last parts of two paths, as few as tell them apart. A whole path would publish the user's home."""
    parts = [path.resolve().parts for path in (a, b)]
    names = [tuple("/".join(each[-count:]) for each in parts) for count in (1, 2, 3)]
    first, second = next((pair for pair in names if pair[0] != pair[1]), names[0])
    return first, second


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
