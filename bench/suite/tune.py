"""[tune] of a resolved suite: what is searched, how, and what the searches of its runs have tried and chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from bench.base.records import Hex, Json, Trial

Sampler = Literal["tpe", "random", "grid"]
TRIALS, VALIDATION = 16, 0.2  # of [tune]


@dataclass(frozen=True, slots=True)
class Range:
    """The values that one setting may take: those of a list (`values`), or what lies between `low` and `high`.

    key: `train.learning_rate`, or `mlp.hidden`. whole: integers only. models: of a model's setting, the places on the
    axis `model` that it applies to. default: what such a setting is where nobody sets it.
    """

    key: str
    values: tuple[Json, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    models: tuple[Annotated[int, Ge(0)], ...] = ()
    default: Json = None

    @property
    def of_train(self) -> bool:
        """Whether it is a setting of [train]; else one of a model."""
        return self.key.startswith("train.")

    def of(self, trial: Trial) -> Json:
        """The setting as it is in a trial; a list as a list."""
        if self.of_train:
            value = trial.setting(self.key)
            return list(value) if isinstance(value, tuple) else value
        return trial.model.settings.get(self.key.rpartition(".")[2], self.default)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Settings that were tried, by dotted name, and the ids of the trainings that tried them, in the order of seeds."""

    settings: Mapping[str, Json]
    trials: tuple[Hex, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchState:
    """The search for the best settings of one cell: its id at the default settings, what was tried in order (the
    default first), and the number of the attempt that won; None while it is not at its end."""

    cell: Hex
    attempts: tuple[Attempt, ...] = ()
    chosen: Annotated[int, Ge(0)] | None = None

    @property
    def winner(self) -> Mapping[str, Json]:
        """The chosen settings; empty where there are none, or where the default won."""
        return self.attempts[self.chosen].settings if self.chosen else {}


@dataclass(frozen=True, slots=True)
class Tune:
    """[tune] of a suite. seconds: of training for each search, instead of a number of trials; 0: by `trials`."""

    ranges: tuple[Range, ...]
    trials: Annotated[int, Ge(1)] = TRIALS
    validation: Annotated[float, Gt(0), Lt(1)] = VALIDATION
    seeds: Annotated[int, Ge(1)] = 1
    sampler: Sampler = "tpe"
    stop_early: bool = True
    seconds: Annotated[float, Ge(0)] = 0.0
    searches: tuple[SearchState, ...] = field(default=(), compare=False)

    def of_model(self, place: int) -> tuple[Range, ...]:
        """What is searched for the model at a place of its axis."""
        return tuple(each for each in self.ranges if each.of_train or place in each.models)

    def tuner(self) -> Callable[[Trial], Trial]:
        """A function that gives a trial at the settings that were chosen for its cell; as it is where none are."""
        winners = {state.cell: state.winner for state in self.searches if state.winner}
        return lambda trial: self.with_settings(trial, winners.get(trial.cell_id, {}))

    def with_settings(self, trial: Trial, settings: Mapping[str, Json]) -> Trial:
        """The trial with these settings, by dotted name: the one that a suite plans where an override sets them."""
        if not settings:
            return trial
        defaults = {each.key: each.default for each in self.ranges}
        train = {key.removeprefix("train."): value for key, value in settings.items() if key.startswith("train.")}
        own = {key.rpartition(".")[2]: (value, defaults[key]) for key, value in settings.items() if key in defaults}
        own = {name: pair for name, pair in own.items() if name not in train}
        kept = {name: value for name, value in trial.model.settings.items() if name not in own}
        kept |= {name: value for name, (value, default) in own.items() if value != default}
        model = trial.model if kept == trial.model.settings else replace(trial.model, settings=kept)
        return replace(trial, model=model, train=replace(trial.train, **train))
