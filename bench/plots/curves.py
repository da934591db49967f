"""Learning curves: training and test together, a band over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.cells import Cell
from bench.base.metrics import BUILT_IN
from bench.plots.points import Panels
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
from bench.present.style import SMALL, WIDTH_INCHES, Frame, Style, figure_with_axes, shorten, text_inches

Numbers = NDArray[np.float64]
KEY = "solid: test · dashed: training · line: mean, band: lowest to highest seed"
KEY_ONE = "solid: test · dashed: training · one seed"
KINDS = {"accuracy": "accuracy (fraction)", "loss": "loss (nats)"}
PARTS = (("train", "--"), ("test", "-"))
PLACES = {"epoch": "epoch", "train_seconds": "training time (s, evaluation excluded)"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of one cell over its seeds: x (E,), and mean, lowest and highest (E,) of what was recorded."""

    x: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers


def curve(cell: Cell, name: str, *, x: str) -> Curve | None:
    """The curve called `name` against `epoch` or `train_seconds`; None where it was not recorded.

    Against epochs, a curve pools as accuracies do; against seconds it is one machine's.
    Seeds with fewer epochs end the curve for all: a mean of other seeds would jump.
    """
    results = cell.results_of(_metric(x))
    found = [(result.curves.get(x), result.curves.get(name)) for result in results]
    pairs = [(places, values) for places, values in found if places and values]
    if not pairs:
        return None
    length = min(min(len(places), len(values)) for places, values in pairs)
    places = _array([places[:length] for places, _ in pairs])
    values = _array([values[:length] for _, values in pairs])
    known = np.isfinite(values).all(axis=0) & np.isfinite(places).all(axis=0)
    if not known.any():
        return None
    places, values = places[:, known], values[:, known]
    return Curve(places.mean(axis=0), values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def _metric(x: str) -> str:
    """A metric that pools as curves against `x` do."""
    return "test_accuracy" if x == "epoch" else "fit_seconds"


def seeds_of(cell: Cell, *, x: str) -> int:
    """Seeds in the curves of a cell."""
    return cell.n_of(_metric(x))


def _array(rows: Sequence[Sequence[float | None]]) -> Numbers:
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)


Drawn = dict[tuple[int, str, str, str], Curve]  # panel, kind, part, model


def curves_of(panels: Panels, *, x: str) -> Drawn:
    """Every curve of more than one point, by panel, kind (accuracy, loss), part (train, test) and model."""
    drawn = {
        (panel, kind, part, cell.model): found
        for panel, (_, cells) in enumerate(panels)
        for kind in KINDS
        for part, _ in PARTS
        for cell in cells
        if (found := curve(cell, f"{part}_{kind}", x=x)) is not None
    }
    return drawn if any(len(found.x) > 1 for found in drawn.values()) else {}


def curves(panels: Panels, drawn: Drawn, *, x: str, title: str, subtitle: str, styles: dict[str, Style]) -> Any:
    """Accuracy above, loss below; one column a setting. `x` is `epoch` or `train_seconds`."""
    models = list(dict.fromkeys(model for *_, model in drawn))
    kinds = [kind for kind in KINDS if any(kind == each for _, each, _, _ in drawn)]
    margin = max(text_inches(shorten(model), size=SMALL) for model in models) + 0.35
    # Names stand beside the lines where all end at the same place (early stopping may end them anywhere) and there is
    # room.
    together = x == "epoch" and len({float(found.x[-1]) for found in drawn.values()}) == 1
    beside = together and margin < 2.2 / len(panels) and len(models) <= 10
    right, bottom = (margin, 0.6) if beside else (0.2, 0.75 + 0.2 * legend_lines(models))
    several = any(seeds_of(cell, x=x) > 1 for _, cells in panels for cell in cells)
    figure, axes = figure_with_axes(
        title, [subtitle, KEY if several else KEY_ONE], named=any(name for name, _ in panels),
        rows=len(kinds), columns=len(panels), panel_inches=2.1, gap_inches=0.2,
        frame=Frame(right=right, bottom=bottom), sharex=True, sharey="row",
    )  # fmt: skip
    figure.subplots_adjust(wspace=right * len(panels) / (WIDTH_INCHES - 0.85 - right * len(panels)))
    grid = {
        (panel, kind): axes[row * len(panels) + panel] for row, kind in enumerate(kinds) for panel in range(len(panels))
    }
    for (panel, kind, part, model), found in drawn.items():
        _draw(grid[panel, kind], found, part, style=styles[model])
    _furnish(grid, panels, kinds, x=x)
    _scales(grid, drawn, x=x)
    if beside:
        _names(grid, drawn, styles)
    else:
        legend(figure, styles, models, bottom_inches=0.55)
    return figure


def _draw(ax: Any, found: Curve, part: str, *, style: Style) -> None:
    ax.plot(
        found.x, found.mean, dict(PARTS)[part], color=style.colour, marker=style.marker, markersize=5,
        markevery=max(1, len(found.x) // 6), markerfacecolor=style.colour if part == "test" else "white",
    )  # fmt: skip
    ax.fill_between(found.x, found.low, found.high, color=style.colour, alpha=0.15, linewidth=0)


def _furnish(grid: dict[tuple[int, str], Any], panels: Panels, kinds: Sequence[str], *, x: str) -> None:
    for (panel, kind), ax in grid.items():
        if kind == kinds[0]:
            panel_title(ax, panels[panel][0])
        if panel == 0:
            ax.set_ylabel(KINDS[kind])
        if kind == kinds[-1]:
            ax.set_xlabel(PLACES[x])


def _scales(grid: dict[tuple[int, str], Any], drawn: Drawn, *, x: str) -> None:
    places = [float(value) for found in drawn.values() for value in found.x]
    first = next(iter(grid.values()))
    readable_ticks(first.xaxis, log=x != "epoch" and scale_axis(first.xaxis, places), whole=x == "epoch")
    for (panel, kind), ax in grid.items():
        if panel == 0:
            values = [float(value) for key, found in drawn.items() if key[1] == kind for value in found.low]
            log = kind == "loss" and spans_decades(values) and scale_axis(ax.yaxis, values)
            if kind == "accuracy":
                within(ax.yaxis, BUILT_IN["test_accuracy"])
            readable_ticks(ax.yaxis, log=log)


def _names(grid: dict[tuple[int, str], Any], drawn: Drawn, styles: dict[str, Style]) -> None:
    """Each model's name at the end of its test curve, or of its training curve where it has no other."""
    for (panel, kind), ax in grid.items():
        last = {model: found for part in ("train", "test") for (p, k, each, model), found in drawn.items()
                if (p, k, each) == (panel, kind, part)}  # fmt: skip
        label_right(ax, [(model, float(found.x[-1]), float(found.mean[-1])) for model, found in last.items()], styles)
