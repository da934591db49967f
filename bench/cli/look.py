"""The commands that look into one model or data set: parse, call, exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli.options import DataRootOption, PluginOption, ResultsOption, Strings, TargetArgument


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    app.command(no_args_is_help=True)(diagnose)
    app.command("export-model", no_args_is_help=True)(export_model)
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at data before anything is trained.")
    group.command("dataset", no_args_is_help=True)(inspect_dataset)
    app.add_typer(group, name="inspect")


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
    from bench.cli import looking_commands as looking

    raise typer.Exit(looking.diagnose(target, trial=trial, results=results, data_root=data_root, plugins=plugin or ()))


def export_model(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[SUITE_OR_DIR] TRIAL",
            help="A trial_id, or the start of one; before it where it is [default: anywhere under --results].",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")],
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="state-dict, torch-export or onnx.")] = (
        "state-dict"
    ),
    weights: Annotated[
        str,
        typer.Option(metavar="WHICH", help="last, or best by validation loss (train.keep_checkpoints)."),
    ] = "last",
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Write a trained model as a file for others, and check that it answers as the trained one does.

    \b
    Examples:
      python -m bench export-model 8c1f6b2e -o mlp.pt
      python -m bench export-model results/mnist 8c1f6b2e \\
        --format onnx -o mlp.onnx
      python -m bench export-model suites/mine.toml 8c1f6b2e \\
        --format torch-export -o mlp.pt2
    """
    from bench.cli import exporting_commands as exporting
    from bench.errors import BenchError

    if len(words) > 2:
        raise BenchError(f"export-model takes at most a folder and a trial, not {len(words)} words: {' '.join(words)}")
    asked = exporting.Asked(
        target=Path(words[0]) if len(words) == 2 else None,
        trial=words[-1],
        form=form,
        weights=weights,
        output=output,
        results=results,
        data_root=data_root,
        plugins=plugin or (),
    )
    raise typer.Exit(exporting.export_model(asked))


def inspect_dataset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, as `bench list datasets` names it.")],
    set_: Annotated[
        Strings, typer.Option("--set", metavar="KEY=VALUE", help="A setting of it: train_limit=1000, split=writers.")
    ] = None,
    data_root: DataRootOption = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="DIR", help="Where the page goes [default: results/inspect/NAME]."),
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Say what a data set holds: sizes, classes, pixels, samples, outliers, copies. Writes a page with figures.

    \b
    Examples:
      python -m bench inspect dataset digits
      python -m bench inspect dataset mnist --set train_limit=10000
      python -m bench inspect dataset hdf5 --set path=my.h5 --output look
    """
    from bench.cli import looking_commands as looking

    asked = looking.Asked(name, tuple(set_ or ()), output, data_root, tuple(plugin or ()))
    raise typer.Exit(looking.inspect_dataset(asked))
