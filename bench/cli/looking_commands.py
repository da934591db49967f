"""What `bench diagnose` and `bench inspect` do, from Python values to an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.errors import EXIT_OK
from bench.execute.results_folder import of_the_plan, open_results


def diagnose(target: Path, *, trial: str | None, results: Path, data_root: Path | None, plugins: Sequence[str]) -> int:
    """Write pages of diagnosis under <folder>/report/diagnosis, and print where they lie."""
    from bench.diagnose.write import pages

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    store.refresh_some()
    planned, _ = of_the_plan(store.results, suite)
    for path in pages(store, planned, trial=trial):
        print(path)
    return EXIT_OK


class Asked(NamedTuple):
    """What the command line of `bench inspect dataset` says."""

    name: str
    sets: tuple[str, ...]
    output: Path | None
    data_root: Path | None
    plugins: tuple[str, ...]


def inspect_dataset(asked: Asked) -> int:
    """Write the page of a data set and print what is most telling."""
    from bench.inspect.ask import inspect_dataset as look
    from bench.inspect.stored import Inspection
    from bench.inspect.text import summary
    from bench.inspect.write import folder_of, page

    found = look(asked.name, asked.sets, data_root=asked.data_root, plugins=asked.plugins)
    seen = Inspection(found.component, found.arrays)
    path = page(seen, asked.output or folder_of(seen))
    print(summary(seen, page=path))
    return EXIT_OK
