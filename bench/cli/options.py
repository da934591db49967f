"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

# typer reads these annotations at run time and knows Optional, not X | None, on every version that we support.
Strings = Optional[list[str]]  # noqa: UP045
SuiteArgument = Annotated[Path, typer.Argument(metavar="SUITE.toml", help="The suite file.")]
TargetArgument = Annotated[Path, typer.Argument(metavar="SUITE_OR_DIR", help="A suite file, or a folder of results.")]
ResultsOption = Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder that results/<suite> lies in.")]
DataRootOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(metavar="DIR", help="Where data sets lie [default: $BENCH_DATA, else ~/.cache/bench]."),
]
SetOption = Annotated[
    Strings, typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting: train.epochs=2, grid.seed=[0,1].")
]
OnlyOption = Annotated[
    Strings, typer.Option("--only", metavar="KEY=VALUE[,VALUE]", help="Keep the trials that match: model=linear,mlp.")
]
PluginOption = Annotated[Strings, typer.Option("--plugin", metavar="FILE|MODULE", help="Load a plugin as well.")]
