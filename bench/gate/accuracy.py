"""The test of one cell's accuracy: seed by seed, and image by image where these are stored."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.cells import Cell
from bench.base.metrics import ACCURACY
from bench.gate.records import MarginTest, Reason, few, not_shown
from bench.gate.trust import Words
from bench.results.accuracy_intervals import evidence
from bench.statistics.evidence import Evidence
from bench.statistics.gates import CONFIDENCE, first_told_of_examples, sequential_ends
from bench.statistics.intervals import FEWEST, FEWEST_EQUAL

LOSSES = ("test_loss", "train_loss")
TEST_DATA = Reason(
    "test_data", "its seeds have decided, but so few test images could still turn it",
    "more seeds will hardly tell: judge on more test data",
)  # fmt: skip
Ends = tuple[float | None, float | None]


def accuracy_test(before: Cell, after: Cell, *, within: float, family: int | None, words: Words) -> MarginTest:
    """Whether `after` is less accurate than `before` by more than `within`, over the seeds that both have.

    `family`: how many tests share the error rate of a gate that was looked at after each round; None: it was not, and
    what its p values tell is for `settled` to say.
    """
    one, other = before.by_seed(ACCURACY), after.by_seed(ACCURACY)
    seeds = [seed for seed in other if seed in one]
    test = MarginTest("accuracy", ACCURACY, within, n=len(seeds))
    if ACCURACY not in (before.main.name, after.main.name):
        what = "it is a regression, which has no accuracy: a gate judges none yet"
        return replace(test, why=Reason("no_figure", what, "judge it by hand: python -m bench compare --metric r2"))
    for word, cell, own in ((words[0], before, one), (words[1], after, other)):
        if len(own) < cell.n_of(ACCURACY):
            return replace(test, why=Reason("no_figure", f"{word} has trials without a test accuracy"))
    if not seeds:
        return replace(test, why=Reason("few_seeds", "the two sides have no seed in common", "run the same seeds"))
    found = _Seeds(before, after, seeds)
    if found.is_same:
        test = replace(test, mean=0.0, low=0.0, high=0.0, identical=True, p_worse=1.0)
        if len(seeds) < FEWEST:
            return replace(test, p_fine=1.0, why=few(len(seeds)))
        return replace(test, p_fine=0.0, told="fine")
    if family is None:
        return _at_once(test, found.evidence(len(seeds)))
    return _looked_at(test, found, family)


def _at_once(test: MarginTest, found: Evidence) -> MarginTest:
    low, high = _cut(found.interval(CONFIDENCE))
    why = few(found.n, equal=found.n >= FEWEST)
    if found.can_tell:
        why = not_shown(_lost(test), found, margin=test.margin)
    p_worse, p_fine = found.p_less(-test.margin), found.p_greater(-test.margin)
    return replace(test, mean=found.mean, low=low, high=high, p_worse=p_worse, p_fine=p_fine, why=why)


def _lost(test: MarginTest) -> str:
    return f"a loss of more than {test.margin:g} is neither shown nor excluded"


def _looked_at(test: MarginTest, found: "_Seeds", family: int) -> MarginTest:
    """What the seeds told first, in their order, of other seeds and of other test images."""
    told, may_tell = first_told_of_examples(found.differences, found.evidence, margin=test.margin, tests=family)
    why = None
    if told == "open":
        why = TEST_DATA if not may_tell else few(test.n) if test.n < FEWEST else not_shown(_lost(test))
    ends = [_cut(sequential_ends(found.differences)), _cut(found.evidence(test.n).interval(CONFIDENCE))]
    low = min((low for low, _ in ends if low is not None), default=None)
    high = max((high for _, high in ends if high is not None), default=None)
    known = None not in ends[0]
    mean = float(found.differences.mean())
    return replace(test, mean=mean, low=low if known else None, high=high if known else None, told=told, why=why)


def _cut(ends: tuple[float, float] | None) -> Ends:
    return (None, None) if ends is None else (max(-1.0, ends[0]), min(1.0, ends[1]))


class _Seeds:
    """The accuracies of both sides over the seeds that both have, in the order in which they were run."""

    def __init__(self, before: Cell, after: Cell, seeds: Sequence[int]) -> None:
        self._cells, self._seeds = (after, before), seeds
        self._after, self._before = ([cell.by_seed(ACCURACY)[seed] for seed in seeds] for cell in self._cells)
        self._answers = [[cell.answers_by_seed[seed] for seed in seeds] for cell in self._cells]
        self.differences = np.array(self._after) - np.array(self._before)

    def evidence(self, count: int) -> Evidence:
        """What the first `count` seeds say."""
        answers = (each[:count] for each in self._answers)
        return evidence(self._after[:count], self._before[:count], *answers)

    @property
    def is_same(self) -> bool:
        """Whether both sides learnt the same: to the last bit of a loss, which is no chance; or, of six seeds at least,
        whether they answered every test example alike."""
        if self.differences.any():
            return False
        losses = [[cell.by_seed(name) for cell in self._cells] for name in LOSSES]
        known = [(a, b) for a, b in losses if all(seed in a and seed in b for seed in self._seeds)]
        if known and all(a[seed] == b[seed] for a, b in known for seed in self._seeds):
            return True
        whole = self.evidence(len(self._seeds))
        return len(self._seeds) >= FEWEST_EQUAL and whole.examples > 0 and whole.is_tie
