"""What an answer is written as: a page, its tables in every format, its pictures."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.base import files
from bench.errors import BenchError
from bench.present.tables import Table, escape_markdown, to_markdown
from bench.registry import REPORT_FORMATS

MOST_ROWS = 60  # of a table on a page


@contextmanager
def writing(folder: Path, what: str, *, inside: Path | None = None, option: str = "--output") -> Iterator[None]:
    """Makes `folder`, which lies in the folder `inside` where the user did not name it, and turns an error of the disk
    into a BenchError that names the option to change."""
    try:
        for part in (folder, folder / "tables", folder / "plots"):
            files.refuse_links(part, inside=inside or folder)
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        why = files.why(error)
        raise BenchError(f"{folder}: {what} cannot be written there ({why}); choose another {option}") from error


def write_tables(tables: Iterable[Table], folder: Path) -> list[Path]:
    """Writes each table in every registered format of tables; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    formats = [form for form in REPORT_FORMATS if not form.file]  # one with a file of its own writes a whole report
    written = []
    for table in tables:
        for form in formats:
            written.append(folder / f"{table.name}.{form.name}")
            form.build(table.in_files, written[-1])
    return written


def save_figures(figures: Iterable[tuple[str, str, Any]], folder: Path) -> dict[str, str]:
    """Saves figures, given as (file name, what it shows, figure), as PNG and SVG; returns what each file shows."""
    from bench.present import glyphs, style  # matplotlib: half a second

    saved, absent = {}, set()
    with style.setup():
        for name, shows, figure in figures:
            folder.mkdir(parents=True, exist_ok=True)
            absent |= glyphs.dress(figure)
            style.save(figure, folder / name)
            saved[name] = shows
    if note := glyphs.absent_note(absent):
        print(note, file=sys.stderr)
    return saved


def table_section(table: Table, *, title: str = "") -> Iterator[str]:
    """The blocks of a page that show a table: heading, rows, and where all of them are."""
    yield f"## {escape_markdown(title or table.title)}"
    yield to_markdown(table, most_rows=MOST_ROWS).rstrip()
    yield f"This table: [CSV](tables/{table.name}.csv) · [LaTeX](tables/{table.name}.tex)"
