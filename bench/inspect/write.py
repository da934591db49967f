"""The page of a data set: report.md and its figures."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.inspect import tables
from bench.inspect.inspection import Inspection
from bench.inspect.text import answer
from bench.present.columns import page_of
from bench.present.files import save_figures, writing
from bench.present.format import slug
from bench.present.tables import escape_markdown, to_markdown
from bench.results.store import write_whole

COPIES = {
    "between": "Test images that are in the training set",
    "train": "Training images that are there twice",
    "test": "Test images that are there twice",
}
FOLDER = Path("results") / "inspect"
MOST_ROWS = 100


def folder_of(found: Inspection) -> Path:
    """Where the page goes where nothing else was asked for."""
    return FOLDER / slug(found.component.label)


def page(found: Inspection, folder: Path) -> Path:
    """Write the page of `found` into `folder`. Raises BenchError where it cannot be written there."""
    path = folder / "report.md"
    with writing(folder, "the page"):
        for kind in COPIES:  # of an earlier look
            for ending in ("png", "svg"):
                (folder / f"copies-{kind}.{ending}").unlink(missing_ok=True)
        drawn = save_figures(_figures(found), folder)
        write_whole(path, page_of(_blocks(found, drawn)))
    return path


def _blocks(found: Inspection, drawn: dict[str, str]) -> Iterator[str]:
    def figure(*names: str) -> Iterator[str]:
        for name in names:
            if name in drawn:
                yield f"![{escape_markdown(drawn[name])}: {escape_markdown(found.label)}]({name}.png)"

    yield f"# What {escape_markdown(found.label)} holds"
    yield escape_markdown(answer(found))
    yield to_markdown(tables.splits(found)).rstrip()
    yield from figure("samples")
    yield "## Classes"
    yield from figure("classes")
    yield to_markdown(tables.classes(found), most_rows=MOST_ROWS).rstrip()
    yield from figure("class-means")
    yield "## Pixels"
    yield to_markdown(tables.channels(found)).rstrip()
    yield from figure("pixels")
    yield "## Brightness and contrast"
    yield from figure("brightness", "extremes")
    yield "## Copies"
    yield to_markdown(tables.copies(found)).rstrip()
    yield from figure("copies-between", "copies-train", "copies-test")
    yield "## Where it comes from"
    yield escape_markdown(f"Source: {found.text('source')}. Licence: {found.text('licence')}.")
    if found.is_drawn:
        yield "The test part is drawn by the seed of a trial; this page shows that of seed 0."
    yield f"Again: `{_command(found)}`"


def _command(found: Inspection) -> str:
    sets = [f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in found.component.settings.items()]
    return " ".join(["python -m bench inspect dataset", found.component.name, *sets]).replace("`", "'")


def _figures(found: Inspection) -> Iterator[tuple[str, str, Any]]:
    """Every figure that can show something: (file name, title, figure)."""
    from bench.inspect import draw  # matplotlib: half a second

    drawn: list[tuple[str, str, Callable[..., Any]]] = [
        ("samples", "What the images look like", draw.samples),
        ("classes", "How many images each class has", draw.classes),
        ("class-means", "The mean image of each class", draw.class_means),
        ("pixels", "Where the pixels are bright, and where they vary", draw.mean_and_sd),
        ("brightness", "How bright the images are, and how rich in contrast", draw.brightness_and_contrast),
        ("extremes", "The darkest, the brightest, the least and the most contrast", draw.extremes),
    ]
    drawn += [
        (f"copies-{kind}", title, partial(draw.copies, kind=kind))
        for kind, title in COPIES.items()
        if int(found[f"copies/{kind}_count"])
    ]
    for name, title, make in drawn:
        yield name, title, make(found, title=title)
