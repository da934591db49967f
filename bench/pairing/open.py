"""From paths to two sides: two folders, two values of an axis within one, or the two sides of a duel."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.errors import BenchError
from bench.execute.prepare import open_results
from bench.pairing.sides import Folder, Side, of_duel, read_folder, split, whole
from bench.results.duels import folders_of

RESULTS = Path("results")


def open_sides(
    a: Path,
    b: Path | None = None,
    *,
    by: str = "",
    values: Sequence[str] = (),
    results: Path = RESULTS,
    data_root: Path | None = None,
    plugins: Sequence[str] = (),
) -> tuple[Side, Side]:
    """The folders `a` and `b`, within `a` two values of the axis `by`, or both sides of the duel in `a`. Raises
    BenchError where the question is wrong, or a folder has no results."""
    duel = folders_of(a) if b is None and not by else None
    if b is None and not by and duel is None:
        raise BenchError("bench compare: a second folder is missing; within one folder say what by: --by environment")
    if b is not None and by:
        raise BenchError("bench compare: --by compares within one folder; give one folder, or two without --by")
    if values and not by:
        raise BenchError("bench compare: --values chooses values of --by AXIS, which is not given")
    opened = partial(open_folder, results=results, data_root=data_root, plugins=plugins)
    if duel is not None:
        return of_duel(opened(duel[0])), of_duel(opened(duel[1]))
    if b is None:
        return split(opened(a), by, values=values)
    first, second = opened(a), opened(b)
    names = names_of(a, b)
    return replace(whole(first), name=names[0]), replace(whole(second), name=names[1])


def open_folder(
    target: Path, *, results: Path = RESULTS, data_root: Path | None = None, plugins: Sequence[str] = ()
) -> Folder:
    """Returns the results that `target` names: a folder, or a suite file."""
    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    return read_folder(store, suite, name=str(target))


def names_of(a: Path, b: Path) -> tuple[str, str]:
    """Returns the last parts of two paths, as few as tell them apart. A whole path would publish the user's home."""
    parts = [path.resolve().parts for path in (a, b)]
    names = [tuple("/".join(each[-count:]) for each in parts) for count in (1, 2, 3)]
    first, second = next((pair for pair in names if pair[0] != pair[1]), names[0])
    return first, second
