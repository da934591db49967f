"""A ranking as tables: ranks, pairs of models by seeds, accuracy and costs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.metric_words import shown_name
from bench.base.metrics import Metric
from bench.comparison.rank import DEFAULT_METRIC, Duel, Ranking, costs_of
from bench.comparison.rank_sentences import difference, fronts, p_text
from bench.present.format import DASH, Scale, figure_pm, scale_of
from bench.present.tables import Column, Table, TableCell
from bench.statistics.intervals import Estimate
from bench.statistics.ranking import CriticalDifference

RANKS = (
    "Pairwise Wilcoxon signed-rank tests over data sets, each the mean of its seeds, p adjusted for the number of "
    "pairs by Holm (Benavoli, Corani & Mangili 2016). n: data sets on which the two differ."
)
PAIRED = (
    "Differences are paired by seed: mean and 95 % interval (Student's t). P: the share of seeds in which the first "
    "is better, a tie counting half. p: Wilcoxon's signed-rank test, exact; below six seeds it cannot reach 0.05, "
    "whatever the models are. Not adjusted for the number of pairs."
)
FRONT = (
    "On the front: no other model is both cheaper and more accurate, by their means; what the intervals leave open, "
    "they leave open here too."
)


def average_ranks_table(ranks: CriticalDifference, ranking: Ranking) -> Table:
    """Models by their average rank, and which of them cannot be told from which."""
    heads = (Column("model", "model", numeric=False), Column("average_rank", "average rank"),
             Column("alike", "cannot be told from", numeric=False))  # fmt: skip
    rows = []
    for name, rank in zip(ranks.names, ranks.average_ranks, strict=True):
        alike = {other for group in ranks.groups if name in group for other in group} - {name}
        text = ", ".join(other for other in ranks.names if other in alike) or "–"
        rows.append((TableCell(name), TableCell(f"{rank:.2f}", rank), TableCell(text)))
    title = f"Average ranks by {shown_name(ranking.metric)} over {ranks.n} data sets"
    return Table("ranks", title, heads, tuple(rows), (RANKS,))


def pairs_table(ranks: CriticalDifference) -> Table:
    """Every pair over data sets, with its p."""
    heads = (
        Column("first", "model", numeric=False), Column("second", "against", numeric=False), Column("n", "n"),
        Column("p", "p"), Column("adjusted_p", "p (Holm)"), Column("smallest_p", "least that it could be"),
    )  # fmt: skip
    rows = tuple(
        (
            TableCell(each.first),
            TableCell(each.second),
            TableCell(str(each.n), each.n),
            *(TableCell(p_text(p), p) for p in (each.p, each.adjusted_p, each.smallest_adjusted_p)),
        )
        for each in ranks.pairs
    )
    return Table("rank-pairs", "Pairs of models over data sets", heads, rows, (RANKS,))


def duels_table(duels: Sequence[Duel], metric: Metric) -> Table:
    """Every pair of models on every data set, by seeds."""
    heads = (
        Column("dataset", "data set", numeric=False), Column("first", "model", numeric=False),
        Column("second", "against", numeric=False), Column("difference", "difference", interval=True),
        Column("probability", "P"), Column("p", "p"), Column("n", "seeds"), Column("smallest_p", "least p of n"),
    )  # fmt: skip
    rows = tuple(
        (
            TableCell(each.dataset), TableCell(each.first), TableCell(each.second),
            TableCell(difference(each, metric), each.difference.mean, each.difference.low, each.difference.high),
            TableCell(f"{each.probability:.2f}", each.probability), TableCell(p_text(each.outcome.p), each.outcome.p),
            TableCell(str(each.difference.n), each.difference.n),
            TableCell(p_text(each.outcome.smallest_p), each.outcome.smallest_p),
        )
        for each in duels
    )  # fmt: skip
    return Table("seed-pairs", f"Pairs of models by seeds: {shown_name(metric)}", heads, rows, (PAIRED,))


def costs_table(ranking: Ranking) -> Table:
    """Accuracy and every cost of every model, and on which fronts it is."""
    costs = costs_of(ranking)
    on = {cost.name: fronts(ranking, cost) for cost in costs}
    names = (DEFAULT_METRIC, *(cost.name for cost in costs))
    heads = [Column("dataset", "data set", numeric=False), Column("model", "model", numeric=False)]
    columns: list[list[TableCell]] = [[], []]
    cells = [(dataset, model, cell) for dataset, found in ranking.table.items() for model, cell in found.items()]
    columns[0] = [TableCell(dataset) for dataset, *_ in cells]
    columns[1] = [TableCell(model) for _, model, _ in cells]
    for name, unit in zip(names, ("fraction", *(cost.unit for cost in costs)), strict=True):
        found = [cell.estimate(name) for *_, cell in cells]
        scale = scale_of(unit, [each.mean for each in found if each])
        shown = name.replace("_seconds", "").replace("_bytes", "").replace("_joules", "").replace("_", " ")
        heads.append(Column(name, shown + (f" ({scale.unit})" if scale.unit else ""), interval=True))
        columns.append([_level(each, scale) for each in found])
    heads.append(Column("front", "on the front against", numeric=False))
    columns.append([TableCell(_fronts_of(dataset, model, on)) for dataset, model, _ in cells])
    rows = tuple(zip(*columns, strict=True))
    return Table("costs", "Accuracy against cost", tuple(heads), rows, (FRONT,))


def _level(found: Estimate | None, scale: Scale) -> TableCell:
    if found is None:
        return TableCell(DASH)
    return TableCell(figure_pm(found.mean, found.half, scale), found.mean, found.low, found.high)


SHORT = {"fit_seconds": "time", "host_peak_bytes": "memory", "device_peak_allocated_bytes": "device memory",
         "parameters": "parameters", "energy_joules": "energy"}  # fmt: skip


def _fronts_of(dataset: str, model: str, on: dict[str, dict[str, list[str]]]) -> str:
    return ", ".join(SHORT[cost] for cost, found in on.items() if model in found.get(dataset, [])) or DASH
