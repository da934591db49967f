"""What tables, plots and sentences are made of: cells (replicates of each other) in sections (what may be compared)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from bench.records import Component, Json, MeasureSettings, Result, TrainSettings, Trial, canonical_json, digest
from bench.report.format import printable
from bench.results.frame import Row, SuiteLike, threads_of
from bench.statistics.intervals import Estimate, Ratio, log_ratio, paired_t_interval, t_interval

Variant = tuple[Json, ...]  # the values of a section's axes, in their order
FREE = frozenset({"measure.timeout_seconds", "measure.target_accuracy"})  # no part of what a trial is
DOTTED = (
    "batch_size",
    *(f"train.{f.name}" for f in fields(TrainSettings)),
    *(name for f in fields(MeasureSettings) if (name := f"measure.{f.name}") not in FREE),
)


@dataclass(frozen=True, eq=False)
class Cell:
    """Trials that differ in nothing but the seed, on one machine and with one code."""

    trial: Trial  # of its first seed
    model: str  # how people call it
    dataset: str
    rows: tuple[Row, ...]  # one a seed
    machine: str
    code_id: str
    _known: dict[str, Estimate | None] = field(default_factory=dict, repr=False)

    @cached_property
    def ok(self) -> list[Result]:
        return [row.result for row in self.rows if row.result is not None and row.result.status == "ok"]

    @property
    def n(self) -> int:
        """Seeds that are in its figures."""
        return len(self.ok)

    @cached_property
    def not_ok(self) -> list[Row]:
        return [row for row in self.rows if row.status != "ok"]

    @cached_property
    def not_valid(self) -> list[Result]:
        return [result for result in self.ok if result.valid is False]

    def by_seed(self, metric: str) -> dict[int, float]:
        """Seed → value, of the seeds that are ok and have it."""
        return {result.trial.seed: result.metrics[metric] for result in self.ok if metric in result.metrics}

    def estimate(self, metric: str) -> Estimate | None:
        """Mean and t-interval over the seeds; None where a seed lacks it: the rest would be other seeds' mean."""
        if metric not in self._known:
            values = list(self.by_seed(metric).values())
            self._known[metric] = t_interval(values) if values and len(values) == self.n else None
        return self._known[metric]

    def setting(self, dotted: str) -> Json:
        """Value of a setting; `train.threads` is what it ran with."""
        if dotted == "train.threads":
            return next((found for row in self.rows if (found := threads_of(row)) is not None), 0)
        return self.trial.setting(dotted)

    @property
    def finished_at(self) -> str:
        return max((result.finished_at for result in self.ok), default="")


def labels_of(components: Iterable[Component]) -> dict[str, str]:
    """Canonical JSON → how people call it: `mlp`, `mlp(hidden=200)`. Where two would be called the same (a data file
    of one name in two places), the digest of what they are is added."""
    found = {component.canonical: printable(component.label) for component in components}
    often = Counter(found.values())
    return {key: label if often[label] == 1 else f"{label} {digest(key)[:8]}" for key, label in found.items()}


def paired_difference(a: Cell, b: Cell, *, metric: str) -> Estimate | None:
    """`a` - `b` over the seeds that both have; None where there is none."""
    first, second = a.by_seed(metric), b.by_seed(metric)
    seeds = [seed for seed in first if seed in second]
    if not seeds:
        return None
    return paired_t_interval([first[seed] for seed in seeds], [second[seed] for seed in seeds])


def ratio(a: Cell, b: Cell, *, metric: str) -> Ratio | None:
    """How many times `a` is `b`; None where either was not measured, or is zero."""
    first, second = list(a.by_seed(metric).values()), list(b.by_seed(metric).values())
    if not first or not second or min(*first, *second) <= 0:
        return None
    return log_ratio(first, second)


@dataclass(frozen=True, eq=False)
class Section:
    """The cells of one data set on one device of one machine: what may be compared with each other.

    `axes` are the settings that the suite crosses models with, `shown` every setting that differs between cells.
    """

    dataset: str
    device: str
    machine: str
    cells: tuple[Cell, ...]
    axes: tuple[str, ...]
    shown: tuple[str, ...]
    several_machines: bool = False
    several_codes: bool = False

    @property
    def title(self) -> str:
        return f"{self.dataset} · {self.device}" + (f" · machine {self.machine[:8]}" if self.several_machines else "")

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
    def models(self) -> list[str]:
        return list(dict.fromkeys(cell.model for cell in self.measured))

    @cached_property
    def variants(self) -> list[Variant]:
        """The combinations of axes that something was measured at, in the order of the plan."""
        return list(dict.fromkeys(self.variant_of(cell) for cell in self.measured))

    def variant_of(self, cell: Cell) -> Variant:
        return tuple(_hashable(cell.setting(name)) for name in self.axes)

    def at(self, variant: Variant) -> list[Cell]:
        """The measured cells of one combination, one a model, in the order of the plan."""
        return [cell for cell in self.measured if self.variant_of(cell) == variant]

    def along(self, axis: str) -> list[Cell]:
        """Measured cells that differ in nothing but the model and `axis`: the other axes at their first value."""
        if not self.variants:
            return []
        others = [index for index, name in enumerate(self.axes) if name != axis]
        first = self.variants[0]
        return [cell for cell in self.measured if all(self.variant_of(cell)[index] == first[index] for index in others)]

    def describe(self, variant: Variant, *, but: str = "") -> str:
        """`batch size 64, learning rate 0.1`: the values of the axes, except `but`."""
        named = zip(self.axes, variant, strict=True)
        return ", ".join(f"{axis_label(name)} {value_text(value)}" for name, value in named if name != but)

    @cached_property
    def results(self) -> list[Result]:
        return [row.result for cell in self.cells for row in cell.rows if row.result is not None]

    @cached_property
    def statuses(self) -> Counter[str]:
        return Counter(row.status for cell in self.cells for row in cell.rows)


def sections_of(rows: Sequence[Row], suite: SuiteLike | None) -> list[Section]:
    """The sections in the order of the plan; those in which nothing is ok come last."""
    cells = _cells(rows)
    machines = {cell.machine for cell in cells if cell.machine}
    grouped: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        grouped.setdefault((cell.dataset, cell.trial.device, cell.machine), []).append(cell)
    axes = None if suite is None else {axis.name for axis in suite.axes}
    found = [_section(key, group, axes=axes, several_machines=len(machines) > 1) for key, group in grouped.items()]
    return sorted(found, key=lambda section: not section.measured)


def _section(key: tuple[str, str, str], cells: list[Cell], *, axes: set[str] | None, several_machines: bool) -> Section:
    shown = tuple(name for name in DOTTED if len({_hashable(cell.setting(name)) for cell in cells}) > 1)
    codes: dict[str, set[str]] = {}
    for cell in cells:
        codes.setdefault(cell.trial.cell_id, set()).add(cell.code_id)
    return Section(
        *key,
        cells=tuple(cells),
        axes=tuple(name for name in shown if axes is None or name in axes),
        shown=shown,
        several_machines=several_machines,
        several_codes=any(len(found) > 1 for found in codes.values()),
    )


def _cells(rows: Iterable[Row]) -> list[Cell]:
    """Rows by cell, machine and code. A trial without a result is missing wherever the rest of its cell is."""
    rows, machine_of = list(rows), _Machines()
    keys = [(row.trial.cell_id, machine_of(row.result), _code(row.result)) for row in rows]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    of_cell: dict[str, list[tuple[str, str, str]]] = {}
    for row, key in zip(rows, keys, strict=True):
        if row.result is not None and key not in groups:
            groups[key] = []
            of_cell.setdefault(key[0], []).append(key)
    only = _only_machine(key[1] for key in groups)
    order: dict[tuple[str, str, str], None] = {}
    for row, key in zip(rows, keys, strict=True):
        found = [key] if row.result is not None else of_cell.get(key[0], [(key[0], only, "")])
        for each in found:
            groups.setdefault(each, []).append(row)
            order[each] = None
    trials = {key: groups[key][0].trial for key in order}
    datasets = labels_of(trial.dataset for trial in trials.values())
    models = labels_of(trial.model for trial in trials.values())
    return [
        Cell(trial, models[trial.model.canonical], datasets[trial.dataset.canonical], tuple(groups[key]), *key[1:])
        for key, trial in trials.items()
    ]


def _code(result: Result | None) -> str:
    return "" if result is None else result.code_id


def _only_machine(machines: Iterable[str]) -> str:
    found = set(machines)
    return found.pop() if len(found) == 1 else ""


class _Machines:
    """Which machine (and software) a result is from: the facts of its environment, without the threads that
    `environment_id` holds too, so that trials with 1 and 2 threads can stand in one table."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, result: Result | None) -> str:
        if result is None:
            return ""
        key = result.environment_id
        if key not in self._known:
            facts: Mapping[str, Json] = result.environment.facts
            self._known[key] = digest(canonical_json(dict(facts))) if facts else key
        return self._known[key]


def _hashable(value: Json) -> Json:
    return canonical_json(value) if isinstance(value, list | dict) else value


def axis_label(dotted: str) -> str:
    """`train.learning_rate` → `learning rate`."""
    return dotted.rpartition(".")[2].replace("_", " ")


def value_text(value: Json) -> str:
    """A setting as a suite writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
