"""Accuracy by model, accuracy against parameters, bars of costs: one mark a seed, the mean and its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.analysis.cells import Cell
from bench.base.metrics import Metric
from bench.present.axes import (
    Named,
    axis_text,
    label_beside,
    legend,
    name_rows,
    panel_title,
    readable_ticks,
    scale_axis,
    seeds,
    whiskers,
    within,
)
from bench.present.format import Scale, figure_pm, scale_of
from bench.present.style import FAINT, INK, SMALL, Frame, Style, figure_with_axes, shorten, text_inches
from bench.statistics.pareto import pareto_front

ROW_INCHES = 0.42
KEY = "small: one seed · large with line: mean and 95 % interval (Student's t)"
KEY_BARS = "small: one seed · bar with line: mean and 95 % interval (Student's t)"
KEY_ONE = "one seed: no interval"
KEY_FRONT = "ring: no other is both cheaper and more accurate, by the means (Pareto front)"
Name = Callable[[Cell], str]
Panels = Sequence[tuple[str, Sequence[Cell]]]  # what each is of, and its cells, one a model


def model_name(cell: Cell) -> str:
    """What a row or a line is called, and the key of its style."""
    return cell.model


def key_of(cells: Sequence[Cell], metric: Metric, *, key: str = KEY) -> str:
    """What the marks mean."""
    return key if any(cell.n_of(metric.name) > 1 for cell in cells) else KEY_ONE


def strip(
    panels: Panels,
    metric: Metric,
    *,
    title: str,
    subtitle: str,
    styles: dict[str, Style],
    name: Name = model_name,
) -> Any:
    """Models (or what `name` calls the cells) from top to bottom, the metric to the right, one panel below the other
    so that they share its axis."""
    cells = [cell for _, group in panels for cell in group]
    scale = scale_of(metric.unit, [found.mean for cell in cells if (found := cell.estimate(metric.name))])
    figure, axes = figure_with_axes(
        title,
        [subtitle, key_of(cells, metric)],
        named=any(heading for heading, _ in panels),
        rows=len(panels),
        columns=1,
        panel_inches=ROW_INCHES * max(len(group) for _, group in panels) + 0.1,
        frame=_frame(cells, metric, scale, name),
        sharex=True,
        gap_inches=0.45,
    )
    for ax, (heading, group) in zip(axes, panels, strict=True):
        panel_title(ax, heading)
        for row, cell in enumerate(group):
            _strip_row(ax, row, cell, metric=metric, divisor=scale.divisor, style=styles[cell.model])
        name_rows(ax, [name(cell) for cell in group], [_text(cell, metric, scale) for cell in group])
    axes[-1].set_xlabel(axis_text(metric, scale.unit))
    within(axes[-1].xaxis, metric)
    readable_ticks(axes[-1].xaxis, log=False)
    return figure


def _frame(cells: Sequence[Cell], metric: Metric, scale: Scale, name: Name = model_name) -> Frame:
    """Room for the names on the left and the figures on the right."""
    left = max(text_inches(shorten(name(cell))) for cell in cells)
    right = max(text_inches(_text(cell, metric, scale), size=SMALL) for cell in cells)
    return Frame(left=left + 0.35, right=right + 0.35)


def _text(cell: Cell, metric: Metric, scale: Scale) -> str:
    found = cell.estimate(metric.name)
    unit = f" {scale.unit}" if scale.unit else ""
    return figure_pm(found.mean, found.half, scale) + unit if found else ""


def _strip_row(ax: Any, row: int, cell: Cell, *, metric: Metric, divisor: float, style: Style) -> None:
    """The seeds above the line of the row, their mean a little below it."""
    values = [value / divisor for value in cell.by_seed(metric.name).values()]
    ax.plot(
        values, [row - 0.22] * len(values), style.marker, color=style.colour, markersize=5, alpha=0.7,
        markerfacecolor="none", clip_on=False,
    )  # fmt: skip
    found = cell.estimate(metric.name)
    if found is not None and found.half is not None:
        ax.errorbar(
            found.mean / divisor, row + 0.12, xerr=whiskers([found], metric, divisor=divisor), fmt=style.marker,
            color=style.colour, markersize=8, capsize=4, elinewidth=1.8, capthick=1.8, markeredgecolor="white",
            markeredgewidth=0.6,
        )  # fmt: skip


def bars(
    cells: Sequence[Cell],
    metric: Metric,
    *,
    title: str,
    subtitle: str,
    styles: dict[str, Style],
    name: Name = model_name,
) -> Any:
    """Lengths from zero, one a cell, each seed's value upon it, the interval, and the figure at its end."""
    estimates = [(cell, found) for cell in cells if (found := cell.estimate(metric.name))]
    cells = [cell for cell, _ in estimates]
    scale = scale_of(metric.unit, [found.mean for _, found in estimates])
    figure, (ax,) = figure_with_axes(
        title, [subtitle, key_of(cells, metric, key=KEY_BARS)], named=False, rows=1, columns=1,
        panel_inches=ROW_INCHES * len(cells) + 0.1, frame=_frame(cells, metric, scale, name),
    )  # fmt: skip
    for row, (cell, found) in enumerate(estimates):
        style, mean = styles[name(cell)], found.mean / scale.divisor
        ax.barh(row, mean, height=0.55, color=style.colour, alpha=0.45, edgecolor=style.colour)
        if found.half is not None:
            ax.errorbar(mean, row, xerr=found.half / scale.divisor, fmt="none", ecolor=INK, capsize=4, elinewidth=1.4)
        values = [value / scale.divisor for value in cell.by_seed(metric.name).values()]
        ax.plot(values, [row + 0.17] * len(values), style.marker, color=INK, markersize=3.5, markerfacecolor="none")
    name_rows(ax, [cell.model for cell in cells], [_text(cell, metric, scale) for cell in cells])
    ax.set_xlim(left=0)
    ax.set_xlabel(axis_text(metric, scale.unit))
    readable_ticks(ax.xaxis, log=False)
    return figure


def against(
    panels: Panels, metric: Metric, other: Metric, *, title: str, subtitle: str, styles: dict[str, Style]
) -> Any:
    """`metric` upwards against `other`, a cost, to the right, one panel beside the other, names beside the means. A
    ring marks the models that no other beats in both."""
    cells = [cell for _, group in panels for cell in group]
    scale = scale_of(other.unit, [found.mean for cell in cells if (found := cell.estimate(other.name))])
    figure, axes = figure_with_axes(
        title, [subtitle, key_of(cells, metric), KEY_FRONT],
        named=any(name for name, _ in panels), rows=1, columns=len(panels),
        panel_inches=3.4, frame=Frame(), sharex=True, sharey=True,
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.08)
    for ax, (name, group) in zip(axes, panels, strict=True):
        panel_title(ax, name)
        _front(ax, group, metric, other, divisor=scale.divisor)
        for cell in group:
            _point(ax, cell, metric, other, divisor=scale.divisor, style=styles[cell.model])
        ax.set_xlabel(axis_text(other, scale.unit))
    axes[0].set_ylabel(axis_text(metric, ""))
    axes[0].margins(x=0.15, y=0.12)
    places = [found.mean / scale.divisor for cell in cells if (found := cell.estimate(other.name))]
    log = scale_axis(axes[0].xaxis, places)
    readable_ticks(axes[0].xaxis, log=log)
    within(axes[0].yaxis, metric)
    readable_ticks(axes[0].yaxis, log=False)
    if not label_beside(axes, [_anchors(group, metric, other, divisor=scale.divisor) for _, group in panels]):
        legend(figure, styles, list(dict.fromkeys(cell.model for cell in cells)), bottom_inches=0.55)
    return figure


def _front(ax: Any, cells: Sequence[Cell], metric: Metric, other: Metric, *, divisor: float) -> None:
    """A ring around the cells that no other beats in both figures, by their means (Pareto)."""
    known = [(cost.mean / divisor, level.mean) for cell in cells
             if (cost := cell.estimate(other.name)) and (level := cell.estimate(metric.name))]  # fmt: skip
    if len(known) > 1:
        front = [known[index] for index in pareto_front(*zip(*known, strict=True))]
        ax.plot(*zip(*front, strict=True), "o", color=FAINT, markersize=14, markerfacecolor="none", zorder=1)


def _point(ax: Any, cell: Cell, metric: Metric, other: Metric, *, divisor: float, style: Style) -> None:
    found, cost = cell.estimate(metric.name), cell.estimate(other.name)
    if found is None or cost is None:
        return
    place = cost.mean / divisor
    if found.half is None:
        ax.plot(place, found.mean, style.marker, color=style.colour, markersize=8)
    else:
        seeds(ax, place, list(cell.by_seed(metric.name).values()), style)
        ax.errorbar(
            place, found.mean, yerr=whiskers([found], metric), fmt=style.marker, color=style.colour, markersize=8,
            capsize=4, elinewidth=1.6, markeredgecolor="white", markeredgewidth=0.6,
        )  # fmt: skip


def _anchors(cells: Sequence[Cell], metric: Metric, other: Metric, *, divisor: float) -> list[Named]:
    """Name, mean, and what of the cell its name should not cover."""
    anchors = []
    for cell in cells:
        found, cost = cell.estimate(metric.name), cell.estimate(other.name)
        if found is not None and cost is not None:
            place = cost.mean / divisor
            ends = [end for end in (found.low, found.high) if end is not None]
            values = [*cell.by_seed(metric.name).values(), *ends]
            anchors.append((cell.model, (place, found.mean), [(place, value) for value in values]))
    return anchors
