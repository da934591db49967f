"""A metric against a numeric setting: batch size, learning rate, threads, whatever the suite has as an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.analysis.cells import Cell, axis_label
from bench.base.metrics import Metric
from bench.plots.points import Name, key_of, model_name
from bench.present.axes import (
    axis_text,
    label_right,
    mark_values,
    readable_ticks,
    scale_axis,
    seeds,
    spans_decades,
    whiskers,
    within,
)
from bench.present.format import scale_of
from bench.present.style import Frame, Style, figure_with_axes, shorten, text_inches

LENGTHS = frozenset({"samples/s", "bytes", "seconds", "J", "FLOP/s"})  # what is compared from zero


def lines(
    cells: Sequence[Cell],
    metric: Metric,
    axis: str,
    *,
    title: str,
    subtitle: str,
    styles: dict[str, Style],
    name: Name = model_name,
) -> Any:
    """One line a name through its means, an interval and every seed at each value; logarithmic where values span
    decades. `cells` differ in their name and in `axis` alone, and all have the metric."""
    scale = scale_of(metric.unit, [found.mean for cell in cells if (found := cell.estimate(metric.name))])
    groups: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: float(cell.setting(axis))):
        groups.setdefault(name(cell), []).append(cell)
    figure, (ax,) = figure_with_axes(
        title, [subtitle, key_of(cells, metric)], named=False, rows=1, columns=1, panel_inches=3.5,
        frame=Frame(left=0.95, right=max(text_inches(shorten(each)) for each in groups) + 0.5),
    )  # fmt: skip
    ends = [
        (each, *_line(ax, group, metric, axis, divisor=scale.divisor, style=styles[each]))
        for each, group in groups.items()
    ]
    values = sorted({float(cell.setting(axis)) for cell in cells})
    figures = [value / scale.divisor for cell in cells for value in cell.by_seed(metric.name).values()]
    scale_axis(ax.xaxis, values)
    log = metric.unit != "fraction" and spans_decades(figures) and scale_axis(ax.yaxis, figures)
    if metric.unit in LENGTHS and not log:
        ax.set_ylim(bottom=0)
    within(ax.yaxis, metric)
    readable_ticks(ax.yaxis, log=log)
    mark_values(ax, values)
    ax.set_xlabel(axis_label(axis) + (" (log)" if ax.get_xscale() != "linear" else ""))
    ax.set_ylabel(axis_text(metric, scale.unit) + (", log" if log else ""))
    label_right(ax, ends, styles)
    return figure


def _line(
    ax: Any, cells: Sequence[Cell], metric: Metric, axis: str, *, divisor: float, style: Style
) -> tuple[float, float]:
    """Draw one model; returns where its line ends."""
    x = [float(cell.setting(axis)) for cell in cells]
    found = [cell.estimate(metric.name) for cell in cells]
    means = [each.mean / divisor for each in found if each]
    ends = whiskers([each for each in found if each], metric, divisor=divisor)
    for place, cell in zip(x, cells, strict=True):
        values = [value / divisor for value in cell.by_seed(metric.name).values()]
        if len(values) > 1:
            seeds(ax, place, values, style)
    ax.errorbar(x, means, yerr=ends if any(map(any, ends)) else None, color=style.colour, marker=style.marker,
                capsize=3, markersize=6, elinewidth=1.2, markeredgecolor="white", markeredgewidth=0.5)  # fmt: skip
    return x[-1], means[-1]
