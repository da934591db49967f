"""What is most telling of a data set, in words, and as a table for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np

from bench.inspect.inspection import PARTS, Inspection, share_text
from bench.inspect.tables import standard_from
from bench.present.columns import aligned, cut
from bench.present.format import percent, plural

WIDTH = 80
UNEVEN = 1.5  # largest class over smallest, from which on they are called uneven


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
    for size, choose in (("smallest", np.argmin), ("largest", np.argmax)):
        labels = {part: int(choose(found[f"{part}/counts"])) for part in PARTS}
        cells = (f"{cut(found.class_names[k], 12)}: {found[f'{part}/counts'][k]:,}" for part, k in labels.items())
        rows.append([f"{size} class", *cells])
    for name in ("mean", "sd"):
        rows.append([f"pixel {name}", *(share_text(found.number(f"{part}/pixel_{name}")) for part in PARTS)])
    for name in ("brightness", "contrast"):
        rows.append([f"{name}, median", *(share_text(found[f"{part}/{name}/quantiles"][2]) for part in PARTS)])
        rows.append([f"{name}, far out", *(f"{int(found[f'{part}/{name}/far_out']):,}" for part in PARTS)])
    rows.append(["copies within", *(f"{int(found[f'copies/{part}_count']):,}" for part in PARTS)])
    rows.append(["copies of training images", "", f"{int(found['copies/between_count']):,}"])
    head = f"{cut(found.label, 40)} · {found.shape} {found.text('type')} · {len(found.class_names):,} classes"
    lines = [head, "", *aligned(rows), ""]
    lines += [f"pixels, brightness and contrast in shares of {found.maximum:g}"]
    mean, sd = (", ".join(share_text(value) for value in found[f"about/standard_{name}"]) for name in ("mean", "sd"))
    lines += textwrap.wrap(f'scaling = "standard": mean {mean}; sd {sd}, {standard_from(found)}', WIDTH)
    return "\n".join([*lines, "", *textwrap.wrap(answer(found), WIDTH), "", f"page  {page}"])
