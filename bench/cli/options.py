"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bench.suite.shipped import suite_file, suite_or_results

Strings: TypeAlias = list[str] | None
RESULTS = Path("results")

Suite = Annotated[
    Path,
    typer.Argument(
        metavar="SUITE.toml", help="The suite file, or the name of a suite of `bench list suites`.", callback=suite_file
    ),
]
Target = Annotated[
    Path,
    typer.Argument(metavar="SUITE_OR_DIR", help="A suite, or a folder of results.", callback=suite_or_results),
]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Results of a suite lie in DIR/NAME.")]
DataRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where data sets lie [default: $BENCH_DATA, else ~/.cache/bench].")
]
Set = Annotated[
    Strings, typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting: train.epochs=2, grid.seed=[0,1].")
]
DatasetSet = Annotated[
    Strings, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the data set: train_limit=1000.")
]
Only = Annotated[
    Strings, typer.Option("--only", metavar="KEY=VALUE[,VALUE]", help="Keep the trials that match: model=linear,mlp.")
]
Plugin = Annotated[Strings, typer.Option("--plugin", metavar="FILE|MODULE", help="Load this plugin, too.")]
Shard = Annotated[str | None, typer.Option(metavar="K/N", help="Only part K of N parts of the plan: 3/16.")]
UntilDecided = Annotated[
    bool | None,
    typer.Option(
        "--until-decided/--no-until-decided",
        help="Seeds go on until each pair of models is decided [default: where the suite has [decide]].",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
