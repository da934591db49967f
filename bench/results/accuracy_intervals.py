"""Which interval an accuracy has, by what its results store: the one home of the choice.

All seeds saw one test set, and which examples were right is stored: over seeds and examples. Each seed drew its own
split: over splits that overlap. Else over seeds alone, and `Estimate.over` says so.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.base.answers import Answers
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.statistics.accuracies import accuracy_difference, accuracy_evidence, accuracy_interval
from bench.statistics.evidence import Evidence, evidence_of
from bench.statistics.intervals import ROUNDING, Estimate, paired_t_interval, t_interval

Table: TypeAlias = NDArray[np.bool_]  # (S, N)
Stored: TypeAlias = Sequence[Answers | None]  # of each seed; None where a result says nothing of its test examples
BOUNDS = BUILT_IN[ACCURACY].bounds


def accuracy(values: Sequence[float], answers: Stored, *, confidence: float = 0.95) -> Estimate:
    """Mean of the accuracies `values` with its interval; `answers` are those of the same results.

    `over`: "recipe" over seeds and examples, "examples" of one seed, "split" over random splits, "seeds_alone" where
    the answers are not stored.
    """
    known = _all(answers)
    plain = t_interval(values, bounds=BOUNDS, overlap=_overlap(known), confidence=confidence)
    if not known:
        return replace(plain, over="seeds_alone")
    if plain.over == "split":
        return plain
    return _with_mean_of(plain, accuracy_interval(_table(known), confidence=confidence))


def agrees(answers: Answers, value: float) -> bool:
    """Whether the accuracy `value` is that of `answers`."""
    return abs(answers.count_right - value * answers.examples) <= ROUNDING * answers.examples


def difference(a: Sequence[float], b: Sequence[float], answers_a: Stored, answers_b: Stored) -> Estimate:
    """Accuracies `a` less `b`, seed by seed, with the interval of the mean; the answers are those of the same results.

    `over` as of `accuracy`. Both need the answers, and of each seed the same test set. One seed has no interval: how
    two trained models differ on its examples says nothing of what other seeds would give.
    """
    overlap, tables = _pairing(answers_a, answers_b)
    plain = paired_t_interval(a, b, bounds=BOUNDS, overlap=overlap or 0.0)
    if overlap is None:
        return replace(plain, over="seeds_alone")
    if tables is None or plain.n == 1:
        return plain
    return _with_mean_of(plain, accuracy_difference(*tables))


def evidence(a: Sequence[float], b: Sequence[float], answers_a: Stored, answers_b: Stored) -> Evidence:
    """What the accuracies `a` less `b`, seed by seed, say of the difference at any level; chosen as by `difference`."""
    overlap, tables = _pairing(answers_a, answers_b)
    if tables is not None and len(a) > 1:
        return accuracy_evidence(*tables)
    found = evidence_of(np.subtract(a, b), overlap=overlap or 0.0)
    return replace(found, over="seeds_alone") if overlap is None else found


def _pairing(a: Stored, b: Stored) -> tuple[float | None, tuple[Table, Table] | None]:
    """The overlap of random splits, 0 where there is one test set, None where nothing is known; and of one test set
    which answers were right on both sides."""
    first, second = _all(a), _all(b)
    if not first or [each.test_set for each in first] != [each.test_set for each in second]:
        return None, None
    overlap = max(_overlap(first), _overlap(second))
    return overlap, None if overlap else (_table(first), _table(second))


def _all(answers: Stored) -> list[Answers]:
    """Those of every seed; none where one is missing, or where one test set has two sizes."""
    known = [each for each in answers if each is not None]
    sizes = {each.test_set: each.examples for each in known}
    return known if len(known) == len(answers) and all(sizes[each.test_set] == each.examples for each in known) else []


def _overlap(answers: Sequence[Answers]) -> float:
    """Test over training images, the largest, where test sets differ from seed to seed; 0 where there is one."""
    drawn = len({each.test_set for each in answers}) > 1
    return max(each.examples / each.trained_on for each in answers) if drawn else 0.0


def _table(answers: Sequence[Answers]) -> Table:
    return np.stack([each.each() for each in answers])


def _with_mean_of(plain: Estimate, found: Estimate) -> Estimate:
    """`found` with mean and sd as they are everywhere else, to the last bit."""
    if found.low is None or found.high is None:
        return replace(plain, low=None, high=None, over=found.over)
    return replace(plain, low=min(found.low, plain.mean), high=max(found.high, plain.mean), over=found.over)
