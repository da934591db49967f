"""A ranking as tables: ranks, pairs of models by seeds, accuracy and costs."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from bench.analysis.cells import Cell, scale_for
from bench.analysis.pair_tables import pairs_table as judged_table
from bench.analysis.ratios import bases
from bench.analysis.table_columns import interval_notes
from bench.base.metrics import BUILT_IN, Metric
from bench.comparison.rank import Ranking, RatioPair, costs_of, fronts
from bench.present.format import DASH, Scale, head, p_text
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, estimate_cell, ratio_cell, table_of
from bench.statistics.ranking import CriticalDifference, Pair

ALPHA = 0.05
PAIRS = "Pairs of models"
RANKS = (
    "Pairwise Wilcoxon signed-rank tests over data sets, each the mean of its seeds, p adjusted for the number of "
    "pairs by Holm (Benavoli, Corani & Mangili 2016). n: data sets on which the two differ."
)
RATIOS = "Ratio: first over second, with its 95 % interval, taken on logarithms, each pair alone"
FRONT = (
    "On the front: no other model is both cheaper and more accurate, by their means; what the intervals leave open, "
    "they leave open here too."
)


def average_ranks_table(ranks: CriticalDifference, ranking: Ranking) -> Table:
    """Models by their average rank, and from which others each cannot be told apart.

    A terminal shows that as letters: two models that share one cannot be told apart (compact letter display).
    """
    rank_of = dict(zip(ranks.names, ranks.average_ranks, strict=True))

    def alike(name: str) -> str:
        others = {other for group in ranks.groups if name in group for other in group} - {name}
        return ", ".join(other for other in ranks.names if other in others) or DASH

    def letters(name: str) -> str:
        return "".join(chr(ord("a") + index) for index, group in enumerate(ranks.groups[:26]) if name in group)

    columns: Columns[str] = [
        (Column("model", "model", numeric=False), str),
        (Column("average_rank", "average rank"), lambda name: TableCell(f"{rank_of[name]:.2f}", rank_of[name])),
        (Column("alike", "cannot be told from", numeric=False, place="files"), alike),
        (Column("letters", "alike", numeric=False, place="terminal"), letters),
    ]
    title = f"Average ranks by {ranking.metric.label} over {ranks.n} data sets"
    return table_of("ranks", title, ranks.names, columns, notes=[RANKS])


def pairs_table(ranks: CriticalDifference) -> Table:
    """Every pair of models over data sets, with its p."""
    columns: Columns[Pair] = [
        (Column("first", "model", numeric=False), lambda pair: pair.first),
        (Column("second", "against", numeric=False), lambda pair: pair.second),
        (Column("n", "n"), lambda pair: count_cell(pair.n)),
        (Column("p", "p"), lambda pair: _p_cell(pair.p)),
        (Column("adjusted_p", "p (Holm)"), lambda pair: _p_cell(pair.adjusted_p)),
        (Column("smallest_p", "least that it could be"), lambda pair: _p_cell(pair.smallest_adjusted_p)),
    ]
    return table_of("rank-pairs", "Pairs of models over data sets", ranks.pairs, columns, notes=[RANKS])


def ratios_table(pairs: Sequence[RatioPair], metric: Metric) -> Table:
    """Every pair of models on every data set by the ratio of a timing."""
    several = len({pair.dataset for pair in pairs}) > 1

    def named(pair: RatioPair) -> str:
        return f"{f'{pair.dataset}: ' if several else ''}{pair.first} / {pair.second}"

    columns: Columns[RatioPair] = [
        (Column("pair", "pair", numeric=False, place="terminal"), named),
        (Column("dataset", "data set", numeric=False, place="files"), lambda pair: pair.dataset),
        (Column("first", "model", numeric=False, place="files"), lambda pair: pair.first),
        (Column("second", "against", numeric=False, place="files"), lambda pair: pair.second),
        (Column("ratio", "ratio", interval=True), lambda pair: ratio_cell(pair.ratio)),
    ]
    notes = [f"{'; '.join([RATIOS, *bases(pair.ratio for pair in pairs)])}."]
    return table_of("pairs", f"{PAIRS}: {metric.label}", pairs, columns, notes=notes)


def table_of_pairs(ranking: Ranking) -> Table | None:
    """Every pair of models on every data set; None where there is none."""
    if ranking.ratios:
        return ratios_table(ranking.ratios, ranking.metric)
    title = f"{PAIRS}: {ranking.metric.label}"
    return judged_table(ranking.pairs, ranking.metric, name="pairs", title=title) if ranking.pairs else None


def _p_cell(p: float) -> TableCell:
    return TableCell(p_text(p), p)


def costs_table(ranking: Ranking) -> Table:
    """Accuracy and costs of every model, and on which fronts it is."""
    costs = costs_of(ranking)
    on = {cost.name: fronts(ranking, cost) for cost in costs}
    cells = [(dataset, model, cell) for dataset, found in ranking.table.items() for model, cell in found.items()]

    def fronts_of(row: tuple[str, str, Cell]) -> str:
        dataset, model, _ = row
        return ", ".join(BUILT_IN[cost].word for cost, found in on.items() if model in found.get(dataset, [])) or DASH

    columns: Columns[tuple[str, str, Cell]] = [
        (Column("dataset", "data set", numeric=False), lambda row: row[0]),
        (Column("model", "model", numeric=False), lambda row: row[1]),
    ]
    mains = dict.fromkeys(cell.main for *_, cell in cells)
    for metric in (*mains, *costs):
        scale = scale_for(metric, [cell for *_, cell in cells])
        column = Column(metric.name, head(metric, scale), interval=True)
        columns.append((column, partial(_level_cell, metric.name, scale)))
    level = " or ".join(metric.title for metric in mains) or "accuracy"
    columns.append((Column("front", "on the front against", numeric=False), fronts_of))
    table = table_of("costs", f"{level[0].upper()}{level[1:]} against cost", cells, columns)
    return replace(table, notes=(*interval_notes(table.rows, table.columns), FRONT))


def _level_cell(metric: str, scale: Scale, row: tuple[str, str, Cell]) -> TableCell:
    return estimate_cell(row[2].estimate(metric), scale)
