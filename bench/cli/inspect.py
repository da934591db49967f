"""`bench inspect dataset`: what a data set holds, before anything is trained."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK

group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at a data set before anything is trained.")


@group.command("dataset", no_args_is_help=True)
def inspect_dataset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set, as `bench list datasets` names it.")],
    set_: opt.DatasetSet = None,
    data_root: opt.DataRoot = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the page goes [default: results/inspect/NAME].")
    ] = None,
    plugin: opt.Plugin = None,
) -> int:
    """Show the sizes, classes, pixels and copies of a data set.

    Writes a page with figures, samples and outliers too.

    \b
    Examples:
      python -m bench inspect dataset digits
      python -m bench inspect dataset mnist --set train_limit=10000
      python -m bench inspect dataset hdf5 --set path=my.h5 --output look
    """
    from bench.inspect import write
    from bench.inspect.inspection import inspect_dataset as look

    found = look(name, set_ or (), data_root=data_root, plugins=plugin or ())
    path = write.page(found, output)
    print(write.summary(found, page=path))
    return EXIT_OK
