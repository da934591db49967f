"""Learning curves: training and test together, a band over the seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.curves import KINDS, PLACES, Curve, Curves, kind_text
from bench.analysis.plots import Plot
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.present.axes import (
    label_right,
    legend,
    legend_lines,
    panel_title,
    readable_ticks,
    scale_axis,
    spans_decades,
    within,
)
from bench.present.colours import Style
from bench.present.style import SMALL, WIDTH_INCHES, Frame, figure_with_axes, widest

DASHES = {"train": "--", "test": "-"}
Grid = dict[tuple[int, str], Any]  # panel, kind: axes of matplotlib


def curves(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure: accuracy above, loss below; one column a setting."""
    drawn, count = plot.curves, len(plot.panels)
    models = list(dict.fromkeys(model for *_, model in drawn))
    kinds = [kind for kind in KINDS if any(kind == each for _, each, _, _ in drawn)]
    margin = widest(models, size=SMALL) + 0.35
    # Names stand beside the lines where all end at the same place (early stopping may end them anywhere) and there is
    # room.
    together = plot.x == "epoch" and len({float(found.x[-1]) for found in drawn.values()}) == 1
    beside = together and margin < 2.2 / count and len(models) <= 10
    right, bottom = (margin, 0.6) if beside else (0.2, 0.75 + 0.2 * legend_lines(models))
    figure, axes = figure_with_axes(
        plot.title, plot.notes, named=any(name for name, _ in plot.panels),
        rows=len(kinds), columns=count, panel_inches=2.1, gap_inches=0.2,
        frame=Frame(right=right, bottom=bottom), sharex=True, sharey="row",
    )  # fmt: skip
    figure.subplots_adjust(wspace=right * count / (WIDTH_INCHES - 0.85 - right * count))
    grid = {(panel, kind): axes[row * count + panel] for row, kind in enumerate(kinds) for panel in range(count)}
    for (panel, kind, part, model), found in drawn.items():
        _draw(grid[panel, kind], found, part, style=styles[model])
    _furnish(grid, plot, kinds)
    _scales(grid, drawn, x=plot.x)
    if beside:
        _names(grid, drawn, styles)
    else:
        legend(figure, styles, models, bottom_inches=0.55)
    return figure


def _draw(ax: Any, found: Curve, part: str, *, style: Style) -> None:
    ax.plot(
        found.x, found.mean, DASHES[part], color=style.colour, marker=style.marker, markersize=5,
        markevery=max(1, len(found.x) // 6), markerfacecolor=style.colour if part == "test" else "white",
    )  # fmt: skip
    ax.fill_between(found.x, found.low, found.high, color=style.colour, alpha=0.15, linewidth=0)


def _furnish(grid: Grid, plot: Plot, kinds: Sequence[str]) -> None:
    for (panel, kind), ax in grid.items():
        if kind == kinds[0]:
            panel_title(ax, plot.panels[panel][0])
        if panel == 0:
            ax.set_ylabel(kind_text(kind, plot.cells))
        if kind == kinds[-1]:
            ax.set_xlabel(PLACES[plot.x])


def _scales(grid: Grid, drawn: Curves, *, x: str) -> None:
    places = [float(value) for found in drawn.values() for value in found.x]
    first = next(iter(grid.values()))
    readable_ticks(first.xaxis, log=x != "epoch" and scale_axis(first.xaxis, places), whole=x == "epoch")
    for (panel, kind), ax in grid.items():
        if panel == 0:
            values = [float(value) for key, found in drawn.items() if key[1] == kind for value in found.low]
            log = kind == "loss" and spans_decades(values) and scale_axis(ax.yaxis, values)
            if kind == "accuracy":
                within(ax.yaxis, BUILT_IN[ACCURACY])
            readable_ticks(ax.yaxis, log=log)


def _names(grid: Grid, drawn: Curves, styles: Mapping[str, Style]) -> None:
    """Each model's name at the end of its test curve, or of its training curve where it has no other."""
    for (panel, kind), ax in grid.items():
        last = {model: found for part in ("train", "test") for (p, k, each, model), found in drawn.items()
                if (p, k, each) == (panel, kind, part)}  # fmt: skip
        label_right(ax, [(model, float(found.x[-1]), float(found.mean[-1])) for model, found in last.items()], styles)
