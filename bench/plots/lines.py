"""A metric against a numeric setting: batch size, learning rate, threads, whatever the suite has as an axis."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.analysis.cells import Cell, axis_label, scale_for
from bench.analysis.plots import Plot
from bench.present.axes import (
    label_right,
    mark_look,
    mark_values,
    readable_ticks,
    scale_axis,
    seeds,
    spans_decades,
    whiskers,
    within,
)
from bench.present.colours import Style
from bench.present.format import axis_text
from bench.present.style import Frame, figure_with_axes, widest

LENGTHS = frozenset({"samples/s", "bytes", "seconds", "J", "FLOP/s"})  # what is compared from zero


def lines(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure of a metric along a setting: a line through the means of each name, with an interval and every seed at
    each value; logarithmic where values span decades. Cells differ in their name and in the setting alone, and all have
    the metric."""
    cells, metric = plot.cells, plot.metric
    scale = scale_for(metric, cells)
    groups: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: float(cell.setting(plot.x))):
        groups.setdefault(plot.called(cell), []).append(cell)
    figure, (ax,) = figure_with_axes(
        plot.title, plot.notes, named=False, rows=1, columns=1, panel_inches=3.5,
        frame=Frame(left=0.95, right=widest(groups) + 0.5),
    )  # fmt: skip
    ends = [(name, *_line(ax, group, plot, scale.divisor, style=styles[name])) for name, group in groups.items()]
    values = sorted({float(cell.setting(plot.x)) for cell in cells})
    figures = [value / scale.divisor for cell in cells for value in cell.by_seed(metric.name).values()]
    scale_axis(ax.xaxis, values)
    log = metric.unit != "fraction" and spans_decades(figures) and scale_axis(ax.yaxis, figures)
    if metric.unit in LENGTHS and not log:
        ax.set_ylim(bottom=0)
    within(ax.yaxis, metric)
    readable_ticks(ax.yaxis, log=log)
    mark_values(ax, values)
    ax.set_xlabel(axis_label(plot.x) + (" (log)" if ax.get_xscale() != "linear" else ""))
    ax.set_ylabel(axis_text(metric, scale) + (", log" if log else ""))
    label_right(ax, ends, styles)
    return figure


def _line(ax: Any, cells: Sequence[Cell], plot: Plot, divisor: float, *, style: Style) -> tuple[float, float]:
    """Draw one line; returns where it ends."""
    x = [float(cell.setting(plot.x)) for cell in cells]
    found = [each for cell in cells if (each := cell.estimate(plot.metric.name))]
    means = [each.mean / divisor for each in found]
    ends = whiskers(found, divisor=divisor)
    for place, cell in zip(x, cells, strict=True):
        values = [value / divisor for value in cell.by_seed(plot.metric.name).values()]
        if len(values) > 1:
            seeds(ax, place, values, style)
    ax.errorbar(x, means, yerr=ends if any(map(any, ends)) else None, color=style.colour, marker=style.marker,
                capsize=3, markersize=6, elinewidth=1.2, **mark_look(style.colour))  # fmt: skip
    for place, mean, cell in zip(x, means, cells, strict=True):
        if plot.hollow(cell):
            ax.plot(place, mean, style.marker, markersize=6, zorder=5, **mark_look(style.colour, hollow=True))
    return x[-1], means[-1]
