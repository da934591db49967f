"""Axes of plots: linear or logarithmic, ticks that people can read, and labels that stand beside what they name."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    Formatter,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)
from matplotlib.transforms import offset_copy

from bench.base.metrics import Metric
from bench.present.colours import Style
from bench.present.format import tick
from bench.present.label_places import Box, Point, beside, spread, thinned
from bench.present.names import short_names
from bench.present.style import DPI, FAINT, INK, LINE_INCHES, SMALL, TEXT, WIDTH_INCHES, text_inches, widest
from bench.statistics.intervals import Estimate

MOST_MARKED = 14  # values of an axis that each get a tick of their own
DECADE = 10.0
LEGEND_COLUMNS = 4
HANDLE_INCHES = 0.7  # line, marker and the gaps around them
HALF_A_MARK = 0.03  # share of an axis
FAR = 0.12  # share of the width of a plot: what leads further than this to a name looks like a line of data
Named = tuple[str, Point, list[Point]]  # a name, the point it names, other points to keep clear of


def spans_decades(values: Sequence[float]) -> bool:
    """Whether `values` are all positive and the largest is ten times the smallest or more."""
    return bool(values) and min(values) > 0 and max(values) >= DECADE * min(values)


def scale_axis(axis: Any, values: Sequence[float]) -> bool:
    """Make `axis` (x or y) logarithmic where `values` span decades, also beside a zero; returns whether it is."""
    positive = [value for value in values if value > 0]
    if spans_decades(values):
        _set_scale(axis, "log")
        return True
    if values and min(values) == 0 and spans_decades(positive):
        _set_scale(axis, "symlog", linthresh=min(positive), linscale=0.5)
        return True
    return False


def _set_scale(axis: Any, kind: str, **options: Any) -> None:
    (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)(kind, **options)


class PlainFormatter(Formatter):
    """Plain figures, all with as many decimals as the one that needs most, and all in thousands where one is."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        return tick(round(value, 12))

    def format_ticks(self, values: Any) -> list[str]:
        texts = [self(float(value)) for value in values]
        for unit, size in (("M", 1e6), ("k", 1e3)):
            if any(text.endswith(unit) for text in texts):
                return [f"{round(float(value) / size, 12):g}{unit}" if value else "0" for value in values]
        if any(not text.replace(".", "").replace("-", "").isdigit() for text in texts):
            return texts
        decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
        return [f"{float(value):.{decimals}f}" for value in values]


def within(axis: Any, metric: Metric) -> None:
    """Cut the axis of a share at 0 and 1, with room there for half a mark."""
    if metric.unit == "fraction":
        low, high = sorted(axis.get_view_interval())
        room = HALF_A_MARK * (min(1.0, high) - max(0.0, low))
        limits = max(-room, low), min(1.0 + room, high)
        (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(*limits)


def whiskers(found: Sequence[Estimate], *, divisor: float = 1.0) -> tuple[list[float], list[float]]:
    """How far the intervals of means reach down and up, as they are drawn; not at all where there is none."""
    sides = [(each.mean - low, high - each.mean) for each in found
             for low, high in [each.ends or (each.mean, each.mean)]]  # fmt: skip
    return [down / divisor for down, _ in sides], [up / divisor for _, up in sides]


def readable_ticks(axis: Any, *, log: bool, whole: bool = False) -> None:
    """Set ticks at round numbers, in plain figures (`20k`, `0.001`); `whole`: no fractions of an epoch."""
    if log:
        low, high = sorted(axis.get_view_interval())
        few = high / max(low, 1e-300) > 10**2.5
        axis.set_major_locator(LogLocator(base=10, subs=(1.0,) if few else (1.0, 2.0, 5.0), numticks=12))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(
            MaxNLocator(nbins=6, steps=[1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10], integer=whole)
        )
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(round(value, 12))) if log else PlainFormatter())


def mark_values(ax: Any, values: Sequence[float]) -> None:
    """Set ticks of the x axis at the values that were tried, with as many labels as fit side by side."""
    if len(values) > MOST_MARKED:
        readable_ticks(ax.xaxis, log=ax.get_xscale() == "log")
        return
    texts = [tick(value) for value in values]
    places = [float(ax.transData.transform((value, ax.get_ylim()[0]))[0]) for value in values]
    shown = thinned(places, [text_inches(text, size=SMALL) * DPI for text in texts], gap=6)
    ax.xaxis.set_major_locator(FixedLocator(list(values)))
    ax.xaxis.set_major_formatter(
        FixedFormatter([text if fits else "" for text, fits in zip(texts, shown, strict=True)])
    )
    ax.xaxis.set_minor_locator(NullLocator())


def label_right(ax: Any, ends: Sequence[tuple[str, float, float]], styles: Mapping[str, Style]) -> None:
    """Names (name, x, y of a line's end) in the right margin, at the heights of their lines or as near as they fit;
    a thin line leads from each line to its name, a dotted grey one where that would pass for data."""
    if not ends:
        return
    points, short = [_pixel(ax, (x, y)) for _, x, y in ends], short_names(styles)
    box = ax.bbox
    heights = spread([y for _, y in points], gap=SMALL / 72 * DPI * 1.35, low=box.y0 + 4, high=box.y1)
    for (name, _, _), point, height in zip(ends, points, heights, strict=True):
        far = box.x1 - point[0] > FAR * box.width
        ax.annotate(
            short[name],
            xy=_fraction(ax, point),
            xycoords="figure fraction",
            xytext=_fraction(ax, (box.x1 + 20, height)),
            textcoords="figure fraction",
            va="center",
            size=SMALL,
            color=INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": FAINT if far else styles[name].colour,
                "linestyle": ":" if far else "-",
                "lw": 0.8,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )


def label_beside(panels: Sequence[Any], named: Sequence[Sequence[Named]]) -> bool:
    """Names beside their points in every panel, none over another; False, and nothing drawn, where they do not fit in
    one of them."""
    short = short_names(name for names in named for name, _, _ in names)
    placed = [_corners(ax, names, short) for ax, names in zip(panels, named, strict=True)]
    if any(corners is None for corners in placed):
        return False
    for ax, names, corners in zip(panels, named, placed, strict=True):
        for (name, _, _), corner in zip(names, corners or [], strict=True):
            place = _fraction(ax, corner)
            ax.annotate(
                short[name], xy=place, xycoords="figure fraction", size=SMALL, va="bottom", annotation_clip=False
            )
    return True


def _corners(ax: Any, names: Sequence[Named], short: Mapping[str, str]) -> list[Point] | None:
    sizes = [(text_inches(short[name], size=SMALL) * DPI, SMALL / 72 * DPI * 1.2) for name, _, _ in names]
    box = ax.bbox
    return beside(
        [_pixel(ax, point) for _, point, _ in names],
        sizes,
        bounds=Box(box.x0 + 2, box.y0 + 2, box.x1, box.y1),
        obstacles=[_pixel(ax, point) for _, _, others in names for point in others],
        distance=17,
    )


def legend(figure: Any, styles: Mapping[str, Style], models: Sequence[str], *, bottom_inches: float) -> None:
    """Names with their shapes below the plot: for where there is no room beside the lines. `bottom_inches` is what the
    axis and its label take."""
    height = figure.get_figheight()
    figure.subplots_adjust(bottom=(bottom_inches + 0.25 + LINE_INCHES * legend_lines(models)) / height)
    handles = [Line2D([], [], color=styles[model].colour, marker=styles[model].marker) for model in models]
    names = [str(index) for index in range(len(models))]
    found = figure.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.05 / height),
        ncols=legend_columns(models),
        frameon=False,
        fontsize=SMALL,
    )
    # Set afterwards: matplotlib leaves names that begin with an underscore out of a legend.
    short = short_names(models)
    for text, model in zip(found.get_texts(), models, strict=True):
        text.set_text(short[model])


def seeds(ax: Any, x: float, values: Sequence[float], style: Style) -> None:
    """Draw every seed's value, a little to the left of x, so that the mean does not cover them."""
    beside_mean = offset_copy(ax.transData, fig=ax.figure, x=-7, units="points")
    ax.plot(
        [x] * len(values), values, style.marker, color=style.colour, markersize=4, alpha=0.7,
        markerfacecolor="none", transform=beside_mean,
    )  # fmt: skip
    ax.update_datalim([(x, value) for value in values])  # matplotlib does not count what is moved aside
    ax.autoscale_view()


def mark_look(colour: str, *, hollow: bool = False) -> dict[str, Any]:
    """How the mark of a mean is filled: hollow where what it stands for is disturbed."""
    if hollow:
        return {"markerfacecolor": "white", "markeredgecolor": colour, "markeredgewidth": 1.6}
    return {"markerfacecolor": colour, "markeredgecolor": "white", "markeredgewidth": 0.6}


def legend_lines(models: Sequence[str]) -> int:
    """Lines of text that a legend of `models` takes."""
    return -(-len(models) // legend_columns(models))


def legend_columns(models: Sequence[str]) -> int:
    """How many names fit side by side."""
    column = widest(models, size=SMALL) + HANDLE_INCHES
    return max(1, min(LEGEND_COLUMNS, len(models), int((WIDTH_INCHES - 0.2) / column)))


def name_rows(ax: Any, names: Sequence[str], texts: Sequence[str]) -> None:
    """Rows from the top: the name of each on the left, and its figure on the right."""
    for row, text in enumerate(texts):
        ax.annotate(text, xy=(1, row), xycoords=("axes fraction", "data"), xytext=(8, 0), textcoords="offset points",
                    va="center", size=SMALL, annotation_clip=False)  # fmt: skip
    ax.set_yticks(range(len(names)), names, size=TEXT)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")


def panel_title(ax: Any, text: str) -> None:
    """Write a small title over one panel."""
    ax.set_title(text, size=SMALL, color=FAINT, loc="left", pad=5)


def _pixel(ax: Any, point: Point) -> Point:
    x, y = ax.transData.transform(point)
    return float(x), float(y)


def _fraction(ax: Any, pixel: Point) -> Point:
    """Of the figure: an SVG has other pixels than a PNG."""
    box = ax.figure.bbox
    return pixel[0] / box.width, pixel[1] / box.height
