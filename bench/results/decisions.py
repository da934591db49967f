"""Which pairs of models are decided by their accuracies, and which cells still need seeds for it.

The rule is that of a ladder: all pairs of models that agree in everything else, K of them, share one error rate of 5 %.
A pair is looked at after each seed of both, by a test that may be (bench.statistics.sequential), with alpha = .05 / K.
"different" is said of new test examples too (over splits that overlap: of new splits), where it is known which answers
were right.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias

from bench.base.answers import Answers
from bench.base.metrics import ACCURACY
from bench.base.records import Component, Result, Trial
from bench.results.accuracy_intervals import evidence
from bench.statistics.evidence import MOST_SEEDS, Evidence
from bench.statistics.intervals import FEWEST_EQUAL
from bench.statistics.sequential import (
    fewest_seeds,
    seeds_to_be_alike,
    seeds_to_tell_apart,
    sequential_test,
    tells_apart,
)
from bench.suite.plan import Decide, Decision, Suite, Verdict

LEVEL = 0.05  # chance of a false decision in a ladder, at most
MOST_FAILED = 3  # seeds of a cell that failed, after which it gets no more


@dataclass(frozen=True, slots=True)
class Scored:
    """The accuracy of one seed, and which test examples were right where that is stored."""

    accuracy: float
    answers: Answers | None = None


Seeds: TypeAlias = Mapping[int, Scored | None]  # seed -> its score; None where it has ended without one
# What is known of a trial before it runs: its result, that it is to run, or that it never will.
Known: TypeAlias = Result | Literal["to run", "never"]


def score(result: Result) -> Scored | None:
    """The score of a result; None where it is not ok, or has no accuracy."""
    if result.status != "ok" or ACCURACY not in result.metrics:
        return None
    return Scored(result.metrics[ACCURACY], result.answers)


def ladder_of(suite: Suite) -> Callable[[Trial], object]:
    """What two trials have in common whose models are compared: all axes but model and seed. Where there is one model,
    its settings are what is compared, on one data set and device."""
    names = [axis.name for axis in suite.axes if axis.name not in ("model", "seed")]
    if len(suite.axis("model")) == 1:
        names = [
            "dataset",
            "device",
            *(name for name in names if name.startswith("seed.")),
        ]  # no settings to choose from

    def value(trial: Trial, name: str) -> object:
        found = getattr(trial, name) if "." not in name else trial.setting(name)
        return found.canonical if isinstance(found, Component) else found

    return lambda trial: tuple(value(trial, name) for name in names)


class Pair:
    """Two cells of a ladder that are looked at after each seed, until they are decided.

    `difference`: mean accuracy of the first less that of the second at the last look, over the seeds of both, `seeds`.
    """

    def __init__(self, first: str, second: str, *, alpha: float, within: float) -> None:
        self.first, self.second, self.alpha = first, second, alpha
        self._within = within
        self.verdict: Verdict = "open"
        self.seeds = 0
        self.difference: float | None = None

    @property
    def is_open(self) -> bool:
        return self.verdict == "open"

    def decision(self) -> Decision:
        return Decision(self.first, self.second, self.verdict, self.seeds, self.difference)

    def close(self, verdict: Verdict) -> None:
        """Ends it without a look."""
        self.verdict = verdict

    def look(self, a: Sequence[Scored], b: Sequence[Scored]) -> None:
        """Looks at the scores of both, paired, in the order of their seeds; each look has those of the one before.

        More seeds are of no use where the seeds tell the two apart on these test examples, and even MOST_SEEDS of them
        would leave an interval that holds 0 for new ones.
        """
        if not self.is_open or not a:
            return
        differences = _differences(a, b)
        found = sequential_test(differences, alpha=self.alpha, within=self._within)
        self.seeds, self.difference = found.n, found.mean
        if found.low is None or found.high is None:
            same = all(one.answers == other.answers is not None for one, other in zip(a, b, strict=True))
            if found.n >= FEWEST_EQUAL and same:
                self.verdict = "equal"
            return
        apart = _evidence(a, b) if found.outcome == "different" else None
        if apart is not None and tells_apart(apart, alpha=self.alpha):
            self.verdict = "different"
        elif -self._within < found.low and found.high < self._within:
            self.verdict = "alike"
        elif apart is not None and seeds_to_tell_apart(apart, alpha=self.alpha, most=MOST_SEEDS) is None:
            self.verdict = "more_data"

    def needed(self, most: int, a: Sequence[Scored], b: Sequence[Scored]) -> int | None:
        """How many seeds of both would close it if mean and spread stayed what these scores have; None where `most`
        would not. An even chance: the next seeds scatter, too."""
        if len(a) < 2:
            return fewest_seeds(self.alpha)
        found = _evidence(a, b)
        apart = seeds_to_tell_apart(found, alpha=self.alpha, most=most)
        if apart is None and seeds_to_tell_apart(found, alpha=self.alpha, most=MOST_SEEDS) is None:
            of_seeds = replace(found, shared=0.0, least=0.0, examples=0)  # then it is closed: more data would tell
            apart = seeds_to_tell_apart(of_seeds, alpha=self.alpha, most=most)
        alike = seeds_to_be_alike(_differences(a, b), alpha=self.alpha, within=self._within, most=most)
        return min((each for each in (apart, alike) if each is not None), default=None)


def _differences(a: Sequence[Scored], b: Sequence[Scored]) -> list[float]:
    return [one.accuracy - other.accuracy for one, other in zip(a, b, strict=True)]


def _evidence(a: Sequence[Scored], b: Sequence[Scored]) -> Evidence:
    first, second = ([each.accuracy for each in side] for side in (a, b))
    return evidence(first, second, [each.answers for each in a], [each.answers for each in b])


def pairs_of(ladders: Iterable[Sequence[str]], *, within: float) -> list[Pair]:
    """All pairs of each of the `ladders` (ids of cells), which share its error rate."""
    found = []
    for cells in ladders:
        both = list(combinations(cells, 2))
        for first, second in both:
            found.append(Pair(first, second, alpha=LEVEL / len(both), within=within))
    return found


class Rounds:
    """The state of a plan that goes on until it is decided: the grid first, then a seed a round for each open cell.

    It follows from the results alone, looked at in the order of the seeds: a run that was stopped goes on where it was.
    `known` says of a trial of the plan what is there of it.
    """

    def __init__(self, suite: Suite, known: Callable[[Trial], Known]) -> None:
        self._suite, self._known = replace(suite, decide=None), known
        decide = suite.decide or Decide()
        self._order = list(suite.axis("seed").values)
        self.last_round = max(0, decide.most_seeds - len(self._order))
        self.number = 0  # of the last round that has begun; 0: the grid
        self.more: dict[str, int] = {}
        self.ended = False
        self._waiting: set[str] = set()  # ids of trials of this round that have no result yet
        self._told: dict[str, Result] = {}
        self.seeds: dict[str, dict[int, Scored | None]] = {}
        self.trials: dict[str, Trial] = {}  # cell_id -> one of its trials
        self._planned = Counter[str]()
        ladders: dict[object, dict[str, None]] = {}
        ladder = ladder_of(suite)
        for trial in self._suite.trials():
            ladders.setdefault(ladder(trial), {})[trial.cell_id] = None
            self.trials.setdefault(trial.cell_id, trial)
            self._take(trial)
        self.pairs = pairs_of(map(list, ladders.values()), within=decide.within)

    def tell(self, results: Iterable[Result]) -> None:
        """Takes up what became of trials."""
        for result in results:
            if result.status != "interrupted":
                self._told[result.trial_id] = result
                if result.trial_id in self._waiting:
                    self._take(result.trial)

    def next_round(self) -> list[Trial]:
        """Begins rounds until one has trials without a result, and returns those; none where all is decided, or where
        trials of this round are still to come."""
        while not self._waiting and not self.ended:
            self._look()
            going_on = self.going_on()
            trials: list[Trial] = []
            if going_on and self.number < self.last_round:
                self.number += 1
                trials = [each for each in self._suite.further_trials(self.number) if each.cell_id in going_on]
            self.ended = not trials
            self._order += list({each.seed: None for each in trials})
            for trial in trials:
                self.more[trial.cell_id] = self.number
                self._take(trial)
            if self._waiting:
                return [each for each in trials if each.trial_id in self._waiting]
        return []

    def going_on(self) -> set[str]:
        """The cells that get another seed: those of open pairs."""
        return {cell for pair in self.pairs if pair.is_open for cell in (pair.first, pair.second)}

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided of each pair, and what is open; not of pairs of which nothing has run."""
        return tuple(pair.decision() for pair in self.pairs if self.seeds[pair.first] or self.seeds[pair.second])

    def planned(self, cell: str) -> int:
        """How many seeds of the cell the plan has by now."""
        return self._planned[cell]

    def both(self, pair: Pair) -> tuple[list[Scored], list[Scored]]:
        """The scores of the seeds that both have, in order."""
        return paired(self.seeds[pair.first], self.seeds[pair.second], self._order)

    def _take(self, trial: Trial) -> None:
        known = self._told.get(trial.trial_id) or self._known(trial)
        own = self.seeds.setdefault(trial.cell_id, {})
        if trial.trial_id not in self._waiting:
            self._planned[trial.cell_id] += 1
        if isinstance(known, Result):
            own[trial.seed] = score(known)
        self._waiting.discard(trial.trial_id)
        if known == "to run":
            self._waiting.add(trial.trial_id)

    def _look(self) -> None:
        out = {cell for cell, own in self.seeds.items() if gives_up(own)}
        for pair in self.pairs:
            pair.look(*self.both(pair))
            if pair.is_open and out & {pair.first, pair.second}:
                pair.close("failed")


def gives_up(own: Seeds) -> bool:
    """Whether a cell gets no more seeds because none is ok, or too many are not."""
    scores = list(own.values())
    return not any(scores) or scores.count(None) >= MOST_FAILED


def paired(a: Seeds, b: Seeds, order: Iterable[int]) -> tuple[list[Scored], list[Scored]]:
    """The scores of the seeds that both have, in this order."""
    both = [(one, other) for seed in order if (one := a.get(seed)) and (other := b.get(seed))]
    return [one for one, _ in both], [other for _, other in both]


@dataclass(frozen=True, slots=True)
class Ahead:
    """How many seeds a cell is going to have, those of the grid among them: `low` is `high` where its results say it,
    else the fewest that can decide and the most that it may take. `planned`: those that the plan has already."""

    low: int
    high: int
    planned: int

    @property
    def known(self) -> bool:
        return self.low == self.high


def ahead_of(rounds: Rounds, *, most_seeds: int) -> dict[str, Ahead]:
    """The cells of open pairs, by what is known now: each pair needs what it would take if mean and spread of its
    differences stayed what they are (an even chance), and a cell what its pairs need."""
    found: dict[str, Ahead] = {}
    for pair in (each for each in rounds.pairs if each.is_open):
        both = rounds.both(pair)
        if len(both[0]) < 2:
            low, high = min(most_seeds, fewest_seeds(pair.alpha)), most_seeds
        else:
            low = high = min(most_seeds, pair.needed(most_seeds, *both) or most_seeds)
        for cell in (pair.first, pair.second):
            planned = rounds.planned(cell)
            old = found.get(cell, Ahead(planned, planned, planned))
            found[cell] = Ahead(max(old.low, low), max(old.high, high), planned)
    return found
