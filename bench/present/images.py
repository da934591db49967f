"""Figures of many small images in rows of eight, each with its caption below."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.present.style import SMALL, Frame, figure_with_axes

Array: TypeAlias = npt.NDArray[Any]

COLUMNS = 8


def image_grid(
    images: Sequence[Array] | Array,
    captions: Sequence[str],
    *,
    title: str,
    subtitles: Sequence[str],
    lines: int = 3,
    gap_inches: float | None = None,
    draw: Callable[[Any, Array], object] | None = None,
) -> Any:
    """A figure with a caption below each image; `draw(axes, image)` draws one, by default from its own least to its
    own largest value. `gap_inches`: room for a caption, by default for one of so many `lines`."""
    gap_inches = 0.1 + 0.17 * lines if gap_inches is None else gap_inches
    figure, axes = figure_with_axes(
        title, subtitles, rows=-(-len(images) // COLUMNS), columns=COLUMNS, panel_inches=0.85, gap_inches=gap_inches,
        named=False, frame=Frame(left=0.15, right=0.15, bottom=gap_inches),
    )  # fmt: skip
    for ax in axes:
        ax.set_axis_off()
    for ax, image, text in zip(axes, images, captions, strict=False):
        (draw or draw_image)(ax, image)
        caption(ax, text)
    return figure


def caption(ax: Any, text: str) -> None:
    """Writes below an image."""
    ax.text(0.5, -0.06, text, transform=ax.transAxes, ha="center", va="top", size=SMALL - 1)


def draw_image(ax: Any, image: Array, *, low: float | None = None, high: float | None = None) -> None:
    """Draws an image (C, H, W), black at `low` and white at `high`, which are its own ends where they are not given:
    colour for three channels, else grey, the mean of the channels."""
    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()) if low is None else low, float(values.max()) if high is None else high
    unit = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    if len(unit) == 3:
        ax.imshow(np.moveaxis(unit, 0, -1), interpolation="nearest")
    else:
        ax.imshow(unit.mean(axis=0), cmap="gray", interpolation="nearest", vmin=0, vmax=1)
