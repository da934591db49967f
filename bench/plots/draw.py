"""A plot of bench.analysis.plots as a figure of matplotlib."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.analysis.plots import Plot
from bench.plots.curves import curves
from bench.plots.lines import lines
from bench.plots.points import against, rows
from bench.present.colours import MARKERS, Style

KINDS = {"strip": rows, "bars": rows, "against": against, "lines": lines, "curves": curves}


def draw(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure. `styles`: of each model, the same in every plot."""
    looks = {plot.called(cell): styles[cell.model] for cell in plot.cells}
    for cell in plot.cells if plot.devices else ():
        shape = MARKERS[plot.devices.index(cell.trial.device) % len(MARKERS)]
        looks[plot.called(cell)] = replace(styles[cell.model], marker=shape)
    return KINDS[plot.kind](plot, looks)
