"""How two cells differ, over the seeds that both have."""

from bench.analysis.cells import Cell
from bench.base.metrics import ACCURACY, metric_named
from bench.results.accuracy_intervals import Stored, difference, evidence
from bench.statistics.evidence import Evidence, evidence_of
from bench.statistics.intervals import Estimate, paired_t_interval


def paired_difference(a: Cell, b: Cell, *, metric: str) -> Estimate | None:
    """`a` - `b` with its interval (`over` says what for); None where they share no seed."""
    one, other = _values(a, b, metric)
    if not one:
        return None
    if metric == ACCURACY:
        return difference(one, other, *_answers(a, b))
    return paired_t_interval(one, other, bounds=metric_named(metric).bounds)


def paired_evidence(a: Cell, b: Cell, *, metric: str = ACCURACY) -> Evidence | None:
    """What the seeds say of `a` less `b`, at any level; None where they share none."""
    one, other = _values(a, b, metric)
    if not one:
        return None
    if metric == ACCURACY:
        return evidence(one, other, *_answers(a, b))
    return evidence_of([first - second for first, second in zip(one, other, strict=True)])


def _values(a: Cell, b: Cell, metric: str) -> tuple[list[float], list[float]]:
    first, second = a.by_seed(metric), b.by_seed(metric)
    seeds = [seed for seed in first if seed in second]
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def _answers(a: Cell, b: Cell) -> tuple[Stored, Stored]:
    seeds = [seed for seed in a.by_seed(ACCURACY) if seed in b.by_seed(ACCURACY)]
    return [a.answers_by_seed[seed] for seed in seeds], [b.answers_by_seed[seed] for seed in seeds]
