"""One metric on several machines side by side: a row a model and setting, a column a machine, ratios to one of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bench.analysis.cells import (
    DOTTED,
    Cell,
    Section,
    axis_label,
    doubtful,
    hashable,
    scale_for,
    short_ids,
    value_text,
)
from bench.analysis.ratios import bases, ratio
from bench.analysis.table_columns import Marks, doubt, interval_notes, mean_column
from bench.analysis.trust import MARK
from bench.base.metrics import Metric
from bench.present.format import DASH, head, mean_text
from bench.present.tables import Column, Columns, Table, TableCell, ratio_cell, table_of
from bench.statistics.intervals import Ratio

RATIO = "_ratio"  # what the key of a column of ratios ends in
APART = "each machine ran by itself"


@dataclass(frozen=True, eq=False)
class _Row:
    """One cell by the machines that it ran on; `first` says what it is."""

    first: Cell
    by_machine: dict[str, Cell]


Ratios = dict[_Row, Ratio | None]


def machines_table(sections: Sequence[Section], metric: Metric, *, base: str = "", name: str = "machines") -> Table:
    """Means of `metric` with intervals, one column a machine. Of timings also how many times each is that of `base`:
    the first digits of an `environment_id`, by default the first machine. Rows of different code are rows apart, since
    no figure compares code and machine at once."""
    cells = [cell for section in sections for cell in section.measured]
    rows, names, marks = _rows(cells), _names(cells), Marks()
    known = [machine for machine, ids in names.items() if base and any(each.startswith(base) for each in ids)]
    chosen = next(iter([*known, *names]), "")
    ratios: dict[str, Ratios] = {}
    columns = _what_differs(rows)
    for machine in names:
        columns.append(_mean_column(machine, rows, cells, metric, names, marks))
        if metric.timed and machine != chosen:
            ratios[machine] = {row: _ratio(row, machine, chosen, metric) for row in rows}
            columns.append(_ratio_column(machine, chosen, ratios[machine], metric, names))
    table = table_of(name, f"{metric.label} by machine", rows, columns)
    told = _ratio_note(ratios, metric, short_ids(names.get(chosen, [])))
    return replace(table, notes=(*_notes(table, cells, metric), *told, *marks.notes(table.rows)))


def _mean_column(
    machine: str,
    rows: Sequence[_Row],
    cells: Sequence[Cell],
    metric: Metric,
    names: Mapping[str, Sequence[str]],
    marks: Marks,
) -> tuple[Column, Callable[[_Row], TableCell]]:
    scale, ids = scale_for(metric, cells), names[machine]
    here = [cell for row in rows if (cell := row.by_machine.get(machine))]
    shown = mean_column(
        here, metric, text=partial(mean_text, metric=metric, scale=scale), marks=marks, comparable=False
    )
    column = Column(f"{ids[0]}_{metric.name}", f"{short_ids(ids)}: {head(metric, scale)}", interval=True)
    return column, lambda row: shown(row.by_machine[machine]) if machine in row.by_machine else TableCell(DASH)


def _ratio_column(
    machine: str, base: str, ratios: Ratios, metric: Metric, names: Mapping[str, Sequence[str]]
) -> tuple[Column, Callable[[_Row], TableCell]]:
    column = Column(f"{names[machine][0]}{RATIO}", f"{short_ids(names[machine])} ×{short_ids(names[base])}")

    def shown(row: _Row) -> TableCell:
        found = ratio_cell(ratios[row])
        sides = [cell for each in (machine, base) if (cell := row.by_machine.get(each))]
        marked = found.number is not None and doubtful(metric, *sides)
        return replace(found, text=f"{found.text} {MARK}") if marked else found

    return replace(column, interval=True), shown


def _rows(cells: Sequence[Cell]) -> list[_Row]:
    found: dict[tuple[str, str], _Row] = {}
    for cell in cells:
        row = found.setdefault((cell.trial.cell_id, cell.code_id), _Row(cell, {}))
        row.by_machine[cell.machine] = cell
    return list(found.values())


def _names(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """Each machine with the ids of its environments: one for each number of threads."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        found.setdefault(cell.machine, {}).update(dict.fromkeys(cell.environments))
    return {machine: list(ids) for machine, ids in found.items()}


def _what_differs(rows: Sequence[_Row]) -> Columns[_Row]:
    """The columns that tell the rows apart: model, and what else is not the same in all."""
    columns: Columns[_Row] = [(Column("model", "model", numeric=False), lambda row: row.first.model)]
    if len({row.first.dataset for row in rows}) > 1:
        columns.insert(0, (Column("dataset", "data set", numeric=False), lambda row: row.first.dataset))
    if len({row.first.trial.device for row in rows}) > 1:
        columns.append((Column("device", "device", numeric=False), lambda row: row.first.trial.device))
    for axis in DOTTED:
        if len({hashable(row.first.setting(axis)) for row in rows}) > 1:
            columns.append((Column(axis, axis_label(axis)), partial(_setting, axis)))
    if len({row.first.code_id for row in rows}) > len({row.first.model for row in rows}):
        columns.append((Column("code_id", "code", numeric=False), lambda row: row.first.code_id[:8]))
    return columns


def _setting(axis: str, row: _Row) -> str:
    return value_text(row.first.setting(axis))


def _ratio(row: _Row, machine: str, base: str, metric: Metric) -> Ratio | None:
    one, other = row.by_machine.get(machine), row.by_machine.get(base)
    return ratio(one, other, metric=metric.name) if one is not None and other is not None else None


def _ratio_note(ratios: Mapping[str, Ratios], metric: Metric, base: str) -> Iterator[str]:
    if ratios:
        how = bases([each for of in ratios.values() for each in of.values()], apart=APART)
        told = f"; in brackets its 95 % interval, {'; '.join(how)}" if how else ""
        yield f"×{base}: {metric.label} over that of {base}{told}."


def _notes(table: Table, cells: Sequence[Cell], metric: Metric) -> Iterator[str]:
    """What the intervals of means are, what marks mean, and why a place is empty."""
    kept = [index for index, column in enumerate(table.columns) if not column.key.endswith(RATIO)]
    means = [[row[index] for index in kept] for row in table.rows]
    yield from interval_notes(means, [table.columns[index] for index in kept])
    if metric.timed:
        yield from doubt(cells)
    if any(cell.text == DASH for row in table.rows for cell in row):
        yield f"{DASH} not measured on that machine with the same settings and the same code."
