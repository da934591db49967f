"""`bench merge`: put results of one suite from several machines or shards together."""

from pathlib import Path
from typing import Annotated

import typer

from bench.errors import EXIT_OK


def merge(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to put them in; may hold results already.")],
    sources: Annotated[list[Path], typer.Argument(metavar="IN...", help="Folders of results of one suite.")],
    plan: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the plans differ: keep that of this folder.")
    ] = None,
) -> int:
    """Put results of one suite from several machines together.

    \b
    Examples:
      python -m bench merge results/mnist from-a/mnist from-b/mnist
      python -m bench report results/mnist
    """
    from bench.present.format import plural, printable_line
    from bench.results.merge import merge as merged_into

    done = merged_into(out, sources, plan=plan)
    for part in done.parts:
        print(f"  {part.folder}: {_counted(part.files, part.results, part.damaged)}")
    twice = f", {done.twice:,} of them twice" if done.twice else ""
    print(
        f"{done.out}: {_counted(done.files, done.results, done.damaged)}{twice}; {plural(done.copied, 'file')} copied"
    )
    for note in done.notes:
        print(f"- {printable_line(note)}")
    print(f"render it: python -m bench report {done.out}")
    return EXIT_OK


def _counted(files: int, results: int, damaged: int) -> str:
    from bench.present.format import plural

    lines = f", {plural(damaged, 'damaged line')} left out" if damaged else ""
    return f"{plural(results, 'result')} in {plural(files, 'file')}{lines}"
