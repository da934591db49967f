"""`bench export`: write results in the format of another tool."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.base import files
from bench.cli import options as opt
from bench.cli.streams import lost_output
from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError


def export(
    target: opt.Target,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv (trials.csv), json, parquet, pytest-benchmark, markdown, html, latex, or model-index "
            "(for a model card of the Hugging Face Hub).",
        ),
    ] = "csv",
    table: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of markdown, html, latex: models, ladder, pairs, machines, summary or trials [default: models].",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="Of model-index: the task as the Hub calls it [default: image-classification; "
            "of a regression tabular-regression].",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write [default: stdout].")] = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Write results in the format of another tool.

    \b
    Examples:
      python -m bench export results/baseline --format json
      python -m bench export results/baseline --format parquet \\
        --output today.parquet
      python -m bench export results/baseline --format markdown --table pairs
      python -m bench export results/baseline --format model-index
      python -m bench export results/baseline --format pytest-benchmark \\
        --output today.json
      pytest-benchmark compare yesterday.json today.json --group-by=fullname
    """
    from bench.execute.prepare import open_results
    from bench.export import formats

    formats.known(form, table=table or "", task=task or "")
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise BenchError("--format parquet is no text for a terminal: say where to with --output FILE")
    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugin or ())
    store.refresh_some()
    name = suite.name if suite is not None else store.folder.resolve().name
    exported = formats.export(form, store.results, suite=suite, name=name, table=table or "", task=task or "")
    if exported.note:
        sys.stderr.write(f"{exported.note}\n")
    content = exported.content
    if output is None:
        sys.stdout.write(content) if isinstance(content, str) else sys.stdout.buffer.write(content)
        if (error := lost_output()) is None:
            return EXIT_OK
        sys.stderr.write(f"the output cannot be written ({error.strerror}): it is not whole; try --output FILE\n")
        return EXIT_TRIALS
    try:
        files.write(output, content, sync=True)
    except OSError as error:
        raise BenchError(
            f"{output}: cannot be written ({files.why(error)}); choose another file with --output"
        ) from error
    return EXIT_OK
