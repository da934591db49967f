"""`bench explain`: where the spread of an accuracy comes from."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK


def explain(
    target: opt.Target,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where page, table and plot go [default: report/explain of the results]."),
    ] = None,
    json_: opt.Json = False,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Show where the spread of the accuracy comes from.

    Initialisation, order of the data, split, test images: which of them would
    pay to repeat? Of a suite that varies seed.init, seed.order and seed.split.

    \b
    Examples:
      python -m bench run suites/sources.toml
      python -m bench explain results/sources
      python -m bench explain suites/sources.toml --json
    """
    from bench.execute.prepare import open_results
    from bench.explain.decompose import explain as explained
    from bench.explain.write import terminal_text, to_json, write

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugin or ())
    store.refresh_some()
    found = explained(store.results, suite)
    name = suite.name if suite is not None else store.folder.resolve().name
    if json_:
        print(json.dumps(to_json(found, suite=name)))
        return EXIT_OK
    title = f"{name}: where the spread of the test accuracy comes from"
    print(terminal_text(found, title=title))
    folder = output if output is not None else store.folder / "report" / "explain"
    for path in write(found, folder=folder, title=title, inside=output or store.folder):
        print(path)
    return EXIT_OK
