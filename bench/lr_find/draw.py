"""The plot of range tests: loss against learning rate, a panel a cell, with the suggested rates."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.lr_find.sweep import Curve
from bench.present.axes import panel_title
from bench.present.colours import Style
from bench.present.format import tick
from bench.present.names import short_names
from bench.present.style import FAINT, INK, SMALL, Frame, figure_with_axes

COLUMNS = 3
KEY = "faint: the loss of each batch · line: smoothed · solid line down: steepest · dashed: lowest / 10"


def rates(curves: Sequence[Curve], *, title: str, styles: dict[str, Style]) -> Any:
    """Draws a panel for each curve, models in their colours, rates on a logarithmic axis."""
    columns = min(COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure, axes = figure_with_axes(
        f"Loss by learning rate: {title}", [KEY], rows=rows, columns=columns, panel_inches=2.3, gap_inches=0.75,
        frame=Frame(left=0.75, right=0.25, bottom=0.6), named=True,
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.28)
    short = short_names((curve.name for curve in curves), most=34 if columns == COLUMNS else 60)
    for ax, curve in zip(axes, curves, strict=False):
        panel_title(ax, short[curve.name])
        _panel(ax, curve, styles[curve.trial.model.label])
    for place, ax in enumerate(axes):
        if place >= len(curves):
            ax.set_visible(False)
        if place % columns == 0:
            ax.set_ylabel("loss")
        if place + columns >= len(curves):
            ax.set_xlabel("learning rate (log)")
    return figure


def _panel(ax: Any, curve: Curve, style: Style) -> None:
    ax.set_xscale("log")
    ax.plot(curve.rates, curve.losses, color=style.colour, alpha=0.3, linewidth=0.8)
    ax.plot(curve.rates, curve.smoothed, color=style.colour, linewidth=1.8)
    start, low = curve.smoothed[0], min(*curve.smoothed, *curve.losses)
    # What diverges runs off the top: the part that can be read is the one below twice the start.
    top = min(max(curve.losses), max(2.0 * start, 1.2 * max(curve.losses[: max(1, len(curve.losses) // 2)])))
    ax.set_ylim(min(0.0, low), 1.18 * top)
    ax.set_xlim(curve.rates[0], curve.rates[-1])
    ax.xaxis.set_major_locator(LogLocator(base=10, numticks=5))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
    if found := curve.suggestion:
        ax.axvline(found.steepest, color=INK, linewidth=1.0)
        ax.axvline(found.tenth_of_lowest, color=FAINT, linewidth=1.0, linestyle="--")
        left = math.log(found.steepest / curve.rates[0]) > math.log(curve.rates[-1] / curve.rates[0]) / 2
        ax.annotate(
            f"{found.steepest:.2g}", (found.steepest, 1.18 * top), xytext=(-4 if left else 4, -2),
            textcoords="offset points", ha="right" if left else "left", va="top", size=SMALL, color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip


def _power(value: float) -> str:
    return tick(value) if 1e-3 <= value <= 1e3 else f"1e{round(math.log10(value))}"
