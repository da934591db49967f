"""The searches of a suite, as far as results are known: what each wants trained next, and what it chose.

A search goes in batches: it asks for settings, wants them trained, and is told what all of them reached, in the order
in which they were asked for. So what it chooses follows from the results alone, whoever trained when and where, and a
search that was stopped goes on from its results as if it had not been.

Successive halving (Jamieson & Talwalkar, "Non-stochastic Best Arm Identification", 2016), its rungs judged against what
earlier batches reached there, as Li et al. do ("A System for Massively Parallel Hyperparameter Tuning", 2020): a
training ends at a rung where it is below the median of those.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bench.base.records import RUNGS, SEED_LIMIT, Json, MeasureSettings, Result, SearchRole, Trial
from bench.results.searches import SECONDS, TriedStatus, mean_accuracy, reached, status_of
from bench.suite.plan import DefaultCell, Suite
from bench.suite.tune import Attempt, SearchState, Tune
from bench.tune.sampler import BATCH, WORST, make_sampler

Course: TypeAlias = Generator[list[Trial], Mapping[str, Result], None]


@dataclass(slots=True)
class Tried:
    """Settings under way or tried, and the results of their trainings, in the order of seeds."""

    settings: dict[str, Json]
    trials: list[Trial] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def status(self) -> TriedStatus:
        return status_of(self.results)[0]

    @property
    def rungs(self) -> list[float]:
        """What its first seed reached at each rung."""
        return reached(self.results[0]) if self.results else []


class CellSearch:
    """The search for the best settings of one cell."""

    def __init__(self, tune: Tune, cell: DefaultCell, *, seed: int) -> None:
        """`seed`: of the sampler, the same for each search of a suite."""
        self.tune, self.cell, self.default = tune, cell, cell.trials[0]
        self.ranges = tune.of_model(cell.place)
        self.seeds = seeds_of(cell.trials, tune.seeds)
        first = {each.key: each.of(self.default) for each in self.ranges}
        self.tried: list[Tried] = []
        self.chosen: int | None = None
        self._sampler = make_sampler(tune, self.ranges, seed=seed, default=first)
        self._course = self._run(first)
        self.wanted: list[Trial] = next(self._course)  # empty: the search is at its end

    def go_on(self, results: Mapping[str, Result]) -> None:
        """Take up the results of all that was wanted; then something else is, or the search is at its end."""
        try:
            self.wanted = self._course.send(results)
        except StopIteration:
            self.wanted = []

    def state(self) -> SearchState:
        """What a plan says of it."""
        attempts = tuple(Attempt(each.settings, tuple(t.trial_id for t in each.trials)) for each in self.tried)
        return SearchState(self.default.cell_id, attempts, self.chosen)

    @property
    def seconds(self) -> float:
        """What its trainings took."""
        return sum(result.metrics.get(SECONDS, 0.0) for each in self.tried for result in each.results)

    def _run(self, first: dict[str, Json]) -> Course:
        batch: list[dict[str, Json]] = [first, *self._ask(BATCH - 1)]
        while batch:
            give_up, before = self._thresholds(), len(self.tried)
            self.tried += [Tried(settings) for settings in batch]
            new = self.tried[before:]
            yield from self._train(new, self.seeds[:1], give_up)
            if self.tried[0].results[0].status == "skipped":  # nothing can be trained here, and nothing is chosen
                return
            yield from self._train([each for each in new if each.status == "ok"], self.seeds[1:], ())
            for each in new:
                self._tell(each)
            batch = [] if self.tune.seconds and self.seconds >= self.tune.seconds else self._ask(BATCH)
        self.chosen = best(self.tried)

    def _ask(self, most: int) -> list[dict[str, Json]]:
        """The next settings, at most so many, and no more than the suite allows."""
        left = most if self.tune.seconds else min(most, self.tune.trials - max(1, len(self.tried)))
        asked: list[dict[str, Json]] = []
        while len(asked) < left and (settings := self._sampler.ask()) is not None:
            asked.append(settings)
        return asked

    def _train(self, tried: Sequence[Tried], seeds: Sequence[int], give_up: Sequence[tuple[float, float]]) -> Course:
        """Wants each trained with these seeds, and takes up the results."""
        for each in tried:
            each.trials += [self._training(each.settings, seed, give_up) for seed in seeds]
        wanted = [trial for each in tried for trial in each.trials[len(each.results) :]]
        found = (yield wanted) if wanted else {}
        for each in tried:
            each.results += [found[trial.trial_id] for trial in each.trials[len(each.results) :]]

    def _training(self, settings: Mapping[str, Json], seed: int, give_up: Sequence[tuple[float, float]]) -> Trial:
        """A training that only serves the search: of the suite's recipe, but nothing is timed."""
        trial = self.tune.with_settings(replace(self.default, seed=seed), settings)
        train = replace(
            trial.train,
            validation_split=self.tune.validation,
            engine="eager" if trial.together else trial.train.engine,
            checkpoint_every_epochs=None,
            keep_checkpoints=False,
        )
        timeout = trial.measure.timeout_seconds
        measure = MeasureSettings(0, timeout, turns=1, timing_seconds=0.0, evaluate="accuracy")
        return replace(trial, train=train, measure=measure, search=SearchRole(tuple(give_up)))

    def _thresholds(self) -> tuple[tuple[float, float], ...]:
        """The share and the accuracy of each rung below which settings are given up: the median of those that came
        there, of a whole batch at least."""
        if not self.tune.stop_early:
            return ()
        found = []
        for number, share in enumerate(RUNGS):
            there = sorted((each.rungs[number] for each in self.tried if len(each.rungs) > number), reverse=True)
            if len(there) >= BATCH:
                found.append((share, there[(len(there) - 1) // 2]))
        return tuple(found)

    def _tell(self, each: Tried) -> None:
        status, rungs = each.status, each.rungs
        if status == "given up" and rungs:
            self._sampler.tell(each.settings, None, rung=(len(rungs), rungs[-1]))
        else:
            self._sampler.tell(each.settings, self._accuracy(each), rung=None)

    def _accuracy(self, each: Tried) -> float:
        """What is told of settings that were not given up. Of those that failed: no more than of any other."""
        if each.status == "ok":
            return mean_accuracy(each.results)
        return min([WORST, *(mean_accuracy(other.results) for other in self.tried if other.status == "ok")])


def best(tried: Sequence[Tried]) -> int:
    """The number of the settings with the highest mean accuracy; of equal ones the first, and so the default. The
    default, too, where none could be trained."""
    means = {number: mean_accuracy(each.results) for number, each in enumerate(tried) if each.status == "ok"}
    return max(means, key=lambda number: (means[number], -number), default=0)


def seeds_of(trials: Sequence[Trial], count: int) -> list[int]:
    """The first seeds of a cell; where it has fewer, those that follow the largest."""
    own = [trial.seed for trial in trials]
    further = range(max(own) + 1, min(SEED_LIMIT, max(own) + 1 + count))
    return [*own, *further][:count]


class Searches:
    """All searches of a suite. `known`: the result of a training that is on file and counts; None where there is none.
    `runs`: whether a trial can run at all; a cell whose trials cannot is not searched for."""

    def __init__(
        self, suite: Suite, known: Callable[[Trial], Result | None], *, runs: Callable[[Trial], bool] = lambda _: True
    ) -> None:
        assert suite.tune is not None
        seed = suite.axis("seed").values[0]
        cells = [cell for cell in suite.default_cells().values() if runs(cell.trials[0])]
        self.cells = [CellSearch(suite.tune, cell, seed=seed) for cell in cells]
        self._known, self._told = known, dict[str, Result]()
        self._given: set[str] = set()

    @property
    def ended(self) -> bool:
        return not any(each.wanted for each in self.cells)

    def states(self) -> tuple[SearchState, ...]:
        """What a plan says of them."""
        return tuple(each.state() for each in self.cells)

    def tell(self, results: Iterable[Result]) -> None:
        """Take up results of this run. One that was cut off is none."""
        self._told |= {each.trial_id: each for each in results if each.status != "interrupted"}

    def next(self) -> list[Trial]:
        """What can be trained now and was not given before."""
        found: dict[str, Trial] = {}
        for search in self.cells:
            while search.wanted and (results := self._all(search.wanted)) is not None:
                search.go_on(results)
            found |= {trial.trial_id: trial for trial in search.wanted if self._one(trial) is None}
        new = [trial for trial_id, trial in found.items() if trial_id not in self._given]
        self._given |= set(found)
        return new

    def _all(self, trials: Sequence[Trial]) -> dict[str, Result] | None:
        found = {trial.trial_id: self._one(trial) for trial in trials}
        return None if None in found.values() else {key: result for key, result in found.items() if result is not None}

    def _one(self, trial: Trial) -> Result | None:
        if trial.trial_id not in self._told and (result := self._known(trial)) is not None:
            self._told[trial.trial_id] = result
        return self._told.get(trial.trial_id)
