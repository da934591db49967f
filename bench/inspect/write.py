"""The page of a data set: report.md and its figures."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.inspect import tables
from bench.inspect.inspection import Inspection
from bench.inspect.text import answer
from bench.present.format import slug
from bench.present.tables import escape_markdown, to_markdown
from bench.results.store import write_whole

FOLDER = Path("results") / "inspect"
MOST_ROWS = 100


def folder_of(found: Inspection) -> Path:
    """Where the page goes where nothing else was asked for."""
    return FOLDER / slug(found.component.label)


def page(found: Inspection, folder: Path) -> Path:
    """Write the page of `found` into `folder`. Raises BenchError where it cannot be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = dict(_figures(found, folder))
        path = folder / "report.md"
        write_whole(path, "\n\n".join(_blocks(found, drawn)) + "\n")
    except OSError as error:
        why = error.strerror or error
        raise BenchError(f"{folder}: cannot be written ({why}); choose another folder with --output") from error
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
    import json

    sets = [f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in found.component.settings.items()]
    return " ".join(["python -m bench inspect dataset", found.component.name, *sets]).replace("`", "'")


def _figures(found: Inspection, folder: Path) -> Iterator[tuple[str, str]]:
    """Draw every figure that can show something: (name, title)."""
    from bench.inspect import draw
    from bench.present import style  # matplotlib: half a second

    drawn: list[tuple[str, str, Callable[..., Any], dict[str, str]]] = [
        ("samples", "What the images look like", draw.samples, {}),
        ("classes", "How many images each class has", draw.classes, {}),
        ("class-means", "The mean image of each class", draw.class_means, {}),
        ("pixels", "Where the pixels are bright, and where they vary", draw.mean_and_sd, {}),
        ("brightness", "How bright the images are, and how rich in contrast", draw.brightness_and_contrast, {}),
        ("extremes", "The darkest, the brightest, the least and the most contrast", draw.extremes, {}),
    ]
    titles = {"between": "Test images that are in the training set", "train": "Training images that are there twice",
              "test": "Test images that are there twice"}  # fmt: skip
    for kind, title in titles.items():
        if int(found[f"copies/{kind}_count"]):
            drawn.append((f"copies-{kind}", title, draw.copies, {"kind": kind}))
    for kind in titles:  # of an earlier look
        for ending in ("png", "svg"):
            (folder / f"copies-{kind}.{ending}").unlink(missing_ok=True)
    with style.setup():
        for name, title, make, options in drawn:
            style.save(make(found, title=title, **options), folder / name)
            yield name, title
