"""Figures of images and weights: the surest errors, mean images of confusions, answers before and after, filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from bench.analysis.artifacts import Array, Diagnosed
from bench.present.axes import readable_ticks
from bench.present.images import image_grid
from bench.present.style import COLOURS, FAINT, SMALL, Frame, figure_with_axes, shorten

MOST_TEMPLATES, MOST_LAYERS = 32, 8
SIGNED = "RdBu_r"  # white at zero


def errors(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The wrong answers that the model was surest of: true class → answer, and how sure."""
    captions = _confused(found, "errors", [f"{share:.0%}".replace("%", " %") for share in found["errors/confidence"]])
    subtitles = [subtitle, "true class → answer, how sure"]
    return image_grid(found["errors/images"], captions, title=title, subtitles=subtitles)


def confusions(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The mean image of what was confused so, the most common confusion first."""
    captions = _confused(found, "confusions", [f"{count:,} ×" for count in found["confusions/count"]])
    subtitles = [subtitle, "mean of the images that were confused so: true class → answer, how often"]
    return image_grid(found["confusions/mean_image"], captions, title=title, subtitles=subtitles)


def _confused(found: Diagnosed, part: str, figures: Sequence[str]) -> list[str]:
    """Captions: the true class, the answer, and a figure."""
    names, labels, answers = found.class_names, found[f"{part}/label"], found[f"{part}/answer"]
    rows = zip(labels, answers, figures, strict=True)
    return [f"{_name(names, label)}\n→ {_name(names, answer)}\n{figure}" for label, answer, figure in rows]


def first_batch(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The first examples of the test set: what was answered before training and after it, and how sure."""
    names, before, after = found.class_names, found["first_batch/before"], found["first_batch/after"]
    captions = [
        f"{_name(names, old.argmax())} {old.max():.0%}\n→ {_name(names, new.argmax())} {new.max():.0%}"
        + ("" if new.argmax() == label else f"\nis {_name(names, label)}")
        for old, new, label in zip(before, after, found["first_batch/labels"], strict=True)
    ]
    captions = [text.replace("%", " %") for text in captions]
    subtitles = [subtitle, "answer before training → answer after it, how sure; where that is wrong, what it is"]
    return image_grid(found["first_batch/images"], captions, title=title, subtitles=subtitles)


def _name(names: Sequence[str], label: int) -> str:
    return shorten(names[int(label)], most=8)


def histograms(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """How the values of each layer lie, a panel a layer."""
    # Of many layers, those with matrices and filters: a bias has few values to make a histogram of.
    shown = sorted(found.layers, key=lambda layer: layer.values.ndim < 2)[:MOST_LAYERS]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = figure_with_axes(
        title, [subtitle], rows=rows, columns=columns, panel_inches=1.5, gap_inches=0.85, frame=Frame(),
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.28)
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    for ax, layer in zip(axes, shown, strict=False):
        ax.stairs(
            layer.statistics["histogram_counts"], layer.statistics["histogram_edges"], fill=True, color=COLOURS[0]
        )
        shape = "×".join(str(length) for length in layer.values.shape)
        ax.set_title(f"{shorten(layer.name)}, {shape}", size=SMALL, color=FAINT, loc="left")
        ax.set_xlabel("value of the weight")
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
        readable_ticks(ax.yaxis, log=False, whole=True)
        ax.set_ylabel("weights (count)")
    return figure


def templates(found: Diagnosed) -> tuple[str, Array] | None:
    """The first layer's name, and its weights as images (n, C, H, W); None where they are none.

    A linear layer over the pixels has one a unit, a convolution one a filter. None where it is neither.
    """
    if "first_batch/images" not in found.arrays:
        return None
    shape = found["first_batch/images"].shape[1:]
    for layer in found.layers:
        if layer.values.ndim == 2 and layer.values.shape[1] == int(np.prod(shape)):
            return layer.name, layer.values.reshape(-1, *shape)[:MOST_TEMPLATES]
        if layer.values.ndim == 4 and layer.values.shape[1] == shape[0]:
            return layer.name, layer.values[:MOST_TEMPLATES]
        if layer.values.ndim > 1:
            return None
    return None


def weights(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The first layer's weights as images: red pulls towards the unit, blue away from it; the mean over channels."""
    name, images = templates(found) or ("", np.empty((0, 1, 1, 1)))
    named = len(images) == len(found.class_names)
    most = float(np.abs(images.mean(axis=1)).max()) or 1.0
    channels = "; mean over channels" if images.shape[1] > 1 else ""
    subtitles = [subtitle, f"{name} · white: 0, red: up to {most:.2g}, blue: down to −{most:.2g}{channels}"]
    captions = [_name(found.class_names, index) if named else str(index) for index in range(len(images))]

    def draw(ax: Any, image: Array) -> None:
        ax.imshow(image.mean(axis=0), cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest")

    return image_grid(images, captions, title=title, subtitles=subtitles, gap_inches=0.3, draw=draw)
