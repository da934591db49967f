"""The plot of `bench explain`: what each source spreads, in points from zero, a panel a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.explain.decompose import Explained
from bench.explain.rows import Line
from bench.explain.sentences import spread_text
from bench.present.axes import mark_look, name_rows, panel_title, readable_ticks
from bench.present.colours import Style
from bench.present.style import SMALL, Frame, figure_with_axes, text_inches, widest

ROW_INCHES = 0.34
KEY = "mark: standard deviation between trainings that differ in this source · line: its 95 % interval"
HOLLOW = "hollow: of test images, which no training repeats"


def spreads(panels: Sequence[tuple[Explained, Sequence[Line]]], *, title: str, styles: Mapping[str, Style]) -> Any:
    """Draws a panel for each model, all on one axis, which begins at zero: lengths are compared."""
    shown = [(found, [line for line in lines if line.spread is not None]) for found, lines in panels]
    texts = [spread_text(line.spread) for _, lines in shown for line in lines if line.spread is not None]
    figure, axes = figure_with_axes(
        title,
        [KEY, HOLLOW],
        named=True,
        rows=len(shown),
        columns=1,
        panel_inches=ROW_INCHES * max(len(lines) for _, lines in shown) + 0.1,
        gap_inches=0.5,
        frame=Frame(
            left=widest(line.source for _, lines in shown for line in lines) + 0.35,
            right=max(text_inches(text, size=SMALL) for text in texts) + 0.35,
        ),
        sharex=True,
    )
    for ax, (found, lines) in zip(axes, shown, strict=True):
        panel_title(ax, found.name)
        for row, line in enumerate(lines):
            _row(ax, row, line, styles[found.model])
        name_rows(ax, [line.source for line in lines], [spread_text(line.spread) for line in lines if line.spread])
    axes[-1].set_xlim(left=0)
    axes[-1].set_xlabel("standard deviation of the test accuracy (points)")
    readable_ticks(axes[-1].xaxis, log=False)
    return figure


def _row(ax: Any, row: int, line: Line, style: Style) -> None:
    assert line.spread is not None
    sd, ends = 100 * line.spread.sd, line.spread.ends
    sides = None if ends is None else [[sd - 100 * ends[0]], [100 * ends[1] - sd]]
    ax.errorbar(
        [sd], [row], xerr=sides, fmt=style.marker, color=style.colour, markersize=7, capsize=4, elinewidth=1.6,
        clip_on=False, **mark_look(style.colour, hollow=line.spread is line.of.examples),
    )  # fmt: skip
