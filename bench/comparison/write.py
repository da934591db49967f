"""A comparison as files: compare.md, tables/*.{md,csv,tex}, plots/*.{png,svg}."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.base import files
from bench.comparison.pairs import Comparison
from bench.comparison.sentences import answer, remarks, side_lines
from bench.comparison.tables import best_table, cells_frame, cells_table, crossover_table, differences_table
from bench.errors import BenchError
from bench.present.files import save_figures, table_section, write_tables, writing
from bench.present.tables import Table, escape_markdown, to_markdown, write_frame

PAGE = "compare.md"
NOTHING_DIFFERS = "Nothing that is recorded differs: settings, environment, versions and code agree."
MAYBE = ("best-batch", "crossover")  # tables that not every comparison has


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Writes everything into `folder`; returns the page. BenchError where it cannot be written."""
    found = (cells_table(comparison), best_table(comparison), crossover_table(comparison))
    tables = [table for table in found if table]
    refuse_results(folder)
    with writing(folder, "the comparison"):
        for name in MAYBE:  # of an earlier comparison that was written here, which had one
            for old in folder.glob(f"tables/{name}.*"):
                old.unlink()
        write_tables(tables, folder / "tables")
        write_frame(cells_frame(comparison), folder / "tables" / "comparison.csv")
        pictures = save_figures(_figures(comparison), folder / "plots")
        page = "\n\n".join(_page(comparison, tables, pictures)) + "\n"
        files.write(folder / PAGE, page)
    return folder / PAGE


def sentences_of(comparison: Comparison) -> list[str]:
    """Returns what is said beside the table of cells, in a document of the user's own: the answer first."""
    differ = [str(each) for each in comparison.differences]
    return [
        answer(comparison),
        f"B against A: {comparison.metric.label}; means and the ratio B / A with their 95 % intervals.",
        *(f"{letter}: {side} · {conditions}." for letter, side, conditions in side_lines(comparison)),
        f"What differs (A against B): {'; '.join(differ)}." if differ else NOTHING_DIFFERS,
        *remarks(comparison),
    ]


def refuse_results(folder: Path) -> None:
    """Raises BenchError where `folder` holds results: what is written there would lie among them."""
    if (folder / "trials").is_dir():
        raise BenchError(f"--output {folder}: a folder of results; choose another one for what compares them")


def _figures(comparison: Comparison) -> Iterator[tuple[str, str, Any]]:
    from bench.comparison.draw import forest  # matplotlib: half a second

    if comparison.compared:
        yield "forest", f"Forest plot: {answer(comparison)}", forest(comparison)


def _page(comparison: Comparison, tables: list[Table], pictures: dict[str, str]) -> Iterator[str]:
    name = comparison.metric.label
    yield f"# {escape_markdown(f'{comparison.b.name} against {comparison.a.name}: {name}')}"
    yield escape_markdown(answer(comparison))
    for letter, side, conditions in side_lines(comparison):
        yield f"**{letter}** {escape_markdown(f'{side}: {conditions}')}"
    for table in tables:
        yield from table_section(table, title="Cells" if table.name == "cells" else table.title)
        if table.name == "cells":
            yield from picture_links(pictures)
    yield "## What to know"
    yield "\n".join(f"- {escape_markdown(text)}" for text in remarks(comparison))
    yield "## What differs between A and B"
    if comparison.differences:
        yield to_markdown(differences_table(comparison)).rstrip()
    else:
        yield NOTHING_DIFFERS
    yield "Every cell with all its numbers: [tables/comparison.csv](tables/comparison.csv)."


def picture_links(pictures: dict[str, str]) -> Iterator[str]:
    """Yields a block for each picture; it links to the SVG."""
    for name, shows in pictures.items():
        yield f"[![{escape_markdown(shows.replace('[', '(').replace(']', ')'))}](plots/{name}.png)](plots/{name}.svg)"
