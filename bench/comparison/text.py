"""What `bench compare` prints: 80 columns, the answer first, then the cells, then what differs."""

from collections.abc import Iterator

from bench.analysis.ladder import MARGIN, judged, ordered
from bench.analysis.pair_tables import Row, pairs_table
from bench.base.metrics import ACCURACY, Metric
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
    """Returns the table of two models by what their seeds reach; empty where models are not what is compared."""
    if "model" not in comparison.apart:
        return ""
    several = len(comparison.cells) > len({cell.a.dataset for cell in comparison.cells})
    rows: dict[Metric, list[Row]] = {}  # by what the models are judged by: no table mixes tasks
    for cell in comparison.cells:
        main = cell.a.main
        if cell.a.estimate(main.name) is None or cell.b.estimate(main.name) is None:
            continue
        where = f"{cell.a.dataset}, {cell.label(comparison.shown, device=True)}" if several else cell.a.dataset
        pair, margin = tuple(ordered([cell.a, cell.b], metric=main.name)), MARGIN if main.name == ACCURACY else 0.0
        rows.setdefault(main, []).extend((where, each) for each in judged(pair, metric=main.name, margin=margin))
    tables = (pairs_table(each, main, name="pairs", title="Pairs of models", alone=True) for main, each in rows.items())
    return "\n\n".join(map(pairs_text, tables))


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
