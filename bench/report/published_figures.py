"""Published figures beside ours: ours with its interval, theirs, and how far one is from the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analysis.artifacts import by_class
from bench.analysis.cells import Cell, Section, axis_label, value_text
from bench.analysis.models_table import SHOWN, Marks, why_empty
from bench.base.metrics import BUILT_IN, Metric
from bench.base.records import Result
from bench.errors import BenchError
from bench.present.format import DASH, Scale, figure_pm, number, plural, scale_of, supported, whole
from bench.present.tables import Column, Table, TableCell
from bench.statistics.intervals import Estimate, t_interval
from bench.suite.plan import Published, Suite
from bench.suite.published import BY_CLASS

ROUNDING = 1e-12  # of a mean of equal figures
NAMES = {"f1": "F1"} | {name: head for name, head, _ in SHOWN}
WHAT = (
    "ours: mean over n seeds ± 95 % interval (Student's t). inside: whether the published figure lies in that "
    "interval. difference: ours − published, of a range from its nearer end."
)
LIMITS = (
    "The interval holds what another seed would change, and nothing else. A published figure is one number, rounded, "
    "mostly without an interval of its own; split, initial weights and versions of the software may differ. Outside "
    "says that such a thing differs by more than the seed does; it does not say which, or who is right."
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
    def name(self) -> str:
        """`test accuracy`, `F1 of 8`."""
        metric = self.published.metric
        head = NAMES.get(metric, metric.replace("_", " "))
        return f"{head} of class {self.published.class_name}" if metric in BY_CLASS else head

    @property
    def unit(self) -> str:
        metric = self.published.metric
        return "fraction" if metric in BY_CLASS else BUILT_IN[metric].unit if metric in BUILT_IN else ""

    @property
    def difference(self) -> float | None:
        """Ours − published; 0 where ours lies in the published range, else from its nearer end."""
        if self.ours is None:
            return None
        low, high, mean = self.published.low, self.published.high, self.ours.mean
        return mean - low if mean < low else mean - high if mean > high else 0.0

    @property
    def inside(self) -> bool | None:
        """Whether the published figure (of a range: any of it) lies in our interval; None where we have none."""
        if self.ours is None or self.ours.low is None or self.ours.high is None:
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
        metric = BUILT_IN.get(published.metric, Metric(published.metric, "", True, True, ""))
        return Figure(published, section, cell, ours, "" if ours else why_empty(cell, metric))
    values, missing = [], ""
    for result in cell.ok:
        try:
            values.append(by_class(artifact(folder, result), published.metric)[published.class_name])
        except BenchError as error:
            missing = str(error).replace(f"{folder}/", "")
        except KeyError:
            missing = f"the data set has no class {published.class_name}"
    return Figure(published, section, cell, None if missing else t_interval(values), f"{missing}." if missing else "")


def artifact(folder: Path, result: Result) -> Path:
    """Where the file of a trial lies."""
    return folder / "artifacts" / result.run_id / f"{result.trial_id}.h5"


def table_of(figures: Sequence[Figure]) -> Table:
    """One row a published figure and cell."""
    marks = Marks()
    columns = [*_conditions(figures), *_figures(figures, marks)]
    rows = tuple(zip(*(cells for _, cells in columns), strict=True))
    return Table(
        name="published",
        title="Beside published figures",
        columns=tuple(column for column, _ in columns),
        rows=rows,
        notes=(WHAT, LIMITS, *marks.notes(rows)),
    )


def _conditions(figures: Sequence[Figure]) -> Iterator[tuple[Column, list[TableCell]]]:
    """What tells the cells apart: model, where they ran, and the settings that differ between them."""
    yield Column("model", "model", numeric=False), [TableCell(each.cell.model) for each in figures]
    if len({each.section.title for each in figures}) > 1:
        yield Column("on", "on", numeric=False), [TableCell(each.section.title) for each in figures]
    for name in dict.fromkeys(name for each in figures for name in each.section.shown):
        texts = [value_text(each.cell.setting(name)) for each in figures]
        if len(set(texts)) > 1:
            yield Column(name.rpartition(".")[2], axis_label(name), numeric=False), list(map(TableCell, texts))
    yield Column("figure", "figure", numeric=False), [TableCell(each.name) for each in figures]


def _figures(figures: Sequence[Figure], marks: Marks) -> Iterator[tuple[Column, list[TableCell]]]:
    yield Column("ours", "ours", interval=True), [_ours(each, marks) for each in figures]
    counts = [len(each.cell.ok) if each.published.metric in BY_CLASS else each.cell.n_of(each.published.metric)
              for each in figures]  # fmt: skip
    yield Column("n", "n"), [TableCell(f"{count}", count) for count in counts]
    yield Column("published", "published", interval=True), [_theirs(each, marks) for each in figures]
    yield Column("difference", "difference"), [TableCell(_difference(each), each.difference) for each in figures]
    words = {True: "yes", False: "no", None: DASH}
    yield Column("inside", "inside", numeric=False), [TableCell(words[each.inside]) for each in figures]


def _ours(each: Figure, marks: Marks) -> TableCell:
    if each.ours is None:
        return TableCell(f"{DASH} {marks.mark(each.why)}")
    return TableCell(_shown(each), each.ours.mean, each.ours.low, each.ours.high)


def _shown(each: Figure) -> str:
    assert each.ours is not None
    if each.unit == "count":
        return whole(each.ours.mean)
    scale = _scale(each)
    return " ".join([figure_pm(each.ours.mean, each.ours.half, scale), *([scale.unit] if scale.unit else [])])


def _theirs(each: Figure, marks: Marks) -> TableCell:
    low, high = each.published.low, each.published.high
    source = each.published.source.rstrip(".")
    text = f"{_published(each)} {marks.mark(f'{source}.')}"
    return TableCell(text, low if low == high else None, low, high)


def _published(each: Figure) -> str:
    ends = dict.fromkeys((each.published.low, each.published.high))
    scale = _scale(each)
    unit = [scale.unit] if scale.unit else []
    return " ".join([" to ".join(f"{end / scale.divisor:,g}" for end in ends), *unit])


def _difference(each: Figure) -> str:
    if each.difference is None:
        return DASH
    scale = _scale(each)
    half = each.ours.half if each.ours and each.ours.half else 0.0
    decimals = 0 if each.unit == "count" else max(supported(half / scale.divisor), 3)
    text = number(abs(each.difference) / scale.divisor, decimals=decimals)
    sign = "" if not any(digit in text for digit in "123456789") else "+" if each.difference > 0 else "−"
    return sign + text


def _scale(each: Figure) -> Scale:
    return scale_of(each.unit, [each.published.high])


def sentence(figures: Sequence[Figure]) -> str:
    """How many published figures lie in our intervals, and the one that is furthest from ours, in words."""
    known = [each for each in figures if each.inside is not None]
    if not known:
        return f"{plural(len(figures), 'published figure')}, and no interval of ours to set beside: it needs two seeds."
    inside = sum(each.inside is True for each in known)
    furthest = max(known, key=lambda each: abs(each.difference or 0) / (abs(each.published.high) or 1))
    said = f"{furthest.cell.model}, {furthest.name}: ours {_shown(furthest)}, published {_published(furthest)}"
    if len(known) == 1:
        where = "in" if inside else "outside of"
        return f"{said}, {where} our 95 % interval (n = {furthest.ours.n if furthest.ours else 0})."
    return f"{inside} of {plural(len(known), 'published figure')} lie in our 95 % intervals. Furthest apart: {said}."
