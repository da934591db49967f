"""What `bench explain` prints and writes: sentences and a table on the terminal; a page, the table in every format and
pictures in a folder; JSON for programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.base import files
from bench.base.records import Json
from bench.explain.decompose import Explained
from bench.explain.rows import Line, lines_of
from bench.explain.sentences import (
    EXAMPLES,
    MEANING,
    answer,
    design,
    of_test_images,
    remarks,
    spread_text,
    tell_apart,
)
from bench.present.columns import page_of, to_text, wrapped
from bench.present.files import save_figures, write_tables, writing
from bench.present.format import DASH, plural
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, escape_markdown, table_of, to_markdown
from bench.statistics.sources import Spread

SCHEMA = 1  # of what --json prints
NAME, FOLDER, PAGE = "sources", "explain", "explain.md"
MOST_PANELS = 8  # of one picture


def sources_table(found: Sequence[Explained]) -> Table:
    """One row a source of each model."""
    lines = [line for each in found for line in lines_of(each)]
    columns: Columns[Line] = [
        (Column("heading", "", place="group"), lambda line: _heading(line.of)),
        (Column("dataset", "data set", numeric=False, place="files"), lambda line: line.of.dataset),
        (Column("model", "model", numeric=False, place="files"), lambda line: line.of.model),
        (Column("setting", "setting", numeric=False, place="files"), lambda line: line.of.setting or DASH),
        (Column("source", "source", numeric=False), lambda line: line.source),
        (Column("sd_points", "sd (points)", interval=True), lambda line: _cell(line.spread)),
        (Column("basis", "from", numeric=False), lambda line: line.basis),
        (Column("trainings", "trainings", place="files"), lambda line: count_cell(len(line.of.results))),
    ]
    return table_of(NAME, "Where the spread of the test accuracy comes from", lines, columns, notes=notes_of(found))


def _cell(spread: Spread | None) -> TableCell:
    if spread is None:
        return TableCell(DASH)
    low, high = spread.ends or (None, None)
    return TableCell(spread_text(spread), 100 * spread.sd, low and 100 * low, high and 100 * high)


def _heading(found: Explained) -> str:
    return f"{found.name}: accuracy {found.accuracy:.3f}, {plural(len(found.results), 'training')}"


def told(found: Explained) -> list[str]:
    """What is said of one model, the answer first."""
    return [answer(found), of_test_images(found), *remarks(found)]


def notes_of(found: Sequence[Explained]) -> list[str]:
    """What the figures of all models mean."""
    return [*dict.fromkeys(filter(None, map(design, found))), MEANING, EXAMPLES]


def advice(found: Sequence[Explained]) -> tuple[str, list[str]] | None:
    """The suite that would tell more, where nothing was varied apart; None where something was."""
    poor = [each for each in found if not each.apart]
    return tell_apart(poor[0]) if poor else None


def terminal_text(found: Sequence[Explained], *, title: str) -> str:
    """All of it for a terminal of 80 columns: of each model its answer and its rows."""
    blocks: list[str | list[str]] = [wrapped(title)]
    for each in found:
        table = to_text(sources_table([each]))
        blocks += [table, [line for text in told(each) for line in wrapped(text)]]
    if more := advice(found):
        blocks += [wrapped(more[0]), [f"  {line}" for line in more[1]]]
    return page_of([*blocks, *map(wrapped, notes_of(found))])


def to_json(found: Sequence[Explained], *, suite: str) -> Json:
    """The object that --json prints. Standard deviations and their intervals are in points."""
    return {"schema": SCHEMA, "suite": suite, "cells": [_cell_json(each) for each in found]}


def _cell_json(found: Explained) -> Json:
    return {
        "dataset": found.trial.dataset.to_json(),
        "model": found.trial.model.to_json(),
        "device": found.trial.device,
        "batch_size": found.trial.batch_size,
        "setting": found.setting,
        "test_accuracy": found.accuracy,
        "trainings": len(found.results),
        "not_in_it": dict(found.lost),
        "left_out": found.left_out,
        "crossed": found.crossed,
        "sources": {name: _spread_json(spread) for name, spread in found.apart.items()},
        "together": found.together and {"sources": list(found.moved), **_spread_json(found.together)},
        "test_images": found.examples and {"drawn": found.drawn, **_examples_json(found.examples)},
        "repeat": list(found.pays),
        "answer": answer(found),
    }


def _spread_json(spread: Spread) -> dict[str, Json]:
    return _ends_json(spread) | {"values": spread.levels, "settings_of_the_others": spread.blocks}


def _examples_json(spread: Spread) -> dict[str, Json]:
    return _ends_json(spread) | {"examples": spread.levels}


def _ends_json(spread: Spread) -> dict[str, Json]:
    low, high = spread.ends or (None, None)
    return {"sd": 100 * spread.sd} | {
        name: None if end is None else 100 * end for name, end in (("low", low), ("high", high))
    }


def write(found: Sequence[Explained], *, folder: Path, title: str, inside: Path) -> list[Path]:
    """Writes explain.md, sources.{md,csv,tex} and the pictures into `folder`, which lies in the folder that the user
    named, `inside`; returns the files. BenchError where it cannot."""
    table, page = sources_table(found), folder / PAGE
    with writing(folder, "what explains the spread", inside=inside):
        for old in folder.glob(f"{NAME}-*.*"):
            old.unlink()
        tables = write_tables([table], folder)
        pictures = save_figures(_figures(found, title=title), folder)
        files.write(page, "\n\n".join(_page(found, table, pictures, title=title)) + "\n")
    return [page, *tables, *(folder / f"{name}.{ending}" for name in pictures for ending in ("png", "svg"))]


def _page(found: Sequence[Explained], table: Table, pictures: dict[str, str], *, title: str) -> Iterator[str]:
    yield f"# {escape_markdown(title)}"
    for each in found:
        yield f"**{escape_markdown(_heading(each))}.** {escape_markdown(' '.join(told(each)))}"
    yield to_markdown(table).rstrip()
    yield from (f"![{escape_markdown(shows)}]({name}.png)" for name, shows in pictures.items())
    if more := advice(found):
        yield escape_markdown(more[0])
        yield "\n".join(["```toml", *more[1], "```"])


def _figures(found: Sequence[Explained], *, title: str) -> Iterator[tuple[str, str, Any]]:
    """Yields pictures of at most eight panels each, as many as it takes."""
    from bench.explain import draw
    from bench.present.colours import styles_of

    drawn = [each for each in found if each.apart or each.together]
    styles = styles_of([each.model for each in found])
    for start in range(0, len(drawn), MOST_PANELS):
        part = drawn[start : start + MOST_PANELS]
        figure = draw.spreads([(each, list(lines_of(each))) for each in part], title=title, styles=styles)
        yield f"{NAME}-{start // MOST_PANELS + 1}", "Standard deviation of the test accuracy by source", figure
