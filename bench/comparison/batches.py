"""Over batch sizes: from which one on B is faster, and both sides at the best one of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell, ratio
from bench.base.metrics import Metric
from bench.base.records import Json
from bench.comparison.pairs import Compared, Comparison
from bench.statistics.crossover import Crossover, crossover
from bench.statistics.intervals import Ratio

AXIS = "batch_size"
# The batch size is chosen by how fast it is. A best accuracy or loss would be chosen on the test set.
CHOOSABLE = frozenset({"samples/s", "FLOP/s"})


@dataclass(frozen=True, eq=False)
class BatchSeries:
    """The cells of one setting along the batch size, the smallest first."""

    cells: tuple[Compared, ...]

    @property
    def sizes(self) -> list[int]:
        return [int(cell.pair.settings[AXIS]) for cell in self.cells]

    @property
    def ratios(self) -> list[Ratio]:
        return [cell.ratio for cell in self.cells if cell.ratio is not None]


@dataclass(frozen=True, eq=False)
class Best:
    """Each side at the batch size at which it is fastest; `ratio` B over A. The choice is no part of its interval."""

    first: Compared
    a: Cell
    b: Cell
    ratio: Ratio
    tried: int


def series_of(comparison: Comparison) -> list[BatchSeries]:
    """The cells with a ratio at two batch sizes or more, by all other settings; none where that is compared itself."""
    groups: dict[tuple[tuple[str, Json], ...], list[Compared]] = {}
    for cell in comparison.compared:
        if AXIS in cell.pair.settings:
            machines = ("machines", (cell.a.machine, cell.b.machine))
            rest = tuple((name, value) for name, value in cell.pair.settings.items() if name != AXIS)
            groups.setdefault((*rest, machines), []).append(cell)
    found = [BatchSeries(tuple(sorted(cells, key=lambda cell: cell.a.trial.batch_size))) for cells in groups.values()]
    return [each for each in found if len(each.cells) > 1]


def crossovers(comparison: Comparison) -> list[tuple[BatchSeries, Crossover]]:
    """From which batch size on B is the better one, for every series; empty for a metric that says nothing of speed."""
    if comparison.metric.unit not in (*CHOOSABLE, "seconds"):
        return []
    return [
        (each, crossover(each.sizes, [_better(ratio, comparison.metric) for ratio in each.ratios]))
        for each in series_of(comparison)
    ]


def _better(found: Ratio, metric: Metric) -> Ratio:
    """The ratio such that above 1 is better."""
    if metric.higher_is_better:
        return found
    low, high = (None if end is None else 1 / end for end in (found.high, found.low))
    return Ratio(1 / found.ratio, low, high)


def best_batches(comparison: Comparison) -> Iterator[Best]:
    """Both sides at their best batch size, for every series; nothing for a metric that is no rate: the shortest step
    is that of the smallest batch."""
    if comparison.metric.unit not in CHOOSABLE:
        return
    metric = comparison.metric.name
    for each in series_of(comparison):
        a, b = (_fastest(cells, metric) for cells in zip(*[(cell.a, cell.b) for cell in each.cells], strict=True))
        found = ratio(b, a, metric=metric)
        if found is not None:
            yield Best(each.cells[0], a, b, found, len(each.cells))


def _fastest(cells: Sequence[Cell], metric: str) -> Cell:
    return max(cells, key=lambda cell: found.mean if (found := cell.estimate(metric)) else 0.0)
