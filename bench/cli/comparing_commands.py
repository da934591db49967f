"""What `bench compare` does, from Python values to an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.comparison.ask import check_fail_on, compare_folders, failures, open_folder
from bench.comparison.rank import rank
from bench.comparison.rank_text import ranking_text
from bench.comparison.rank_write import write_ranking
from bench.comparison.write import write_comparison
from bench.errors import EXIT_COMPARED, EXIT_OK, BenchError


def compare(
    a: Path,
    b: Path | None = None,
    *,
    by: str = "",
    values: Sequence[str] = (),
    metric: str = "",
    output: Path | None = None,
    fail_on: Sequence[str] = (),
    results: Path = Path("results"),
    data_root: Path | None = None,
    plugins: Sequence[str] = (),
) -> int:
    """Compare, print, write; EXIT_COMPARED where something is that `fail_on` names."""
    check_fail_on(fail_on)
    if by == "model" and b is None and not values:
        if fail_on:
            raise BenchError("--fail-on: a ranking has no base to be slower than; choose two models with --values A,B")
        ranking = rank(open_folder(a, results=results, data_root=data_root, plugins=plugins), metric=metric)
        print(ranking_text(ranking), end="")
        if output is not None:
            print(f"\nwritten  {write_ranking(ranking, output)}")
        return EXIT_OK
    found = compare_folders(
        a, b, by=by, values=values, metric=metric, results=results, data_root=data_root, plugins=plugins
    )
    failed = failures(found, fail_on)
    print(found, end="")
    if output is not None:
        print(f"\nwritten  {write_comparison(found, output)}")
    for text in failed:
        print(f"--fail-on: {text}")
    return EXIT_COMPARED if failed else EXIT_OK
