"""What tables, plots and sentences are made of: cells (replicates of each other) in sections (what may be compared).

How results become sections: bench.analysis.sections.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from bench.base.answers import Answers
from bench.base.metrics import ACCURACY, BUILT_IN, SPEED, Metric, main_metric, metric_named
from bench.base.records import (
    NOT_IDENTITY,
    SEED_LIMIT,
    Component,
    Environment,
    Json,
    MeasureSettings,
    Result,
    SeedSettings,
    TrainSettings,
    Trial,
    canonical_json,
    digest,
)
from bench.present.format import Scale, printable, scale_of
from bench.results.accuracy_intervals import accuracy
from bench.results.frame import Row, pools, threads_of
from bench.results.rounds import InGroup
from bench.results.rounds import by_seed as rounds_by_seed
from bench.results.timing import DISTURBED, Timing, mostly_disturbed, timings
from bench.statistics.intervals import Estimate, t_interval

Variant = tuple[Json, ...]  # the values of a section's axes, in their order
COSTS = frozenset({"train.threads", "train.num_workers"})  # numbers that move timings, not the accuracy
DOTTED = (
    "batch_size",
    *(f"train.{f.name}" for f in fields(TrainSettings) if f.name not in NOT_IDENTITY),
    *(f"measure.{f.name}" for f in fields(MeasureSettings) if f.name not in NOT_IDENTITY),
    *(f"seed.{f.name}" for f in fields(SeedSettings)),
)


def _validated(result: Result, main: Metric) -> float | None:
    """What a trial's main metric was on its validation part after the last epoch, or that which early stopping took."""
    curve = result.curves.get("validation_accuracy" if main.name == ACCURACY else f"validation_{main.name}") or [None]
    best = result.metrics.get("best_epoch")
    return curve[-1] if best is None or best > len(curve) else curve[int(best) - 1]


@dataclass(frozen=True, eq=False)
class Cell:
    """Trials that differ in nothing but the seed, on one machine and with one code.

    `pool`: the results whose accuracy counts as this cell's: also those of other machines where version of torch,
    threads and code agree, the newest of each seed. Empty where no other machine has any.
    `decided`: id of another cell -> what a run that chose its seeds by results decided of the two.
    """

    trial: Trial  # of its first seed
    model: str  # how people call it
    dataset: str
    rows: tuple[Row, ...]  # one a seed; in a duel, which repeats seeds, several
    machine: str
    code_id: str
    pool: tuple[Result, ...] = ()
    decided: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, Estimate | None] = field(default_factory=dict, repr=False)
    _values: dict[str, dict[int, float]] = field(default_factory=dict, repr=False)

    @cached_property
    def ok(self) -> list[Result]:
        return [row.result for row in self.rows if row.result is not None and row.result.status == "ok"]

    @property
    def n(self) -> int:
        """Seeds that are in its timings."""
        return len(self.ok)

    @cached_property
    def main(self) -> Metric:
        """What its models are judged by: the accuracy, or R² of a regression."""
        return main_metric({name for result in self.ok for name in result.metrics})

    @cached_property
    def validation(self) -> float | None:
        """Mean over the seeds of the main metric on the validation part, with the weights that were tested; None where
        a seed has no such part."""
        found = [_validated(result, self.main) for result in self.results_of(self.main.name)]
        known = [each for each in found if each is not None]
        return sum(known) / len(known) if known and len(known) == len(found) else None

    def results_of(self, metric: str) -> Sequence[Result]:
        """The results that a figure is made of: timings never pool across machines, the rest does.

        Of seeds that were trained at once there is one timing a process: its other seeds are no replicates.
        """
        if pools(metric):  # how a seed was learnt is one figure, however often it was run
            return self.pool if self.pool and self.ok else list({r.trial.seed: r for r in self.ok}.values())
        return list({result.run_id: result for result in self.ok}.values()) if self.trial.together else self.ok

    def n_of(self, metric: str) -> int:
        """Seeds that are in the figure of one metric."""
        return len(self.results_of(metric))

    @cached_property
    def environments(self) -> list[str]:
        """The `environment_id` of its results; several where trials of one machine ran with other threads."""
        return sorted({row.result.environment_id for row in self.rows if row.result is not None})

    @property
    def environment(self) -> str:
        """What people call its environment: the first digits of its id, of several of the first; empty of none."""
        return short_ids(self.environments[:1])

    @cached_property
    def not_ok(self) -> list[Row]:
        return [row for row in self.rows if row.status != "ok"]

    @cached_property
    def timings(self) -> list[Timing]:
        """How far each timing that is in its means of timings is to be trusted."""
        return timings(self.results_of(SPEED))

    @cached_property
    def disturbed(self) -> bool:
        """Whether its means of timings are; of a disturbed cell nothing is said that compares it in speed."""
        return mostly_disturbed(self.timings)

    @cached_property
    def undisturbed(self) -> frozenset[int]:
        """The keys in `by_seed` and `rounds` of the results whose timing was not disturbed."""
        both = zip(self.results_of(SPEED), self.timings, strict=True)
        return frozenset(self._replicate(result) for result, timing in both if timing.word != DISTURBED)

    def by_seed(self, metric: str) -> dict[int, float]:
        """Seed → value, of the seeds that are ok and have it; of timings, each repeat of a seed by a key of its own."""
        if metric not in self._values:
            key = _seed if pools(metric) else self._replicate
            self._values[metric] = {key(r): r.metrics[metric] for r in self.results_of(metric) if metric in r.metrics}
        return self._values[metric]

    @cached_property
    def _repeats(self) -> dict[int, int]:
        """The key of each result of a seed that has several, by its id(). Those that are not ok count too: the n-th on
        one side of a duel is the n-th on the other one."""
        counted, found = Counter[int](), dict[int, int]()
        for row in self.rows:
            if row.result is not None:
                found[id(row.result)] = row.trial.seed + counted[row.trial.seed] * SEED_LIMIT
                counted[row.trial.seed] += 1
        return found

    def _replicate(self, result: Result) -> int:
        return self._repeats.get(id(result), result.trial.seed)

    @cached_property
    def rounds(self) -> dict[int, InGroup]:
        """Seed → its speed by round, of the trials that shared their time with others."""
        return rounds_by_seed(self.results_of(SPEED), key=self._replicate)

    def estimate(self, metric: str) -> Estimate | None:
        """Mean with its interval (`over` says what for); None where a seed lacks it: the rest would be other seeds'
        mean."""
        if metric not in self._known:
            values = list(self.by_seed(metric).values())
            whole = bool(values) and len(values) == self.n_of(metric)
            self._known[metric] = self._interval(metric, values) if whole else None
        return self._known[metric]

    def _interval(self, metric: str, values: Sequence[float]) -> Estimate:
        if metric == ACCURACY:
            answers = self.answers_by_seed
            return accuracy(values, [answers[seed] for seed in self.by_seed(metric)])
        return t_interval(values, bounds=metric_named(metric).bounds)

    @cached_property
    def answers_by_seed(self) -> dict[int, Answers | None]:
        """Seed → which test examples were right; None where that is not stored."""
        return {result.trial.seed: result.answers for result in self.results_of(ACCURACY)}

    def setting(self, dotted: str) -> Json:
        """Value of a setting; `train.threads` is what it ran with."""
        if dotted == "train.threads":
            return next((found for row in self.rows if (found := threads_of(row)) is not None), 0)
        return self.trial.setting(dotted)

    @property
    def finished_at(self) -> str:
        return max((result.finished_at for result in self.ok), default="")


def _seed(result: Result) -> int:
    return result.trial.seed


def short_ids(ids: Sequence[str]) -> str:
    """The first digits of ids."""
    return ", ".join(each[:8] for each in ids)


def labels_of(components: Iterable[Component]) -> dict[str, str]:
    """Canonical JSON → how people call it: `mlp`, `mlp(hidden=200)`. Where two would be called the same (a data file
    of one name in two places), the digest of what they are is added."""
    found = {component.canonical: printable(component.label) for component in components}
    often = Counter(found.values())
    return {key: label if often[label] == 1 else f"{label} {digest(key)[:8]}" for key, label in found.items()}


def in_nats(cell: Cell) -> bool:
    """Whether its losses are cross-entropies, weighted or not."""
    return cell.main.name == ACCURACY and cell.trial.train.loss in (None, "cross_entropy", "focal")


def doubtful(metric: Metric, *cells: Cell) -> bool:
    """Whether nothing may be said of how `cells` compare in `metric`: it is timed, and one of them is disturbed."""
    return metric.timed and any(cell.disturbed for cell in cells)


@dataclass(frozen=True, eq=False)
class Section:
    """The cells of one data set on one device of one machine: what may be compared with each other.

    `axes` are the settings that the suite crosses models with, `shown` every setting that differs between cells.
    """

    dataset: str
    device: str
    machine: str
    cells: tuple[Cell, ...] = ()
    axes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    several_machines: bool = False
    several_codes: bool = False
    together: str = ""  # the engine, where it trains all seeds at once: its timings compare with no other engine's

    @property
    def title(self) -> str:
        engine = f" · engine {self.together}" if self.together else ""
        machine = f" · {self.environment_text}" if self.environment_text else ""
        return f"{self.dataset} · {self.device}{engine}{machine}"

    @cached_property
    def environments(self) -> list[str]:
        """The `environment_id` of its results: one for each number of threads."""
        return sorted({each for cell in self.cells for each in cell.environments})

    @property
    def environment_text(self) -> str:
        """`environment 1a2b3c4d`; empty where there is but one machine."""
        return f"environment {short_ids(self.environments)}" if self.several_machines and self.environments else ""

    @cached_property
    def measured(self) -> tuple[Cell, ...]:
        """Cells of which at least one seed is ok; of cells that differ in the code alone, the newest."""
        newest: dict[tuple[str, str], Cell] = {}
        for cell in self.cells:
            key = cell.model, cell.trial.cell_id
            if cell.n and (key not in newest or newest[key].finished_at < cell.finished_at):
                newest[key] = cell
        return tuple(newest.values())

    @cached_property
    def main(self) -> Metric:
        """What its models are judged by: the accuracy, or R² of a regression."""
        return next((cell.main for cell in self.measured), BUILT_IN[ACCURACY])

    @property
    def pools(self) -> bool:
        """Whether accuracies are of other seeds or machines than timings."""
        return any(cell.pool for cell in self.measured)

    @cached_property
    def models(self) -> list[str]:
        return list(dict.fromkeys(cell.model for cell in self.measured))

    @cached_property
    def variants(self) -> list[Variant]:
        """The combinations of axes that something was measured at, in the order of the plan; of `seed_axes` the first
        values alone: other seeds are no settings that models are compared at one by one."""
        found = list(dict.fromkeys(self.variant_of(cell) for cell in self.measured))
        return [variant for variant in found if self._agree(variant, found[0], on=self.seed_axes)]

    @property
    def seed_axes(self) -> tuple[str, ...]:
        """The axes that are seeds of single sources of chance: `seed.init`, `seed.order`, `seed.split`."""
        return tuple(axis for axis in self.axes if axis.startswith("seed."))

    def variant_of(self, cell: Cell) -> Variant:
        return tuple(hashable(cell.setting(name)) for name in self.axes)

    def at(self, variant: Variant) -> list[Cell]:
        """The measured cells of one combination, one a model, in the order of the plan."""
        return [cell for cell in self.measured if self.variant_of(cell) == variant]

    @cached_property
    def tuned(self) -> tuple[str, ...]:
        """Axes of numbers that a model's accuracy is tuned by: learning rate, momentum, epochs, ..."""
        names = [name for name in self.axes if name.startswith("train.") and name not in COSTS]
        return tuple(name for name in names if is_numeric(self._values(name)))

    @cached_property
    def focus(self) -> Variant:
        """The setting at which models are compared: the first one. Of a sweep (`tuned`) with a validation part it is
        the one, among those with the most models, with the best mean over them there. The test set chooses none."""
        if not self.variants or not self.validated:
            return self.variants[0] if self.variants else ()
        return max(self._options, key=self._level)

    @cached_property
    def validated(self) -> bool:
        """Whether its settings are a sweep of which each was judged on a validation part too."""
        cells = [cell for variant in self._options for cell in self.at(variant)] if self.tuned else []
        return bool(cells) and all(cell.validation is not None for cell in cells)

    @property
    def options(self) -> int:
        """How many settings the sweep has that `focus` is one of."""
        return len(self._options)

    @cached_property
    def focus_is_tied(self) -> bool:
        """Whether another setting of the sweep reaches what `focus` does."""
        levels = list(map(self._level, self._options))
        return levels.count(max(levels)) > 1

    @cached_property
    def _options(self) -> list[Variant]:
        """The settings that `focus` is chosen from."""
        fixed = [name for name in self.axes if name not in self.tuned]
        return [variant for variant in self.variants if self._agree(variant, self.variants[0], on=fixed)]

    def _level(self, variant: Variant) -> tuple[int, float]:
        levels = [cell.validation for cell in self.at(variant) if cell.validation is not None]
        return len(levels), sum(levels) / max(1, len(levels))

    def _agree(self, a: Variant, b: Variant, *, on: Iterable[str]) -> bool:
        return all(a[index] == b[index] for index in map(self.axes.index, on))

    def _values(self, axis: str) -> set[Json]:
        return {hashable(cell.setting(axis)) for cell in self.measured}

    def along(self, axis: str, *, at: Variant | None = None) -> list[Cell]:
        """Measured cells that differ in nothing but the model and `axis`: the other axes as `at` (`focus`) has them."""
        others = [name for name in self.axes if name != axis]
        at = self.focus if at is None else at
        return [cell for cell in self.measured if self._agree(self.variant_of(cell), at, on=others)]

    @cached_property
    def numeric_axes(self) -> list[str]:
        """The axes along which a line can be drawn: numbers, at least two of them."""
        # Seeds are names that happen to be numbers.
        axes = [axis for axis in self.axes if axis not in self.seed_axes]
        return [axis for axis in axes if is_numeric({hashable(cell.setting(axis)) for cell in self.along(axis)})]

    def describe(self, variant: Variant, *, but: str = "") -> str:
        """`batch size 64, learning rate 0.1`: the values of the axes, except `but`."""
        named = zip(self.axes, variant, strict=True)
        return ", ".join(f"{axis_label(name)} {value_text(value)}" for name, value in named if name != but)

    @cached_property
    def results(self) -> list[Result]:
        return [row.result for cell in self.cells for row in cell.rows if row.result is not None]

    @property
    def environment(self) -> Environment:
        """What is known of its machine and software; empty where nothing ran."""
        return next((result.environment for result in self.results if result.environment.facts), Environment({}))

    @property
    def facts(self) -> Mapping[str, Json]:
        """The facts of its environment."""
        return self.environment.facts


def metrics_of(cells: Iterable[Cell]) -> list[Metric]:
    """What was measured of `cells`: in the order of the table of metrics, then those of plugins by name."""
    measured = {name for cell in cells for result in cell.ok for name in result.metrics}
    own = [metric for name, metric in BUILT_IN.items() if name in measured]
    return [*own, *map(metric_named, sorted(measured - BUILT_IN.keys()))]


def scale_for(metric: Metric, cells: Iterable[Cell]) -> Scale:
    """The scale that the means of `cells` share; a loss that is no cross-entropy has no unit."""
    cells = list(cells)
    unit = "" if metric.unit == "nats" and not all(map(in_nats, cells)) else metric.unit
    return scale_of(unit, [found.mean for cell in cells if (found := cell.estimate(metric.name))])


def is_numeric(values: Collection[Json]) -> bool:
    """Whether `values` are numbers, and at least two."""
    return len(values) > 1 and all(map(is_number, values))


def is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def hashable(value: Json) -> Json:
    """A setting as it can be compared and counted."""
    return canonical_json(value) if isinstance(value, list | tuple | dict) else value


def axis_label(dotted: str) -> str:
    """`train.learning_rate` → `learning rate`; `seed.init` as it is, which `init` alone would not say."""
    return dotted if dotted.startswith("seed.") else dotted.rpartition(".")[2].replace("_", " ")


def axis_key(dotted: str) -> str:
    """`train.learning_rate` → `learning_rate`, for the head of a column that machines read; `seed.init` as it is."""
    return dotted if dotted.startswith("seed.") else dotted.rpartition(".")[2]


def value_text(value: Json) -> str:
    """A setting as a suite writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
