"""The commands that show results to others: parse, call, exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli.options import DataRootOption, PluginOption, ResultsOption, Strings, TargetArgument


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    for command in (publish, merge, history):
        app.command(no_args_is_help=True)(command)


def publish(
    targets: Annotated[
        list[Path],
        typer.Argument(
            metavar="[RESULTS] DOC...",
            help="Documents (.md, .rst); before them the results, for blocks that name none themselves.",
        ),
    ],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a block is stale.")] = False,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Put tables and figures between the markers of a document.

    \b
    Blocks: models, summary, plot, answer, conditions. In the document:
      <!-- bench:summary rows=model columns=device metric=test_accuracy -->
      <!-- /bench -->
    \b
    Examples:
      python -m bench publish results/baseline docs/results.md
      python -m bench publish README.md docs/*.md
      python -m bench publish --check README.md
    """
    from bench.cli import sharing_commands as sharing

    raise typer.Exit(sharing.publish(targets, check=check, results=results, data_root=data_root, plugins=plugin or ()))


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to put them in; may hold results already.")],
    sources: Annotated[list[Path], typer.Argument(metavar="IN...", help="Folders of results of one suite.")],
    plan: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Keep the plan of this one, where they are of two."),
    ] = None,
) -> None:
    """Put results of one suite from several machines or shards together.

    \b
    Examples:
      python -m bench merge results/mnist from-a/mnist from-b/mnist
      python -m bench report results/mnist
    """
    from bench.cli import sharing_commands as sharing

    raise typer.Exit(sharing.merge(out, sources, plan=plan))


def history(
    target: TargetArgument,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="A figure of every trial: bench list metrics.")
    ] = "train_samples_per_second",
    model: Annotated[Strings, typer.Option(metavar="NAME", help="Only this model; may be given again.")] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Where table and plot go [default: report/history of the results]."),
    ] = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """A figure over dates and commits: did an edit or an upgrade make it slower?

    \b
    Examples:
      python -m bench run suites/baseline.toml --fresh
      python -m bench history results/baseline
      python -m bench history results/baseline --metric fit_seconds --model cnn
    """
    from bench.cli import sharing_commands as sharing

    raise typer.Exit(
        sharing.history(
            target,
            metric=metric,
            model=model or (),
            output=output,
            results=results,
            data_root=data_root,
            plugins=plugin or (),
        )
    )
