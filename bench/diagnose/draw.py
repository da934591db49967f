"""Figures of a diagnosis: what a model answered and how sure it was, images that it got wrong, its weights."""

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from bench.analysis.artifacts import Array, Diagnosed, Regressed
from bench.present.axes import readable_ticks
from bench.present.colours import COLOURS, Style
from bench.present.format import sureness
from bench.present.images import image_grid
from bench.present.names import short_list, short_names
from bench.present.style import FAINT, INK, SMALL, WIDTH_INCHES, Frame, figure_with_axes, text_inches

MOST_NUMBERED = 25  # classes whose cells are wide enough for a number
MOST_CURVES = 14  # with names in the legend; of more, those with the least areas are drawn
DASHES = ("-", "--", ":", "-.")
DARK = 0.55  # shares above it are shaded so dark that a number on them is white
MOST_TEMPLATES, MOST_LAYERS = 32, 8
SIGNED = "RdBu_r"  # white at zero


def confusion(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """Shares of each true class as shades, counts as numbers; the diagonal is what was right."""
    names = short_list(found.class_names, most=14)
    margin = max(text_inches(name, size=SMALL) for name in names) + 0.6
    side = min(WIDTH_INCHES - margin - 1.2, 5.6)
    figure, (ax,) = figure_with_axes(
        title, [subtitle, "shade: share of the true class · number: examples of the test set"],
        rows=1, columns=1, panel_inches=side, named=False,
        frame=Frame(left=margin, right=WIDTH_INCHES - margin - side, bottom=min(margin, 1.6)),
    )  # fmt: skip
    totals = found.confusion.sum(axis=1, keepdims=True)
    shares = found.confusion / np.maximum(totals, 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.grid(visible=False)
    places = range(len(names))
    long = max(map(len, names)) > 3
    ax.set_xticks(places, names, rotation=90 if long else 0)
    ax.set_yticks(places, names)
    ax.set_xlabel("answer")
    ax.set_ylabel("true class")
    if len(names) <= MOST_NUMBERED:
        for row, column in np.argwhere(found.confusion > 0):
            colour = "white" if shares[row, column] > DARK else INK
            count = f"{found.confusion[row, column]:,}"
            ax.text(column, row, count, ha="center", va="center", size=SMALL, color=colour)
    return figure


def curves(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """ROC on the left, precision against recall on the right, a line a class; the legend has the areas."""
    areas = found["roc/area"]
    known = np.flatnonzero(np.isfinite(areas))
    labels = sorted(int(label) for label in known[np.argsort(areas[known], kind="stable")][:MOST_CURVES])
    lines = list(islice(cycle([(c, d) for d in DASHES for c in COLOURS]), len(labels)))
    rows = -(-len(labels) // 3)
    some = "" if len(labels) == len(found.class_names) else f" · the {len(labels)} classes with the least areas"
    figure, axes = figure_with_axes(
        title, [f"{subtitle}{some}", "in the legend: area under the ROC curve · average precision"],
        rows=1, columns=2, panel_inches=3.3, frame=Frame(bottom=0.85 + 0.2 * rows),
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.28)
    panels = (
        ("roc", "false_positive_rate", "true_positive_rate"), ("precision_recall", "recall", "precision"),
    )  # fmt: skip
    names = short_list(found.class_names, most=14)
    for ax, (part, x, y) in zip(axes, panels, strict=True):
        for label, (colour, dash) in zip(labels, lines, strict=True):
            name, average = names[label], found["precision_recall/area"][label]
            text = f"{name}  {areas[label]:.3f} · {average:.3f}"
            ax.plot(found[f"{part}/{x}"][label], found[f"{part}/{y}"][label], dash, color=colour, label=text)
        ax.set_xlim(-0.01, 1.01)
        ax.set_ylim(-0.01, 1.01)
        ax.set_xlabel(f"{x.replace('_', ' ')} (fraction)")
        ax.set_ylabel(f"{y.replace('_', ' ')} (fraction)")
    axes[0].set_title("one class against the rest", size=SMALL, color=FAINT, loc="left")
    axes[0].plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
    handles, texts = axes[1].get_legend_handles_labels()
    figure.legend(handles, texts, loc="lower center", ncols=3, frameon=False, fontsize=SMALL)
    return figure


def calibration(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """Reliability diagram on the left, confidence of right and of wrong answers on the right."""
    error = float(found["calibration/expected_error"])
    figure, axes = figure_with_axes(
        title, [subtitle, f"expected calibration error {error:.3f} · bars: accuracy of the answers in that bin"],
        rows=1, columns=2, panel_inches=3.0, frame=Frame(bottom=0.95),
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.28)
    edges, accuracy = found["calibration/edges"], found["calibration/accuracy"]
    known = np.isfinite(accuracy)
    width = np.diff(edges)
    axes[0].bar(edges[:-1][known], accuracy[known], width[known], align="edge", color=COLOURS[5], edgecolor="white")
    axes[0].plot(found["calibration/confidence"][known], accuracy[known], "o", color=COLOURS[0], markersize=4,
                 clip_on=False, zorder=3)  # fmt: skip
    axes[0].plot([0, 1], [0, 1], color=FAINT, linewidth=1.0, linestyle="--")
    axes[0].set_title("dashed: as sure as it is right", size=SMALL, color=FAINT, loc="left")
    axes[0].set_ylabel("accuracy (fraction)")
    for name, colour, dash in (("right", COLOURS[2], "-"), ("wrong", COLOURS[1], "--")):
        counts = found[f"confidence/{name}"]
        axes[1].stairs(
            np.maximum(counts, 0.5), found["confidence/edges"], color=colour, linestyle=dash, linewidth=1.6,
            label=f"{name} ({counts.sum():,})",
        )  # fmt: skip
    axes[1].set_yscale("log")
    axes[1].set_ylim(bottom=0.7)  # over what stands for no example, below one
    readable_ticks(axes[1].yaxis, log=True)
    axes[1].set_title("how sure it was of right and of wrong answers", size=SMALL, color=FAINT, loc="left")
    axes[1].set_ylabel("examples (count)")
    # Below: where both curves begin differs from model to model, and with it where a legend would lie on them.
    figure.legend(loc="lower right", ncols=2, frameon=False, fontsize=SMALL)
    for ax in axes:
        ax.set_xlabel("confidence (probability)")
        ax.set_xlim(0, 1)
    axes[0].set_ylim(0, 1)
    return figure


def recalls(
    several: Sequence[Diagnosed], names: Sequence[str], *, title: str, subtitle: str, styles: Mapping[str, Style]
) -> Any:
    """Recall of each class, a mark a model: where two models differ."""
    classes, short = short_list(several[0].class_names, most=18), short_names(names)
    margin = max(text_inches(name, size=SMALL) for name in classes) + 0.6
    row_inches = max(0.26, 0.13 * len(several))  # so high that no mark lies on another
    figure, (ax,) = figure_with_axes(
        title, [subtitle], rows=1, columns=1, panel_inches=row_inches * len(classes) + 0.3, named=False,
        frame=Frame(left=margin, bottom=0.95),
    )  # fmt: skip
    places = np.arange(len(classes))
    for index, (found, name) in enumerate(zip(several, names, strict=True)):
        shift = (index - (len(several) - 1) / 2) * min(0.35, 0.8 / len(several))
        totals = np.maximum(found.confusion.sum(axis=1), 1)
        ax.plot(
            found.confusion.diagonal() / totals, places + shift, styles[name].marker, color=styles[name].colour,
            linestyle="", label=short[name],
        )  # fmt: skip
    ax.set_yticks(places, classes)
    ax.invert_yaxis()
    ax.set_ylabel("true class")
    ax.set_xlabel("recall (fraction of the class that was answered right)")
    ax.set_xlim(right=1.01)
    figure.legend(loc="lower center", ncols=min(4, len(several)), frameon=False, fontsize=SMALL)
    return figure


def errors(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The wrong answers that the model was surest of: true class → answer, and how sure."""
    rows = zip(found["errors/confidence"], found["errors/index"], strict=True)
    captions = _confused(found, "errors", [f"{sureness(float(share))}\n#{index}" for share, index in rows])
    subtitles = [subtitle, "true class → answer, how sure, # place in the test set (the first is 0)"]
    return image_grid(found["errors/images"], captions, title=title, subtitles=subtitles, lines=4)


def confusions(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The mean image of what was confused so, the most common confusion first."""
    captions = _confused(found, "confusions", [f"{count:,} ×" for count in found["confusions/count"]])
    subtitles = [subtitle, "mean of the images that were confused so: true class → answer, how often"]
    return image_grid(found["confusions/mean_image"], captions, title=title, subtitles=subtitles)


def _confused(found: Diagnosed, part: str, figures: Sequence[str]) -> list[str]:
    """Captions: the true class, the answer, and a figure."""
    names, labels, answers = short_list(found.class_names, most=8), found[f"{part}/label"], found[f"{part}/answer"]
    rows = zip(labels, answers, figures, strict=True)
    return [f"{names[int(label)]}\n→ {names[int(answer)]}\n{figure}" for label, answer, figure in rows]


def first_batch(found: Diagnosed, *, title: str, subtitle: str) -> Any:
    """The first examples of the test set: what was answered before training and after it, and how sure."""
    names = short_list(found.class_names, most=8)
    before, after = found["first_batch/before"], found["first_batch/after"]
    captions = [
        f"{names[old.argmax()]} {sureness(float(old.max()))}\n→ {names[new.argmax()]} {sureness(float(new.max()))}"
        + ("" if new.argmax() == label else f"\nis {names[int(label)]}")
        for old, new, label in zip(before, after, found["first_batch/labels"], strict=True)
    ]
    subtitles = [subtitle, "answer before training → answer after it, how sure; where that is wrong, what it is"]
    return image_grid(found["first_batch/images"], captions, title=title, subtitles=subtitles)


def histograms(found: Diagnosed | Regressed, *, title: str, subtitle: str) -> Any:
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
    short = short_names(layer.name for layer in shown)
    for ax, layer in zip(axes, shown, strict=False):
        ax.stairs(
            layer.statistics["histogram_counts"], layer.statistics["histogram_edges"], fill=True, color=COLOURS[0]
        )
        shape = "×".join(str(length) for length in layer.values.shape)
        ax.set_title(f"{short[layer.name]}, {shape}", size=SMALL, color=FAINT, loc="left")
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
    captions = short_list(found.class_names, most=8) if named else list(map(str, range(len(images))))

    def draw(ax: Any, image: Array) -> None:
        ax.imshow(image.mean(axis=0), cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest")

    return image_grid(images, captions, title=title, subtitles=subtitles, gap_inches=0.3, draw=draw)
