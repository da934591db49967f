"""A ranking in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from bench.analysis.metric_words import shown_name
from bench.base.metrics import Metric
from bench.comparison.rank import DEFAULT_METRIC, Duel, Ranking
from bench.comparison.tables import difference_text
from bench.present.format import figure_pm, listing, plural, scale_of, significant
from bench.statistics.pareto import pareto_front
from bench.statistics.power import fewest_pairs
from bench.statistics.ranking import FEWEST_DATASETS, CriticalDifference

ALPHA = 0.05


def answer(ranking: Ranking) -> Iterator[str]:
    """What the data sets show of the models."""
    ranks = ranking.ranks
    if ranks is None:
        yield (
            f"{plural(len(ranking.datasets), 'data set')}: no claim of rank is made below {FEWEST_DATASETS}. "
            "The profile below says how often a model is how near to the best; pairs of seeds say it of one data set."
        )
    else:
        yield from _ranked(ranks, ranking)
    absent = [model for model in ranking.models if model not in ranking.complete]
    if absent and ranks is not None:
        yield f"Without {listing(absent)}: not measured on every data set."
    if ranking.chosen > 1:
        yield f"At {ranking.setting}: one of {ranking.chosen} settings, that with the most cells (the first of them)."


def _ranked(ranks: CriticalDifference, ranking: Ranking) -> Iterator[str]:
    best = ranks.names[0]
    yield (
        f"{best} has the best average rank, {ranks.average_ranks[0]:.2f} over {ranks.n} data sets, by "
        f"{shown_name(ranking.metric)}."
    )
    alike = sorted({name for group in ranks.groups if best in group for name in group} - {best}, key=ranks.names.index)
    if not ranks.could_show:
        need = fewest_pairs(comparisons=len(ranks.pairs))
        yield (
            f"So few data sets cannot tell any two of {len(ranks.names)} models apart: with Holm for "
            f"{plural(len(ranks.pairs), 'pair')} it takes {need} that differ (exact signed ranks)."
        )
    elif alike:
        yield f"It cannot be told from {listing(alike)} (pairwise Wilcoxon, Holm, p > {ALPHA})."
    else:
        yield f"It can be told from every other model (pairwise Wilcoxon, Holm, p ≤ {ALPHA})."


def p_text(value: float) -> str:
    """`0.0625`, `0.031`: two digits, and a p of 1/16 in full."""
    return f"{value:.{max(2, min(6, significant(value, 3)))}f}".rstrip("0") if value >= 1e-6 else "< 0.000001"


def difference(found: Duel, metric: Metric) -> str:
    """The mean difference with its interval, in the unit of the metric."""
    if metric.unit == "fraction":
        return difference_text(found.difference)
    scale = scale_of(metric.unit, [found.difference.mean])
    shown = figure_pm(found.difference.mean, found.difference.half, scale)
    return f"{shown.replace('-', '−')} {scale.unit}".strip()


def fronts(ranking: Ranking, cost: Metric) -> dict[str, list[str]]:
    """Data set → the models that no other beats in both accuracy and `cost`, by their means, the cheapest first."""
    found = {}
    for dataset, cells in ranking.table.items():
        known = [
            (model, price.mean, level.mean)
            for model, cell in cells.items()
            if (price := cell.estimate(cost.name)) and (level := cell.estimate(DEFAULT_METRIC))
        ]
        if len(known) > 1:
            indices = pareto_front([price for _, price, _ in known], [level for *_, level in known])
            found[dataset] = [known[index][0] for index in indices]
    return found
