"""What is most telling of a data set: in words, as a table for a terminal of 80 columns, and as a page with figures."""

import json
import shlex
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.base import files
from bench.inspect import tables
from bench.inspect.inspection import PARTS, Inspection, share_text
from bench.present.columns import WIDTH, aligned, page_of
from bench.present.files import save_figures, writing
from bench.present.format import percent, plural, slug
from bench.present.names import cut, short_names
from bench.present.tables import escape_markdown, to_markdown

COPIES = {
    "between": "Test images that are in the training set",
    "train": "Training images that are there twice",
    "test": "Test images that are there twice",
}
MOST_ROWS = 100
UNEVEN = 1.5  # largest class over smallest, from which on they are called uneven


def page(found: Inspection, folder: Path | None = None) -> Path:
    """Writes the page, into results/inspect/NAME by default. Raises BenchError where it cannot be written there."""
    folder = folder or Path("results") / "inspect" / slug(found.component.label)
    path = folder / "report.md"
    with writing(folder, "the page"):
        for kind in COPIES:  # of an earlier look
            for ending in ("png", "svg"):
                (folder / f"copies-{kind}.{ending}").unlink(missing_ok=True)
        drawn = save_figures(_figures(found), folder)
        files.write(path, page_of(_blocks(found, drawn)))
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
    sets = [f"--set {shlex.quote(f'{key}={json.dumps(value)}')}" for key, value in found.component.settings.items()]
    command = " ".join(["python -m bench inspect dataset", found.component.name, *sets]).replace("`", "'")
    yield f"Again: `{command}`"


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


def answer(found: Inspection) -> str:
    """Sizes, whether the classes are even, whether the test set can be trusted, in a few sentences."""
    sizes = f"{found.size('train'):,} images to train on and {found.size('test'):,} to test on"
    drawn = ", drawn by the seed of a trial (here 0)" if found.is_drawn else ""
    kind = f"{found.shape} {found.text('type')}, {_classes(len(found.class_names))}"
    return f"{sizes}{drawn}: {kind}. {_balance(found)} {_leak(found)}"


def _classes(count: int) -> str:
    return f"{count:,} {'class' if count == 1 else 'classes'}"


def _balance(found: Inspection) -> str:
    counts = found["train/counts"]
    small, large = int(counts.argmin()), int(counts.argmax())
    names = found.class_names
    if not counts[small]:
        return f"No image to train on in {_classes(int((counts == 0).sum()))}, {names[small]} first."
    if counts[small] == counts[large]:
        return "Every class has as many."
    ratio = counts[large] / counts[small]
    word = "uneven" if ratio >= UNEVEN else "nearly even"
    return (
        f"The classes are {word}: from {percent(counts[small] / counts.sum())} ({names[small]}) to "
        f"{percent(counts[large] / counts.sum())} ({names[large]}) of the training set."
    )


def _leak(found: Inspection) -> str:
    between, within = (int(found[f"copies/{kind}_count"]) for kind in ("between", "train"))
    conflicts = int(found["copies/between_conflicts"]) + int(found["copies/train_conflicts"])
    if not between and not within:
        return "No training image is in the test set, and none is there twice."
    share = percent(between / found.size("test")) if between else ""
    said = f"{plural(between, 'test image')} ({share} of them)" if between else "No test image"
    verb = "is" if between < 2 else "are"
    copies = f"{plural(within, 'training image')} {'is a copy' if within == 1 else 'are copies'} of another"
    twice = f"; {copies}" if within else ""
    other = f"; {conflicts:,} of these under another class" if conflicts else ""
    return f"{said} {verb} in the training set{twice}{other}."


def summary(found: Inspection, *, page: Path) -> str:
    """For the terminal: a table of both splits, the normalisation, and where the page lies."""
    rows = [["", "training", "test"], ["images", *(f"{found.size(part):,}" for part in PARTS)]]
    short = short_names(found.class_names, most=12)
    for size, choose in (("smallest", np.argmin), ("largest", np.argmax)):
        labels = {part: int(choose(found[f"{part}/counts"])) for part in PARTS}
        cells = (f"{short[found.class_names[k]]}: {found[f'{part}/counts'][k]:,}" for part, k in labels.items())
        rows.append([f"{size} class", *cells])
    for name in ("mean", "sd"):
        rows.append([f"pixel {name}", *(share_text(found[f"{part}/pixel_{name}"]) for part in PARTS)])
    for name in ("brightness", "contrast"):
        rows.append([f"{name}, median", *(share_text(found[f"{part}/{name}/quantiles"][2]) for part in PARTS)])
        rows.append([f"{name}, far out", *(f"{int(found[f'{part}/{name}/far_out']):,}" for part in PARTS)])
    rows.append(["copies within", *(f"{int(found[f'copies/{part}_count']):,}" for part in PARTS)])
    rows.append(["copies of training images", "", f"{int(found['copies/between_count']):,}"])
    head = f"{cut(found.label, 40)} · {found.shape} {found.text('type')} · {len(found.class_names):,} classes"
    lines = [head, "", *aligned(rows), ""]
    lines += [f"pixels, brightness and contrast in shares of {found.maximum:g}"]
    mean, sd = (", ".join(share_text(value) for value in found[f"about/standard_{name}"]) for name in ("mean", "sd"))
    lines += textwrap.wrap(f'scaling = "standard": mean {mean}; sd {sd}, {tables.standard_from(found)}', WIDTH)
    return "\n".join([*lines, "", *textwrap.wrap(answer(found), WIDTH), "", f"page  {page}"])
