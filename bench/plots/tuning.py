"""Pictures of tuning: expected best after k settings, heat map of two settings, effect of each setting."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from bench.analysis.cells import axis_label, value_text
from bench.analysis.tuning_plots import TuningPlot
from bench.base.records import Json
from bench.present.axes import label_right, readable_ticks, within
from bench.present.colours import COLOURS, MARKERS, Style
from bench.present.names import short_names
from bench.present.style import INK, SMALL, Frame, figure_with_axes, widest
from bench.results.searches import TriedSetting
from bench.suite.tune import Range

MOST_COLUMNS = 3  # of panels


def draw_tuning(plot: TuningPlot, styles: Mapping[str, Style]) -> Any:
    """The figure. `styles`: of each model, as in the other plots."""
    return {"best": _best, "heat": _heat, "effect": _effect}[plot.kind](plot, styles)


def _best(plot: TuningPlot, styles: Mapping[str, Style]) -> Any:
    looks = {each.model: styles.get(each.look, Style(COLOURS[0], MARKERS[0])) for each in plot.searched}
    figure, (ax,) = figure_with_axes(
        plot.title, plot.notes, named=False, rows=1, columns=1, panel_inches=3.2,
        frame=Frame(right=widest(looks) + 0.5),
    )  # fmt: skip
    ends = []
    for each in plot.searched:
        x, look = range(1, len(each.bests) + 1), looks[each.model]
        ax.plot(x, each.bests, color=look.colour, marker=look.marker, markersize=5, clip_on=False, zorder=3)
        ends.append((each.model, float(x[-1]), each.bests[-1]))
    ax.set_xlabel("settings tried, k")
    ax.set_ylabel(f"expected best {plot.searched[0].score}")
    within(ax.yaxis, plot.searched[0].metric)
    readable_ticks(ax.xaxis, log=False, whole=True)
    readable_ticks(ax.yaxis, log=False)
    ax.set_xlim(left=1)
    label_right(ax, ends, looks)
    return figure


def _heat(plot: TuningPlot, styles: Mapping[str, Style]) -> Any:
    """Squares in the plane of two settings, their colour the accuracy."""
    del styles
    found = [each for each in plot.searched[0].tried if each.reached is not None]
    first, second = (_Scale(key, plot.searched[0].tried) for key in plot.ranges)
    figure, (ax,) = figure_with_axes(
        plot.title, plot.notes, named=False, rows=1, columns=1, panel_inches=3.2,
        frame=Frame(left=max(0.85, widest(second.texts or [""]) + 0.7), right=1.35),
    )  # fmt: skip
    reached = {each.status == "ok": each.reached for each in found if each.reached is not None}
    values = [
        each.reached for each in found if each.reached is not None and (each.status == "ok" or True not in reached)
    ]
    places = [(first.place(each), second.place(each)) for each in found]
    shown = ax.scatter(
        [x for x, _ in places], [y for _, y in places], c=[each.reached for each in found], cmap="viridis",
        vmin=min(values), vmax=max(values), marker="s", clip_on=False, zorder=3,
        s=[170 if each.status == "ok" else 55 for each in found],
    )  # fmt: skip
    for each, (x, y) in zip(found, places, strict=True):
        if each.is_chosen:
            ax.plot(x, y, "o", markersize=21, markerfacecolor="none", color=INK, zorder=4, clip_on=False)
        if each.is_default:
            ax.plot(x, y, "x", markersize=7, color="white", markeredgewidth=1.8, zorder=5, clip_on=False)
    first.dress(ax, ax.xaxis)
    second.dress(ax, ax.yaxis)
    _colour_bar(figure, shown, label=plot.searched[0].score)
    return figure


def _colour_bar(figure: Any, shown: Any, *, label: str) -> None:
    """The scale of the colours, on the right. A setting that was given up may lie below its lower end."""
    box = figure.axes[0].get_position()
    bar = figure.colorbar(shown, cax=figure.add_axes([box.x1 + 0.035, box.y0, 0.02, box.height]), extend="min")
    bar.set_label(label, size=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)
    bar.ax.grid(visible=False)


def _effect(plot: TuningPlot, styles: Mapping[str, Style]) -> Any:
    """A panel for each setting: its values to the right, the accuracy upwards."""
    one = plot.searched[0]
    look = styles.get(one.look, Style(COLOURS[0], MARKERS[0]))
    columns = min(MOST_COLUMNS, len(plot.ranges))
    rows = -(-len(plot.ranges) // columns)
    figure, axes = figure_with_axes(
        plot.title, plot.notes, named=False, rows=rows, columns=columns, panel_inches=2.4,
        frame=Frame(), sharey=True, gap_inches=0.7,
    )  # fmt: skip
    figure.subplots_adjust(wspace=0.1)
    found = [each for each in one.tried if each.reached is not None]
    for ax, key in zip(axes, plot.ranges, strict=False):
        scale = _Scale(key, one.tried)
        for each in found:
            x, fill = scale.place(each), look.colour if each.status == "ok" else "none"
            ax.plot(x, each.reached, look.marker, color=look.colour, markerfacecolor=fill, markersize=6, alpha=0.8)
            if each.is_chosen:
                ax.plot(x, each.reached, "o", markersize=14, markerfacecolor="none", color=INK)
        scale.dress(ax, ax.xaxis)
    for ax in axes[len(plot.ranges) :]:
        ax.set_visible(False)
    for row in range(rows):
        axes[row * columns].set_ylabel(one.score)
    within(axes[0].yaxis, one.metric)
    readable_ticks(axes[0].yaxis, log=False)
    return figure


class _Scale:
    """Where the values of a setting stand on an axis: numbers of a range at their place, those of a list, which need be
    no numbers, one beside the other."""

    def __init__(self, key: Range, tried: Sequence[TriedSetting]) -> None:
        self.key = key
        self.listed: list[Json] = list(key.values)
        if self.listed:  # the default may be none of them
            self.listed += [value for each in tried[:1] if (value := each.settings[key.key]) not in self.listed]
            if all(isinstance(each, int | float) for each in self.listed):
                self.listed.sort(key=float)
        self.texts = list(short_names(map(value_text, self.listed), most=14).values()) if self.listed else []
        self.numbers = [float(each.settings[key.key]) for each in tried] if not self.listed else []

    def place(self, each: TriedSetting) -> float:
        value = each.settings[self.key.key]
        return float(self.listed.index(value)) if self.listed else float(value)

    def dress(self, ax: Any, axis: Any) -> None:
        """Its limits are those of the range, and the default where that lies beyond; its label the setting."""
        across = axis.axis_name == "x"
        (ax.set_xlabel if across else ax.set_ylabel)(axis_label(self.key.key) + (", log" if self.key.log else ""))
        if self.listed:
            (ax.set_xlim if across else ax.set_ylim)(-0.6, len(self.listed) - 0.4)
            axis.set_major_locator(FixedLocator(list(range(len(self.listed)))))
            axis.set_major_formatter(FixedFormatter(self.texts))
            axis.set_minor_locator(NullLocator())
            return
        low, high = min(self.key.low, *self.numbers), max(self.key.high, *self.numbers)
        if self.key.log:
            (ax.set_xscale if across else ax.set_yscale)("log")
        (ax.set_xlim if across else ax.set_ylim)(low, high)
        readable_ticks(axis, log=self.key.log, whole=self.key.whole and not self.key.log)
