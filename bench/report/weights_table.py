"""The weights of trained models, cell by cell: their norm, and how many of them are near zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from bench.analysis.artifacts import layers
from bench.analysis.cells import Cell, Section, axis_label, value_text
from bench.analysis.models_table import Marks
from bench.errors import BenchError
from bench.present.format import DASH, Scale, figure_pm
from bench.present.tables import Column, Table, TableCell
from bench.report.page import Extra
from bench.report.published_figures import artifact
from bench.statistics.intervals import Estimate, t_interval

NOTES = (
    "Of all weights in two or more dimensions (matrices and filters; no biases), after training. L2 norm: the root of "
    "the sum of their squares. near zero: smaller than a hundredth of the root mean square of their layer, so that the "
    "scale of a layer does not matter. ±: 95 % interval of the mean over seeds (Student's t).",
)


def extra_of(sections: Sequence[Section], *, folder: Path) -> list[Extra]:
    """The table with what it says; nothing where nothing was measured. `folder`: results/<suite>."""
    cells = [(section, cell) for section in sections for cell in section.measured]
    if not cells:
        return []
    marks = Marks()
    figures = [_figures(cell, folder) for _, cell in cells]
    heads = _conditions(cells)
    heads += [
        (Column("n", "n"), [TableCell(f"{cell.n}", cell.n) for _, cell in cells]),
        (
            Column("test_accuracy", "test accuracy", interval=True),
            [_shown(cell.estimate("test_accuracy"), Scale("")) for _, cell in cells],
        ),
        (Column("l2_norm", "L2 norm", interval=True), [_cell(found, 0, marks) for found in figures]),
        (Column("near_zero", "near zero (%)", interval=True), [_cell(found, 1, marks) for found in figures]),
    ]
    rows = tuple(zip(*(column for _, column in heads), strict=True))
    columns = tuple(column for column, _ in heads)
    table = Table("weights", "Weights", columns, rows, (*NOTES, *marks.notes(rows)))
    return [Extra("Weights", "What training left of the weights, setting by setting.", table)]


def _conditions(cells: Sequence[tuple[Section, Cell]]) -> list[tuple[Column, list[TableCell]]]:
    found = [(Column("model", "model", numeric=False), [TableCell(cell.model) for _, cell in cells])]
    if len({section.title for section, _ in cells}) > 1:
        found.append((Column("on", "on", numeric=False), [TableCell(section.title) for section, _ in cells]))
    for name in dict.fromkeys(name for section, _ in cells for name in section.shown):
        values = [cell.setting(name) for _, cell in cells]
        column = Column(name.rpartition(".")[2], axis_label(name), numeric=False)
        found.append((column, [TableCell(value_text(value)) for value in values]))
    return found


Figures = tuple[Estimate, Estimate] | str


def _figures(cell: Cell, folder: Path) -> Figures:
    """L2 norm and share near zero in per cent; else why they are not there."""
    norms, shares = [], []
    for result in cell.ok:
        try:
            found = [layer for layer in layers(artifact(folder, result)) if layer.values.ndim > 1]
        except BenchError as error:
            return str(error).replace(f"{folder}/", "") + "."
        count = sum(layer.values.size for layer in found)
        if not count:
            return "no weights in two or more dimensions."
        norms.append(math.sqrt(sum(float(layer.statistics["l2_norm"]) ** 2 for layer in found)))
        shares.append(100 * sum(float(layer.statistics["near_zero"]) * layer.values.size for layer in found) / count)
    return t_interval(norms), t_interval(shares)


def _cell(found: Figures, which: int, marks: Marks) -> TableCell:
    return (
        TableCell(f"{DASH} {marks.mark(found)}") if isinstance(found, str) else _shown(found[which], Scale("", 1.0, 3))
    )


def _shown(found: Estimate | None, scale: Scale) -> TableCell:
    if found is None:
        return TableCell(DASH)
    return TableCell(figure_pm(found.mean, found.half, scale), found.mean, found.low, found.high)
