"""What `bench compare` prints: 80 columns, the answer first, then the cells, then what differs."""

from collections.abc import Iterator

from bench.analysis.ladder import MARGIN, judged, ordered
from bench.analysis.pair_tables import pairs_table
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.comparison.pairs import Comparison
from bench.comparison.rank_text import MORE, pairs_text
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
    several = len(comparison.cells) > len({cell.a.dataset for cell in comparison.cells})
    rows = []
    for cell in comparison.cells:
        if cell.a.estimate(ACCURACY) is None or cell.b.estimate(ACCURACY) is None:
            continue
        where = f"{cell.a.dataset}, {cell.label(comparison.shown, device=True)}" if several else cell.a.dataset
        rows += [(where, pair) for pair in judged(tuple(ordered([cell.a, cell.b])), margin=MARGIN)]
    if not rows:
        return ""
    return pairs_text(pairs_table(rows, BUILT_IN[ACCURACY], name="pairs", title="Pairs of models", alone=True))


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
