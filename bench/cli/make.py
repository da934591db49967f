"""The commands that make something beside results: parse, call, exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from bench.cli.options import DataRootOption, OnlyOption, PluginOption, ResultsOption, SetOption, Strings, SuiteArgument


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    app.command(no_args_is_help=True)(convert)
    app.command("lr-find", no_args_is_help=True)(lr_find)


def convert(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A registered data set: bench list datasets.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.h5", help="Where its training part is written.")],
    test_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--test-file", metavar="FILE.h5", help="Where its test part is written [default: FILE_test.h5]."),
    ] = None,
    set_: Annotated[
        Strings, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the data set: train_limit=1000.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Write a data set as HDF5 files, which the data set hdf5 reads: the same images, the same training.

    \b
    Examples:
      python -m bench convert mnist suites/mnist.h5
      python -m bench convert optdigits my/digits.h5 --set split=writers
    """
    from bench.cli import converting_commands as converting

    raise typer.Exit(
        converting.convert(
            converting.Asked(
                name=dataset,
                path=file,
                test_path=test_file,
                sets=set_ or (),
                force=force,
                data_root=data_root,
                plugins=plugin or (),
            )
        )
    )


def lr_find(
    suite: SuiteArgument,
    lowest: Annotated[
        float, typer.Option("--from", metavar="RATE", help="The learning rate of the first step.")
    ] = 1e-6,
    highest: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--to", metavar="RATE", help="That of the last step [default: 1; of sgd 100]."),
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="How many steps, at most.")] = 100,
    set_: SetOption = None,
    only: OnlyOption = None,
    results: ResultsOption = Path("results"),
    data_root: DataRootOption = None,
    plugin: PluginOption = None,
) -> None:
    """Which learning rate to start from: the loss of each cell while the rate rises step by step.

    \b
    Examples:
      python -m bench lr-find suites/baseline.toml --only device=cpu
      python -m bench lr-find suites/mnist.toml --from 1e-5 --to 10 --steps 300
    """
    from bench.cli import finding_commands as finding
    from bench.execute.prepare import Options
    from bench.lr_find.sweep import Range

    options = Options(
        suite=suite, sets=set_ or (), only=only or (), results=results, data_root=data_root, plugins=plugin or ()
    )
    raise typer.Exit(finding.lr_find(options, Range(lowest, highest, steps)))
