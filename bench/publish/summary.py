"""The table whose rows, columns and metrics a marker chooses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell, Section, axis_label, value_text
from bench.analysis.conditions import validity
from bench.analysis.models_table import BOLD, INTERVALS, SHOWN, Marks, best_cell, why_empty
from bench.base.metrics import BUILT_IN, Metric
from bench.errors import nearest
from bench.present.format import DASH, Scale, figure_as, listing, plural, scale_of, whole
from bench.present.tables import Column, Table, TableCell
from bench.publish.source import AXES, BlockError, axis_of, value_of
from bench.results.frame import metric_names

OPTIONS = ("rows", "columns", "metric", "format", "digits")
FORMS = ("interval", "range", "mean")
HEADS = {name: head for name, head, _ in SHOWN}
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the marker says, in its types."""

    rows: list[str]
    columns: list[str]
    metrics: list[Metric]
    form: str
    digits: int | None


def summary_table(sections: Sequence[Section], attributes: Mapping[str, str]) -> Table:
    """One cell a place: the mean over its seeds. BlockError where two settings would fall into one place, which
    would be a mean over what is not the same, and for what the marker cannot mean."""
    cells = [cell for section in sections for cell in section.cells]
    asked = _asked(attributes, cells)
    places = _places(cells, asked)
    row_keys = list(dict.fromkeys(row for row, _ in places))
    column_keys = list(dict.fromkeys(column for _, column in places))
    marks = Marks()
    heads = [Column(axis.rpartition(".")[2], axis_label(axis), numeric=False) for axis in asked.rows]
    body: list[list[TableCell]] = [[TableCell(text) for text in key] for key in row_keys]
    for key in column_keys:
        for metric in asked.metrics:
            column = [places.get((row, key)) for row in row_keys]
            scale = _scale(metric, cells)
            heads.append(Column(f"{'-'.join((*key, metric.name))}", _head(key, metric, scale, asked), interval=True))
            for line, cell in zip(body, _column(column, metric, scale, asked, marks), strict=True):
                line.append(cell)
    rows = tuple(map(tuple, body))
    return Table("summary", "Summary", tuple(heads), rows, tuple(_notes(cells, rows, asked, marks)))


def _asked(attributes: Mapping[str, str], cells: Sequence[Cell]) -> Asked:
    def listed(key: str, default: str = "") -> list[str]:
        return [part.strip() for part in attributes.get(key, default).split(",") if part.strip()]

    rows, columns = ([axis_of(name) for name in listed(*given)] for given in (("rows", "model"), ("columns",)))
    if both := set(rows) & set(columns):
        raise BlockError(f"{both.pop()} is in rows and in columns: keep it in one of them")
    form = attributes.get("format", FORMS[0])
    if form not in FORMS:
        raise BlockError(f"format={form}: no such format{nearest(form, FORMS)} (there are: {', '.join(FORMS)})")
    digits = attributes.get("digits", "auto")
    if digits != "auto" and not (digits.isdecimal() and 1 <= int(digits) <= 9):
        raise BlockError(f"digits={digits}: 1 to 9 significant digits, or auto: what the interval supports")
    metrics = [_metric(name, cells) for name in listed("metric", "test_accuracy")]
    return Asked(rows, columns, metrics, form, None if digits == "auto" else int(digits))


def _metric(name: str, cells: Sequence[Cell]) -> Metric:
    measured = metric_names(result for cell in cells for result in cell.ok)
    if name not in measured:
        raise BlockError(f"metric={name}: no such metric{nearest(name, measured)} (there are: {', '.join(measured)})")
    return BUILT_IN.get(name) or Metric(name, "", True, True, "a plugin's metric")


def _places(cells: Iterable[Cell], asked: Asked) -> dict[tuple[Key, Key], Cell]:
    found: dict[tuple[Key, Key], Cell] = {}
    for cell in cells:
        row, column = (tuple(value_text(value_of(cell, axis)) for axis in axes) for axes in (asked.rows, asked.columns))
        other = found.setdefault((row, column), cell)
        if other is not cell:
            axis = next(axis for axis in AXES if value_of(cell, axis) != value_of(other, axis))
            values = listing([value_text(value_of(each, axis)) for each in (other, cell)])
            raise BlockError(
                f"{axis} differs ({values}) and is neither in rows nor in columns: add it there, or choose one value "
                f"with {axis.rpartition('.')[2]}={value_text(value_of(other, axis)).replace(',', '')}"
            )
    return found


def _scale(metric: Metric, cells: Sequence[Cell]) -> Scale:
    return scale_of(metric.unit, [found.mean for cell in cells if (found := cell.estimate(metric.name))])


def _head(key: Key, metric: Metric, scale: Scale, asked: Asked) -> str:
    """The values of the columns' axes, and the metric where there are several, or no such axis."""
    named = [f"{axis_label(axis)} {text}" if text[:1].isdigit() else text
             for axis, text in zip(asked.columns, key, strict=True)]  # fmt: skip
    unit = f" ({scale.unit})" if scale.unit and scale.unit != "samples/s" else ""
    label = HEADS.get(metric.name, metric.name.replace("_", " ")) + unit
    return ", ".join([*named, label] if len(asked.metrics) > 1 or not named else named)


def _column(
    column: Sequence[Cell | None], metric: Metric, scale: Scale, asked: Asked, marks: Marks
) -> Iterator[TableCell]:
    # Data sets are not compared with each other, nor counts.
    comparable = "dataset" not in asked.rows and metric.name in BUILT_IN and metric.unit != "count"
    best = best_cell([cell for cell in column if cell is not None], metric) if comparable else None
    for cell in column:
        if cell is None:
            yield TableCell(f"{DASH} {marks.mark('not in the plan.')}")
            continue
        found = cell.estimate(metric.name)
        if found is None:
            yield TableCell(f"{DASH} {marks.mark(why_empty(cell, metric))}")
            continue
        ends = None if found.low is None or found.high is None else (found.low, found.high)
        text = figure_as(asked.form, found.mean, ends, scale, digits=asked.digits)
        text = whole(found.mean) if metric.unit == "count" else text
        doubt = " †" if cell.not_valid and metric.timing else ""
        yield TableCell(text + doubt, found.mean, found.low, found.high, best=cell is best)


def _notes(cells: Sequence[Cell], rows: Sequence[Sequence[TableCell]], asked: Asked, marks: Marks) -> Iterator[str]:
    texts = [cell.text for row in rows for cell in row]
    if asked.columns or len(asked.metrics) == 1:
        yield "Figures: " + "; ".join(_meaning(metric, _scale(metric, cells)) for metric in asked.metrics) + "."
    if any("±" in text for text in texts):
        yield INTERVALS
    if asked.form == "range":
        yield "Ranges: 95 % interval of the mean over seeds (Student's t)."
    if any(cell.best for row in rows for cell in row):
        yield BOLD
    if any("†" in text for text in texts):
        doubtful = [result for cell in cells for result in cell.not_valid]
        total = sum(cell.n for cell in cells)
        yield f"† not valid, {len(doubtful):,} of {plural(total, 'trial')}: {validity(doubtful)}."
    yield from marks.notes(rows)


def _meaning(metric: Metric, scale: Scale) -> str:
    name = HEADS.get(metric.name, metric.name.replace("_", " "))
    unit = f" ({scale.unit})" if scale.unit and scale.unit not in name else ""
    return f"{name}{unit}, {metric.meaning}"
