"""`bench compare`: which of two is faster, cell by cell, and what differs between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The base: a folder of results, or a suite file.")],
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
    output: Annotated[Path | None, typer.Option(metavar="DIR", help="Where tables and plots go.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(metavar="WHAT[,WHAT]", help="Exit code 3 where a cell is slower, accuracy less, missing."),
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
      python -m bench compare results/before results/after --fail-on slower
      python -m bench compare results/baseline --by device --values cpu,cuda
      python -m bench compare results/baseline --by model --output comparison

    \b
    Exit codes: 0; 2 for a wrong command line; 3 where --fail-on finds something.
    """
    from bench.comparison import ask as comparing

    asked = comparing.Asked(
        a, b, by, comparing.asked_for(values), metric, output, comparing.asked_for(fail_on), results, data_root,
        tuple(plugin or ()),
    )  # fmt: skip
    return comparing.compare(asked)
