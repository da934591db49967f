"""The figure of a regression: predicted against true, and the residuals against what was predicted."""

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from bench.analysis.artifacts import Regressed
from bench.present.axes import readable_ticks
from bench.present.colours import COLOURS
from bench.present.style import FAINT, SMALL, Frame, figure_with_axes

MOST_POINTS = 5000
FEWEST_BINS, MOST_BINS = 10, 50


def residuals(found: Regressed, index: int, *, title: str, subtitle: str) -> Any:
    """Of the target at `index`: predicted against true, prediction − true against predicted, and how these lie."""
    places = np.unique(np.linspace(0, len(found.targets) - 1, min(len(found.targets), MOST_POINTS)).astype(int))
    true, predicted = (array[:, index].astype(float) for array in (found.targets, found.predictions))
    errors = predicted - true
    some = "" if len(places) == len(true) else f" · {len(places):,} of {len(true):,} samples are drawn"
    figure, (left, middle, right) = figure_with_axes(
        title, [f"{subtitle}{some}", "dashed: predicted as it is · residual: predicted − true"],
        rows=1, columns=3, panel_inches=2.6, named=False, frame=Frame(bottom=0.65),
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.42)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    style = {"color": COLOURS[0], "markersize": 3.5, "alpha": min(1.0, max(0.15, 60 / len(places)))}
    left.plot(ends, ends, color=FAINT, linewidth=1.0, linestyle="--")
    left.plot(true[places], predicted[places], "o", **style)
    middle.axhline(0, color=FAINT, linewidth=1.0, linestyle="--")
    middle.plot(predicted[places], errors[places], "o", **style)
    right.hist(errors, bins=min(MOST_BINS, max(FEWEST_BINS, int(np.sqrt(len(errors))))), color=COLOURS[0])
    right.axvline(0, color=FAINT, linewidth=1.0, linestyle="--")
    name = found.target_names[index]
    for ax, x, y in ((left, f"true {name}", f"predicted {name}"), (middle, f"predicted {name}", "residual"),
                     (right, "residual", "samples (count)")):  # fmt: skip
        ax.set_xlabel(x, size=SMALL)
        ax.set_ylabel(y, size=SMALL)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
    readable_ticks(right.yaxis, log=False, whole=True)
    return figure
