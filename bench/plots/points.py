"""Points and bars: one mark a seed, the mean and its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bench.analysis.cells import Cell, scale_for
from bench.analysis.plots import Plot
from bench.base.metrics import BUILT_IN, Metric
from bench.present.axes import (
    Named,
    label_beside,
    legend,
    mark_look,
    name_rows,
    panel_title,
    readable_ticks,
    scale_axis,
    seeds,
    whiskers,
    within,
)
from bench.present.colours import Style
from bench.present.format import Scale, axis_text, figure
from bench.present.names import short_names
from bench.present.style import FAINT, INK, SMALL, Frame, figure_with_axes, text_inches, widest
from bench.statistics.intervals import Estimate
from bench.statistics.ranking import pareto_front

ROW_INCHES = 0.42


def rows(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure of a strip or of bars: names from top to bottom, the metric to the right as points or as lengths from
    zero, one panel below the other so that they share its axis."""
    metric, scale, short = plot.metric, scale_for(plot.metric, plot.cells), short_names(map(plot.called, plot.cells))
    figure, axes = figure_with_axes(
        plot.title,
        plot.notes,
        named=any(heading for heading, _ in plot.panels),
        rows=len(plot.panels),
        columns=1,
        panel_inches=ROW_INCHES * max(len(group) for _, group in plot.panels) + 0.1,
        frame=Frame(  # room for the names on the left and the figures on the right
            left=widest(short) + 0.35,
            right=max(text_inches(_text(cell, metric, scale), size=SMALL) for cell in plot.cells) + 0.35,
        ),
        sharex=True,
        gap_inches=0.45,
    )
    for ax, (heading, group) in zip(axes, plot.panels, strict=True):
        panel_title(ax, heading)
        for row, cell in enumerate(group):
            values = [value / scale.divisor for value in cell.by_seed(metric.name).values()]
            if (found := cell.estimate(metric.name)) is not None:
                draw = _bar if plot.kind == "bars" else _strip_row
                look = styles[plot.called(cell)]
                draw(ax, row, values, found, divisor=scale.divisor, style=look, hollow=plot.hollow(cell))
        name_rows(ax, [short[plot.called(cell)] for cell in group], [_text(cell, metric, scale) for cell in group])
    if plot.kind == "bars":
        axes[-1].set_xlim(left=0)
    axes[-1].set_xlabel(axis_text(metric, scale))
    within(axes[-1].xaxis, metric)
    readable_ticks(axes[-1].xaxis, log=False)
    return figure


def _text(cell: Cell, metric: Metric, scale: Scale) -> str:
    found = cell.estimate(metric.name)
    return f"{figure(found.mean, scale, ends=found.ends)} {scale.unit}".strip() if found else ""


def _strip_row(
    ax: Any, row: int, values: Sequence[float], found: Estimate, *, divisor: float, style: Style, hollow: bool
) -> None:
    """The seeds above the line of the row, their mean a little below it."""
    ax.plot(
        values, [row - 0.22] * len(values), style.marker, color=style.colour, markersize=5, alpha=0.7,
        markerfacecolor="none", clip_on=False,
    )  # fmt: skip
    if found.half is not None:
        ax.errorbar(
            found.mean / divisor, row + 0.12, xerr=whiskers([found], divisor=divisor), fmt=style.marker,
            color=style.colour, markersize=8, capsize=4, elinewidth=1.8, capthick=1.8,
            **mark_look(style.colour, hollow=hollow),
        )  # fmt: skip


def _bar(
    ax: Any, row: int, values: Sequence[float], found: Estimate, *, divisor: float, style: Style, hollow: bool
) -> None:
    """The length of the mean, the values of the seeds upon it."""
    mean = found.mean / divisor
    ax.barh(row, mean, height=0.55, color=style.colour, alpha=0.45, edgecolor=style.colour, fill=not hollow)
    if found.half is not None:
        ends = whiskers([found], divisor=divisor)
        ax.errorbar(mean, row, xerr=ends, fmt="none", ecolor=INK, capsize=4, elinewidth=1.4)
    ax.plot(values, [row + 0.17] * len(values), style.marker, color=INK, markersize=3.5, markerfacecolor="none")


def against(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure of a metric upwards against a cost to the right, one panel beside the other, names beside the means. A
    ring marks the models that no other beats in both."""
    metric, cost, panels = plot.metric, BUILT_IN[plot.x], plot.panels
    scale = scale_for(cost, plot.cells)
    figure, axes = figure_with_axes(
        plot.title, plot.notes, named=any(name for name, _ in panels), rows=1, columns=len(panels),
        panel_inches=3.4, frame=Frame(), sharex=True, sharey=True,
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.08)
    anchors: list[list[Named]] = []
    for ax, (name, group) in zip(axes, panels, strict=True):
        panel_title(ax, name)
        marks = [mark for cell in group if (mark := _Mark.of(cell, plot, cost, divisor=scale.divisor))]
        if not plot.hollow(*group):
            _front(ax, marks)
        for mark in marks:
            _point(ax, mark, styles[mark.model])
        anchors.append([mark.named() for mark in marks])
        ax.set_xlabel(axis_text(cost, scale))
    axes[0].set_ylabel(axis_text(metric, Scale("")))
    axes[0].margins(x=0.15, y=0.12)
    log = scale_axis(axes[0].xaxis, [point[0] for names in anchors for _, point, _ in names])
    readable_ticks(axes[0].xaxis, log=log)
    within(axes[0].yaxis, metric)
    readable_ticks(axes[0].yaxis, log=False)
    if not label_beside(axes, anchors):
        legend(figure, styles, list(dict.fromkeys(cell.model for cell in plot.cells)), bottom_inches=0.55)
    return figure


@dataclass(frozen=True, slots=True)
class _Mark:
    """A cell in a plot against a cost: where it stands, the values of its seeds, and whether it is disturbed."""

    model: str
    place: float
    level: Estimate
    values: list[float]
    hollow: bool

    @classmethod
    def of(cls, cell: Cell, plot: Plot, cost: Metric, *, divisor: float) -> Self | None:
        metric = plot.metric
        found, level = cell.estimate(cost.name), cell.estimate(metric.name)
        if found is None or level is None:
            return None
        values = list(cell.by_seed(metric.name).values())
        return cls(cell.model, found.mean / divisor, level, values, plot.hollow(cell))

    def named(self) -> Named:
        """Name, mean, and what of the cell its name should not cover."""
        ends = [end for end in (self.level.low, self.level.high) if end is not None]
        return self.model, (self.place, self.level.mean), [(self.place, value) for value in (*self.values, *ends)]


def _front(ax: Any, marks: Sequence[_Mark]) -> None:
    """A ring around the cells that no other beats in both figures, by their means (Pareto)."""
    known = [(mark.place, mark.level.mean) for mark in marks]
    if len(known) > 1:
        front = [known[index] for index in pareto_front(*zip(*known, strict=True))]
        ax.plot(*zip(*front, strict=True), "o", color=FAINT, markersize=14, markerfacecolor="none", zorder=1)


def _point(ax: Any, mark: _Mark, style: Style) -> None:
    look = mark_look(style.colour, hollow=mark.hollow)
    if mark.level.half is None:
        ax.plot(mark.place, mark.level.mean, style.marker, color=style.colour, markersize=8, **look)
    else:
        seeds(ax, mark.place, mark.values, style)
        ax.errorbar(
            mark.place, mark.level.mean, yerr=whiskers([mark.level]), fmt=style.marker, color=style.colour,
            markersize=8, capsize=4, elinewidth=1.6, **look,
        )  # fmt: skip
