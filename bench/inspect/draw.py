"""Figures of a data set: its classes, samples, mean images, brightness and contrast, what stands out, and copies."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.inspect.inspection import PARTS, WORDS, Array, Inspection, share_text
from bench.present.axes import readable_ticks
from bench.present.colours import COLOURS
from bench.present.images import COLUMNS, caption, draw_image, image_grid
from bench.present.names import short_list
from bench.present.style import FAINT, INK, SMALL, Frame, figure_with_axes, text_inches

MOST_NAMED = 40  # classes that get a row of their own
PART_COLOURS = {"train": COLOURS[0], "test": COLOURS[1]}


def classes(found: Inspection, *, title: str) -> Any:
    """How many images of each class, a bar a split; of many classes, their counts in order of size."""
    shares = {part: 100 * found[f"{part}/counts"] / found.size(part) for part in PARTS}
    subtitle = f"{found.label} · share of the images of a split"
    if len(found.class_names) > MOST_NAMED:
        return _many_classes(shares, title=title, subtitle=f"{subtitle} · classes by their size in the training set")
    names = short_list(found.class_names, most=18)
    margin = max(text_inches(name, size=SMALL) for name in names) + 0.5
    figure, (ax,) = figure_with_axes(
        title, [subtitle, "number: images"], rows=1, columns=1, panel_inches=0.36 * len(names) + 0.2, named=False,
        frame=Frame(left=margin, bottom=0.85),
    )  # fmt: skip
    places = np.arange(len(names))
    for part, shift in (("train", -0.19), ("test", 0.19)):
        ax.barh(places + shift, shares[part], height=0.36, color=PART_COLOURS[part], label=WORDS[part])
        for place, share, count in zip(places, shares[part], found[f"{part}/counts"], strict=True):
            ax.annotate(
                f"{count:,}", (share, place + shift), (3, 0), textcoords="offset points", va="center",
                size=SMALL, color=INK,
            )  # fmt: skip
    ax.set_yticks(places, names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1.12 * max(float(share.max()) for share in shares.values()))
    ax.grid(visible=False)
    ax.set_xlabel("share of the split (%)")
    figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def _many_classes(shares: dict[str, Array], *, title: str, subtitle: str) -> Any:
    figure, (ax,) = figure_with_axes(
        title, [subtitle], rows=1, columns=1, panel_inches=2.6, named=False, frame=Frame(bottom=0.85),
    )  # fmt: skip
    order = np.argsort(-shares["train"], kind="stable")
    for part in PARTS:
        style = "-" if part == "train" else "."
        ax.plot(np.arange(1, len(order) + 1), shares[part][order], style, color=PART_COLOURS[part], label=WORDS[part],
                markersize=3)  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.set_xlabel("class (rank by size)")
    ax.set_ylabel("share of the split (%)")
    figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def samples(found: Inspection, *, title: str) -> Any:
    """The first images of each of the first classes, a row a class."""
    labels = found["samples/labels"]
    shown = np.unique(labels)
    short = short_list(found.class_names, most=14)
    names = [short[label] for label in shown]
    margin = max(text_inches(name, size=SMALL) for name in names) + 0.3
    some = "" if len(shown) == len(found.class_names) else f" · the first {len(shown)} classes"
    figure, axes = figure_with_axes(
        title, [f"{found.label} · the first of each class in the training set{some}"], rows=len(shown),
        columns=COLUMNS, panel_inches=0.72, gap_inches=0.08, named=False,
        frame=Frame(left=margin, right=0.15, bottom=0.15),
    )  # fmt: skip
    for ax in axes:
        ax.set_axis_off()
    for row, (label, name) in enumerate(zip(shown, names, strict=True)):
        first = axes[row * COLUMNS]
        first.text(-0.12, 0.5, name, transform=first.transAxes, ha="right", va="center", size=SMALL)
        for ax, image in zip(axes[row * COLUMNS :], found["samples/images"][labels == label], strict=False):
            show(ax, image, found)
    return figure


def class_means(found: Inspection, *, title: str) -> Any:
    """The mean of the training images of each class."""
    present = np.flatnonzero(found["train/counts"][: len(found["train/class_means"])])
    short = short_list(found.class_names, most=13)
    captions = [short[label] for label in present]
    images = found["train/class_means"][present] * found.maximum
    return _grid(found, images, captions, title=title, subtitle="of the training set", lines=1)


def mean_and_sd(found: Inspection, *, title: str) -> Any:
    """Mean and standard deviation of each pixel over the images of each split."""
    most = {name: max(float(found[f"{part}/{name}_image"].max()) for part in PARTS) for name in ("mean", "sd")}
    least = min(0.0, *(float(found[f"{part}/mean_image"].min()) for part in PARTS))
    lines = [
        f"{found.label} · in shares of the maximum, {found.maximum:g}",
        f"mean: black {share_text(least, decimals=2)}, white {share_text(most['mean'], decimals=2)} · "
        f"standard deviation: black 0, white {share_text(most['sd'], decimals=2)}",
    ]
    figure, axes = figure_with_axes(
        title, lines, rows=1, columns=4, panel_inches=1.75, named=False,
        frame=Frame(left=0.15, right=0.15, bottom=0.5),
    )  # fmt: skip
    drawn = [(part, name) for name in ("mean", "sd") for part in PARTS]
    for ax, (part, name) in zip(axes, drawn, strict=True):
        ax.set_axis_off()
        draw_image(ax, found[f"{part}/{name}_image"], low=least if name == "mean" else 0.0, high=most[name])
        words = "mean" if name == "mean" else "standard deviation"
        caption(ax, f"{words}\n{WORDS[part]} set")
    return figure


def brightness_and_contrast(found: Inspection, *, title: str) -> Any:
    """How both lie over the images; dotted lines: beyond them an image is far out."""
    figure, axes = figure_with_axes(
        title, [f"{found.label} · dotted: beyond it, an image of that split is far out"], rows=1, columns=2,
        panel_inches=2.5, frame=Frame(bottom=1.0),
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.28)
    words = {"brightness": "mean of an image's pixels", "contrast": "standard deviation of an image's pixels"}
    for ax, (name, said) in zip(axes, words.items(), strict=True):
        low, high = 1.0, 0.0
        for part, dash in (("train", "-"), ("test", "--")):
            counts, edges = (found[f"{part}/{name}/histogram_{key}"] for key in ("counts", "edges"))
            ax.stairs(
                counts / counts.sum() / np.diff(edges), edges, color=PART_COLOURS[part], linestyle=dash,
                linewidth=1.6, label=WORDS[part],
            )  # fmt: skip
            low, high = min(low, edges[0]), max(high, edges[-1])
        for part in PARTS:
            for fence in found[f"{part}/{name}/fences"]:
                if low < fence < high:
                    ax.axvline(fence, color=PART_COLOURS[part], linewidth=1.0, linestyle=":")
        ax.set_title(name, size=SMALL, color=FAINT, loc="left")
        ax.set_xlabel(f"{said}\n(share of the maximum)", size=SMALL)
        ax.set_ylabel("images (density)")
        readable_ticks(ax.xaxis, log=False)
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="lower center", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def extremes(found: Inspection, *, title: str) -> Any:
    """The training images at both ends of brightness and of contrast."""
    images: list[Array] = []
    captions, classes = [], short_list(found.class_names, most=13)
    ends = {"brightness": ("darkest", "brightest"), "contrast": ("least contrast", "most contrast")}
    for name, words in ends.items():
        count = len(images)
        images += list(found[f"train/{name}/images"])
        columns = (found[f"train/{name}/{key}"] for key in ("extremes", "extreme_values", "labels"))
        for index, (place, value, label) in enumerate(zip(*columns, strict=True)):
            word = words[index >= (len(images) - count) // 2]
            captions.append(f"{word}\n{classes[label]}\n{share_text(value, decimals=3)}\nno. {place:,}")
    subtitle = "of the training set: class, the figure in shares of the maximum, place"
    return _grid(found, images, captions, title=title, subtitle=subtitle, lines=4)


def copies(found: Inspection, *, title: str, kind: str) -> Any:
    """Pairs of images that are the same, side by side: the first of them, and its copy."""
    sides = {"train": ("training",) * 2, "test": ("test",) * 2, "between": ("training", "test")}[kind]
    images, captions, classes = [], [], short_list(found.class_names, most=13)
    for index, pair in enumerate(found[f"copies/{kind}_images"]):
        for side, word in enumerate(sides):
            label, place = (found[f"copies/{kind}_{key}"][index, side] for key in ("labels", "pairs"))
            images.append(pair[side])
            captions.append(f"{word}\nno. {place:,}\n{classes[label]}")
    subtitle = "two and two are equal in every pixel: split, place, class"
    return _grid(found, images, captions, title=title, subtitle=subtitle, lines=3)


def _grid(
    found: Inspection,
    images: Sequence[Array] | Array,
    captions: Sequence[str],
    *,
    title: str,
    subtitle: str,
    lines: int,
) -> Any:
    return image_grid(
        images, captions, title=title, subtitles=[f"{found.label} · {subtitle}"], lines=lines,
        draw=partial(show, found=found),
    )  # fmt: skip


def show(ax: Any, image: Array, found: Inspection) -> None:
    """An image (C, H, W) as it lies in the set: black is 0 or the least pixel, white the most that there can be."""
    low, high = found["train/range"] * found.maximum
    draw_image(ax, image, low=min(0.0, float(low)), high=max(found.maximum, float(high)))
