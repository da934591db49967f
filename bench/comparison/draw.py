"""The forest plot: the ratio of each cell with its interval, and below them their geometric mean."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from bench.analysis.interval_words import meanings, purpose
from bench.analysis.metric_words import said
from bench.base.metrics import MAIN_METRICS
from bench.comparison.pairs import Comparison
from bench.comparison.tables import intervals_text, verdict_text
from bench.present.axes import mark_look, name_rows
from bench.present.format import times
from bench.present.names import short_names
from bench.present.style import FAINT, INK, SMALL, Frame, figure_with_axes, text_inches
from bench.statistics.intervals import Ratio

ROW_INCHES = 0.36
MOST_ROWS = 40
MOST_TICKS = 7
CAPPED = 0.06  # of the axis: the ends of a shorter interval lie under its mark
LABEL = 40  # characters
# A verdict has a colour and a shape, so that it can be read without colours.
LOOKS = {
    "faster": ("#009E73", "^"),
    "slower": ("#D55E00", "v"),
    "same": ("#0072B2", "s"),
    "ambiguous": ("#555555", "o"),
    "doubtful": ("#555555", "o"),  # and hollow
}
NARROW, WIDE = 2.5, 64.0  # how many times the right end of the axis is the left one


def forest(comparison: Comparison) -> Any:
    """Draws the first 40 cells. Where there are more, the title says so; the tables have all."""
    cells = comparison.compared[:MOST_ROWS]
    rows = [(comparison.name_of(cell), cell.ratio, cell.verdict, verdict_text(cell, comparison)) for cell in cells]
    if len(comparison.compared) > 1 and comparison.overall is not None and comparison.verdict != "doubtful":
        rows.append(
            ("geometric mean", comparison.overall, "ambiguous", "(no test)" if comparison.metric.timing else "")
        )
    found = [(label, ratio, verdict, word) for label, ratio, verdict, word in rows if ratio is not None]
    texts = [f"{times(r.ratio, r.low, r.high)}  {word}" for _, r, _, word in found]
    short = short_names((label for label, *_ in found), most=LABEL)
    frame = Frame(
        left=max(map(text_inches, short.values())) + 0.35,
        right=max(text_inches(text, size=SMALL) for text in texts) + 0.35,
        bottom=0.75,
    )
    figure, (ax,) = figure_with_axes(
        _title(comparison, len(cells)), _subtitles(comparison), rows=1, columns=1,
        panel_inches=ROW_INCHES * len(found) + 0.15, frame=frame, named=False,
    )  # fmt: skip
    _band(ax, comparison)
    _ratio_axis(ax, [ratio for _, ratio, *_ in found])
    for row, (_, ratio, verdict, _) in enumerate(found):
        _row(ax, row, ratio, LOOKS[verdict], mean=row >= len(cells), hollow=verdict == "doubtful")
    name_rows(ax, [short[label] for label, *_ in found], texts)
    if len(found) > len(cells):
        ax.axhline(len(cells) - 0.5, color=FAINT, linewidth=0.8)
    ax.set_xlabel(_direction(comparison))
    return figure


def _title(comparison: Comparison, shown: int) -> str:
    left_out = f" (the first {shown} of {len(comparison.compared)})" if len(comparison.compared) > shown else ""
    return f"{comparison.b.name} against {comparison.a.name}: ratio of {comparison.metric.label}{left_out}"


def _subtitles(comparison: Comparison) -> list[str]:
    texts = ["ratio B / A and its 95 % interval, one figure a process", *filter(None, [intervals_text(comparison)])]
    if comparison.metric.name in MAIN_METRICS and (overs := meanings(cell.accuracy for cell in comparison.compared)):
        texts = [f"ratio B / A, paired by seed: {purpose(overs)}"]
    if any(cell.trains_differently for cell in comparison.compared):
        texts.append("≠ trains differently: the accuracies of the same seeds differ")
    if comparison.count("doubtful"):
        texts.append("hollow: most timings of a side were disturbed")
    if any(cell.smallest is not None for cell in comparison.compared):
        texts.append("grey band: the smallest difference that can be told from noise here (bench doctor)")
    return texts


def _band(ax: Any, comparison: Comparison) -> None:
    shares = [cell.smallest for cell in comparison.compared if cell.smallest is not None]
    if shares:
        ax.axvspan(1 / (1 + max(shares)), 1 + max(shares), color="#888888", alpha=0.18, linewidth=0)
    ax.axvline(1, color=INK, linewidth=1.0)


def _row(ax: Any, row: int, ratio: Ratio, look: tuple[str, str], *, mean: bool, hollow: bool) -> None:
    colour, marker = look
    if ratio.low is not None and ratio.high is not None:
        ax.plot(
            [ratio.low, ratio.high], [row, row], color=colour, linewidth=2.2 if mean else 1.8, solid_capstyle="butt"
        )
        ax.plot([ratio.low, ratio.high], [row, row], "|", color=colour, markersize=9, markeredgewidth=1.6)
    ax.plot(
        [ratio.ratio], [row], "D" if mean else marker, markersize=8, color=colour, **mark_look(colour, hollow=hollow)
    )


def _ratio_axis(ax: Any, ratios: Sequence[Ratio]) -> None:
    ax.set_xscale("log")
    ends = [end for each in ratios for end in (each.low or each.ratio, each.high or each.ratio)]
    widest = max(1.02, *ends, *(1 / end for end in ends))
    lopsided = max(ends) / min(ends) > 4
    low, high = (min(1.0, *ends), max(1.0, *ends)) if lopsided else (1 / widest, widest)
    room = (high / low) ** 0.06
    ax.set_xlim(low / room, high * room)
    marks = _ticks(low / room, high * room)
    ax.xaxis.set_major_locator(FixedLocator(marks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def _ticks(low: float, high: float) -> list[float]:
    """Returns round ratios between two ends: evenly spaced near 1, else halves and doubles, else powers of ten."""
    if high / low < NARROW:
        marks = [float(mark) for mark in MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    else:
        base = 2.0 if high / low < WIDE else 10.0
        ends = math.floor(math.log(low, base)), math.ceil(math.log(high, base))
        step = max(1, (ends[1] - ends[0]) // MOST_TICKS)
        marks = [base**power for power in range(ends[0], ends[1] + 1) if power % step == 0]
    return [mark for mark in marks if low <= mark <= high]


def _direction(comparison: Comparison) -> str:
    """Returns the label of the axis: what lies to the left of 1, and what to the right."""
    metric = comparison.metric
    if not metric.built_in:
        return "← B is lower     ratio B / A     B is higher →"
    left, right = ("slower", "faster") if metric.higher_is_better else ("faster", "slower")
    return f"← B is {said(left, metric)}     ratio B / A     B is {said(right, metric)} →"  # type: ignore[arg-type]
