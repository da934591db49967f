"""What `bench compare --by model` prints of many models: ranks or profiles, pairs by seeds, fronts."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from bench.analysis.metric_words import shown_name
from bench.base.metrics import Metric
from bench.comparison.rank import Duel, Ranking, costs_of
from bench.comparison.rank_sentences import ALPHA, answer, difference, fronts, p_text
from bench.comparison.rank_tables import SHORT
from bench.present.columns import aligned, cut
from bench.present.doctor_text import printable_line
from bench.present.format import listing, plural
from bench.statistics.power import fewest_pairs
from bench.statistics.profiles import Profile

WIDTH = 80
MOST_DUELS = 24
FACTORS = (1.0, 1.1, 1.5, 2.0, 5.0)
NAME, LEAST_NAME = 24, 12


def ranking_text(ranking: Ranking, *, width: int = WIDTH) -> str:
    """The whole ranking for a terminal."""
    head = f"Models by {shown_name(ranking.metric)} · {plural(len(ranking.datasets), 'data set')} · {ranking.setting}"
    blocks = [
        _wrap(head, width),
        [line for text in answer(ranking) for line in _wrap(text, width)],
        list(_ranks(ranking)),
        list(_profile(ranking, width)) if ranking.profile is not None else [],
        duels_lines(list(ranking.duels()), ranking.metric, width),
        list(_costs(ranking, width)),
    ]
    return "\n\n".join("\n".join(printable_line(line) for line in block) for block in blocks if block) + "\n"


def _wrap(text: str, width: int, *, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, subsequent_indent=indent)


def _ranks(ranking: Ranking) -> Iterator[str]:
    """Models by average rank; a letter for each group of which no two can be told apart (compact letter display)."""
    ranks = ranking.ranks
    if ranks is None:
        return
    rows = [["average rank", "", "alike"]]
    for name, rank in zip(ranks.names, ranks.average_ranks, strict=True):
        letters = "".join(chr(ord("a") + index) for index, group in enumerate(ranks.groups[:26]) if name in group)
        rows.append([cut(name, NAME), f"{rank:.2f}", letters])
    yield from aligned(rows, left=(0, 2))
    yield "alike: two that share a letter cannot be told apart"


def _profile(ranking: Ranking, width: int) -> Iterator[str]:
    """Shares of data sets at a few factors."""
    profile = ranking.profile
    assert profile is not None
    yield from _wrap(
        f"Share of data sets on which a model's {ranking.cost_name} is at most so many times the least:", width
    )
    rows = [["", *(f"{factor:g}×" for factor in FACTORS)]]
    for model, shares in zip(ranking.models, profile.shares, strict=True):
        rows.append([cut(model, NAME), *(f"{_at(profile, shares, factor):.2f}" for factor in FACTORS)])
    yield from aligned(rows)


def _at(profile: Profile, shares: np.ndarray, factor: float) -> float:
    reached = np.flatnonzero(profile.factors <= factor * (1 + 1e-12))
    return float(shares[reached[-1]])


def duels_lines(duels: Sequence[Duel], metric: Metric, width: int) -> list[str]:
    """Pairs on every data set, those of the best first."""
    if not duels:
        return []
    best = {found.dataset: found.first for found in reversed(duels)}
    few = duels if len(duels) <= MOST_DUELS else [each for each in duels if each.first == best[each.dataset]]
    shown = few[:MOST_DUELS]
    rows = [["paired by seed", "seeds", "difference", "P", "p"], *(_row(each, metric) for each in shown)]
    rest = sum(2 + max(map(len, column)) for column in list(zip(*rows, strict=True))[1:])
    table = aligned([[cut(row[0], max(LEAST_NAME, width - rest)), *row[1:]] for row in rows])
    lines, dataset = table[:1], ""
    for each, line in zip(shown, table[1:], strict=True):
        if each.dataset != dataset and len(best) > 1:
            lines += _wrap(each.dataset, width)
        dataset = each.dataset
        lines.append(line)
    if len(duels) > len(shown):
        lines.append(f"… and {len(duels) - len(shown)} more pairs: --output DIR writes all of them")
    return [*lines, *(line for text in _key(shown) for line in _wrap(text, width))]


def _row(found: Duel, metric: Metric) -> list[str]:
    p = p_text(found.outcome.p) + ("*" if found.outcome.smallest_p > ALPHA else "")
    chance = f"{found.probability:.2f}"
    name = f"{found.first} − {found.second}"
    return [name, str(found.difference.n), difference(found, metric), chance, p]


def _key(duels: Sequence[Duel]) -> Iterator[str]:
    """What the columns mean; and where n, not the models, keeps p up."""
    yield "P: share of seeds in which the first is better. p: Wilcoxon, exact, each pair alone."
    floors = {each.outcome.n: each.outcome.smallest_p for each in duels if each.outcome.smallest_p > ALPHA}
    for n, least in sorted(floors.items()):
        yield (
            f"* with {plural(n, 'seed')} that differ p cannot go below {p_text(least)}, whatever the models are; "
            f"it takes {fewest_pairs()} to reach {ALPHA}"
        )


def _costs(ranking: Ranking, width: int) -> Iterator[str]:
    """Which models nothing beats in both accuracy and a cost."""
    costs = costs_of(ranking)
    if costs:
        yield "On the front (by means nothing else is both cheaper and more accurate), against"
    for cost in costs:
        alike: dict[str, list[str]] = {}
        for dataset, names in fronts(ranking, cost).items():
            alike.setdefault(", ".join(names), []).append(dataset)
        for named, where in alike.items():
            on = "" if len(where) == len(ranking.datasets) else f" on {listing(where)}"
            yield from _wrap(f"- {SHORT[cost.name]}{on}: {named}", width, indent="  ")
