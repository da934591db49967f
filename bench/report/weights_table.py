"""The weights of trained models, cell by cell: their norm, and how many of them are near zero."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.analysis.artifacts import layers
from bench.analysis.cells import Cell, Section
from bench.analysis.table_columns import Marks, cell_columns, interval_notes
from bench.base.metrics import Bounds, Metric
from bench.errors import BenchError
from bench.present.format import Scale
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, estimate_cell, table_of
from bench.results.store import Store
from bench.statistics.intervals import Estimate, t_interval

Figures = tuple[Estimate, Estimate] | str  # L2 norm and share near zero in per cent; else why they are not there
Row = tuple[Section, Cell, Figures]
NOTES = (
    "Of all weights in two or more dimensions (matrices and filters; no biases), after training. L2 norm: the root of "
    "the sum of their squares. near zero: smaller than a hundredth of the root mean square of their layer, so that the "
    "scale of a layer does not matter.",
)


def weights_table(sections: Sequence[Section], *, folder: Path) -> Table | None:
    """The table; None where nothing was measured. `folder`: results/<suite>."""
    cells = [(section, cell) for section in sections for cell in section.measured]
    if not cells:
        return None
    marks = Marks()
    rows = [(section, cell, _figures(cell, folder)) for section, cell in cells]
    columns: Columns[Row] = [
        *cell_columns(rows),
        (Column("n", "n"), lambda row: count_cell(row[1].n)),
        *((_mean(each.name, each.short), partial(_level, each)) for each in dict.fromkeys(row[0].main for row in rows)),
        (_mean("l2_norm", "L2 norm"), lambda row: _cell(row[2], 0, marks)),
        (_mean("near_zero", "near zero (%)"), lambda row: _cell(row[2], 1, marks)),
    ]
    table = table_of("weights", "Weights", rows, columns)
    return replace(table, notes=(*NOTES, *interval_notes(table.rows, table.columns), *marks.notes(table.rows)))


def _level(metric: Metric, row: Row) -> TableCell:
    return estimate_cell(row[1].estimate(metric.name), Scale(""))


def _mean(key: str, head: str) -> Column:
    return Column(key, head, interval=True)


def _figures(cell: Cell, folder: Path) -> Figures:
    norms, shares = [], []
    for result in cell.ok:
        path = Store(folder).artifact_path(result.run_id, result.trial_id)
        try:
            found = [layer for layer in layers(path) if layer.values.ndim > 1]
        except BenchError as error:
            return str(error).replace(f"{folder}/", "") + "."
        count = sum(layer.values.size for layer in found)
        if not count:
            return "no weights in two or more dimensions."
        norms.append(math.sqrt(sum(float(layer.statistics["l2_norm"]) ** 2 for layer in found)))
        shares.append(100 * sum(float(layer.statistics["near_zero"]) * layer.values.size for layer in found) / count)
    return t_interval(norms, bounds=Bounds(least=0.0)), t_interval(shares, bounds=Bounds(0.0, 100.0))


def _cell(found: Figures, which: int, marks: Marks) -> TableCell:
    return marks.empty(found) if isinstance(found, str) else estimate_cell(found[which], Scale("", 1.0, 3))
