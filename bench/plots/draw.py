"""A plot of bench.analysis.plots as a figure of matplotlib."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.analysis.plots import Plot
from bench.plots.curves import curves
from bench.plots.lines import lines
from bench.plots.pairs import pairs
from bench.plots.points import against, rows
from bench.present.colours import COLOURS, MARKERS, Style

KINDS = {"strip": rows, "bars": rows, "against": against, "lines": lines, "curves": curves, "pairs": pairs}


def draw(plot: Plot, styles: Mapping[str, Style]) -> Any:
    """The figure. `styles`: of each model, the same in every plot."""
    return KINDS[plot.kind](plot, looks_of(plot, styles))


def looks_of(plot: Plot, styles: Mapping[str, Style]) -> dict[str, Style]:
    """The look of each name in a plot: its model's; in a plot of several devices the shape is that of the device, and
    models that share a colour have other shapes for the same devices."""
    looks, places = {}, {model: place for place, model in enumerate(styles)}
    for cell in plot.cells:
        looks[plot.called(cell)] = style = styles[cell.model]
        if plot.devices:
            lap = places[cell.model] // len(COLOURS)
            shape = MARKERS[(lap * len(plot.devices) + plot.devices.index(cell.trial.device)) % len(MARKERS)]
            looks[plot.called(cell)] = replace(style, marker=shape)
    return looks
