"""The plot of a history: a panel for what may be compared, a line a model, a mark where the level changed."""

from collections.abc import Iterable, Sequence
from typing import Any

from bench.analysis.interval_words import SHORT, meanings
from bench.analysis.plots import HOLLOW
from bench.base.metrics import Metric
from bench.history.steps import Run, Trend
from bench.present.axes import (
    label_right,
    mark_look,
    panel_title,
    readable_ticks,
    scale_axis,
    seeds,
    spans_decades,
    whiskers,
)
from bench.present.colours import Style
from bench.present.format import Scale, axis_text, scale_of
from bench.present.label_places import thinned
from bench.present.style import DPI, FAINT, SMALL, Frame, figure_with_axes, text_inches, widest

MOST_PANELS, MOST_MODELS = 6, 8
MEAN = "small: every process · large: mean and 95 % interval"
CHANGE = "vertical line: change point, with its ratio and p"


def history(trends: Sequence[Trend], metric: Metric, *, title: str, styles: dict[str, Style]) -> Any:
    """Draws the first series of the first groups; the tables have all. Runs stand evenly, in their order: dates bunch
    together. Every series has at least two runs."""
    groups: dict[str, list[Trend]] = {}
    for trend in trends:
        groups.setdefault(trend.group, []).append(trend)
    shown = {name: group[:MOST_MODELS] for name, group in list(groups.items())[:MOST_PANELS]}
    names = {trend.model for group in shown.values() for trend in group}
    left_out = len(trends) - sum(map(len, shown.values()))
    hollow = (
        [f"mean {HOLLOW}"]
        if any(run.disturbed for group in shown.values() for trend in group for run in trend.runs)
        else []
    )
    figure, axes = figure_with_axes(
        title, [_means(shown.values()), *hollow, *([f"{left_out} other series are in the table"] if left_out else [])],
        rows=len(shown), columns=1, panel_inches=2.6, gap_inches=0.95,
        frame=Frame(left=0.95, right=widest(names) + 0.5, bottom=0.75),
    )  # fmt: skip
    for ax, (name, group) in zip(axes, shown.items(), strict=True):
        _panel(ax, group, metric, styles)
        panel_title(ax, name)
    return figure


def _means(groups: Iterable[Sequence[Trend]]) -> str:
    """Returns what the marks mean, and what the intervals are for."""
    overs = meanings(run.mean for group in groups for trend in group for run in trend.runs)
    told = f" ({'; '.join(SHORT[over] for over in overs)})" if overs else ""
    return f"{MEAN}{told} · {CHANGE}"


def _panel(ax: Any, group: Sequence[Trend], metric: Metric, styles: dict[str, Style]) -> None:
    runs = sorted((run for trend in group for run in trend.runs), key=lambda run: run.point.at)
    places = {key: place for place, key in enumerate(dict.fromkeys(_key(run) for run in runs))}
    values = [value for run in runs for value in run.point.values]
    scale = scale_of(metric.unit, values)
    figures = [value / scale.divisor for value in values]
    log = metric.unit != "fraction" and spans_decades(figures) and scale_axis(ax.yaxis, figures)
    ends = [(trend.model, *_line(ax, trend, places, scale, styles[trend.model])) for trend in group]
    if metric.timing and not log:
        ax.set_ylim(bottom=0)
    ax.set_xlim(-0.5, len(places) - 0.5)
    readable_ticks(ax.yaxis, log=log)
    _mark_runs(ax, runs, places)
    ax.set_ylabel(axis_text(metric, scale) + (", log" if log else ""))
    label_right(ax, ends, styles)


def _line(ax: Any, trend: Trend, places: dict[str, int], scale: Scale, style: Style) -> tuple[float, float]:
    """Draws one series; returns where it ends."""
    x = [places[_key(run)] for run in trend.runs]
    means = [run.mean.mean / scale.divisor for run in trend.runs]
    ends = whiskers([run.mean for run in trend.runs], divisor=scale.divisor)
    for place, run in zip(x, trend.runs, strict=True):
        seeds(ax, place, [value / scale.divisor for value in run.point.values], style)
    ax.errorbar(x, means, yerr=ends if any(map(any, ends)) else None, color=style.colour, marker=style.marker,
                capsize=3, markersize=6, elinewidth=1.2, **mark_look(style.colour))  # fmt: skip
    for place, mean, run in zip(x, means, trend.runs, strict=True):
        if run.disturbed:
            ax.plot(place, mean, style.marker, markersize=6, zorder=5, **mark_look(style.colour, hollow=True))
        if run.change:
            ax.axvline(place - 0.5, color=style.colour, linestyle=(0, (3, 2)), linewidth=1.1)
            ax.annotate(
                run.change.partition(":")[0], (place - 0.5, mean), xytext=(4, 10), textcoords="offset points",
                size=SMALL, color=style.colour, va="bottom",
            )  # fmt: skip
    return float(x[-1]), means[-1]


def _key(run: Run) -> str:
    return f"{run.point.first.run_id} {run.point.first.environment_id}"


def _mark_runs(ax: Any, runs: Sequence[Run], places: dict[str, int]) -> None:
    """Writes day and commit below the runs, as many as fit side by side."""
    texts: dict[int, str] = {}
    for run in runs:
        texts.setdefault(places[_key(run)], f"{run.point.at[:10]}\n{run.point.commit or 'no commit'}")
    at = sorted(texts)
    pixels = [float(ax.transData.transform((place, 0.5))[0]) for place in at]
    shown = thinned(pixels, [text_inches("2026-00-00", size=SMALL) * DPI] * len(at), gap=8)
    ax.set_xticks(at, [texts[place] if fits else "" for place, fits in zip(at, shown, strict=True)])
    ax.tick_params(axis="x", labelsize=SMALL, labelcolor=FAINT)
    ax.grid(visible=False, axis="x")
