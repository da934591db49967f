"""Who proposes settings: Optuna's samplers, and the grid. The same seed, told the same in the same order, proposes the
same.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from bench.base.records import Json, canonical_json
from bench.suite.tune import Range, Tune
from bench.suite.tune_grid import combinations, rounded

BATCH = 4  # settings that are asked for before any of them is told
AGAIN = 64  # proposals in a row that were tried before: nothing new is left
WORST = 0.0  # accuracy that is told of settings whose training failed: that is what there was to learn of them


class Sampler(ABC):
    """Proposes settings that were not tried before, and is told in order what they reached."""

    @abstractmethod
    def ask(self) -> dict[str, Json] | None:
        """The next settings by dotted name; None where nothing new is left."""

    @abstractmethod
    def tell(self, settings: Mapping[str, Json], accuracy: float | None, *, rung: tuple[int, float] | None) -> None:
        """`accuracy`: what they reached, None where they were given up; `rung` then: after which one, and what they had
        reached there."""


def make_sampler(tune: Tune, ranges: Sequence[Range], *, seed: int, default: Mapping[str, Json]) -> Sampler:
    """The sampler of one search. `default`: what is tried first, whatever it says."""
    if tune.sampler == "grid":
        return Grid(tune, ranges, seed=seed, default=default)
    return Proposed(tune, ranges, seed=seed, default=default)


class Grid(Sampler):
    """Every combination once, shuffled, so that those that are tried first lie all over the grid."""

    def __init__(self, tune: Tune, ranges: Sequence[Range], *, seed: int, default: Mapping[str, Json]) -> None:
        first = canonical_json(dict(default))
        self._left = [each for each in combinations(tune, ranges) if canonical_json(each) != first]
        random.Random(seed).shuffle(self._left)  # noqa: S311  # nothing is kept secret by it

    def ask(self) -> dict[str, Json] | None:
        return self._left.pop() if self._left else None

    def tell(self, settings: Mapping[str, Json], accuracy: float | None, *, rung: tuple[int, float] | None) -> None:
        """It does not learn."""


class Proposed(Sampler):
    """Optuna's TPE (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", 2011) or random search.

    Of a batch TPE counts those that are still out as bad ones (`constant_liar`), so that they differ.
    """

    def __init__(self, tune: Tune, ranges: Sequence[Range], *, seed: int, default: Mapping[str, Json]) -> None:
        import optuna  # 0.1 s: only where there is something to search

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._ranges = optuna, ranges
        sampler = (
            optuna.samplers.TPESampler(seed=seed, n_startup_trials=BATCH, multivariate=True, constant_liar=True)
            if tune.sampler == "tpe"
            else optuna.samplers.RandomSampler(seed=seed)
        )
        self._study = optuna.create_study(sampler=sampler, direction="maximize")
        self._distributions = {each.key: self._distribution(each) for each in ranges}
        self._out: dict[str, Any] = {canonical_json(dict(default)): None}

    def ask(self) -> dict[str, Json] | None:
        for _ in range(AGAIN):
            trial = self._study.ask(self._distributions)
            found = {each.key: self._value(each, trial.params[each.key]) for each in self._ranges}
            if (text := canonical_json(found)) not in self._out:
                self._out[text] = trial
                return found
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        return None

    def tell(self, settings: Mapping[str, Json], accuracy: float | None, *, rung: tuple[int, float] | None) -> None:
        states = self._optuna.trial.TrialState
        trial = self._out[canonical_json(dict(settings))]
        if trial is None:
            self._tell_default(settings, accuracy)
        elif accuracy is not None:
            self._study.tell(trial, accuracy)
        elif rung is not None:
            trial.report(rung[1], rung[0])
            self._study.tell(trial, state=states.PRUNED)

    def _tell_default(self, settings: Mapping[str, Json], accuracy: float | None) -> None:
        """The default was not asked for. Where it lies outside of what is searched there is nothing to learn of it."""
        params = {each.key: self._parameter(each, settings[each.key]) for each in self._ranges}
        if accuracy is not None and None not in params.values():
            made = self._optuna.trial.create_trial(params=params, distributions=self._distributions, value=accuracy)
            self._study.add_trial(made)

    def _distribution(self, of: Range) -> Any:
        distributions = self._optuna.distributions
        if of.values:
            return distributions.CategoricalDistribution(tuple(range(len(of.values))))
        if of.whole:
            return distributions.IntDistribution(int(of.low), int(of.high), log=of.log)
        return distributions.FloatDistribution(of.low, of.high, log=of.log)

    def _value(self, of: Range, parameter: Any) -> Json:
        return of.values[parameter] if of.values else rounded(of, parameter)

    def _parameter(self, of: Range, value: Json) -> float | None:
        """What Optuna calls a value; None where it is none of the range."""
        if of.values:
            return of.values.index(value) if value in of.values else None
        inside = isinstance(value, int | float) and of.low <= value <= of.high
        return value if inside else None
