"""`bench compare`: B against A, what it prints and writes, and its exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import EXIT_COMPARED, EXIT_OK, BenchError, nearest

if TYPE_CHECKING:
    from bench.comparison.pairs import Comparison
    from bench.comparison.sides import Folder

FAIL_ON = ("slower", "accuracy", "missing")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a comparison was asked for. `fail_on`: of slower, accuracy, missing."""

    first: Path
    second: Path | None = None
    by: str = ""
    values: tuple[str, ...] = ()
    metric: str = ""
    output: Path | None = None
    fail_on: tuple[str, ...] = ()
    results: Path = Path("results")
    data_root: Path | None = None
    plugins: tuple[str, ...] = ()


def asked_for(texts: str | None) -> tuple[str, ...]:
    """The parts of `slower,missing`."""
    return tuple(part.strip() for part in (texts or "").split(",") if part.strip())


def compare(asked: Asked) -> int:
    """Compare, print, write; EXIT_COMPARED where something is that `fail_on` names."""
    _check(asked)
    first = _folder(asked, asked.first)
    if asked.by == "model" and not asked.values:
        return _rank(asked, first)
    found = comparison(asked, first)
    if "slower" in asked.fail_on:
        _refuse_without_direction(found)
    print(found, end="")
    if asked.output is not None:
        from bench.comparison.write import write_comparison

        print(f"\nwritten  {write_comparison(found, asked.output)}")
    failed = [said for name in asked.fail_on if (said := FAILURES[name](found))]
    for said in failed:
        print(f"--fail-on: {said}")
    return EXIT_COMPARED if failed else EXIT_OK


def _rank(asked: Asked, folder: Folder) -> int:
    """All models of a folder against each other."""
    from bench.comparison.rank import DEFAULT_METRIC, rank
    from bench.comparison.rank_text import ranking_text

    if asked.fail_on:
        raise BenchError("--fail-on: a ranking has no base to be slower than; choose two models with --values A,B")
    found = rank(folder, metric=asked.metric or DEFAULT_METRIC)
    print(ranking_text(found), end="")
    if asked.output is not None:
        from bench.comparison.rank_write import write_ranking

        print(f"\nwritten  {write_ranking(found, asked.output)}")
    return EXIT_OK


def comparison(asked: Asked, first: Folder) -> Comparison:
    """The comparison itself: `first` against the second folder, or one value of an axis within it against another."""
    from bench.comparison.pairs import DEFAULT_METRIC, compare_sides
    from bench.comparison.sides import split, whole

    metric = asked.metric or DEFAULT_METRIC
    if asked.second is None:
        return compare_sides(*split(first, asked.by, values=asked.values), metric=metric)
    second = _folder(asked, asked.second)
    names = _told_apart(asked.first, asked.second)
    sides = [replace(whole(folder), name=name) for folder, name in zip((first, second), names, strict=True)]
    return compare_sides(sides[0], sides[1], metric=metric)


def _told_apart(a: Path, b: Path) -> tuple[str, str]:
    """The last parts of two paths, as few as tell them apart: what is written may be published, and names no home."""
    parts = [path.resolve().parts for path in (a, b)]
    names = [tuple("/".join(each[-count:]) for each in parts) for count in (1, 2, 3)]
    first, second = next((pair for pair in names if pair[0] != pair[1]), names[0])
    return first, second


def _check(asked: Asked) -> None:
    if asked.second is None and not asked.by:
        raise BenchError("bench compare: a second folder is missing; within one folder say what by: --by environment")
    if asked.second is not None and asked.by:
        raise BenchError("bench compare: --by compares within one folder; give one folder, or two without --by")
    if asked.values and not asked.by:
        raise BenchError("bench compare: --values chooses values of --by AXIS, which is not given")
    for name in asked.fail_on:
        if name not in FAIL_ON:
            choices = ", ".join(FAIL_ON)
            raise BenchError(f"--fail-on {name}: unknown{nearest(name, FAIL_ON)} (there are: {choices})")


def _folder(asked: Asked, target: Path) -> Folder:
    from bench.comparison.sides import read_folder
    from bench.execute.results_folder import open_results

    store, suite = open_results(target, results=asked.results, data_root=asked.data_root, plugins=asked.plugins)
    return read_folder(store, suite, name=str(target))


def _refuse_without_direction(found: Comparison) -> None:
    from bench.analysis.metric_words import has_direction

    if not has_direction(found.metric):
        raise BenchError(f"--fail-on slower: nobody said whether more or less of {found.metric.name} is better")


def _slower(found: Comparison) -> str:
    from bench.analysis.metric_words import said

    cells = found.count("slower")
    total = len(found.compared)
    word = said("slower", found.metric)
    return f"{cells} of {total} cells {'is' if cells == 1 else 'are'} {word}" if cells else ""


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


def ask(first: str | Path, second: str | Path | None, *, by: str, values: Sequence[str], metric: str) -> Comparison:
    """The comparison for notebooks: see `bench.compare`."""
    asked = Asked(Path(first), None if second is None else Path(second), by, tuple(values), metric)
    _check(asked)
    return comparison(asked, _folder(asked, asked.first))
