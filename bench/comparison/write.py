"""A comparison as files: compare.md, tables/*.{md,csv,tex}, plots/*.{png,svg}."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.analysis.metric_words import shown_name
from bench.comparison.pairs import Comparison
from bench.comparison.sentences import answer, remarks, side_line
from bench.comparison.sides import side_text
from bench.comparison.tables import best_table, cells_frame, cells_table, crossover_table
from bench.errors import BenchError
from bench.present.tables import Table, escape_markdown, to_markdown, write_frame
from bench.registry import REPORT_FORMATS

PAGE = "compare.md"
MOST_ROWS = 60
MAYBE = ("best-batch", "crossover")  # tables that not every comparison has


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write everything into `folder`; returns the page. BenchError where it cannot be written."""
    tables = [
        table for table in (cells_table(comparison), best_table(comparison), crossover_table(comparison)) if table
    ]
    refuse_results(folder)
    try:
        for name in MAYBE:  # of an earlier comparison that was written here, which had one
            for old in folder.glob(f"tables/{name}.*"):
                old.unlink()
        write_tables(tables, folder)
        write_frame(cells_frame(comparison), folder / "tables" / "comparison.csv")
        drawn = _draw(comparison, folder / "plots") if comparison.compared else False
        page = "\n\n".join(_page(comparison, tables, drawn=drawn)) + "\n"
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise BenchError(
            f"{folder}: the comparison cannot be written there ({error.strerror or error}); choose another --output"
        ) from error
    return folder / PAGE


def refuse_results(folder: Path) -> None:
    """Raise BenchError where `folder` holds results: what is written there would lie among them."""
    if (folder / "trials").is_dir():
        raise BenchError(f"--output {folder}: a folder of results; choose another one for what compares them")


def write_tables(tables: list[Table], folder: Path) -> None:
    """Each table in every format of tables that is registered, under `folder`/tables."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for table in tables:
        for form in (each for each in REPORT_FORMATS if not each.file):  # one with a file of its own writes a report
            form.build(table, folder / "tables" / f"{table.name}.{form.name}")


def _draw(comparison: Comparison, folder: Path) -> bool:
    from bench.comparison.draw import forest
    from bench.present import style  # matplotlib: half a second

    folder.mkdir(parents=True, exist_ok=True)
    with style.setup():
        style.save(forest(comparison), folder / "forest")
    return True


def _page(comparison: Comparison, tables: list[Table], *, drawn: bool) -> Iterator[str]:
    name = shown_name(comparison.metric)
    yield f"# {escape_markdown(f'{comparison.b.name} against {comparison.a.name}: {name}')}"
    yield escape_markdown(answer(comparison))
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        cells = [getattr(cell, letter.lower()) for cell in comparison.cells]
        yield f"**{letter}** {escape_markdown(f'{side_text(side)}: {side_line(side, cells)}')}"
    for table in tables:
        yield f"## {escape_markdown('Cells' if table.name == 'cells' else table.title)}"
        yield to_markdown(table, most_rows=MOST_ROWS).rstrip()
        yield f"This table: [CSV](tables/{table.name}.csv) · [LaTeX](tables/{table.name}.tex)"
        if table.name == "cells" and drawn:
            yield f"[![Forest plot: {escape_markdown(_alt(comparison))}](plots/forest.png)](plots/forest.svg)"
    yield "## What to know"
    yield "\n".join(f"- {escape_markdown(text)}" for text in remarks(comparison))
    yield "## What differs between A and B"
    yield "\n".join(_differences(comparison))
    yield "Every cell with all its numbers: [tables/comparison.csv](tables/comparison.csv)."


def _alt(comparison: Comparison) -> str:
    return answer(comparison).replace("[", "(").replace("]", ")")


def _differences(comparison: Comparison) -> Iterator[str]:
    if not comparison.differences:
        yield "Nothing that is recorded differs: settings, environment, versions and code agree."
        return
    yield "| kind | what | A | B |\n|:--|:--|:--|:--|"
    for each in comparison.differences:
        yield "| " + " | ".join(escape_markdown(text) for text in (each.kind, each.what, each.a, each.b)) + " |"
