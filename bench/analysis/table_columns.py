"""Columns of tables of cells: settings, means, and the footnotes that say why a mean is not there."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bench.analysis.cells import Cell, Section, axis_key, axis_label, doubtful, is_number, value_text
from bench.analysis.conditions import reasons
from bench.analysis.differences import paired_evidence
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.ladder import agrees_with_the_run, excludes_zero
from bench.analysis.ratios import ratio
from bench.analysis.trust import footnote, mark
from bench.base.metrics import ACCURACY, BUILT_IN, SPEED, Metric
from bench.present.format import DASH, figure, plural, scale_of, whole
from bench.present.tables import Column, Columns, TableCell
from bench.results.frame import WHOLE
from bench.statistics.intervals import Estimate

BOLD = (
    "Bold: the best of its column, where it is shown to be better than every other. Timings are judged by the 95 % "
    "intervals of their ratios, all else as in the ladder: all pairs of the column together."
)
INTERVALS = ("±", " [", " to ")  # what stands in the text of a mean that has one
Item = TypeVar("Item")


@dataclass
class Marks:
    """Footnotes: the same text has the same mark."""

    _known: dict[str, str] = field(default_factory=dict)

    def empty(self, why: str) -> TableCell:
        """A cell without a figure, with the mark of the footnote that says why."""
        return TableCell(f"{DASH} {self.mark(why)}")

    def mark(self, text: str) -> str:
        return self._known.setdefault(text, f"({_letters(len(self._known))})")

    def notes(self, rows: Sequence[Sequence[TableCell]]) -> list[str]:
        """Those whose mark stands somewhere in `rows`."""
        shown = {word for row in rows for cell in row for word in cell.text.split()}
        return [f"{mark} {text}" for text, mark in self._known.items() if mark in shown]


def _letters(index: int) -> str:
    """a, b, …, z, aa, ab, …"""
    return (_letters(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


def setting_column(name: str, cells: Iterable[Cell]) -> tuple[Column, Callable[[Cell], TableCell]]:
    """The column of one setting: numbers to the right."""
    numeric = all(is_number(cell.setting(name)) for cell in cells)

    def shown(cell: Cell) -> TableCell:
        value = cell.setting(name)
        return TableCell(value_text(value), number=value if numeric else None)

    return Column(axis_key(name), axis_label(name), numeric=numeric), shown


def cell_columns(rows: Sequence[tuple[Section, Cell, Item]]) -> Columns[tuple[Section, Cell, Item]]:
    """The columns that tell cells of several sections apart: model, where they ran, and the settings that differ."""
    columns: Columns[tuple[Section, Cell, Item]] = [(Column("model", "model", numeric=False), lambda row: row[1].model)]
    if len({section.title for section, *_ in rows}) > 1:
        columns.append((Column("on", "on", numeric=False), lambda row: row[0].title))
    for name in dict.fromkeys(name for section, *_ in rows for name in section.shown):
        if len({value_text(cell.setting(name)) for _, cell, _ in rows}) > 1:
            column = Column(axis_key(name), axis_label(name), numeric=False)
            columns.append((column, partial(_setting_text, name)))
    return columns


def _setting_text(name: str, row: tuple[Section, Cell, Item]) -> str:
    return value_text(row[1].setting(name))


def mean_column(
    cells: Iterable[Cell],
    metric: Metric,
    *,
    text: Callable[[Estimate], str],
    marks: Marks,
    comparable: bool = True,
) -> Callable[[Cell | None], TableCell]:
    """What makes the cells of a column of means, with the mark of disturbed timings. The best of `cells` is bold, where
    they are `comparable`."""
    cells = list(cells)
    comparable = comparable and metric.built_in and metric.unit != "count"
    best = best_cell(cells, metric) if comparable else None
    usual = next(iter(meanings(cell.estimate(metric.name) for cell in cells)), None)

    def shown(cell: Cell | None) -> TableCell:
        found = None if cell is None else cell.estimate(metric.name)
        if cell is None:
            return marks.empty("not in the plan.")
        if found is None:
            return marks.empty(why_empty(cell, metric))
        told = range_text(cell, metric) or text(found)
        other = found.over != usual and any(each in told for each in INTERVALS)
        own = f" {marks.mark(f'{purpose([found.over])}.')}" if other else ""
        words = f"{told}{mark(metric, cell.timings)}{own}"
        return TableCell(
            words, found.mean, found.low, found.high, best=cell is best, over=None if other else found.over
        )

    return shown


def range_text(cell: Cell, metric: Metric) -> str:
    """`9–17`: the least and the most over the seeds of a metric that has no mean worth a name; empty of others."""
    values = cell.by_seed(metric.name).values() if metric.ranged else ()
    ends = dict.fromkeys((min(values), max(values))) if values else ()
    return "–".join(map(whole, ends))


def interval_notes(
    rows: Iterable[Sequence[TableCell]], columns: Sequence[Column], *, ranges: bool = False
) -> Iterator[str]:
    """What the intervals of means are for, as far as they occur; not those of ratios, which stand in brackets too.
    `ranges`: they are written from end to end."""
    marks = INTERVALS[2:] if ranges else INTERVALS[:2]
    cells = [
        cell
        for row in rows
        for cell, column in zip(row, columns, strict=True)
        if column.key != "ratio" and any(mark in cell.text for mark in marks)
    ]
    uneven = [cell for cell in cells if " [" in cell.text and not ranges]
    even = len(uneven) < len(cells)
    intervals = "; ".join(_intervals(cells))
    if even:
        yield f"{'Ranges' if ranges else '±'}: {intervals}."
    if uneven:
        what = "both ends of that interval, where they are not equally far from it" if even else f"its {intervals}"
        cut = "" if all(map(_is_logarithmic, uneven)) else " That of a share ends at 0 and 1."
        yield f"In brackets after a mean: {what}.{cut}"


def _intervals(cells: Sequence[TableCell]) -> Iterator[str]:
    """What each kind of interval is for: those of accuracies, then those over seeds alone."""
    rest = [cell for cell in cells if cell.over in (None, "seeds")]
    overs = [cell.over for cell in cells if cell.over not in (None, "seeds")]
    if overs:
        yield f"{'of accuracies the ' if rest else ''}{purpose([each for each in overs if each])}"
    if rest:
        yield f"{'of the rest the ' if overs else ''}95 % interval of the mean over seeds ({method(rest)})"


def method(cells: Iterable[TableCell]) -> str:
    """How the intervals of `cells` are made: `Student's t`, on logarithms where these are so."""
    logarithmic = any(map(_is_logarithmic, cells))
    return f"Student's t{'; of times, rates and bytes on their logarithms' if logarithmic else ''}"


def _is_logarithmic(cell: TableCell) -> bool:
    """Whether both ends of an interval are a factor away from the mean, and not a difference."""
    if not cell.number or not cell.low or not cell.high or not cell.low < cell.number < cell.high:
        return False
    return math.isclose(cell.high / cell.number, cell.number / cell.low, rel_tol=1e-9)


def why_empty(cell: Cell, metric: Metric) -> str:
    """Why a cell has no mean of `metric`."""
    if not cell.n:
        return why_not_ok(cell)
    has, n = len(cell.by_seed(metric.name)), cell.n_of(metric.name)
    if not has:
        return f"{metric.absent}."
    seen = f"the others: {_seen(cell, metric)}" if metric.unit == "seconds" else "those that have it are in trials.csv"
    return f"{metric.absent} by {n - has} of {plural(n, 'seed')}; {seen}."


def _seen(cell: Cell, metric: Metric) -> str:
    """`0.41 s`, `0.41 to 0.9 s`: from the least to the most of the seeds that have it."""
    values = cell.by_seed(metric.name).values()
    scale = scale_of(metric.unit, values)
    ends = dict.fromkeys(figure(end, scale) for end in (min(values), max(values)))
    return f"{' to '.join(ends)} {scale.unit}"


def why_not_ok(cell: Cell) -> str:
    return reasons((row.status, row.reason) for row in cell.not_ok) + "."


def doubt(cells: Iterable[Cell]) -> Iterator[str]:
    """The note on timings that were disturbed, where there are some."""
    if text := footnote([(cell.timings, cell.ok) for cell in cells], BUILT_IN[SPEED]):
        yield text


def best_cell(cells: Sequence[Cell], metric: Metric) -> Cell | None:
    """The best of `cells` by its mean, where its interval against each of the others says that it is better."""
    measured = [(found.mean, cell) for cell in cells if (found := cell.estimate(metric.name))]
    measured.sort(key=lambda pair: pair[0], reverse=metric.higher_is_better)
    if len(measured) < 2:
        return None
    best, *others = (cell for _, cell in measured)
    pairs = math.comb(len(measured), 2)
    return best if all(shown_better(best, other, metric=metric, pairs=pairs) for other in others) else None


def shown_better(a: Cell, b: Cell, *, metric: Metric, pairs: int = 1) -> bool:
    """Whether the seeds show that `a` is better: timings by their ratio, and never where they are disturbed; what the
    seed decides by the difference over the seeds that both have, as one of so many `pairs` that are judged together;
    rounds of one seed are no seeds. What is counted from the model needs none."""
    if doubtful(metric, a, b):
        return False
    if metric.timing:
        found = ratio(a, b, metric=metric.name)
        shown = found is not None and found.over != "rounds" and found.excludes(1)
        return found is not None and shown and (found.ratio > 1) == metric.higher_is_better
    evidence = paired_evidence(a, b, metric=metric.name)
    if evidence is None or evidence.mean == 0 or (evidence.mean > 0) != metric.higher_is_better:
        return False
    if metric.name == ACCURACY and not agrees_with_the_run(a, b, "yes"):
        return False
    return (metric.unit in WHOLE and evidence.sd == 0) or excludes_zero(evidence, pairs=pairs)
