"""Learning curves as data: what training, validation and test reached, against epochs or seconds, over the seeds of a
cell."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.analysis.cells import Cell, in_nats
from bench.base.metrics import ACCURACY
from bench.base.records import Result

Numbers = NDArray[np.float64]
Point = tuple[float, float]  # where it stands along the axis, and the value there
PARTS = {"train": "training", "validation": "validation", "test": "test"}
KINDS = {"accuracy": "accuracy (fraction)", "r2": "R²", "loss": "loss (nats)"}
PLACES = {"epoch": "epoch", "train_seconds": "training time (s, evaluation excluded)"}
LINES = "solid: test · dashed: training"
WITH_VALIDATION = "solid: test · dotted: validation · dashed: training"
NAMES = {f"{part}_{kind}": f"{PARTS[part]} {KINDS[kind]}" for part in reversed(PARTS) for kind in KINDS}
AXES = KINDS | PLACES | NAMES  # what stands along an axis, with its unit
WORDS = {name: text.partition(" (")[0] for name, text in AXES.items()}
BAND, ONE_SEED = "thin: each seed, thick: their mean, band: lowest to highest", "one seed"
FALLS = "n: seeds that are left where one stopped"
STEPS, BEST = "▼: the learning rate falls", "★: best epoch, whose weights were tested"
BY_EPOCH = frozenset({"step", "plateau"})  # schedules whose rate falls in steps that can be marked


@dataclass(frozen=True, slots=True)
class SeedCurve:
    """The curve of one seed, to its own end: x and y (E,). `falls`: the points behind which the learning rate was
    lowered; `best`: that of the epoch whose weights early stopping took."""

    x: Numbers
    y: Numbers
    falls: tuple[Point, ...] = ()
    best: Point | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve of one cell over its seeds: x (E,), and mean, lowest and highest (E,) of the `counts` (E,) seeds that
    were still training then. `seeds`: each of them."""

    x: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers
    counts: NDArray[np.int64]
    seeds: tuple[SeedCurve, ...]

    @property
    def n(self) -> int:
        """Seeds that recorded it."""
        return len(self.seeds)

    @property
    def stretches(self) -> list[slice]:
        """The pieces of the mean that are of the same number of seeds. A line from one to the next would jump where
        nothing was learned or forgotten, and back in time where the slower seeds stopped."""
        starts = [0, *(np.flatnonzero(np.diff(self.counts)) + 1).tolist(), len(self.counts)]
        return [slice(first, end) for first, end in pairwise(starts)]

    @property
    def end(self) -> float:
        """The furthest that a seed went."""
        return max(float(each.x[-1]) for each in self.seeds)


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

    Against epochs, a curve pools as accuracies do; against seconds it is one machine's. A point of the mean is an epoch
    that all seeds have which were still training then.
    """
    results = cell.results_of(pooled_as(x))
    found = [(result, points) for result in results if (points := _points(result, name, x=x))]
    if not found:
        return None
    rows = []
    for epoch in sorted(set().union(*(points for _, points in found))):
        left = [points for _, points in found if max(points) >= epoch]
        if all(epoch in points for points in left):
            places, values = zip(*(points[epoch] for points in left), strict=True)
            rows.append((np.mean(places), np.mean(values), min(values), max(values), len(left)))
    if not rows:
        return None
    places, means, low, high, counts = np.array(rows, dtype=np.float64).T
    return Curve(places, means, low, high, counts.astype(np.int64), tuple(_seed(*each) for each in found))


def _seed(result: Result, points: Mapping[float, Point]) -> SeedCurve:
    epochs = sorted(points)
    places, values = np.array([points[epoch] for epoch in epochs]).T
    best = points.get(result.metrics.get("best_epoch", math.nan))
    return SeedCurve(places, values, tuple(points[epoch] for epoch in _falls(result) if epoch in points), best)


def _falls(result: Result) -> list[float]:
    """The last epochs with a learning rate, before a schedule lowered it by a step."""
    if result.trial.train.schedule not in BY_EPOCH:
        return []
    rates = _points(result, "learning_rate", x="epoch")
    epochs = sorted(rates)
    return [old for old, new in pairwise(epochs) if rates[new][1] < rates[old][1]]


def _points(result: Result, name: str, *, x: str) -> dict[float, Point]:
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


def legend(curves: Iterable[tuple[str, Curve]], *, several: bool) -> str:
    """What lines and marks mean, of those that occur. `curves`: part and curve; `several`: seeds in a cell."""
    drawn = list(curves)
    lines = WITH_VALIDATION if any(part == "validation" for part, _ in drawn) else LINES
    marked = [seed for part, each in drawn if part == "test" for seed in each.seeds]
    told = {
        BAND if several else ONE_SEED: True,
        FALLS: any(len(each.stretches) > 1 for _, each in drawn),
        STEPS: any(seed.falls for seed in marked),
        BEST: any(seed.best for seed in marked),
    }
    return " · ".join([lines, *(text for text, holds in told.items() if holds)])


def pooled_as(x: str) -> str:
    """A metric that pools as curves against `x` do."""
    return ACCURACY if x == "epoch" else "fit_seconds"
