"""Learning curves as data: what training and test reached, against epochs or seconds, over the seeds of a cell."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.analysis.cells import Cell, in_nats
from bench.base.metrics import ACCURACY
from bench.base.records import Result

Numbers = NDArray[np.float64]
PARTS = {"train": "training", "test": "test"}
KINDS = {"accuracy": "accuracy (fraction)", "r2": "R²", "loss": "loss (nats)"}
PLACES = {"epoch": "epoch", "train_seconds": "training time (s, evaluation excluded)"}
LINES = "solid: test · dashed: training"
NAMES = {f"{part}_{kind}": f"{PARTS[part]} {KINDS[kind]}" for part in ("test", "train") for kind in KINDS}
AXES = KINDS | PLACES | NAMES  # what stands along an axis, with its unit
WORDS = {name: text.partition(" (")[0] for name, text in AXES.items()}
CUT = "a line ends where the first of its seeds stopped"
BAND, ONE_SEED = "line: mean, band: lowest to highest seed", "one seed"


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of one cell over its seeds: x (E,), and mean, lowest and highest (E,) of what `n` seeds recorded.
    `cut`: some of them went on."""

    x: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers
    n: int
    cut: bool


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

    Against epochs, a curve pools as accuracies do; against seconds it is one machine's. A point is an epoch that all
    its seeds have: a mean of those that are left would jump where a seed stopped early.
    """
    found = [points for result in cell.results_of(pooled_as(x)) if (points := _points(result, name, x=x))]
    epochs = sorted(set.intersection(*map(set, found))) if found else []
    if not epochs:
        return None
    places, values = np.moveaxis(np.array([[points[epoch] for epoch in epochs] for points in found]), 2, 0)
    means = places.mean(axis=0), values.mean(axis=0)
    cut = any(max(points) > epochs[-1] for points in found)
    return Curve(*means, values.min(axis=0), values.max(axis=0), n=len(found), cut=cut)


def _points(result: Result, name: str, *, x: str) -> dict[float, tuple[float, float]]:
    """Epoch → (place, value) of one seed, where both are known; without a curve of epochs they are counted."""
    places, values = result.curves.get(x) or [], result.curves.get(name) or []
    epochs = result.curves.get("epoch") or range(1, len(values) + 1)
    found = {}
    for row in zip(epochs, places, values, strict=False):
        known = [value for value in row if value is not None and math.isfinite(value)]
        if len(known) == len(row):
            found[known[0]] = known[1], known[2]
    return found


def kind_text(kind: str, cells: Iterable[Cell]) -> str:
    """What stands along an axis of curves of `cells`: only a cross-entropy is in nats."""
    return KINDS[kind] if kind != "loss" or all(map(in_nats, cells)) else "loss"


def losses_text(cells: Iterable[Cell]) -> dict[str, str]:
    """What axes of losses say of `cells`, where not all of them are in nats: without the unit."""
    if all(map(in_nats, cells)):
        return {}
    return {name: text.removesuffix(" (nats)") for name, text in AXES.items() if text.endswith("(nats)")}


def pooled_as(x: str) -> str:
    """A metric that pools as curves against `x` do."""
    return ACCURACY if x == "epoch" else "fit_seconds"
