"""The commands that look ahead, and at what is under way: parse, call, exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli.options import (
    DataRootOption,
    OnlyOption,
    PluginOption,
    ResultsOption,
    SetOption,
    Strings,
    SuiteArgument,
    TargetArgument,
)

JsonOption = Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    app.command(no_args_is_help=True)(plan)
    app.command(no_args_is_help=True)(status)


def plan(
    suite: SuiteArgument,
    set_: SetOption = None,
    only: OnlyOption = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    shard: Annotated[Optional[str], typer.Option(metavar="K/N", help="A fixed part of the plan: 3/16.")] = None,  # noqa: UP045
    fresh: Annotated[bool, typer.Option("--fresh", help="As if everything were to be run again.")] = False,
    plugin: PluginOption = None,
    pilot: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--pilot/--no-pilot", help="Run short trials first [default: of what no result tells].", show_default=False
        ),
    ] = None,
    price: Annotated[
        Strings, typer.Option(metavar="DEVICE=PRICE", help="What an hour costs: cuda=2.5; may be given again.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """How long will it take, how much memory and money, with how much uncertainty? Nothing is stored.

    \b
    Examples:
      python -m bench plan suites/mnist.toml
      python -m bench plan suites/devices.toml --price cuda=2.5 --price cpu=0.1
      python -m bench plan suites/mnist.toml --no-pilot --json
    """
    from bench.cli import ahead_commands as ahead
    from bench.execute.prepare import Options

    options = Options(
        suite=suite,
        sets=set_ or (),
        only=only or (),
        results=results,
        data_root=data_root,
        shard=shard,
        fresh=fresh,
        plugins=plugin or (),
    )
    raise typer.Exit(ahead.plan(options, prices=price or (), pilot=pilot, as_json=json_))


def status(
    target: TargetArgument,
    results: ResultsOption = Path("results"),
    watch: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="SECONDS", help="Look again every so many seconds until no run goes on."),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """How far is a run: done, failed, running, left, and for how long? Reads the folder of results only.

    \b
    Examples:
      python -m bench status results/mnist
      python -m bench status suites/mnist.toml --watch 10
      python -m bench status results/mnist --json
    """
    from bench.cli import ahead_commands as ahead

    raise typer.Exit(ahead.status(target, results=results, watch_seconds=watch, as_json=json_))
