"""What `bench compare --by model` prints: ladders, the answer over data sets, ranks or profiles, pairs, fronts."""

from collections.abc import Iterator

import numpy as np

from bench.analysis.ladder import ladder
from bench.analysis.ladder_text import ladder_lines
from bench.base.metrics import MAIN_METRICS
from bench.comparison.rank import Ranking, costs_of, fronts
from bench.comparison.rank_tables import ALPHA, average_ranks_table, table_of_pairs
from bench.present.columns import aligned, page_of, to_text, wrapped
from bench.present.format import listing, plural
from bench.present.names import short_names
from bench.present.tables import Table
from bench.statistics.power import fewest_pairs
from bench.statistics.ranking import FEWEST_DATASETS, CriticalDifference, Profile

MOST_PAIRS = 24
MOST_LADDERS = 3
FACTORS = (1.0, 1.1, 1.5, 2.0, 5.0)
NAME = 24
MORE = ": --output DIR writes all of them"


def ranking_text(ranking: Ranking) -> str:
    """Returns the whole ranking for a terminal."""
    head = f"Models by {ranking.metric.label} · {plural(len(ranking.datasets), 'data set')} · {ranking.setting}"
    return page_of(
        [
            wrapped(head),
            *_ladders(ranking),
            [line for text in answer(ranking) for line in wrapped(text)],
            _ranks(ranking),
            _profile(ranking),
            pairs_text(table_of_pairs(ranking), more=MORE),
            _costs(ranking),
        ]
    )


def _ladders(ranking: Ranking) -> Iterator[list[str]]:
    """Yields the ladder of each data set, as the report has it."""
    if ranking.metric.name in MAIN_METRICS:
        judged_by_it = [section for section in ranking.sections if section.main == ranking.metric]
        for section in judged_by_it[:MOST_LADDERS]:
            found = ladder(section, ranking.variant)
            if found is not None and len(found.cells) > 1:
                yield list(ladder_lines(found))


def answer(ranking: Ranking) -> Iterator[str]:
    """Yields the sentences of the answer: what the data sets show of the models."""
    ranks = ranking.ranks
    if ranking.left_out:
        yield f"Left out: {listing(ranking.left_out)}, of another task, which has no {ranking.metric.label}."
    if ranking.doubtful:
        yield "Doubtful: most timings of a model were disturbed, so nothing is ranked by them. Pairs are of the others."
    elif ranks is None:
        yield (
            f"Models are not ranked over {plural(len(ranking.datasets), 'data set')}: that takes {FEWEST_DATASETS}. "
            "The profile below says on how many of them each model comes near the best; a ladder is of one data set."
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
        f"{ranking.metric.label}."
    )
    alike = sorted({name for group in ranks.groups if best in group for name in group} - {best}, key=ranks.names.index)
    if not ranks.could_show:
        need = fewest_pairs(comparisons=len(ranks.pairs))
        yield (
            f"So few data sets cannot tell any two of {len(ranks.names)} models apart: with Holm for "
            f"{plural(len(ranks.pairs), 'pair')} it takes {need} that differ (exact signed ranks)."
        )
    elif alike:
        yield f"It is not shown to be better than {listing(alike)} (pairwise Wilcoxon, Holm, p > {ALPHA})."
    else:
        yield f"It is better than every other model (pairwise Wilcoxon, Holm, p ≤ {ALPHA})."


def _ranks(ranking: Ranking) -> Iterator[str]:
    if ranking.ranks is not None:
        yield to_text(average_ranks_table(ranking.ranks, ranking))
        yield "alike: between two that share a letter no difference is shown"


def _profile(ranking: Ranking) -> Iterator[str]:
    """Yields the lines of the performance profile, at a few factors."""
    profile = ranking.profile
    if profile is None:
        return
    yield from wrapped(
        f"On what share of the data sets a model's {ranking.cost_name} is within a factor of the best one's:"
    )
    rows, short = [["", *(f"{factor:g}×" for factor in FACTORS)]], short_names(ranking.models, most=NAME)
    for model, shares in zip(ranking.models, profile.shares, strict=True):
        rows.append([short[model], *(f"{_at(profile, shares, factor):.2f}" for factor in FACTORS)])
    yield from aligned(rows)


def _at(profile: Profile, shares: np.ndarray, factor: float) -> float:
    reached = np.flatnonzero(profile.factors <= factor * (1 + 1e-12))
    return float(shares[reached[-1]])


def pairs_text(table: Table | None, *, more: str = "") -> str:
    """Returns the pairs on each data set, the first ones of many, with what the verdicts are."""
    if table is None:
        return ""
    notes = (line for note in table.notes for line in wrapped(note))
    return "\n".join([to_text(table, most_rows=MOST_PAIRS, more=more), *notes])


def _costs(ranking: Ranking) -> Iterator[str]:
    """Yields the models that nothing beats in both accuracy and a cost."""
    costs = costs_of(ranking)
    if costs:
        yield "On the front (by means nothing else is both cheaper and more accurate), against"
    for cost in costs:
        alike: dict[str, list[str]] = {}
        for dataset, names in fronts(ranking, cost).items():
            alike.setdefault(", ".join(names), []).append(dataset)
        for named, where in alike.items():
            on = "" if len(where) == len(ranking.datasets) else f" on {listing(where)}"
            yield from wrapped(f"- {cost.word}{on}: {named}", indent="  ")
