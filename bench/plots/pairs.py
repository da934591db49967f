"""The matrix of pairs: a row a model, a column a better one; in each cell difference, bracket and verdict."""

from collections.abc import Mapping
from typing import Any

from matplotlib.patches import Rectangle

from bench.analysis.ladder import Verdict
from bench.analysis.pair_tables import MatrixCell, matrix
from bench.analysis.plots import Plot
from bench.present.colours import Style
from bench.present.names import short_list
from bench.present.style import GRID, INK, SMALL, TEXT, WIDTH_INCHES, Frame, figure_with_axes, text_inches, widest

ROW_INCHES, COLUMN_INCHES = 0.72, 1.35  # a column is narrower where there are many
# What is behind a cell: blue where the difference is shown, green where the two are alike, orange where the ladder's
# order does not hold between them.
FILLS: dict[Verdict, str] = {
    "yes": "#cfe3f1", "alike": "#cdebe1", "tie": "#cdebe1", "reversed": "#f7dfcc", "open": "white", "few": "white",
}  # fmt: skip


def pairs(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure. `styles` are not in it: names stand at its rows and columns."""
    assert plot.ladder is not None
    del styles
    rows = matrix(plot.ladder, most=len(plot.cells))
    names = [cell.model for cell in plot.cells]
    left = widest(names[1:]) + 0.45
    width = min(COLUMN_INCHES, (WIDTH_INCHES - left - 0.2) / len(rows))
    figure, (ax,) = figure_with_axes(
        plot.title, plot.notes, rows=1, columns=1, panel_inches=ROW_INCHES * len(rows),
        frame=Frame(left=left, right=WIDTH_INCHES - left - width * len(rows), bottom=0.15),
    )  # fmt: skip
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell is not None:
                _cell(ax, row, column, cell)
    ax.set_xlim(0, len(rows))
    ax.set_ylim(len(rows), 0)
    most = _columns_of(width)
    ax.set_xticks([at + 0.5 for at in range(len(rows))], short_list(names[:-1], most=most), size=TEXT)
    ax.set_yticks([at + 0.5 for at in range(len(rows))], short_list(names[1:]), size=TEXT)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


def _columns_of(inches: float) -> int:
    """Characters of a name that fit a column."""
    return max(4, int((inches - 0.1) / text_inches("n")))


def _cell(ax: Any, row: int, column: int, cell: MatrixCell) -> None:
    ax.add_patch(Rectangle((column, row), 1, 1, facecolor=FILLS[cell.verdict], edgecolor=GRID, linewidth=1.2,
                           clip_on=False))  # fmt: skip
    texts = ((0.24, cell.difference, "bold"), (0.5, cell.bracket, "normal"), (0.77, cell.word, "normal"))
    for down, text, weight in texts:
        ax.text(column + 0.5, row + down, text, ha="center", va="center", size=SMALL, weight=weight, color=INK)
