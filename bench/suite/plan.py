"""Suite: the resolved plan, plain data that expands into trials lazily and is stored beside the results."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, product
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Gt, Lt

from bench.base.records import SEED_LIMIT, Component, Json, MeasureSettings, SeedSettings, TrainSettings, Trial
from bench.errors import BenchError
from bench.suite.mistakes import shorten
from bench.suite.tune import Tune

TIME = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
UNITS_SECONDS = (3600.0, 60.0, 1.0)
SHARD = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
INNER = ("dataset", "batch_size", "device", "model")  # the order of the loops inside that over the seeds
Settings: TypeAlias = tuple[TrainSettings, MeasureSettings, SeedSettings]
# Why a run that chooses its seeds ended. "time": nothing that was left would have ended in time. "settled": every pair
# was decided, or no seed was left. "": it is not at its end.
Why = Literal["", "time", "settled"]
# What was decided of a pair of models by their accuracies. different: told apart. alike: as near as does not matter.
# equal: not one answer differs. more_data: the seeds differ, the test examples cannot tell, nor would more seeds.
# failed: seeds of one of them fail. open: not decided.
Verdict = Literal["different", "alike", "equal", "more_data", "failed", "open"]
WITHIN, MOST_SEEDS, FEWEST_SEEDS = 0.005, 30, 4  # of [decide]; with fewer seeds than that nothing is ever decided


@dataclass(frozen=True)
class Axis:
    """One axis of the grid: its dotted name and its values, each once. Seeds may be a range."""

    name: str
    values: Sequence[Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """The values as a table shows them: `mlp(hidden=200)`, `64`, `cpu`, `true`."""
        return tuple(map(label, self.values))

    def __len__(self) -> int:
        return len(self.values)


def label(value: Json | Component) -> str:
    """A value of an axis, for people."""
    if isinstance(value, Component):
        return value.label
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(label, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Rule:
    """Which trials of a grid: `at` has, by axis, the places of the values that match; `late`, by dotted name, values of
    settings that an override may change, so that only the finished trial can answer."""

    at: Mapping[str, frozenset[Annotated[int, Ge(0)]]] = field(default_factory=dict)
    late: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)

    def holds(self, trial: Trial) -> bool:
        """Whether the late part of the rule holds for a finished trial."""
        return all(
            (list(value) if isinstance(value := trial.setting(key), tuple) else value) in values
            for key, values in self.late.items()
        )


@dataclass(frozen=True)
class Override:
    """Where `rule` matches a combination of the grid, the settings `set` (dotted names) replace its own. Of a model's
    setting (`mlp.hidden`) None stands for its default."""

    rule: Rule
    set: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class DefaultCell:
    """The trials of a cell at its default settings; `place`: of its model, on the axis."""

    place: int
    trials: list[Trial]


@dataclass(frozen=True)
class Published:
    """A figure from elsewhere of the trials that `rule` matches; `low` is `high` where it is one value.
    `class_name`: of a metric of one class (f1, precision, recall)."""

    rule: Rule
    metric: str
    low: float
    high: float
    source: str
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """The seconds that a run was given; those that it took, why it ended then, and how many pairs were still open."""

    seconds: Annotated[float, Gt(0)]
    spent_seconds: Annotated[float, Ge(0)] | None = None
    why: Why = ""
    open_pairs: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of two cells (their ids), by so many `seeds` of both. `difference`: mean accuracy of the first
    less that of the second then; None where there is none."""

    first: str
    second: str
    verdict: Verdict
    seeds: Annotated[int, Ge(0)] = 0
    difference: float | None = None


@dataclass(frozen=True, slots=True)
class Decide:
    """Seeds until the ranking is decided: differences up to `within` do not matter, no cell gets more than
    `most_seeds`. `more`: cell_id -> seeds beyond the grid's that were planned for it by now. `why` the run ended."""

    within: Annotated[float, Ge(0), Lt(1)] = WITHIN
    most_seeds: Annotated[int, Ge(FEWEST_SEEDS)] = MOST_SEEDS
    more: Mapping[str, Annotated[int, Ge(0)]] = field(default_factory=dict)
    why: Why = ""


@dataclass(frozen=True)
class Suite:
    """A resolved suite. Equal suites plan equal trials in equal order.

    In memory only: `sinks` of this run, `plugins` (absolute paths or modules), `locations` (component.canonical|setting
    -> absolute path of a data file) and `unknown` ("model:wide" -> why nobody registered it).
    """

    name: str
    title: str
    axes: tuple[Axis, ...]
    train: TrainSettings = field(default_factory=TrainSettings)
    measure: MeasureSettings = field(default_factory=MeasureSettings)
    seeds: SeedSettings = field(default_factory=SeedSettings)
    exclude: tuple[Rule, ...] = ()
    override: tuple[Override, ...] = ()
    keep: tuple[Rule, ...] = ()  # what --only asks of finished trials: all of these
    baseline: str = ""
    published: tuple[Published, ...] = field(default=(), compare=False)
    weights: bool = field(default=False, compare=False)  # whether the report has a table of them
    only: tuple[str, ...] = ()
    shard: str | None = None
    source: str = ""
    budget: Budget | None = field(default=None, compare=False)
    decide: Decide | None = field(default=None, compare=False)
    decisions: tuple[Decision, ...] = field(default=(), compare=False)  # of a run that chose its seeds
    tune: Tune | None = None
    plugins_written: tuple[str, ...] = ()
    # Of the command line, so that it can be shown: what they change stands in the axes and settings above.
    sets: tuple[str, ...] = field(default=(), compare=False)
    plugins_added: tuple[str, ...] = field(default=(), compare=False)
    plugins: tuple[str, ...] = field(default=(), compare=False)
    sinks: tuple[str, ...] = field(default=(), compare=False)
    locations: Mapping[str, str] = field(default_factory=dict, compare=False)
    unknown: Mapping[str, str] = field(default_factory=dict, compare=False)

    def axis(self, name: str) -> Axis:
        """The axis called `name`; KeyError where the suite has none."""
        return {axis.name: axis for axis in self.axes}[name]

    def has(self, rule: Rule, trial: Trial) -> bool:
        """Whether `trial`, one of the plan's, is matched by `rule`."""
        return rule.holds(trial) and all(
            _plain(getattr(trial, name)) in {_plain(self.axis(name).values[place]) for place in places}
            for name, places in rule.at.items()
        )

    def count(self) -> int:
        """Exact number of trials; without expanding anything where no rule and no shard leaves trials out."""
        if self.tune is not None:
            return sum(1 for _ in self.trials())
        if self.decide is not None and self.decide.more:
            return replace(self, decide=None).count() + sum(self.decide.more.values())
        if not (self.exclude or self.override or self.keep or self.shard):
            return math.prod(len(axis) for axis in self.axes)
        if self._seed_matters():
            return sum(1 for _ in self.trials())
        seeds = self.axis("seed")
        first = Axis("seed", seeds.values[:1])
        one_seed = replace(self, axes=tuple(first if axis is seeds else axis for axis in self.axes))
        return len(seeds) * sum(1 for _ in one_seed.trials())

    def trials(self) -> Iterator[Trial]:
        """The trials, lazily and each once: round by seed, so that drift is no difference between models. With [tune]
        each is at the settings that were chosen for its cell, as if an override had set them; where its search is not
        at its end, at the default settings."""
        found = self._of_the_grid(_Expansion(self))
        if self.tune is not None:
            found = _once(map(self.tune.tuner(), found))
        yield from found
        more = self.decide.more if self.decide is not None else {}
        for number in range(1, 1 + max(more.values(), default=0)):
            yield from (trial for trial in self.further_trials(number) if more.get(trial.cell_id, 0) >= number)

    def before_tuning(self) -> "Suite":
        """The suite at its default settings: without [tune]."""
        return replace(self, tune=None)

    def trainings(self) -> Iterator[Trial]:
        """Every trial that a run trains: `trials`, and with [tune] those at the default settings too, seed by seed."""
        if self.tune is None:
            yield from self.trials()
            return
        both = _once(chain(self.trials(), replace(self.before_tuning(), decide=None).trials()))
        places = {seed: place for place, seed in enumerate(self.axis("seed").values)}
        yield from sorted(both, key=lambda trial: places.get(trial.seed, len(places)))

    def default_cells(self) -> dict[str, DefaultCell]:
        """The cells at their default settings, by their ids, in the order of the plan. Each is searched for by
        itself."""
        expansion = _Expansion(self)
        found: dict[str, DefaultCell] = {}
        for trial in self._of_the_grid(expansion):
            cell = found.setdefault(trial.cell_id, DefaultCell(expansion.model_places[trial.cell_id], []))
            cell.trials.append(trial)
        return found

    def _of_the_grid(self, plan: "_Expansion") -> Iterator[Trial]:
        """The trials of the grid's seeds, at the default settings."""
        keep = shard_filter(self.shard, cells_differ=self._seed_matters()) if self.shard else iter
        # Overrides can make two combinations one trial. Trials of two seeds never are.
        once = _once if self.override else iter
        for place, seed in enumerate(self.axis("seed").values):
            yield from keep(once(plan.of_seed(place, seed)))

    def further_trials(self, number: int) -> Iterator[Trial]:
        """The trials of the seed `number` places after the largest of the grid, which no rule asks for; of every cell
        of the grid that none of its own seeds alone makes. None where there is no such seed any more."""
        seeds = self.axis("seed").values
        if (seed := max(seeds) + number) < SEED_LIMIT:
            found = _Expansion(self).of_seed(len(seeds) + number - 1, seed)
            yield from _once(found if self.tune is None else map(self.tune.tuner(), found))

    def _seed_matters(self) -> bool:
        rules = (*self.exclude, *(override.rule for override in self.override))
        return any("seed" in rule.at for rule in rules)


def _plain(value: Any) -> Any:
    return value.canonical if isinstance(value, Component) else value


class _Expansion:
    """The loops over one suite's axes. Settings are built once a combination and shared by its trials."""

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        dotted = [axis.name for axis in suite.axes if "." in axis.name]
        self._names = (*INNER, *dotted)
        self._values = [suite.axis(name).values for name in self._names]
        self._exclude = [(self._test(rule), rule) for rule in suite.exclude]
        self._override = [self._test(override.rule) for override in suite.override]
        self._cache: dict[tuple[tuple[int, ...], tuple[int, ...]], Settings] = {}
        self._models: dict[tuple[int, tuple[int, ...]], Component] = {}
        self.model_places: dict[str, int] = {}  # cell_id -> place of its model on the axis, of a suite with [tune]

    def _test(self, rule: Rule) -> list[tuple[int, frozenset[int]]]:
        """The rule's axes as positions in a combination; the seed's is the last."""
        names = (*self._names, "seed")
        return [(names.index(name), places) for name, places in rule.at.items()]

    def of_seed(self, place: int, seed: int) -> Iterator[Trial]:
        """The trials of one seed, in the order of the plan."""
        datasets, batch_sizes, devices, _, *_ = self._values
        exclude, override, keep = self._exclude, self._override, self._suite.keep
        early = [test for test, rule in exclude if not rule.late]
        late = [(test, rule) for test, rule in exclude if rule.late]
        for inner in product(*(range(len(values)) for values in self._values)):
            at = (*inner, place)
            if early and any(all(at[axis] in places for axis, places in test) for test in early):
                continue
            matched = tuple(
                index for index, test in enumerate(override) if all(at[axis] in places for axis, places in test)
            )
            train, measure, seeds = self._cache.get((inner[4:], matched)) or self._settings(inner[4:], matched)
            trial = Trial(
                datasets[inner[0]],
                self._models.get((inner[3], matched)) or self._model(inner[3], matched),
                seed,
                batch_sizes[inner[1]],
                devices[inner[2]],
                train,
                measure,
                seeds,
            )
            if late and any(all(at[a] in places for a, places in test) and rule.holds(trial) for test, rule in late):
                continue
            if all(rule.holds(trial) for rule in keep):
                if self._suite.tune is not None:
                    self.model_places.setdefault(trial.cell_id, inner[3])
                yield trial

    def _model(self, place: int, matched: tuple[int, ...]) -> Component:
        """The model at a place of its axis, with the settings that overrides give it."""
        model: Component = self._values[INNER.index("model")][place]
        for later in (self._suite.override[index].set for index in matched):
            own = {key[len(model.name) + 1 :]: value for key, value in later.items() if is_of(model.name, key)}
            if own:
                kept = {name: value for name, value in ({**model.settings, **own}).items() if value is not None}
                model = replace(model, settings=kept)
        self._models[place, matched] = model
        return model

    def _settings(self, dotted: tuple[int, ...], matched: tuple[int, ...]) -> Settings:
        values = {name: axis[i] for name, axis, i in zip(self._names[4:], self._values[4:], dotted, strict=True)}
        rivals = {"train.epochs": "train.steps", "train.steps": "train.epochs"}  # of the two, the later one wins
        for later in (self._suite.override[index].set for index in matched):
            values = {key: value for key, value in values.items() if rivals.get(key) not in later} | dict(later)
        found = self._cache[(dotted, matched)] = (
            replace(self._suite.train, **_section(values, "train")),
            replace(self._suite.measure, **_section(values, "measure")),
            replace(self._suite.seeds, **_section(values, "seed")),
        )
        return found


def is_of(model: str, key: str) -> bool:
    """Whether a dotted key names a setting of a model: `mlp.hidden` of mlp."""
    return key.rpartition(".")[0] == model


def _once(trials: Iterator[Trial]) -> Iterator[Trial]:
    seen: set[str] = set()
    for trial in trials:
        if trial.trial_id not in seen:
            seen.add(trial.trial_id)
            yield trial


def _section(values: Mapping[str, Json], section: str) -> dict[str, Json]:
    return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(section + ".")}


def parse_budget(text: str | None) -> Budget | None:
    """The budget of a text: `90s`, `30m`, `2h`, `1h30m`. Raises BenchError where it is not a time."""
    return None if text is None else Budget(parse_time(text, option="--budget"))


def parse_time(text: str, *, option: str) -> float:
    """Seconds of a text of a command line: `90s`, `30m`, `2h`, `1h30m`. Raises BenchError where it is not a time."""
    match = TIME.fullmatch(text.strip().replace(" ", ""))
    parts = match.groups() if match else ()
    seconds = sum(float(part) * unit for part, unit in zip(parts, UNITS_SECONDS, strict=False) if part)
    if not 0 < seconds < math.inf:
        raise BenchError(f"{option} {text}: expected a time over 0 with its unit, as in 90s, 30m, 2h or 1h30m")
    return seconds


def time_text(seconds: float) -> str:
    """`90 s`, `30 min`, `1 h 30 min`, `1 h 1 min 1 s`: the time as it was given."""
    if seconds < 120 and seconds % 60:
        return f"{seconds:g} s"
    hours, left = divmod(seconds, 3600)
    minutes, rest = divmod(left, 60)
    parts = [f"{hours:g} h" if hours else "", f"{minutes:g} min" if minutes else "", f"{rest:g} s" if rest else ""]
    return " ".join(filter(None, parts))


def check_shard(text: str | None) -> str | None:
    """`text` as it is, where it is K/N with 1 <= K <= N; else BenchError."""
    found = SHARD.fullmatch(text) if text is not None else None
    if text is not None and (not found or int(found[1]) > int(found[2])):
        raise BenchError(f"--shard {shorten(text)}: expected K/N with 1 <= K <= N, as in --shard 1/4")
    return text


def shard_filter(shard: str, *, cells_differ: bool) -> Callable[[Iterator[Trial]], Iterator[Trial]]:
    """A function that keeps, of the trials of one seed, those of the shard. It is called for each seed in order.

    Cells go round the shards in the order of the plan, each round from one shard further on: else three shards of a
    grid with three models would train one model each.
    """
    mine, shards = map(int, shard.split("/"))
    places: dict[str, int] = {}

    def keep(trials: Iterator[Trial]) -> Iterator[Trial]:
        for index, trial in enumerate(trials):
            # Where rules ask for the seed, seeds have other cells: then a cell is known by its id.
            cell = places.setdefault(trial.cell_id, len(places)) if cells_differ else index
            if (cell + cell // shards) % shards == mine - 1:
                yield trial

    return keep
