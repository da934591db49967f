"""What batch sizes say: from which one on B is faster, and each side at its fastest one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell
from bench.analysis.ratios import ratio
from bench.base.metrics import Metric
from bench.base.records import Json
from bench.comparison.pairs import ComparedCell, Comparison
from bench.statistics.intervals import Ratio
from bench.statistics.ratios import Crossover, crossover

AXIS = "batch_size"
# The batch size is chosen by how fast it is. A best accuracy or loss would be chosen on the test set.
CHOOSABLE = frozenset({"samples/s", "FLOP/s"})


@dataclass(frozen=True, eq=False)
class BatchSeries:
    """The cells that differ in their batch size alone, the smallest first."""

    cells: tuple[ComparedCell, ...]

    @property
    def sizes(self) -> list[int]:
        return [int(cell.pair.settings[AXIS]) for cell in self.cells]

    @property
    def ratios(self) -> list[Ratio]:
        return [cell.ratio for cell in self.cells if cell.ratio is not None]


@dataclass(frozen=True, eq=False)
class Best:
    """Each side at its fastest batch size. `ratio`: B over A; its interval does not know of the choice. `tried`: how
    many sizes."""

    first: ComparedCell
    a: Cell
    b: Cell
    ratio: Ratio
    tried: int


def series_of(comparison: Comparison) -> list[BatchSeries]:
    """Returns a series for each setting that has a ratio at two batch sizes or more. There is none where the batch size
    is what is compared, nor where the timings of a size are disturbed: none is chosen by those."""
    groups: dict[tuple[tuple[str, Json], ...], list[ComparedCell]] = {}
    for cell in comparison.compared:
        if AXIS in cell.pair.settings:
            machines = ("machines", (cell.a.machine, cell.b.machine))
            rest = tuple((name, value) for name, value in cell.pair.settings.items() if name != AXIS)
            groups.setdefault((*rest, machines), []).append(cell)
    found = [BatchSeries(tuple(sorted(cells, key=lambda cell: cell.a.trial.batch_size))) for cells in groups.values()]
    return [each for each in found if len(each.cells) > 1 and not any(c.verdict == "doubtful" for c in each.cells)]


def crossovers(comparison: Comparison) -> list[tuple[BatchSeries, Crossover]]:
    """Returns for each series the batch size from which on B is faster. Empty for a metric that is no speed."""
    if comparison.metric.unit not in (*CHOOSABLE, "seconds"):
        return []
    return [
        (each, crossover(each.sizes, [_better(ratio, comparison.metric) for ratio in each.ratios]))
        for each in series_of(comparison)
    ]


def _better(found: Ratio, metric: Metric) -> Ratio:
    """Returns the ratio turned so that above 1 is better."""
    if metric.higher_is_better:
        return found
    low, high = (None if end is None else 1 / end for end in (found.high, found.low))
    return Ratio(1 / found.ratio, low, high)


def best_batches(comparison: Comparison) -> Iterator[Best]:
    """Yields for each series both sides at their fastest batch size. Nothing for a metric that is no rate: the shortest
    step is that of the smallest batch."""
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
