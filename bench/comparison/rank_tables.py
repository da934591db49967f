"""A ranking as tables: ranks, pairs of models by seeds, accuracy and costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench.analysis.cells import Cell, scale_for
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.ratios import bases
from bench.analysis.table_columns import interval_notes
from bench.base.metrics import BUILT_IN, Metric
from bench.comparison.rank import DEFAULT_METRIC, Ranking, SeedPair, costs_of, fronts
from bench.present.format import DASH, Scale, difference, figure, head, p_text, plural, scale_of
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, estimate_cell, ratio_cell, table_of
from bench.statistics.power import fewest_pairs
from bench.statistics.ranking import CriticalDifference, Pair

ALPHA = 0.05
RANKS = (
    "Pairwise Wilcoxon signed-rank tests over data sets, each the mean of its seeds, p adjusted for the number of "
    "pairs by Holm (Benavoli, Corani & Mangili 2016). n: data sets on which the two differ."
)
PAIRED = "Differences are paired by seed: mean and"
RATIOS = "Ratio: first over second, with its 95 % interval, taken on logarithms"
BY_SEED = (
    "P: the share of seeds in which the first is better, a tie counting half. p: Wilcoxon's signed-rank test, exact, "
    "each pair alone."
)
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


def seed_pairs_table(seed_pairs: Sequence[SeedPair], metric: Metric) -> Table:
    """Every pair of models on every data set, by seeds. A star marks a p that so few seeds keep high."""
    several = len({pair.dataset for pair in seed_pairs}) > 1

    def where(pair: SeedPair) -> str:
        return f"{pair.dataset}: " if several else ""

    columns: Columns[SeedPair] = [
        (Column("pair", "paired by seed", numeric=False, place="terminal"),
         lambda pair: f"{where(pair)}{pair.first} − {pair.second}"),
        (Column("dataset", "data set", numeric=False, place="files"), lambda pair: pair.dataset),
        (Column("first", "model", numeric=False, place="files"), lambda pair: pair.first),
        (Column("second", "against", numeric=False, place="files"), lambda pair: pair.second),
        (Column("n", "seeds", place="terminal"), lambda pair: count_cell(pair.difference.n)),
        (Column("difference", "difference", interval=True, place="files" if metric.timing else "all"),
         partial(_difference_cell, metric)),
        *([(Column("ratio", "ratio", interval=True), lambda pair: ratio_cell(pair.ratio))] if metric.timing else []),
        (Column("probability", "P"), lambda pair: TableCell(f"{pair.probability:.2f}", pair.probability)),
        (Column("p", "p"), lambda pair: _p_cell(pair.test.p, mark="*" if pair.test.smallest_p > ALPHA else "")),
        (Column("n", "seeds", place="files"), lambda pair: count_cell(pair.difference.n)),
        (Column("smallest_p", "least p of n", place="files"), lambda pair: _p_cell(pair.test.smallest_p)),
    ]  # fmt: skip
    title = f"Pairs of models by seeds: {metric.label}"
    how = f"{'; '.join([RATIOS, *bases(pair.ratio for pair in seed_pairs)])}." if metric.timing else _paired(seed_pairs)
    return table_of("seed-pairs", title, seed_pairs, columns, notes=[f"{how} {BY_SEED}", *_least_p(seed_pairs)])


def _paired(seed_pairs: Sequence[SeedPair]) -> str:
    overs = meanings(pair.difference for pair in seed_pairs)
    return f"{PAIRED} {purpose(overs)}." if overs else "Differences are paired by seed; one seed has no interval."


def _least_p(seed_pairs: Sequence[SeedPair]) -> Iterator[str]:
    """Yields what a star means, for each number of seeds that has one."""
    for n, least in sorted(
        {each.test.n: each.test.smallest_p for each in seed_pairs if each.test.smallest_p > ALPHA}.items()
    ):
        if n == 0:
            yield "* equal in every seed: nothing differs that could be tested"
            continue
        differ = f"{plural(n, 'seed')} that {'differs' if n == 1 else 'differ'}"
        yield (
            f"* with {differ} p cannot go below {p_text(least)}, whatever the models are; "
            f"it takes {fewest_pairs()} to reach {ALPHA}"
        )


def _difference_cell(metric: Metric, pair: SeedPair) -> TableCell:
    """Returns the mean difference with its interval, in the unit of the metric."""
    found = pair.difference
    if metric.unit == "fraction":
        text = difference(found)
    else:
        scale = scale_of(metric.unit, [found.mean])
        text = f"{figure(found.mean, scale, ends=found.ends).replace('-', '−')} {scale.unit}".strip()
    return TableCell(text, found.mean, found.low, found.high, over=found.over)


def _p_cell(p: float, *, mark: str = "") -> TableCell:
    return TableCell(p_text(p) + mark, p)


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
    for metric in (BUILT_IN[DEFAULT_METRIC], *costs):
        scale = scale_for(metric, [cell for *_, cell in cells])
        column = Column(metric.name, head(metric, scale), interval=True)
        columns.append((column, partial(_level_cell, metric.name, scale)))
    columns.append((Column("front", "on the front against", numeric=False), fronts_of))
    table = table_of("costs", "Accuracy against cost", cells, columns)
    return replace(table, notes=(*interval_notes(table.rows, table.columns), FRONT))


def _level_cell(metric: str, scale: Scale, row: tuple[str, str, Cell]) -> TableCell:
    return estimate_cell(row[2].estimate(metric), scale)
