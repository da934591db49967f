"""`bench compare`: which of two is faster, cell by cell, and what differs between them."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError
from bench.suite.shipped import suite_or_results


def compare(
    a: Annotated[
        Path,
        typer.Argument(metavar="A", help="The base: a folder of results, or a suite.", callback=suite_or_results),
    ],
    b: Annotated[Path | None, typer.Argument(metavar="B", help="What is compared with it. Not with --by.")] = None,
    by: Annotated[
        str,
        typer.Option(metavar="AXIS", help="Within A: environment, date, commit, device, engine, model, any setting."),
    ] = "",
    values: Annotated[
        str | None, typer.Option(metavar="A,B", help="Which two values of AXIS [default: the two that there are].")
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="The metric [default: train_samples_per_second; of models, accuracy].")
    ] = "",
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Write tables and plots into DIR.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT[,WHAT]", help="Judge all cells as bench gate does: slower, accuracy (less), missing."
        ),
    ] = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Compare two results cell by cell, and say which is faster.

    With intervals, and with the differences of environment that could explain it.

    \b
    Examples:
      python -m bench compare results/before results/after
      python -m bench compare results/before results/after --fail-on accuracy
      python -m bench compare results/baseline --by device --values cpu,cuda
      python -m bench compare results/baseline --by model --output comparison

    \b
    Exit codes: 0; 2 for a wrong command line; with --fail-on 3 where something is
    worse, 4 where that cannot be decided.
    """
    from bench.comparison.ask import compare_folders, missing
    from bench.comparison.rank import rank
    from bench.comparison.rank_text import ranking_text
    from bench.comparison.rank_write import write_ranking
    from bench.comparison.write import write_comparison
    from bench.gate.fail_on import check_names
    from bench.gate.fail_on import fail_on as judged
    from bench.gate.open import was_looked_at
    from bench.pairing.open import open_folder
    from bench.present.columns import wrapped

    chosen, worse = _parts(values), _parts(fail_on)
    check_names(worse)
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
    code, texts = judged(
        found.a, found.b, worse, metric=found.metric, missing=missing(found), live=b is None and was_looked_at(a)
    )
    print(found, end="")
    if output is not None:
        print(f"\nwritten  {write_comparison(found, output)}")
    for text in texts:
        for line in wrapped(f"--fail-on: {text}", indent="  "):
            print(line)
    return code


def _parts(texts: str | None) -> list[str]:
    """Returns the parts of `slower,missing`."""
    return [part.strip() for part in (texts or "").split(",") if part.strip()]
