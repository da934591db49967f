"""The models of one setting from the best to the worst, and what is known of every pair of them: the ladder, as data.

All M (M - 1) / 2 pairs are judged together, so that a ladder has a wrong "yes" in one of twenty at most: by Holm's
step-down method (1979) over their p-values, and by brackets at confidence 1 - .05 / pairs (Bonferroni). The words for
it: bench.analysis.ladder_words.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

from bench.analysis.cells import Cell, Section, Variant
from bench.analysis.differences import paired_evidence
from bench.base.metrics import ACCURACY, Metric, metric_named
from bench.statistics.evidence import MOST_SEEDS, Evidence
from bench.statistics.tests import holm

ALPHA = 0.05  # of all pairs of a ladder together
MARGIN = 0.005  # of accuracy: what lies within it is alike
# An odd seed: it lies further below the next one than SEED_GAP times the range of all the others, and LEAST_GAP.
SEED_GAP, LEAST_GAP, FEWEST_FOR_ODD = 3.0, 0.02, 4

# The upper one is better; the difference lies within the margin; the two are equal in every seed; neither is shown; too
# few seeds to judge; by the seeds that both have, the lower one is better.
Verdict = Literal["yes", "alike", "tie", "open", "few", "reversed"]


# What an undecided pair lacks: so many seeds, test images (all seeds share one test set), data (their splits overlap),
# a larger difference (not even MOST_SEEDS seeds would do), a spread to go by; or, where seeds were chosen by results,
# the word of the test that may be looked at after each seed.
Lacks = Literal["seeds", "images", "data", "difference", "spread", "decision", ""]


@dataclass(frozen=True, eq=False)
class Judged:
    """Two cells, `upper` with the better mean. `evidence`: of upper less lower, over the seeds that both have; None
    where they share none. `p`: two-sided, adjusted by Holm for the pairs of its family. `bracket`: of the difference,
    at the family's confidence; None where there is none. Of an undecided pair, `lacks`: what would decide it; `seeds`:
    how many seeds would, those that are there among them, if mean and spread stayed what they are.
    """

    upper: Cell
    lower: Cell
    evidence: Evidence | None
    p: float
    bracket: tuple[float, float] | None
    verdict: Verdict
    lacks: Lacks = ""
    seeds: int | None = None
    metric: str = ACCURACY

    @property
    def undecided(self) -> bool:
        return self.verdict in ("open", "few", "reversed")

    @property
    def mean(self) -> float:
        return self.evidence.mean if self.evidence else math.nan

    @property
    def n(self) -> int:
        """The seeds that both have."""
        return self.evidence.n if self.evidence else 0


def confidence_of(pairs: int) -> float:
    """The confidence of each bracket of so many pairs, for all of them together 95 %."""
    return 1 - ALPHA / max(1, pairs)


def excludes_zero(evidence: Evidence, *, pairs: int) -> bool:
    """Whether it is shown of one of so many pairs that there is a difference. Holm's p is then at most .05 too: it is
    no larger than Bonferroni's, which goes with this bracket."""
    bracket = evidence.interval(confidence_of(pairs))
    return evidence.can_tell and bracket is not None and not bracket[0] <= 0 <= bracket[1]


def judged(cells: Sequence[Cell], *, metric: str = ACCURACY, margin: float = 0.0) -> tuple[Judged, ...]:
    """Every pair of `cells`, which stand from the best to the worst, judged as one family. `margin`: within which two
    are alike; 0 where there is none."""
    pairs = list(combinations(cells, 2))
    found = [paired_evidence(*pair, metric=metric) for pair in pairs]
    adjusted = holm([each.p_value() if each else 1.0 for each in found])
    confidence, sign = confidence_of(len(pairs)), 1 if metric_named(metric).higher_is_better else -1
    judgements = []
    for (upper, lower), evidence, p in zip(pairs, found, adjusted, strict=True):
        bracket = evidence.interval(confidence) if evidence and evidence.n > 1 else None
        verdict: Verdict = "tie" if _equal(upper, lower, metric) else "few"
        if evidence is not None and verdict != "tie":
            verdict = verdict_of(evidence, p, bracket, sign=sign, margin=margin)
        lacks, seeds = _lacking(evidence, verdict, confidence=confidence, margin=margin)
        if metric == ACCURACY and not agrees_with_the_run(upper, lower, verdict):
            verdict, lacks, seeds = "open", "decision", None
        judgements.append(Judged(upper, lower, evidence, p, bracket, verdict, lacks, seeds, metric))
    return tuple(judgements)


def agrees_with_the_run(a: Cell, b: Cell, verdict: Verdict) -> bool:
    """Whether a run that looked at the results after each seed has decided the same of the two: looked at so often, the
    evidence of the seeds alone says too much. True where no run did."""
    found = a.decided.get(b.trial.cell_id)
    needed = {"yes": ("different",), "reversed": ("different",), "alike": ("alike", "equal")}
    return found is None or found in needed.get(verdict, (found,))


def verdict_of(
    evidence: Evidence, p: float, bracket: tuple[float, float] | None, *, sign: int = 1, margin: float = 0.0
) -> Verdict:
    """What `evidence` says of a pair that is not equal in every seed: with `p` of its family, and the family's
    `bracket`. `sign`: -1 where less is better."""
    if bracket is None or not evidence.can_tell:
        return "few"
    if p <= ALPHA and not bracket[0] <= 0 <= bracket[1]:
        return "yes" if sign * evidence.mean > 0 else "reversed"
    return "alike" if -margin < bracket[0] and bracket[1] < margin else "open"


def _lacking(
    evidence: Evidence | None, verdict: Verdict, *, confidence: float, margin: float
) -> tuple[Lacks, int | None]:
    """What an undecided pair lacks, and how many seeds would tell."""
    if verdict not in ("open", "few"):
        return "", None
    if evidence is None or evidence.sd is None:
        return "spread", None
    found = seeds_to_decide(evidence, confidence=confidence, margin=margin)
    if found is not None:
        return "seeds", found
    alone = replace(evidence, shared=0.0, least=0.0)
    if seeds_to_decide(alone, confidence=confidence, margin=margin) is None:
        return "difference", None
    return ("data" if evidence.over == "split" else "images"), None


def seeds_to_decide(evidence: Evidence, *, confidence: float, margin: float) -> int | None:
    """How many seeds would show a difference, or that it lies within `margin`, if mean and spread stayed what they are;
    None where MOST_SEEDS would not."""
    found = [evidence.seeds_to_tell(confidence=confidence), _seeds_to_be_alike(evidence, confidence, margin)]
    return min((each for each in found if each is not None), default=None)


def _seeds_to_be_alike(evidence: Evidence, confidence: float, margin: float) -> int | None:
    def alike(n: int) -> bool:
        then = evidence.with_seeds(n)
        half = then.half(confidence)
        return then.can_tell and half is not None and abs(evidence.mean) + half < margin

    low, high = evidence.n, MOST_SEEDS
    if not alike(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if alike(middle) else (middle + 1, high)
    return low


def _equal(a: Cell, b: Cell, metric: str) -> bool:
    """Whether the two are the same in every seed that both have."""
    first, second = a.by_seed(metric), b.by_seed(metric)
    shared = first.keys() & second.keys()
    return bool(shared) and all(first[seed] == second[seed] for seed in shared)


@dataclass(frozen=True, eq=False)
class Ladder:
    """The models of a section at one setting, by the mean of its main metric over the seeds that all of them have.

    `pairs`: every two of `cells`, in their order. `absent`: models of which no seed came to a figure.
    """

    section: Section
    variant: Variant
    cells: tuple[Cell, ...]
    levels: tuple[float, ...]  # the means that they are ordered by
    pairs: tuple[Judged, ...]
    absent: tuple[Cell, ...] = ()

    @property
    def metric(self) -> Metric:
        """What the models are judged by."""
        return self.section.main

    @property
    def best(self) -> Cell:
        return self.cells[0]

    @cached_property
    def _by_pair(self) -> dict[tuple[int, int], Judged]:
        return dict(zip(combinations(range(len(self.cells)), 2), self.pairs, strict=True))

    def pair(self, upper: int, lower: int) -> Judged:
        """What is known of two rungs, counted from 0."""
        return self._by_pair[upper, lower]

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The place of each rung; equal means share one."""
        found: list[int] = []
        for index, level in enumerate(self.levels):
            same = index > 0 and math.isclose(level, self.levels[index - 1], rel_tol=1e-12)
            found.append(found[-1] if same else index + 1)
        return tuple(found)

    @property
    def leaders(self) -> tuple[Cell, ...]:
        """The models of the highest mean: several where these are equal."""
        return self.cells[: self.places.count(1)]

    @property
    def of_best(self) -> tuple[Judged, ...]:
        """The pairs of the best with each other one."""
        return self.pairs[: len(self.cells) - 1]

    @property
    def decided(self) -> bool:
        """Whether it is shown of the best that it is better than every other."""
        return bool(self.of_best) and all(each.verdict == "yes" for each in self.of_best)

    @property
    def open(self) -> tuple[Judged, ...]:
        """The pairs that are not decided."""
        return tuple(each for each in self.pairs if each.undecided)

    @property
    def confidence(self) -> float:
        """Of each bracket."""
        return confidence_of(len(self.pairs))

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that some model has."""
        return tuple(sorted({seed for cell in self.cells for seed in cell.by_seed(self.metric.name)}))

    @cached_property
    def whole(self) -> bool:
        """Whether all models have the same seeds."""
        return all(cell.by_seed(self.metric.name).keys() == set(self.seeds) for cell in self.cells)


def ladder(section: Section, variant: Variant) -> Ladder | None:
    """The ladder of one setting; None where its main metric was not measured there."""
    metric = section.main.name
    cells = [cell for cell in section.at(variant) if cell.estimate(metric)]
    if not cells:
        return None
    levels = ordered(cells, metric=metric)
    models = {cell.model for cell in cells}
    absent = [cell for cell in section.cells if section.variant_of(cell) == variant and cell.model not in models]
    return Ladder(
        section,
        variant,
        tuple(levels),
        tuple(levels.values()),
        judged(tuple(levels), metric=metric, margin=MARGIN if metric == ACCURACY else 0.0),
        tuple(cell for cell in absent if cell.not_ok),
    )


def ordered(cells: Sequence[Cell], *, metric: str = ACCURACY) -> dict[Cell, float]:
    """`cells` from the best to the worst with the means that they are ordered by: those over the seeds that all of them
    have; each over its own, where no seed is shared by all."""
    values = [cell.by_seed(metric) for cell in cells]
    shared = set.intersection(*map(set, values)) if values else set()
    levels = {cell: _mean_over(shared or each, each) for cell, each in zip(cells, values, strict=True)}
    sign = -1 if metric_named(metric).higher_is_better else 1
    return dict(sorted(levels.items(), key=lambda item: sign * item[1]))


def _mean_over(seeds: Iterable[int], values: Mapping[int, float]) -> float:
    found = [values[seed] for seed in seeds]
    return math.fsum(found) / len(found)


def lost(cell: Cell) -> Counter[str]:
    """How many seeds of a cell were tried and came to nothing, by status."""
    tried = ("failed", "diverged", "oom", "timeout", "crashed")
    return Counter(row.status for row in cell.not_ok if row.status in tried)


def odd_seed(cell: Cell) -> float | None:
    """The main metric of the one seed that lies far below all others; None where there is no such, or fewer than four
    seeds. It stays in every mean: this only names it."""
    values = sorted(cell.by_seed(cell.main.name).values())
    if len(values) < FEWEST_FOR_ODD:
        return None
    lowest, *others = values
    gap, spread = others[0] - lowest, others[-1] - others[0]
    return lowest if gap > max(LEAST_GAP, SEED_GAP * spread) else None
