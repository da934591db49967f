"""Learning curves: training, validation and test together, each seed to its end, a band over the seeds."""

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
from bench.present.style import INK, SMALL, WIDTH_INCHES, Frame, figure_with_axes, widest

DASHES = {"train": "--", "validation": ":", "test": "-"}
MOST_SEED_LINES = 60  # in a panel; of more, only what goes on where others stopped
Grid = dict[tuple[int, str], Any]  # panel, kind: axes of matplotlib


def curves(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure: accuracy above, loss below; one column a setting."""
    drawn, count = plot.curves, len(plot.panels)
    models = list(dict.fromkeys(model for *_, model in drawn))
    kinds = [kind for kind in KINDS if any(kind == each for _, each, _, _ in drawn)]
    margin = widest(models, size=SMALL) + 0.35
    # Names stand beside the lines where all end at the same place (early stopping may end them anywhere) and there is
    # room.
    together = plot.x == "epoch" and len({found.end for found in drawn.values()}) == 1
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
        lines = sum(each.n for key, each in drawn.items() if key[:2] == (panel, kind))
        _draw(grid[panel, kind], found, part, style=styles[model], thin=lines <= MOST_SEED_LINES)
    _furnish(grid, plot, kinds)
    _scales(grid, drawn, x=plot.x)
    if beside:
        _names(grid, drawn, styles)
    else:
        legend(figure, styles, models, bottom_inches=0.55)
    return figure


def _draw(ax: Any, found: Curve, part: str, *, style: Style, thin: bool) -> None:
    shared = found.stretches[0].stop - 1  # the last point that all seeds have
    for seed in found.seeds if found.n > 1 else ():
        after = slice(None) if thin else seed.x >= found.x[shared]
        ax.plot(seed.x[after], seed.y[after], DASHES[part], color=style.colour, linewidth=0.7, alpha=0.45)
    for stretch in found.stretches:
        ax.plot(
            found.x[stretch], found.mean[stretch], DASHES[part], color=style.colour, marker=style.marker, markersize=5,
            markevery=max(1, len(found.x) // 6), markerfacecolor=style.colour if part == "test" else "white",
        )  # fmt: skip
        ax.fill_between(
            found.x[stretch], found.low[stretch], found.high[stretch], color=style.colour, alpha=0.15, linewidth=0
        )
    if part == "test":
        _mark(ax, found, style)


def _mark(ax: Any, found: Curve, style: Style) -> None:
    """How many seeds are left where one stopped, steps of the learning rate, and best epochs."""
    for place, stretch in enumerate(found.stretches[1:]):
        at = found.x[stretch.start], found.mean[stretch.start]
        above = 0, 7 + 13 * (place % 2)
        ax.annotate(
            f"n = {found.counts[stretch.start]}", at, above, textcoords="offset points", size=SMALL, ha="center"
        )
    falls = [point for seed in found.seeds for point in seed.falls]
    best = [seed.best for seed in found.seeds if seed.best is not None]
    for marker, size, points in (("v", 34, falls), ("*", 80, best)):
        if points:
            x, y = zip(*points, strict=True)
            ax.scatter(x, y, marker=marker, s=size, c=style.colour, edgecolors=INK, linewidths=0.7, zorder=4)


def _furnish(grid: Grid, plot: Plot, kinds: Sequence[str]) -> None:
    for (panel, kind), ax in grid.items():
        if kind == kinds[0]:
            panel_title(ax, plot.panels[panel][0])
        if panel == 0:
            ax.set_ylabel(kind_text(kind, plot.cells))
        if kind == kinds[-1]:
            ax.set_xlabel(PLACES[plot.x])


def _scales(grid: Grid, drawn: Curves, *, x: str) -> None:
    places = [float(value) for found in drawn.values() for seed in found.seeds for value in seed.x]
    first = next(iter(grid.values()))
    readable_ticks(first.xaxis, log=x != "epoch" and scale_axis(first.xaxis, places), whole=x == "epoch")
    for (panel, kind), ax in grid.items():
        if panel == 0:
            values = [float(value) for key, found in drawn.items() if key[1] == kind
                      for seed in found.seeds for value in seed.y]  # fmt: skip
            log = kind == "loss" and spans_decades(values) and scale_axis(ax.yaxis, values)
            if kind == "accuracy":
                within(ax.yaxis, BUILT_IN[ACCURACY])
            readable_ticks(ax.yaxis, log=log)


def _names(grid: Grid, drawn: Curves, styles: Mapping[str, Style]) -> None:
    """Each model's name at the end of its test curve, or of another one where it has none."""
    for (panel, kind), ax in grid.items():
        last = {model: found for part in DASHES for (p, k, each, model), found in drawn.items()
                if (p, k, each) == (panel, kind, part)}  # fmt: skip
        label_right(ax, [(model, float(found.x[-1]), float(found.mean[-1])) for model, found in last.items()], styles)
