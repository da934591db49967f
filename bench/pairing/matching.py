"""Pairs each cell of one side with the cell of the other that has the same settings. Settings in which the two sides
differ throughout are left out: they are what is compared."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.cells import DOTTED, Cell, axis_label, hashable, labels_of, value_text
from bench.base.records import Json, Trial
from bench.pairing.sides import Side
from bench.results.doctor import machine_id
from bench.results.frame import Row

Settings = dict[str, Json]  # dotted name → value, a component by its canonical JSON
NEVER = frozenset({"dataset"})  # two data sets have no ratio
# What is judged by a gate is the same thing before and after: settings beside these may differ between the two sides.
THE_SAME = frozenset({"dataset", "model", "batch_size", "device"})


@dataclass(frozen=True, eq=False)
class Pair:
    """The cells of one setting, one a side; None where a side has none. `settings` are those that both share."""

    a: Cell | None
    b: Cell | None
    settings: Settings

    @property
    def either(self) -> Cell:
        found = self.b if self.a is None else self.a
        assert found is not None
        return found


@dataclass(frozen=True, eq=False)
class Match:
    """All pairs, in the order of A, then what only B has. `apart`: settings that have one value in all of A and another
    in all of B. `several`: how many cells a side has more than once (machines, code); their newest is taken."""

    pairs: tuple[Pair, ...]
    apart: tuple[str, ...]
    several: int


def match(a: Side, b: Side, *, never: Collection[str] = NEVER) -> Match:
    """Pairs the cells of both sides. `never`: settings that are not left out, even where they differ throughout."""
    trials = [row.trial for row in (*a.rows, *b.rows)]
    models, datasets = labels_of(trial.model for trial in trials), labels_of(trial.dataset for trial in trials)
    cells = [_cells(side, models, datasets) for side in (a, b)]
    apart = tuple(dict.fromkeys([*([a.axis] if a.axis else []), *_apart(*cells, never=never)]))
    keyed = [_keyed(found, without=apart) for found in cells]
    pairs: list[Pair] = []
    several = 0
    for key in dict.fromkeys([*keyed[0], *keyed[1]]):
        first, second = keyed[0].get(key, []), keyed[1].get(key, [])
        found = _paired(first, second)
        several += len(first) + len(second) > 2 * len(found)
        pairs += [Pair(one, other, dict(key)) for one, other in found]
    return Match(tuple(pairs), apart, several)


def settings_of(trial: Trial) -> Settings:
    """Returns every setting that makes a cell."""
    own: Settings = {"dataset": trial.dataset.canonical, "model": trial.model.canonical, "device": trial.device}
    return own | {name: hashable(trial.setting(name)) for name in DOTTED}


def _cells(side: Side, models: Mapping[str, str], datasets: Mapping[str, str]) -> list[Cell]:
    """Returns the cells of one side: one for each setting, environment and code. A trial without a result counts as
    missing in each of them."""
    machines: dict[str, str] = {}
    groups: dict[str, dict[tuple[str, ...], list[Row]]] = {}
    absent: dict[str, list[Row]] = {}
    for row in side.rows:
        result, cell_id = row.result, row.trial.cell_id
        if result is None:
            absent.setdefault(cell_id, []).append(row)
            continue
        if result.environment_id not in machines:
            facts = result.environment.facts
            machines[result.environment_id] = machine_id(result.environment) if facts else result.environment_id
        key = (machines[result.environment_id], result.environment_id, result.code_id)
        groups.setdefault(cell_id, {}).setdefault(key, []).append(row)
    found = []
    for cell_id in dict.fromkeys(row.trial.cell_id for row in side.rows):
        for (machine, _, code), known in groups.get(cell_id, {("", "", ""): []}).items():
            rows = (*known, *absent.get(cell_id, []))
            trial = rows[0].trial
            model, dataset = models[trial.model.canonical], datasets[trial.dataset.canonical]
            found.append(Cell(trial, model, dataset, rows, machine, code))
    return found


def _apart(a: Sequence[Cell], b: Sequence[Cell], *, never: Collection[str]) -> list[str]:
    """Returns the settings that have one value on each side, and not the same."""
    first, second = _values(a), _values(b)
    return [
        name
        for name in first
        if name not in never and len(first[name]) == len(second[name]) == 1 and first[name] != second[name]
    ]


def _values(cells: Sequence[Cell]) -> dict[str, set[Json]]:
    found: dict[str, set[Json]] = {}
    for cell in {cell.trial.cell_id: cell for cell in cells}.values():
        for name, value in settings_of(cell.trial).items():
            found.setdefault(name, set()).add(value)
    return found


Key = tuple[tuple[str, Json], ...]


def _keyed(cells: Sequence[Cell], *, without: Sequence[str]) -> dict[Key, list[Cell]]:
    groups: dict[Key, list[Cell]] = {}
    for cell in cells:
        key = tuple((name, value) for name, value in settings_of(cell.trial).items() if name not in without)
        groups.setdefault(key, []).append(cell)
    return groups


def _paired(first: Sequence[Cell], second: Sequence[Cell]) -> list[tuple[Cell | None, Cell | None]]:
    """Returns the newest cells of each machine that both sides have; where they share none, the newest of each side."""
    one, other = _newest(first), _newest(second)
    common = [machine for machine in one if machine in other and one[machine].n and other[machine].n]
    if common:
        return [(one[machine], other[machine]) for machine in common]
    return [(_best(one.values()), _best(other.values()))]


def _newest(cells: Sequence[Cell]) -> dict[str, Cell]:
    found: dict[str, Cell] = {}
    for cell in cells:
        known = found.get(cell.machine)
        if known is None or _age(known) <= _age(cell):
            found[cell.machine] = cell
    return found


def _age(cell: Cell) -> tuple[bool, str]:
    """Returns what the best of several cells has most of: figures, then the latest time."""
    return cell.n > 0, cell.finished_at


def _best(cells: Iterable[Cell]) -> Cell | None:
    return max(cells, key=_age, default=None)


def describe(settings: Settings, *, names: Sequence[str]) -> str:
    """Returns `batch size 64, optimizer adam`: the settings of `names` without data set, model and device."""
    shown = [name for name in names if name in settings and name not in ("dataset", "model", "device")]
    return ", ".join(f"{axis_label(name)} {value_text(settings[name])}" for name in shown)
