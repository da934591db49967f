"""Tables of a report by name, in the formats of documents: Markdown, HTML, LaTeX."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bench.analysis.cells import Section
from bench.analysis.findings import answer
from bench.analysis.ladder_words import ladder_table
from bench.analysis.machines_table import machines_table
from bench.analysis.models_table import models_table
from bench.analysis.pair_tables import pairs_table
from bench.analysis.sections import sections_of
from bench.base.metrics import ACCURACY, BUILT_IN, SPEED
from bench.errors import BenchError, nearest
from bench.present.html_table import to_html
from bench.present.tables import Column, Table, TableCell, escape_markdown, to_latex, to_markdown
from bench.results.frame import Latest, other_axes, rows_frame
from bench.results.summary import summary_frame
from bench.suite.plan import Suite

if TYPE_CHECKING:
    import pandas as pd


def tables_text(form: str, table: str, found: Latest, suite: Suite | None, name: str) -> str:
    """Every table called `table` (one a data set and device, where they are apart) in the format `form`. `name`: of the
    suite. Raises BenchError for an unknown table, and where there is nothing to show in it."""
    if table not in TABLES:
        raise BenchError(f"--table {table}: unknown{nearest(table, TABLES)} (there are: {', '.join(TABLES)})")
    made = list(TABLES[table](found, suite, name))
    if not made:
        raise BenchError(f"{name}: {NOTHING.get(table, 'no trial is ok: there is no such table')}")
    return "\n".join(map(FORMS[form], made))


def _markdown(table: Table) -> str:
    return f"**{escape_markdown(table.title)}**\n\n{to_markdown(table)}"


def _measured(found: Latest, suite: Suite | None) -> list[Section]:
    return [section for section in sections_of(found.rows, suite) if section.measured]


def _models(found: Latest, suite: Suite | None, name: str) -> Iterator[Table]:
    baseline = suite.baseline if suite is not None else ""
    for section in _measured(found, suite):
        yield models_table(section, name="models", baseline=baseline, suite_name=name)


def _ladder(found: Latest, suite: Suite | None, name: str) -> Iterator[Table]:
    for section in _measured(found, suite):
        if (told := answer(section)) and told.ladder:
            yield ladder_table(told.ladder, name="ladder")


def _pairs(found: Latest, suite: Suite | None, name: str) -> Iterator[Table]:
    for section in _measured(found, suite):
        if (told := answer(section)) and told.ladder:
            rows = [(section.dataset, pair) for pair in told.ladder.pairs]
            title = f"Pairs of models on {section.title}"
            yield pairs_table(rows, BUILT_IN[ACCURACY], name="pairs", title=title)


def _machines(found: Latest, suite: Suite | None, name: str) -> Iterator[Table]:
    sections = _measured(found, suite)
    if len({section.machine for section in sections}) > 1:
        yield machines_table(sections, BUILT_IN[SPEED])


def _trials(found: Latest, suite: Suite | None, name: str) -> Iterator[Table]:
    frame = rows_frame(found.rows, axes=other_axes(found.rows, suite))
    yield _of_frame(frame, name="trials", title=f"Trials of {name}")


def _summary(found: Latest, suite: Suite | None, name: str) -> Iterator[Table]:
    frame = summary_frame(rows_frame(found.rows, axes=other_axes(found.rows, suite)))
    yield _of_frame(frame, name="summary", title=f"Cells of {name}")


def _of_frame(frame: "pd.DataFrame", *, name: str, title: str) -> Table:
    """A frame as it is, without the columns in which nothing stands; what is not there is empty."""
    import pandas as pd

    kept = frame.loc[:, frame.notna().any().to_numpy()]
    columns = [Column(str(key), str(key), numeric=pd.api.types.is_numeric_dtype(kept[key])) for key in kept.columns]
    filled = kept.astype(object).where(kept.notna(), "")
    rows = [tuple(TableCell(str(value)) for value in row) for row in filled.itertuples(index=False)]
    return Table(name, title, tuple(columns), tuple(rows))


FORMS: dict[str, Callable[[Table], str]] = {"latex": to_latex, "markdown": _markdown, "html": to_html}
TABLES: dict[str, Callable[[Latest, Suite | None, str], Iterator[Table]]] = {
    "models": _models,
    "ladder": _ladder,
    "pairs": _pairs,
    "machines": _machines,
    "summary": _summary,
    "trials": _trials,
}
NOTHING = {
    "ladder": "fewer than two models have an accuracy at one setting: there is no ladder",
    "pairs": "fewer than two models have an accuracy at one setting: there is no pair",
    "machines": "results of one machine alone; bench merge puts those of several into one folder",
}
