"""The weights of trained models, cell by cell: their norm, and how many of them are near zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from bench.analysis.artifacts import layers
from bench.analysis.cells import Cell, Section
from bench.analysis.table_columns import Filled, Marks, cell_columns, mean_cell, table_of
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.errors import BenchError
from bench.present.format import DASH, Scale, accuracy, figure_pm
from bench.present.tables import Column, Table, TableCell
from bench.results.store import Store
from bench.statistics.intervals import Estimate, t_interval

NOTES = (
    "Of all weights in two or more dimensions (matrices and filters; no biases), after training. L2 norm: the root of "
    "the sum of their squares. near zero: smaller than a hundredth of the root mean square of their layer, so that the "
    "scale of a layer does not matter. ±: 95 % interval of the mean over seeds (Student's t).",
)


def weights_table(sections: Sequence[Section], *, folder: Path) -> Table | None:
    """The table; None where nothing was measured. `folder`: results/<suite>."""
    cells = [(section, cell) for section in sections for cell in section.measured]
    if not cells:
        return None
    marks = Marks()
    figures = [_figures(cell, folder) for _, cell in cells]
    columns: list[Filled] = [
        *cell_columns(cells),
        (Column("n", "n"), [TableCell(f"{cell.n}", cell.n) for _, cell in cells]),
        (Column(ACCURACY, BUILT_IN[ACCURACY].short, interval=True), [_accuracy(cell) for _, cell in cells]),
        (Column("l2_norm", "L2 norm", interval=True), [_cell(found, 0, marks) for found in figures]),
        (Column("near_zero", "near zero (%)", interval=True), [_cell(found, 1, marks) for found in figures]),
    ]
    return table_of(columns, name="weights", title="Weights", notes=NOTES, marks=marks)


Figures = tuple[Estimate, Estimate] | str


def _figures(cell: Cell, folder: Path) -> Figures:
    """L2 norm and share near zero in per cent; else why they are not there."""
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
    return t_interval(norms), t_interval(shares)


def _accuracy(cell: Cell) -> TableCell:
    found = cell.estimate(ACCURACY)
    return mean_cell(found, accuracy(found.mean, found.half)) if found else TableCell(DASH)


def _cell(found: Figures, which: int, marks: Marks) -> TableCell:
    if isinstance(found, str):
        return marks.empty(found)
    return mean_cell(found[which], figure_pm(found[which].mean, found[which].half, Scale("", 1.0, 3)))
