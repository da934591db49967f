"""`bench diagnose`: what trained models get right and wrong."""

import sys
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK


def diagnose(
    target: opt.Target,
    trial: Annotated[
        str | None,
        typer.Argument(metavar="TRIAL", help="A trial_id, or the start of one [default: the first seed of each cell]."),
    ] = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Show what trained models get right and wrong.

    Writes a page with figures for each trial, and one with the models side by side.

    \b
    Examples:
      python -m bench diagnose results/baseline
      python -m bench diagnose results/baseline 8c1f6b2e
    """
    from bench.diagnose.write import pages
    from bench.execute.prepare import of_the_plan, open_results

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugin or ())
    store.refresh_some()
    planned, _ = of_the_plan(store.results, suite)
    for path in pages(store, planned, trial=trial, say=lambda text: sys.stderr.write(f"{text}\n")):
        print(path)
    return EXIT_OK
