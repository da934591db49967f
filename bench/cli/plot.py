"""`bench plot`: one picture of results, for a paper, a slide or a dark page."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.base import files
from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError, nearest

if TYPE_CHECKING:
    from bench.analysis.plots import Plot
    from bench.publish.source import Source

ENDINGS = ("png", "svg", "pdf")
LEAST, MOST = 400, 8000  # pixels of a side


def plot(
    target: opt.Target,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="Which plot: accuracy, pairs, learning-epochs and so on.")
    ] = "accuracy",
    style: Annotated[str, typer.Option(metavar="STYLE", help="How it looks: paper, slide or dark.")] = "paper",
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The title [default: that of the report].", show_default=False)
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="Pixels, as in 1920x1080 [default: its own; 1920x1080 of a slide].",
            show_default=False,
        ),
    ] = None,
    only: opt.Only = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file that ends in .png, .svg or .pdf [default: NAME.png, here]."),
    ] = None,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Draw one picture of results.

    Title and conditions stand in it, and a model has the colour that it has in the
    report.

    \b
    Examples:
      python -m bench plot results/baseline --kind accuracy
      python -m bench plot results/baseline --kind pairs --style dark \\
        --output pairs.svg
      python -m bench plot results/mnist --kind learning-epochs --style slide \\
        --title "What ten epochs do" --only model=mlp,cnn
    """
    from bench.execute.prepare import of_the_plan, open_results
    from bench.publish.source import Source

    pixels, ending = _size(size), _ending(output)
    _known(style)
    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugin or ())
    store.refresh_some()
    planned, _ = of_the_plan(store.results, suite)
    source = Source(store.folder, suite, planned)
    chosen = _one(source, kind, only or ())
    data = _drawn(source, chosen, style=style, title=title, size=pixels, ending=ending)
    path = output or Path(f"{source.name}-{chosen.name}.png")
    try:
        files.write(path, data, sync=True)
    except OSError as error:
        raise BenchError(
            f"{path}: cannot be written ({files.why(error)}); choose another file with --output"
        ) from error
    print(path)
    return EXIT_OK


def _size(text: str | None) -> tuple[int, int] | None:
    """The pixels of `1920x1080`."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{3,4})[x×](\d{3,4})", text)
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(LEAST <= side <= MOST for side in sides):
        raise BenchError(f"--size {text}: expected WIDTHxHEIGHT in pixels, {LEAST} to {MOST} each, as in 1920x1080")
    return sides


def _ending(output: Path | None) -> str:
    ending = "png" if output is None else output.suffix.lower().removeprefix(".")
    if ending not in ENDINGS:
        raise BenchError(f"--output {output}: a picture ends in {', '.join(f'.{each}' for each in ENDINGS)}")
    return ending


def _known(style: str) -> None:
    from bench.plots.looks import LOOKS

    if style not in LOOKS:
        raise BenchError(f"--style {style}: unknown{nearest(style, LOOKS)} (there are: {', '.join(LOOKS)})")


def _one(source: "Source", kind: str, only: Sequence[str]) -> "Plot":
    """The plot of that kind, of the trials that --only keeps. BenchError: none, or more than one."""
    from bench.analysis.plots import plots_of
    from bench.present.format import listing
    from bench.publish.source import BlockError, axis_of, choose

    filters: dict[str, list[str]] = {}
    try:
        for each in only:
            key, equals, values = each.partition("=")
            if not equals or not values:
                raise BlockError("expected KEY=VALUE[,VALUE], as in model=mlp,cnn")
            filters[axis_of(key.strip())] = [value.strip() for value in values.split(",")]
        found = list(plots_of(choose(source, filters)))
    except BlockError as error:
        raise BenchError(f"{f'--only {listing(only)}: ' if only else f'{source.name}: '}{error}") from None
    kinds = list(dict.fromkeys(each.what for _, each in found))
    if kind not in kinds:
        there = ", ".join(kinds) or "none: there is nothing that a plot could show"
        raise BenchError(f"--kind {kind}: no such plot{nearest(kind, kinds)} (there are: {there})")
    of_kind = [(section, each) for section, each in found if each.what == kind]
    if len(of_kind) > 1:
        titles = listing([section.title for section, _ in of_kind])
        raise BenchError(
            f"--kind {kind}: there is one of {titles}; choose with --only dataset=, device= or environment="
        )
    return of_kind[0][1]


def _drawn(
    source: "Source", plot: "Plot", *, style: str, title: str | None, size: tuple[int, int] | None, ending: str
) -> bytes:
    """The picture as a file."""
    from dataclasses import replace
    from typing import cast

    from bench.plots import looks
    from bench.plots.draw import draw
    from bench.present import glyphs
    from bench.present import style as setup
    from bench.present.colours import styles_of

    models = styles_of(cell.model for section in source.sections for cell in section.cells)
    with setup.setup():
        figure = draw(plot if title is None else replace(plot, title=title), models)
        if note := glyphs.absent_note(glyphs.dress(figure)):
            print(note, file=sys.stderr)
        looks.dress(figure, looks.LOOKS[style], size)
        return looks.picture(figure, cast("looks.Form", ending))
