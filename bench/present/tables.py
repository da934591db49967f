"""A table, and how it is written: Markdown, CSV, LaTeX. What stands in a cell is text, never markup or a formula."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from bench.base import files
from bench.present.format import DASH, Scale, figure, printable, raw, times
from bench.registry import report_format
from bench.statistics.intervals import Estimate, Meaning, Ratio

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class TableCell:
    """What people read, and the number behind it (with its interval, in seconds, bytes, ...) for machines. `over`: what
    the interval of a mean is for, where the notes of the table say it."""

    text: str
    number: float | None = None
    low: float | None = None
    high: float | None = None
    best: bool = False
    over: Meaning | None = None


def count_cell(count: int) -> TableCell:
    """`1,024`"""
    return TableCell(f"{count:,}", count)


def estimate_cell(found: Estimate | None, scale: Scale) -> TableCell:
    """`0.912 ± 0.014`, in the unit of `scale`; a dash where there is none."""
    if found is None:
        return TableCell(DASH)
    text = figure(found.mean, scale, ends=found.ends)
    return TableCell(text, found.mean, found.low, found.high, over=found.over)


def ratio_cell(found: Ratio | None) -> TableCell:
    """`0.57 [0.55, 0.59]`; a dash where there is none."""
    if found is None:
        return TableCell(DASH)
    return TableCell(times(found.ratio, found.low, found.high), found.ratio, found.low, found.high)


# Everywhere, in files alone, on a terminal alone. On a terminal the text of `group` stands once, over the rows that
# share it, and that of `above` in a line of its own, over its row.
Place = Literal["all", "files", "terminal", "group", "above"]


@dataclass(frozen=True, slots=True)
class Column:
    """`head` is for people, with the unit; `key` for machines."""

    key: str
    head: str
    numeric: bool = True
    interval: bool = False
    place: Place = "all"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under columns. `notes` stand below: what a mark means, under which conditions it was measured.

    Raises ValueError where a row has more or fewer cells than there are columns.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    notes: tuple[str, ...] = ()
    caption: str = ""  # the title with what a table needs that is torn from its report: suite and n

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: a row has not {len(self.columns)} cells")

    @property
    def in_files(self) -> "Table":
        """The table without what stands on a terminal alone."""
        kept = [index for index, column in enumerate(self.columns) if column.place in ("all", "files")]
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return replace(self, columns=tuple(self.columns[index] for index in kept), rows=rows)


Columns = list[tuple[Column, Callable[[Item], TableCell | str]]]  # each with what makes its cell of an item


def table_of(
    name: str, title: str, items: Iterable[Item], columns: Columns[Item], *, notes: Iterable[str] = ()
) -> Table:
    """A table with a row for each item. It is filled column by column, so that footnotes are numbered in that order."""
    items = list(items)
    found = [[make(item) for item in items] for _, make in columns]
    rows = tuple(
        tuple(TableCell(cell) if isinstance(cell, str) else cell for cell in row) for row in zip(*found, strict=True)
    )
    return Table(name, title, tuple(column for column, _ in columns), rows, tuple(notes))


# Markdown: GitHub reads HTML and markup inside of cells.
_MARKDOWN = re.compile(r"([\\`*_<>|#~$]|\](?=[(\[:]))")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "|": "&#124;"}


def escape_markdown(text: str) -> str:
    """`text` so that Markdown shows it as it is: no HTML, no markup, one line."""
    flat = printable(text).replace("&", "&amp;")
    # An underscore between letters is no markup, and names are full of them.
    flat = re.sub(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])", "\0", flat)
    escaped = _MARKDOWN.sub(lambda found: _ENTITIES.get(found[1], "\\" + found[1]), flat)
    return re.sub(r"^([+\-=]|\d+[.)])(?=\s|$)", r"\\\1", escaped).replace("\0", "_")


def to_markdown(table: Table, *, most_rows: int | None = None) -> str:
    """The table and its notes; after `most_rows` it says how many more there are."""
    from tabulate import tabulate

    table = table.in_files
    shown = table.rows[:most_rows]
    body = tabulate(
        [[_markdown_cell(cell) for cell in row] for row in shown],
        headers=[escape_markdown(column.head) for column in table.columns],
        colalign=["right" if column.numeric else "left" for column in table.columns] if shown else None,
        tablefmt="pipe",
        disable_numparse=True,
    )
    notes = list(table.notes)
    if len(shown) < len(table.rows):
        notes.insert(0, f"The first {len(shown)} of {len(table.rows):,} rows; all of them: tables/{table.name}.csv")
    return "\n\n".join([body, *(escape_markdown(note) for note in notes)]) + "\n"


def _markdown_cell(cell: TableCell) -> str:
    text = escape_markdown(cell.text)
    return f"**{text}**" if cell.best and text else text


# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection; also in full width).
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")


def quote_formula(text: str) -> str:
    """`text` on one line, with an apostrophe before it where a spreadsheet would run it; numbers stay numbers."""
    # The csv module leaves a lone carriage return unquoted, and readers end the row there.
    flat = text.replace("\r", " ").replace("\n", " ")
    return f"'{flat}" if _FORMULA.match(text) and not _NUMBER.match(text) else flat


def to_csv(table: Table) -> str:
    """Numbers in full precision, `_low` and `_high` beside those that have an interval; what is not there is empty."""
    table = table.in_files
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [
        (column.key, f"{column.key}_low", f"{column.key}_high")[: 3 if column.interval else 1]
        for column in table.columns
    ]
    writer.writerow([quote_formula(name) for names in heads for name in names])
    for row in table.rows:
        writer.writerow(
            [text for cell, column in zip(row, table.columns, strict=True) for text in _csv_cell(cell, column)]
        )
    return out.getvalue()


def _csv_cell(cell: TableCell, column: Column) -> list[str]:
    first = ("" if column.numeric else quote_formula(cell.text)) if cell.number is None else raw(cell.number)
    ends = ["" if end is None else raw(end) for end in (cell.low, cell.high)]
    return [first, *ends] if column.interval else [first]


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "×": r"$\times$", "–": "--", "−": "$-$", "†": r"\dag{}", "‡": r"\ddag{}",
    "·": r"$\cdot$", "µ": r"$\mu$", "…": r"\ldots{}",
}  # fmt: skip


def escape_latex(text: str) -> str:
    """`text` so that LaTeX sets it as it is."""
    return "".join(_LATEX.get(character, character) for character in printable(text))


def to_latex(table: Table) -> str:
    """A `table` environment; needs the package booktabs."""
    table = table.in_files
    lines = [r"\toprule", " & ".join(escape_latex(column.head) for column in table.columns) + r" \\", r"\midrule"]
    lines += [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in table.rows]
    align = "".join("r" if column.numeric else "l" for column in table.columns)
    notes = "".join(f"\\par\\footnotesize {escape_latex(note)}\n" for note in table.notes)
    body = "\n".join([*lines, r"\bottomrule"])
    caption = escape_latex(table.caption or table.title)
    return (
        "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n"
        f"\\caption{{{caption}}}\n\\begin{{tabular}}{{{align}}}\n{body}\n\\end{{tabular}}\n"
        f"{notes}\\end{{table}}\n"
    )


def _latex_cell(cell: TableCell) -> str:
    text = escape_latex(cell.text)
    # Brackets after \\ would be read as its argument.
    text = f"{{{text}}}" if text.startswith("[") else text
    return f"\\textbf{{{text}}}" if cell.best and text else text


@report_format("md")
def write_markdown(table: Table, path: Path) -> None:
    """Markdown, for GitHub."""
    files.write(path, to_markdown(table))


@report_format("csv")
def write_csv(table: Table, path: Path) -> None:
    """CSV, UTF-8, for spreadsheets and scripts."""
    files.write(path, to_csv(table))


@report_format("tex")
def write_latex(table: Table, path: Path) -> None:
    """LaTeX, with booktabs."""
    files.write(path, to_latex(table))


def write_frame(frame: "pd.DataFrame", path: Path) -> None:
    """Write a frame of `bench.results` as CSV."""
    files.write(path, frame_csv(frame).encode("utf-8", errors="replace"))


def frame_csv(frame: "pd.DataFrame") -> str:
    """A frame of `bench.results` as CSV: full precision, `true` and `false`, gaps empty, formulas quoted."""
    safe = frame.copy(deep=False)
    for name in frame.columns:
        kind = str(frame[name].dtype)
        if kind == "boolean":
            safe[name] = frame[name].astype(object).map({True: "true", False: "false"})
        elif kind in ("object", "str", "string"):
            # Columns repeat few texts: each is looked at once.
            quoted = {text: quote_formula(text) for text in frame[name].unique() if isinstance(text, str)}
            safe[name] = frame[name].map(lambda value, known=quoted: known.get(value, value), na_action="ignore")
    safe.columns = [quote_formula(str(name)) for name in frame.columns]
    return str(safe.to_csv(index=False, lineterminator="\n"))
