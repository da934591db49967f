"""How plots look: fonts, sizes, and how a figure becomes a file. The only module that sets up matplotlib."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from bench.base import files
from bench.present.glyphs import families, lacking
from bench.present.names import cut, short_names

WIDTH_INCHES = 8.0
DPI = 150  # 1200 pixels wide: sharp where a README shows 800
TEXT, SMALL, TITLE = 10.0, 9.0, 12.0  # points; 9 is the least at 800 pixels
INK, FAINT, GRID = "#222222", "#555555", "#dddddd"
LINE_INCHES = 0.19  # from one line of text to the next

SETUP: dict[str, Any] = {
    "text.parse_math": False,  # a name with $ is a name
    "svg.fonttype": "none",  # text stays text: it can be searched, and drawn in fonts that we do not have
    "svg.hashsalt": "bench",  # ids that are the same each time
    "font.family": "sans-serif",
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "axes.titlesize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.linewidth": 1.6,
    "lines.markersize": 6.0,
}


@contextmanager
def setup() -> Iterator[None]:
    """matplotlib as these plots need it, whatever the user's matplotlibrc says; as it was afterwards."""
    with mpl.rc_context(), warnings.catch_warnings():
        # Of a script that no font here has: PNG shows boxes, SVG leaves it to the reader's fonts. `dress` tells which.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        mpl.rcdefaults()
        rc_params: Any = mpl.rcParams  # its stubs know every key; ours are tested by drawing
        rc_params.update(SETUP)
        yield


@lru_cache(maxsize=4096)  # to lay a text out takes half a millisecond, and titles share their words
def text_inches(text: str, *, size: float = TEXT) -> float:
    """Width of `text` in inches, as it will be drawn."""
    ruler: Any = _ruler()
    font = FontProperties(size=size)
    if characters := lacking(text):
        font.set_family(list(families(characters)))
    width, _, _ = ruler.get_renderer().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / DPI


def widest(names: Iterable[str], *, size: float = TEXT) -> float:
    """Inches that the widest of `names` takes where they are short."""
    return max(text_inches(name, size=size) for name in short_names(names).values())


_rulers: list[FigureCanvasAgg] = []


def _ruler() -> FigureCanvasAgg:
    if not _rulers:
        _rulers.append(FigureCanvasAgg(Figure(figsize=(1, 1), dpi=DPI)))
    return _rulers[0]


@dataclass(frozen=True, slots=True)
class Frame:
    """Margins in inches around the axes of a figure."""

    left: float = 0.85
    right: float = 0.3
    bottom: float = 0.6


def wrapped(text: str, *, size: float, bold: bool = False) -> list[str]:
    """Lines of `text` that fit the width of a figure."""
    weight = 1.12 if bold else 1.0  # bold letters are that much wider
    room = WIDTH_INCHES - 0.4
    space = text_inches("a b", size=size) - text_inches("ab", size=size)
    lines, taken = [""], 0.0  # inches of the last line
    for word in text.replace(" %", "\u00a0%").split(" "):
        word = _fitting(word, size=size, room=room / weight)
        wide = text_inches(word, size=size)
        if lines[-1] and (taken + space + wide) * weight > room:
            lines.append(word)
            taken = wide
        else:
            taken += wide + (space if lines[-1] else 0.0)
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _fitting(word: str, *, size: float, room: float) -> str:
    """`word`, its middle left out where it alone is wider than `room` inches."""
    most = 2 * len(word)  # columns: a Chinese character takes two
    while most > 8 and text_inches(cut(word, most), size=size) > room:
        most = most * 9 // 10
    return cut(word, most)


def figure_with_axes(
    title: str, subtitles: Sequence[str], *, rows: int, columns: int, panel_inches: float, frame: Frame, **options: Any
) -> tuple[Figure, list[Any]]:
    """A figure with its title, a smaller line below it, and rows × columns panels of `panel_inches` height.

    `subtitles` are one line each, or more where they are long; `named` says that panels have titles; other `options`
    go to `Figure.subplots`. Returns the panels row by row.
    """
    heading = wrapped(title, size=TITLE, bold=True)
    below = [line for text in subtitles for line in wrapped(text, size=SMALL)]
    top = 0.2 + LINE_INCHES * (1.2 * len(heading) + len(below)) + (0.35 if options.pop("named", True) else 0.12)
    gap = options.pop("gap_inches", 0.55)
    height = top + rows * panel_inches + (rows - 1) * gap + frame.bottom
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    figure.subplots_adjust(
        left=frame.left / WIDTH_INCHES,
        right=1 - frame.right / WIDTH_INCHES,
        bottom=frame.bottom / height,
        top=1 - top / height,
        hspace=gap / panel_inches,
    )
    at = 1 - 0.15 / height
    figure.text(0.15 / WIDTH_INCHES, at, "\n".join(heading), va="top", size=TITLE, weight="bold")
    at -= 1.25 * LINE_INCHES * len(heading) / height
    figure.text(0.15 / WIDTH_INCHES, at, "\n".join(below), va="top", size=SMALL, color=FAINT)
    return figure, list(axes.flat)


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png and `stem`.svg; the same figure gives the same bytes, whenever it is called."""
    with setup():
        with files.replacing(stem.with_name(stem.name + ".svg")) as file:
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        with files.replacing(stem.with_name(stem.name + ".png")) as file:
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
