"""`bench history`: a metric from run to run."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError


def history(
    target: opt.Target,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="A metric of every trial: bench list metrics.")
    ] = "train_samples_per_second",
    model: Annotated[opt.Strings, typer.Option(metavar="NAME", help="Only this model; may be given again.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where table and plot go [default: report/history of the results]."),
    ] = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Show a metric over dates and commits.

    Did an edit or an upgrade make it slower?

    \b
    Examples:
      python -m bench run suites/baseline.toml --fresh
      python -m bench history results/baseline
      python -m bench history results/baseline --metric fit_seconds --model cnn
    """
    from bench.execute.prepare import open_results
    from bench.history.steps import metric_of, trends_of
    from bench.history.write import history_text, title_of, write
    from bench.results.doctor import stored

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugin or ())
    store.refresh_some()
    kept = [each for each in store.results if not model or {each.trial.model.name, each.trial.model.label} & set(model)]
    if not kept:
        names = ", ".join(dict.fromkeys(each.trial.model.name for each in store.results))
        raise BenchError(f"--model {', '.join(model or ())}: no result is of it (there are: {names})")
    found = metric_of(metric, kept)
    trends = trends_of(kept, found, doctors=stored(store.folder))
    title = title_of(trends, found, name=suite.name if suite is not None else store.folder.resolve().name)
    print(history_text(trends, found, title=title))
    folder = output if output is not None else store.folder / "report" / "history"
    for path in write(trends, found, folder=folder, title=title, inside=output or store.folder):
        print(path)
    return EXIT_OK
