"""The plots of a ranking: critical-difference diagram, and performance profiles."""

from typing import Any

from bench.comparison.rank import Ranking
from bench.present.axes import legend, legend_lines, name_rows, readable_ticks
from bench.present.colours import Style
from bench.present.format import plural
from bench.present.names import short_list
from bench.present.style import FAINT, INK, LINE_INCHES, Frame, figure_with_axes, widest
from bench.statistics.ranking import CriticalDifference, Profile

ROW_INCHES = 0.36
GROUP_INCHES = 0.22
MOST_FACTOR = 32.0  # of a profile's axis


def critical_difference(ranking: Ranking, ranks: CriticalDifference, *, styles: dict[str, Style]) -> Any:
    """Draws the models from the best to the worst, with their average ranks. A line beside the rows joins those of
    which no two can be told apart. (Demšar's diagram, turned, so that every name has a row.)"""
    what = ranking.metric.label
    told = "joined ones cannot be told apart" if ranks.groups else "all can be told apart"
    frame = Frame(
        left=widest(ranks.names) + 0.35,
        right=0.75 + GROUP_INCHES * max(1, len(ranks.groups)),
    )
    figure, (ax,) = figure_with_axes(
        f"Average rank by {what} on {plural(ranks.n, 'data set')}: {told}",
        [f"pairwise Wilcoxon over data sets, Holm, 5 % · 1: the best on every data set · {ranking.setting}"],
        rows=1, columns=1, panel_inches=ROW_INCHES * len(ranks.names) + 0.15, frame=frame, named=False,
    )  # fmt: skip
    for row, (name, rank) in enumerate(zip(ranks.names, ranks.average_ranks, strict=True)):
        style = styles[name]
        ax.plot([1, rank], [row, row], color=style.colour, linewidth=1.2, alpha=0.5)
        ax.plot([rank], [row], style.marker, color=style.colour, markersize=9, markeredgecolor="white")
    _groups(ax, ranks)
    ax.set_xlim(0.9, len(ranks.names) + 0.1)
    ax.set_xlabel("average rank (1 is the best)")
    name_rows(ax, short_list(ranks.names), [f"{rank:.2f}" for rank in ranks.average_ranks])
    readable_ticks(ax.xaxis, log=False, whole=True)
    return figure


def _groups(ax: Any, ranks: CriticalDifference) -> None:
    """Draws a line for each group, with a dot at each member. A row without a dot is not in the group."""
    width = ax.bbox.width / ax.figure.dpi
    for index, group in enumerate(ranks.groups):
        place = 1 + (0.65 + GROUP_INCHES * index) / width
        rows = [ranks.names.index(name) for name in group]
        ax.plot([place, place], [min(rows), max(rows)], color=INK, linewidth=2.4, transform=ax.get_yaxis_transform(),
                clip_on=False, solid_capstyle="round")  # fmt: skip
        ax.plot([place] * len(rows), rows, "o", color=INK, markersize=6, transform=ax.get_yaxis_transform(),
                clip_on=False)  # fmt: skip


def profiles(ranking: Ranking, profile: Profile, *, styles: dict[str, Style]) -> Any:
    """Draws the share of data sets on which a model's cost is within a factor of the least cost."""
    models = ranking.models
    largest = min(MOST_FACTOR, max(1.1, float(profile.factors.max())) * 1.05)
    figure, (ax,) = figure_with_axes(
        f"How near to the best: {ranking.cost_name} on {plural(len(ranking.datasets), 'data set')}",
        ["share of data sets on which a model is within a factor of the best one (profiles of Dolan & Moré 2002) · "
         f"{ranking.setting}"],
        rows=1, columns=1, panel_inches=3.2, named=False,
        frame=Frame(bottom=0.8 + LINE_INCHES * legend_lines(models)),
    )  # fmt: skip
    for model, shares in zip(models, profile.shares, strict=True):
        inside = [(factor, share) for factor, share in zip(profile.factors, shares, strict=True) if factor <= largest]
        x, y = [factor for factor, _ in inside], [share for _, share in inside]
        rises = [index for index, share in enumerate(y) if not index or share > y[index - 1]]
        ax.step([*x, largest], [*y, y[-1]], where="post", color=styles[model].colour, linewidth=1.8, clip_on=False)
        ax.plot(x, y, styles[model].marker, markevery=rises, color=styles[model].colour, markersize=7,
                markeredgecolor="white", clip_on=False, zorder=5)  # fmt: skip
    ax.set_xlim(1, largest)
    ax.set_ylim(0, 1.04)
    if largest > 4:
        ax.set_xscale("log")
    readable_ticks(ax.xaxis, log=largest > 4)
    ax.set_xlabel(f"times the least {ranking.cost_name}" + (", log" if largest > 4 else ""))
    ax.set_ylabel("share of data sets")
    ax.axhline(1, color=FAINT, linewidth=0.6)
    legend(figure, styles, models, bottom_inches=0.55)
    return figure
