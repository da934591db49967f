"""Learning curves as data: what training and test reached, against epochs or seconds, over the seeds of a cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.analysis.cells import Cell
from bench.base.metrics import ACCURACY

Numbers = NDArray[np.float64]
PARTS = {"train": "training", "test": "test"}
KINDS = {"accuracy": "accuracy (fraction)", "loss": "loss (nats)"}
PLACES = {"epoch": "epoch", "train_seconds": "training time (s, evaluation excluded)"}
LINES = "solid: test · dashed: training"
NAMES = {f"{part}_{kind}": f"{PARTS[part]} {KINDS[kind]}" for part in ("test", "train") for kind in KINDS}
AXES = KINDS | PLACES | NAMES  # what stands along an axis, with its unit
WORDS = {name: text.partition(" (")[0] for name, text in AXES.items()}
BAND, ONE_SEED = "line: mean, band: lowest to highest seed", "one seed"


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of one cell over its seeds: x (E,), and mean, lowest and highest (E,) of what was recorded."""

    x: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers


Curves = dict[tuple[int, str, str, str], Curve]  # panel, kind, part, model


def curves_of(panels: Iterable[Sequence[Cell]], *, x: str) -> Curves:
    """Every curve of the cells of each panel; none where no curve has more than one point."""
    found = {
        (panel, kind, part, cell.model): each
        for panel, cells in enumerate(panels)
        for kind in KINDS
        for part in PARTS
        for cell in cells
        if (each := curve(cell, f"{part}_{kind}", x=x)) is not None
    }
    return found if any(len(each.x) > 1 for each in found.values()) else {}


def curve(cell: Cell, name: str, *, x: str) -> Curve | None:
    """The curve called `name` against `epoch` or `train_seconds`; None where it was not recorded.

    Against epochs, a curve pools as accuracies do; against seconds it is one machine's.
    Seeds with fewer epochs end the curve for all: a mean of other seeds would jump.
    """
    results = cell.results_of(pooled_as(x))
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


def pooled_as(x: str) -> str:
    """A metric that pools as curves against `x` do."""
    return ACCURACY if x == "epoch" else "fit_seconds"


def _array(rows: Sequence[Sequence[float | None]]) -> Numbers:
    return np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
