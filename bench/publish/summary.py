"""The table whose rows, columns and metrics a marker chooses."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from bench.analysis.cells import Cell, Section, axis_label, scale_for, value_text
from bench.analysis.table_columns import BOLD, Marks, doubt, interval_notes, mean_column
from bench.analysis.trust import MARK
from bench.base.metrics import ACCURACY, Metric
from bench.errors import nearest
from bench.present.format import Scale, figure, head, listing, whole
from bench.present.tables import Column, Columns, Table, TableCell, table_of
from bench.publish.source import AXES, BlockError, axis_of, known_metric, value_of
from bench.statistics.intervals import Estimate

OPTIONS = ("rows", "columns", "metric", "format", "digits")
FORMS = ("interval", "range", "mean")
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Which rows, columns and metrics the marker asks for, and how figures are written."""

    rows: list[str]
    columns: list[str]
    metrics: list[Metric]
    form: str
    digits: int | None


def summary_table(sections: Sequence[Section], attributes: Mapping[str, str]) -> Table:
    """One cell a place: the mean over its seeds. BlockError where two settings would fall into one place, which
    would be a mean over what is not the same, and for what the marker cannot mean."""
    cells = [cell for section in sections for cell in section.cells]
    layout = _layout(attributes, cells)
    places = _places(cells, layout)
    row_keys = list(dict.fromkeys(row for row, _ in places))
    marks = Marks()
    columns: Columns[Key] = [
        (Column(axis.rpartition(".")[2], axis_label(axis), numeric=False), itemgetter(place))
        for place, axis in enumerate(layout.rows)
    ]
    for key in dict.fromkeys(column for _, column in places):
        for metric in layout.metrics:
            scale = scale_for(metric, cells)
            head = Column(f"{'-'.join((*key, metric.name))}", _head(key, metric, scale, layout), interval=True)
            column = {row: places.get((row, key)) for row in row_keys}
            columns.append((head, _column(column, metric, scale, layout, marks)))
    table = table_of("summary", "Summary", row_keys, columns)
    return replace(table, notes=tuple(_notes(cells, table, layout, marks)))


def _layout(attributes: Mapping[str, str], cells: Sequence[Cell]) -> Layout:
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
    metrics = [known_metric(name, cells) for name in listed("metric", ACCURACY)]
    return Layout(rows, columns, metrics, form, None if digits == "auto" else int(digits))


def _places(cells: Iterable[Cell], layout: Layout) -> dict[tuple[Key, Key], Cell]:
    found: dict[tuple[Key, Key], Cell] = {}
    for cell in cells:
        row, column = (
            tuple(value_text(value_of(cell, axis)) for axis in axes) for axes in (layout.rows, layout.columns)
        )
        other = found.setdefault((row, column), cell)
        if other is not cell:
            axis = next(axis for axis in AXES if value_of(cell, axis) != value_of(other, axis))
            values = listing([value_text(value_of(each, axis)) for each in (other, cell)])
            raise BlockError(
                f"{axis} differs ({values}) and is neither in rows nor in columns: add it there, or choose one value "
                f"with {axis.rpartition('.')[2]}={value_text(value_of(other, axis)).replace(',', '')}"
            )
    return found


def _head(key: Key, metric: Metric, scale: Scale, layout: Layout) -> str:
    """The values of the columns' axes, and the metric where there are several, or no such axis."""
    named = [f"{axis_label(axis)} {text}" if text[:1].isdigit() else text
             for axis, text in zip(layout.columns, key, strict=True)]  # fmt: skip
    return ", ".join([*named, head(metric, scale)] if len(layout.metrics) > 1 or not named else named)


def _column(
    column: Mapping[Key, Cell | None], metric: Metric, scale: Scale, layout: Layout, marks: Marks
) -> Callable[[Key], TableCell]:
    """What makes the cells of one column, by the values of their row."""

    def text(found: Estimate) -> str:
        if metric.unit == "count":
            return whole(found.mean)
        return figure(found.mean, scale, ends=found.ends, form=layout.form, digits=layout.digits)

    shown = mean_column(
        [cell for cell in column.values() if cell is not None],
        metric,
        text=text,
        marks=marks,
        comparable="dataset" not in layout.rows,  # data sets are not compared with each other
    )
    return lambda row: shown(column[row])


def _notes(cells: Sequence[Cell], table: Table, layout: Layout, marks: Marks) -> Iterator[str]:
    rows = table.rows
    texts = [cell.text for row in rows for cell in row]
    if layout.columns or len(layout.metrics) == 1:
        meanings = (f"{head(metric, scale_for(metric, cells))}, {metric.meaning}" for metric in layout.metrics)
        yield f"Figures: {'; '.join(meanings)}."
    yield from interval_notes(rows, table.columns, ranges=layout.form == "range")
    if any(cell.best for row in rows for cell in row):
        yield BOLD
    if any(MARK in text for text in texts):
        yield from doubt(cells)
    yield from marks.notes(rows)
