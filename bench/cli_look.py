"""The commands that look into one model or data set: parse, call, exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli_options import DataRootOption, PluginOption, ResultsOption, TargetArgument


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    app.command(no_args_is_help=True)(diagnose)


def diagnose(
    target: TargetArgument,
    trial: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[TRIAL]", help="A trial_id, or the start of one [default: one trial a model]."),
    ] = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Show what trained models get right and wrong: a page with figures a trial, and the models side by side.

    \b
    Examples:
      python -m bench diagnose results/baseline
      python -m bench diagnose results/baseline 8c1f6b2e
    """
    from bench import looking

    raise typer.Exit(looking.diagnose(target, trial=trial, results=results, data_root=data_root, plugins=plugin or ()))
