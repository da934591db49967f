"""Figures of a data set: its classes, samples, mean images, brightness and contrast, what stands out, and copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.inspect.inspection import PARTS, WORDS, Array, Inspection, share_text
from bench.present.axes import readable_ticks
from bench.present.colours import COLOURS
from bench.present.style import FAINT, INK, SMALL, Frame, figure_with_axes, shorten, text_inches

MOST_NAMED = 40  # classes that get a row of their own
COLUMNS = 8
PART_COLOURS = {"train": COLOURS[0], "test": COLOURS[1]}


def classes(found: Inspection, *, title: str) -> Any:
    """How many images of each class, a bar a split; of many classes, their counts in order of size."""
    shares = {part: 100 * found[f"{part}/counts"] / found.size(part) for part in PARTS}
    subtitle = f"{found.label} · share of the images of a split"
    if len(found.class_names) > MOST_NAMED:
        return _many_classes(shares, title=title, subtitle=f"{subtitle} · classes by their size in the training set")
    names = [shorten(name, most=18) for name in found.class_names]
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
    names = [shorten(found.class_names[label], most=14) for label in shown]
    margin = max(text_inches(name, size=SMALL) for name in names) + 0.3
    some = "" if len(shown) == len(found.class_names) else f" · the first {len(shown)} classes"
    figure, axes = figure_with_axes(
        title, [f"{found.label} · the first of each class in the training set{some}"], rows=len(shown),
        columns=COLUMNS, panel_inches=0.72, gap_inches=0.08, named=False,
        frame=Frame(left=margin, right=0.15, bottom=0.15),
    )  # fmt: skip
    _clear(axes)
    for row, (label, name) in enumerate(zip(shown, names, strict=True)):
        first = axes[row * COLUMNS]
        first.text(-0.12, 0.5, name, transform=first.transAxes, ha="right", va="center", size=SMALL)
        for ax, image in zip(axes[row * COLUMNS :], found["samples/images"][labels == label], strict=False):
            show(ax, image, found)
    return figure


def class_means(found: Inspection, *, title: str) -> Any:
    """The mean of the training images of each class."""
    present = np.flatnonzero(found["train/counts"][: len(found["train/class_means"])])
    captions = [shorten(found.class_names[label], most=13) for label in present]
    figure, axes = _grid(len(present), title=title, lines=1, subtitles=[f"{found.label} · of the training set"])
    for ax, label, caption in zip(axes, present, captions, strict=False):
        show(ax, found["train/class_means"][label] * found.maximum, found)
        _caption(ax, caption)
    return figure


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
    _clear(axes)
    drawn = [(part, name) for name in ("mean", "sd") for part in PARTS]
    for ax, (part, name) in zip(axes, drawn, strict=True):
        _picture(ax, found[f"{part}/{name}_image"], low=least if name == "mean" else 0.0, high=most[name])
        words = "mean" if name == "mean" else "standard deviation"
        _caption(ax, f"{words}\n{WORDS[part]} set")
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
    ends = {"brightness": ("darkest", "brightest"), "contrast": ("least contrast", "most contrast")}
    count = sum(len(found[f"train/{name}/extremes"]) for name in ends)
    figure, axes = _grid(
        count, title=title, lines=4,
        subtitles=[f"{found.label} · of the training set: class, the figure in shares of the maximum, place"],
    )  # fmt: skip
    at = iter(axes)
    for name, words in ends.items():
        images, labels = found[f"train/{name}/images"], found[f"train/{name}/labels"]
        figures = zip(found[f"train/{name}/extremes"], found[f"train/{name}/extreme_values"], strict=True)
        for index, (place, value) in enumerate(figures):
            ax, word = next(at), words[index >= len(images) // 2]
            show(ax, images[index], found)
            called = shorten(found.class_names[labels[index]], most=13)
            _caption(ax, f"{word}\n{called}\n{share_text(value, decimals=3)}\nno. {place:,}")
    return figure


def copies(found: Inspection, *, title: str, kind: str) -> Any:
    """Pairs of images that are the same, side by side: the first of them, and its copy."""
    images, labels = found[f"copies/{kind}_images"], found[f"copies/{kind}_labels"]
    sides = {"train": ("training",) * 2, "test": ("test",) * 2, "between": ("training", "test")}[kind]
    figure, axes = _grid(
        2 * len(images), title=title, lines=3,
        subtitles=[f"{found.label} · two and two are equal in every pixel: split, place, class"],
    )  # fmt: skip
    for index, pair in enumerate(images):
        for side in (0, 1):
            ax, label = axes[2 * index + side], found.class_names[labels[index, side]]
            show(ax, pair[side], found)
            place = found[f"copies/{kind}_pairs"][index, side]
            _caption(ax, f"{sides[side]}\nno. {place:,}\n{shorten(label, most=13)}")
    return figure


def _grid(count: int, *, title: str, subtitles: Sequence[str], lines: int) -> tuple[Any, list[Any]]:
    below = 0.1 + 0.17 * lines
    figure, axes = figure_with_axes(
        title, subtitles, rows=-(-count // COLUMNS), columns=COLUMNS, panel_inches=0.85, gap_inches=below, named=False,
        frame=Frame(left=0.15, right=0.15, bottom=below),
    )  # fmt: skip
    _clear(axes)
    return figure, axes


def _clear(axes: Sequence[Any]) -> None:
    for ax in axes:
        ax.set_axis_off()


def _caption(ax: Any, text: str) -> None:
    ax.text(0.5, -0.06, text, transform=ax.transAxes, ha="center", va="top", size=SMALL - 1)


def show(ax: Any, image: Array, found: Inspection) -> None:
    """An image (C, H, W) as it lies in the set: black is 0 or the least pixel, white the most that there can be."""
    low, high = found["train/range"] * found.maximum
    _picture(ax, image, low=min(0.0, float(low)), high=max(found.maximum, float(high)))


def _picture(ax: Any, image: Array, *, low: float, high: float) -> None:
    unit = np.clip((np.asarray(image, dtype=np.float64) - low) / ((high - low) or 1.0), 0, 1)
    if len(unit) == 3:
        ax.imshow(np.moveaxis(unit, 0, -1), interpolation="nearest")
    else:
        ax.imshow(unit.mean(axis=0), cmap="gray", interpolation="nearest", vmin=0, vmax=1)
