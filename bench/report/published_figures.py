"""Published figures beside ours: ours with its interval, theirs, and how far one is from the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis.artifacts import by_class
from bench.analysis.cells import Cell, Section, doubtful
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.sections import sections_of
from bench.analysis.table_columns import Marks, cell_columns, why_empty
from bench.analysis.trust import mark
from bench.base.metrics import Metric, metric_named
from bench.base.records import Result
from bench.errors import BenchError
from bench.present.format import DASH, Scale, mean_text, number, plural, scale_of, supported
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, table_of
from bench.results.frame import latest
from bench.results.store import Store
from bench.statistics.intervals import Estimate, t_interval
from bench.suite.document import BY_CLASS
from bench.suite.plan import Published, Suite

MOST_NAMED = 3  # figures outside our intervals that a sentence names
ROUNDING = 1e-12  # of a mean of equal figures
WHAT = (
    "ours: mean over n seeds{interval}. inside: whether the published figure lies in that interval. difference: ours − "
    "published, of a range from its nearer end."
)
LIMITS = (
    "The interval holds that, and nothing else. A published figure is one number, rounded, mostly without an interval "
    "of its own; split, initial weights and versions of the software may differ. Outside says that such a thing "
    "differs by more than what the interval is for; it does not say which, or who is right."
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure and the cell of ours that it stands beside. `why`: why ours is not there."""

    published: Published
    section: Section
    cell: Cell
    ours: Estimate | None
    why: str = ""

    @property
    def metric(self) -> Metric:
        name = self.published.metric
        if name not in BY_CLASS:
            return metric_named(name)
        return Metric(name, "fraction", True, False, "", short=name.replace("f1", "F1"))

    @property
    def name(self) -> str:
        """`test accuracy`, `F1 of class 8`."""
        of_class = f" of class {self.published.class_name}" if self.published.metric in BY_CLASS else ""
        return f"{self.metric.short}{of_class}"

    @property
    def n(self) -> int:
        """Seeds that are in ours."""
        return len(self.cell.ok) if self.published.metric in BY_CLASS else self.cell.n_of(self.published.metric)

    @property
    def scale(self) -> Scale:
        return scale_of(self.metric.unit, [self.published.high])

    @property
    def difference(self) -> float | None:
        """Ours − published; 0 where ours lies in the published range, else from its nearer end."""
        if self.ours is None:
            return None
        low, high, mean = self.published.low, self.published.high, self.ours.mean
        return mean - low if mean < low else mean - high if mean > high else 0.0

    @property
    def inside(self) -> bool | None:
        """Whether the published figure (of a range: any of it) lies in our interval; None where we have none, or
        where it is of disturbed timings."""
        if doubtful(self.metric, self.cell) or self.ours is None or self.ours.low is None or self.ours.high is None:
            return None
        slack = ROUNDING * abs(self.ours.mean)
        return self.published.low <= self.ours.high + slack and self.published.high >= self.ours.low - slack


def figures_of(sections: Sequence[Section], suite: Suite, *, folder: Path) -> list[Figure]:
    """Every published figure beside every cell that it is of, in the order of the suite.

    `folder`: results/<suite>, where the files of trials lie. A cell without a result is shown only where no other
    one (another device, another machine) stands beside the figure.
    """
    found = []
    for published in suite.published:
        own = [
            _figure(published, section, cell, folder)
            for section in sections
            for cell in (section.measured or section.cells)
            if suite.has(published.rule, cell.trial)
        ]
        found += [each for each in own if each.cell.n] or own
    return found


def _figure(published: Published, section: Section, cell: Cell, folder: Path) -> Figure:
    if not cell.n or published.metric not in BY_CLASS:
        ours = cell.estimate(published.metric) if cell.n else None
        why = "" if ours else why_empty(cell, metric_named(published.metric))
        return Figure(published, section, cell, ours, why)
    values, missing = [], ""
    for result in cell.ok:
        try:
            path = Store(folder).artifact_path(result.run_id, result.trial_id)
            values.append(by_class(path, published.metric)[published.class_name])
        except BenchError as error:
            missing = str(error).replace(f"{folder}/", "")
        except KeyError:
            missing = f"the data set has no class {published.class_name}"
    found = Figure(published, section, cell, None, f"{missing}." if missing else "")
    return found if missing else replace(found, ours=t_interval(values, bounds=found.metric.bounds))


def table_of_figures(figures: Sequence[Figure]) -> Table:
    """One row a published figure and cell."""
    marks = Marks()
    rows = [(each.section, each.cell, each) for each in figures]
    words = {True: "yes", False: "no", None: DASH}
    columns: Columns[tuple[Section, Cell, Figure]] = [
        *cell_columns(rows),
        (Column("figure", "figure", numeric=False), lambda row: row[2].name),
        (Column("ours", "ours", interval=True), lambda row: _ours_cell(row[2], marks)),
        (Column("n", "n"), lambda row: count_cell(row[2].n)),
        (Column("published", "published", interval=True), lambda row: _theirs(row[2], marks)),
        (Column("difference", "difference"), lambda row: TableCell(_difference(row[2]), row[2].difference)),
        (Column("inside", "inside", numeric=False), lambda row: words[row[2].inside]),
    ]
    table = table_of("published", "Beside published figures", rows, columns)
    found = meanings(each.ours for each in figures)
    what = WHAT.format(interval=f", with its {purpose(found)}" if found else "")
    return replace(table, notes=(what, LIMITS, *marks.notes(table.rows)))


def _ours_cell(each: Figure, marks: Marks) -> TableCell:
    found = each.ours
    if found is None:
        return marks.empty(each.why)
    text = _ours(each, found) + mark(each.metric, each.cell.timings)
    return TableCell(text, found.mean, found.low, found.high, over=found.over)


def _ours(each: Figure, ours: Estimate) -> str:
    return f"{mean_text(ours, each.metric, scale=each.scale)} {each.scale.unit}".strip()


def _theirs(each: Figure, marks: Marks) -> TableCell:
    low, high = each.published.low, each.published.high
    source = each.published.source.rstrip(".")
    text = f"{_published(each)} {marks.mark(f'{source}.')}"
    return TableCell(text, low if low == high else None, low, high)


def _published(each: Figure) -> str:
    ends = dict.fromkeys((each.published.low, each.published.high))
    return f"{' to '.join(f'{end / each.scale.divisor:,g}' for end in ends)} {each.scale.unit}".strip()


def _difference(each: Figure) -> str:
    if each.difference is None:
        return DASH
    half = each.ours.half if each.ours and each.ours.half else 0.0
    decimals = 0 if each.metric.unit == "count" else max(supported(half / each.scale.divisor), 3)
    text = number(abs(each.difference) / each.scale.divisor, decimals=decimals)
    sign = "" if not any(digit in text for digit in "123456789") else "+" if each.difference > 0 else "−"
    return sign + text


def sentence(figures: Sequence[Figure]) -> str:
    """How many published figures lie in our intervals, and those that do not; where all do, the one that is furthest
    from ours. In words."""
    known = [each for each in figures if each.inside is not None]
    if not known:
        needs = "two seeds" + (" and undisturbed timings" if any(each.metric.timed for each in figures) else "")
        return f"{plural(len(figures), 'published figure')}, and no interval of ours to set beside: it needs {needs}."
    inside = sum(each.inside is True for each in known)
    # The furthest first; of the sort's equal ones the order of the suite.
    ordered = sorted(known, key=lambda each: -abs(each.difference or 0) / (abs(each.published.high) or 1))
    if len(known) == 1:
        where, ours = "in" if inside else "outside of", known[0].ours
        return f"{_named(known[0])}, {where} our 95 % interval (n = {ours.n if ours else 0})."
    outside = [each for each in ordered if not each.inside]
    listed = "; ".join(_named(each) for each in outside[:MOST_NAMED])
    more = f"; and {len(outside) - MOST_NAMED} more" if len(outside) > MOST_NAMED else ""
    said = f"Outside: {listed}{more}" if outside else f"Furthest apart: {_named(ordered[0])}"
    return f"{inside} of {plural(len(known), 'published figure')} lie in our 95 % intervals. {said}."


def _named(each: Figure) -> str:
    """`linear, F1 of class 8: ours 0.87 ± 0.01, published 0.88`"""
    ours = _ours(each, each.ours) if each.ours else DASH
    return f"{each.cell.model}, {each.name}: ours {ours}, published {_published(each)}"


def told(results: Sequence[Result], suite: Suite | None, *, folder: Path) -> str:
    """What a terminal is told of published figures; empty where the suite has none."""
    if suite is None or not suite.published:
        return ""
    figures = figures_of(sections_of(latest(results, suite).rows, suite), suite, folder=folder)
    return sentence(figures) if figures else ""
