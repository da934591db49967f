"""The table of models of one section: what they reach, and what they cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from bench.analysis.cells import Cell, Section, doubtful, metrics_of, scale_for
from bench.analysis.conditions import conditions, seeds_text
from bench.analysis.ratios import bases, basis, ratio
from bench.analysis.table_columns import (
    BOLD,
    Marks,
    doubt,
    interval_notes,
    mean_column,
    setting_column,
    why_empty,
    why_not_ok,
)
from bench.analysis.trust import MARK
from bench.base.metrics import ACCURACY, BUILT_IN, SPEED, TABLE_OF_MODELS, Metric
from bench.errors import BenchError, nearest
from bench.present.doctor_text import cited
from bench.present.format import DASH, accuracy, head, mean_text, percent, times
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, ratio_cell, table_of
from bench.results.doctor import Doctor
from bench.statistics.intervals import Ratio

WITH_INTERVAL = (ACCURACY, "r2", "mae", "rmse", SPEED)
RATIOS = "In brackets: 95 % interval of the ratio of trained samples/s, taken on logarithms"
POOLING = (
    "n: seeds in the accuracy, which pools over environments of the same torch, kind of device, threads and code; "
    "timings are of this environment alone."
)
PEAK = "Of peak FLOP/s: counted FLOPs of forward and backward over time, as a share of a float32 matrix product's."


def models_table(
    section: Section,
    *,
    name: str,
    baseline: str = "",
    doctor: Doctor | None = None,
    suite_name: str = "",
    columns: Sequence[str] = (),
) -> Table:
    """Rows in the order of the plan, of a sweep with a validation part the best there first; ratios against `baseline`
    (name of a model) at the same settings.

    `doctor`: what `bench doctor` found on the section's machine. `columns`: keys of those to show, in this order;
    all where there are none. BenchError: a key that the table does not have.

    What is not `ok` leaves a mark and a footnote that says why; nothing is left out.
    """
    marks = Marks()
    found = _chosen(_columns(section, baseline=baseline, doctor=doctor, marks=marks), columns)
    cells = section.cells
    if section.validated:
        cells = tuple(sorted(cells, key=lambda cell: (cell.validation is None, -(cell.validation or 0.0))))
    table = table_of(name, f"Models on {section.title}", cells, found)
    caption = [table.title, *([f"suite {suite_name}"] if suite_name else []), seeds_text(section)]
    return replace(
        table,
        notes=tuple(_notes(section, table, baseline=baseline, marks=marks, doctor=doctor)),
        caption=", ".join(caption),
    )


def _columns(section: Section, *, baseline: str, doctor: Doctor | None, marks: Marks) -> Columns[Cell]:
    columns: Columns[Cell] = [(Column("model", "model", numeric=False), lambda cell: cell.model)]
    columns += [setting_column(name, section.cells) for name in section.shown]
    if section.several_codes:
        columns.append((Column("code_id", "code", numeric=False), lambda cell: cell.code_id[:8]))
    for metric in _metrics(section):
        scale, interval = scale_for(metric, section.cells), metric.name in WITH_INTERVAL or not metric.built_in
        text = partial(mean_text, metric=metric, scale=scale, interval=interval)
        column = Column(metric.name, head(metric, scale), interval=interval)
        columns.append((column, mean_column(section.cells, metric, text=text, marks=marks)))
        if metric == section.main:
            columns.append((Column("n", "n"), partial(_n_cell, marks)))
            if section.validated:
                columns.append((Column("validation", f"validation {metric.title}"), _validation_cell))
        if metric.name == SPEED:
            columns += _beside_speed(section, baseline, doctor, marks)
    return columns


def _validation_cell(cell: Cell) -> TableCell:
    return TableCell(DASH if cell.validation is None else accuracy(cell.validation), cell.validation)


def _metrics(section: Section) -> list[Metric]:
    """What was measured of the metrics that this table shows, then of plugins' metrics."""
    measured = metrics_of(section.cells)
    shown = [metric for metric in TABLE_OF_MODELS if metric in measured or metric == section.main]
    return shown + [metric for metric in measured if not metric.built_in]


def _beside_speed(section: Section, baseline: str, doctor: Doctor | None, marks: Marks) -> Columns[Cell]:
    columns: Columns[Cell] = []
    if section.pools:
        columns.append((Column("n_timings", "n of timings"), lambda cell: count_cell(cell.n)))
    if model := baseline_of(section, baseline):
        found, column = _ratios(section, model), Column("ratio", f"×{model}", interval=True)
        against = _against(section, model)
        columns.append((column, lambda cell: _marked(_ratio_cell(cell, found, model, marks), cell, against[cell])))
    if any(share_of_peak(cell, doctor) for cell in section.cells):
        columns.append((Column("share_of_peak", "of peak FLOP/s"), partial(_share_cell, doctor)))
    return columns


def _ratios(section: Section, model: str) -> dict[Cell, Ratio | None]:
    """The speed of every other cell over that of `model` at the same settings, where it was measured there."""
    pairs = _against(section, model).items()
    return {cell: ratio(cell, other, metric=SPEED) for cell, other in pairs if other not in (None, cell)}


def _against(section: Section, model: str) -> dict[Cell, Cell | None]:
    """Every cell with that of `model` at the same settings, where it was measured there."""
    found = {section.variant_of(cell): cell for cell in section.measured if cell.model == model}
    return {cell: found.get(section.variant_of(cell)) for cell in section.cells}


def _marked(shown: TableCell, cell: Cell, other: Cell | None) -> TableCell:
    """A ratio with the mark of disturbed timings, where those of a side are."""
    doubt = other is not None and shown.number is not None and doubtful(BUILT_IN[SPEED], cell, other)
    return replace(shown, text=f"{shown.text} {MARK}") if doubt else shown


def _paired(ratios: Mapping[Cell, Ratio | None]) -> list[Ratio]:
    """Those of trials that shared the time."""
    return [each for each in ratios.values() if each is not None and each.over != "processes"]


def _chosen(columns: Columns[Cell], keys: Sequence[str]) -> Columns[Cell]:
    """The columns called `keys`, in that order; all of them where there are none."""
    found = {column.key: (column, make) for column, make in columns}
    for key in keys:
        if key not in found:
            raise BenchError(f"columns: {key}: no such column{nearest(key, found)} (there are: {', '.join(found)})")
    return [found[key] for key in dict.fromkeys(keys)] or columns


def baseline_of(section: Section, name: str) -> str:
    """Label of the first model called `name` that the section has; empty where it has none."""
    return next((cell.model for cell in section.cells if cell.trial.model.name == name), "")


def _notes(section: Section, table: Table, *, baseline: str, marks: Marks, doctor: Doctor | None) -> Iterator[str]:
    keys = {column.key for column in table.columns}
    yield conditions(section)
    if section.measured:
        yield cited(doctor, device=section.device)
    if "share_of_peak" in keys:
        yield PEAK
    if section.pools:
        yield POOLING
    ratios = _ratios(section, baseline_of(section, baseline)) if "ratio" in keys else {}
    how = bases(_paired(ratios) or ratios.values())
    told = f"{RATIOS}; {'; '.join(how)}." if how else ""
    notes = list(interval_notes(table.rows, table.columns)) or [""]
    yield from (note for note in (f"{notes[0]} {told}".strip(), *notes[1:]) if note)
    if any(cell.best for row in table.rows for cell in row):
        yield BOLD
    yield from doubt(section.cells)
    yield from marks.notes(table.rows)


def _column(table: Table, key: str) -> Iterator[TableCell]:
    """The cells of one column."""
    return (cell for row in table.rows for cell, column in zip(row, table.columns, strict=True) if column.key == key)


def share_of_peak(cell: Cell, doctor: Doctor | None) -> float | None:
    """Achieved FLOP/s over what a matrix product reaches here. None where the peak of the cell's threads is not known,
    or the cell is not of float32: its peak is another."""
    achieved = cell.estimate("achieved_flops_per_second")
    if doctor is None or achieved is None or cell.setting("train.precision") != "float32":
        return None
    peak = doctor.peak_flops_per_second(cell.trial.device, threads=int(cell.setting("train.threads")))
    return achieved.mean / peak if peak else None


def _share_cell(doctor: Doctor | None, cell: Cell) -> TableCell:
    share = share_of_peak(cell, doctor)
    if share is None:
        return TableCell(DASH)
    return TableCell(percent(share) + (f" {MARK}" if cell.disturbed else ""), number=share)


def _n_cell(marks: Marks, cell: Cell) -> TableCell:
    n = cell.n_of(cell.main.name)
    planned = len({row.trial.seed for row in cell.rows} | {result.trial.seed for result in cell.pool})
    text = f"{n}" if n == planned else f"{n} of {planned}"
    text += f" {marks.mark(why_not_ok(cell))}" if cell.not_ok else ""
    return TableCell(text, number=n)


def _ratio_cell(cell: Cell, ratios: Mapping[Cell, Ratio | None], baseline: str, marks: Marks) -> TableCell:
    found = ratios.get(cell)
    if found is not None:
        shown = ratio_cell(found)
        alone = found.over == "processes" and _paired(ratios)
        return replace(shown, text=f"{shown.text} {marks.mark(f'{basis(found)}.')}") if alone else shown
    if cell not in ratios and cell.model == baseline and cell.estimate(SPEED):
        return TableCell(times(1.0), number=1.0)
    if not cell.n:
        return marks.empty(why_empty(cell, BUILT_IN[SPEED]))
    return marks.empty(f"no {baseline} to compare with at these settings.")
