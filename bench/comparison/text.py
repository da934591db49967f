"""What `bench compare` prints: 80 columns, the answer first, then the cells, then what differs."""

from collections.abc import Iterator
from dataclasses import replace

from bench.base.metrics import ACCURACY, BUILT_IN
from bench.comparison.pairs import Comparison
from bench.comparison.rank import seed_pair
from bench.comparison.rank_text import MORE, seed_pairs_text
from bench.comparison.sentences import answer, remarks, side_lines
from bench.comparison.tables import SELECTED, best_table, cells_table, crossover_table
from bench.present.columns import page_of, to_text, wrapped

MOST_ROWS = 40
MOST_DIFFERENCES = 16


def comparison_text(comparison: Comparison) -> str:
    """Returns the whole comparison for a terminal."""
    return page_of(
        [
            _head(comparison),
            *([_differences(comparison)] if comparison.duel else []),
            wrapped(answer(comparison)),
            to_text(cells_table(comparison), most_rows=MOST_ROWS, more=MORE),
            _pairs(comparison),
            *_batches(comparison),
            (line for text in remarks(comparison) for line in wrapped(text)),
            *([] if comparison.duel else [_differences(comparison)]),
        ]
    )


def _head(comparison: Comparison) -> Iterator[str]:
    yield from wrapped(f"B against A · {comparison.metric.label}, ratio B / A with its 95 % interval")
    for letter, side, conditions in side_lines(comparison):
        yield from wrapped(f"{letter}  {side} · {conditions}", indent="   ")


def _pairs(comparison: Comparison) -> str:
    """Returns the table of two models by the accuracies of their seeds; empty where models are not what is compared."""
    if "model" not in comparison.apart:
        return ""
    metric = BUILT_IN[ACCURACY]
    found = [(cell, seed_pair(cell.a.dataset, cell.b, cell.a, metric=metric)) for cell in comparison.cells]
    several = len(found) > len({cell.a.dataset for cell, _ in found})
    seed_pairs = [
        replace(each, dataset=f"{each.dataset}, {cell.label(comparison.shown, device=True)}") if several else each
        for cell, each in found
        if each is not None
    ]
    return seed_pairs_text(seed_pairs, metric)


def _batches(comparison: Comparison) -> Iterator[str]:
    """Yields from which batch size on B is faster, and both sides at their fastest one."""
    if crossed := crossover_table(comparison):
        yield to_text(crossed)
    if best := best_table(comparison):
        yield "\n".join([to_text(best), *wrapped(SELECTED)])


def _differences(comparison: Comparison) -> Iterator[str]:
    if not comparison.differences:
        yield "Nothing that is recorded differs: settings, environment, versions, code."
        return
    yield "What differs (A against B):"
    for each in comparison.differences[:MOST_DIFFERENCES]:
        yield from wrapped(f"- {each}", indent="  ")
    if len(comparison.differences) > MOST_DIFFERENCES:
        yield f"- and {len(comparison.differences) - MOST_DIFFERENCES} more{MORE}"
