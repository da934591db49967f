"""What `bench diagnose` does, from Python values to an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.commands import of_the_plan, open_results
from bench.errors import EXIT_OK


def diagnose(target: Path, *, trial: str | None, results: Path, data_root: Path | None, plugins: Sequence[str]) -> int:
    """Write pages of diagnosis under <folder>/report/diagnosis, and print where they lie."""
    from bench.report.diagnosis.write import pages

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    store.refresh_some()
    planned, _ = of_the_plan(store.results, suite)
    for path in pages(store, planned, trial=trial):
        print(path)
    return EXIT_OK
