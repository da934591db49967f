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
    values: str | None = None,
    metric: str = "",
    output: Path | None = None,
    fail_on: str | None = None,
    results: Path = Path("results"),
    data_root: Path | None = None,
    plugin: Sequence[str] | None = None,
) -> int:
    """Compare, print, write; EXIT_COMPARED where something is that `fail_on` names."""
    chosen, worse = _parts(values), _parts(fail_on)
    check_fail_on(worse)
    if by == "model" and b is None and not chosen:
        if worse:
            raise BenchError("--fail-on: a ranking has no base to be slower than; choose two models with --values A,B")
        ranking = rank(open_folder(a, results=results, data_root=data_root, plugins=plugin or ()), metric=metric)
        print(ranking_text(ranking), end="")
        if output is not None:
            print(f"\nwritten  {write_ranking(ranking, output)}")
        return EXIT_OK
    found = compare_folders(
        a, b, by=by, values=chosen, metric=metric, results=results, data_root=data_root, plugins=plugin or ()
    )
    failed = failures(found, worse)
    print(found, end="")
    if output is not None:
        print(f"\nwritten  {write_comparison(found, output)}")
    for text in failed:
        print(f"--fail-on: {text}")
    return EXIT_COMPARED if failed else EXIT_OK


def _parts(texts: str | None) -> list[str]:
    """Returns the parts of `slower,missing`."""
    return [part.strip() for part in (texts or "").split(",") if part.strip()]
