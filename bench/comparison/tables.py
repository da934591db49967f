"""A comparison as tables: for people (Markdown, LaTeX) and as a frame and CSV for machines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bench.analysis.cells import Cell, axis_label, value_text
from bench.analysis.metric_words import said, shown_name
from bench.comparison.batches import Best, Series, best_batches, crossovers
from bench.comparison.matching import Pair
from bench.comparison.pairs import Compared, Comparison
from bench.present.format import DASH, figure_pm, number, plural, scale_of, signed, supported, times
from bench.present.tables import Column, Table, TableCell
from bench.statistics.crossover import Crossover
from bench.statistics.intervals import Estimate

if TYPE_CHECKING:
    import pandas as pd

RATIOS = "Ratio: B / A, geometric means over processes; in brackets its 95 % interval (Welch, of logarithms)."
DIFFERENT = "≠ trains differently: accuracies of the same seeds differ (95 % t-interval); not simply faster or slower."
DETECTABLE = "Could show: the smallest ratio that so many processes would show in four of five cases, at their spread."
SELECTED = (
    "The best batch size of each side is the fastest of those tried: a selection. A maximum of means is too high by "
    "chance, and the interval does not know of the choice."
)
CROSSED = (
    "B is faster from this batch size on, at every larger one that was tried; between two of them the ratio is taken "
    "as straight in logarithms. In brackets: from where the upper ends of the ratios' 95 % intervals stay above 1, to "
    "where the lower ends do. ≤: already at the smallest one; >: not even at the largest."
)


def difference_text(found: Estimate | None) -> str:
    """`+0.003 [−0.010, 0.016]`: a difference of accuracies with its interval."""
    if found is None:
        return DASH
    if found.low is None or found.high is None:
        return signed(found.mean)
    decimals = min(5, max(3, supported(found.half or 0)))
    ends = [signed(end, decimals=decimals).removeprefix("+") for end in (found.low, found.high)]
    return f"{signed(found.mean, decimals=decimals)} [{ends[0]}, {ends[1]}]"


def verdict_text(cell: Compared, comparison: Comparison) -> str:
    """`faster`, with a mark where both learnt something else."""
    if cell.ratio is None:
        return DASH
    return said(cell.verdict, comparison.metric) + (" ≠" if cell.trains_differently else "")


def cells_table(comparison: Comparison) -> Table:
    """One row a cell, all settings fixed as they are."""
    columns = [*_setting_columns(comparison), *_side_columns(comparison), *_ratio_columns(comparison)]
    if any(cell.accuracy for cell in comparison.cells):
        columns.append(_accuracy_column(comparison))
    heads, cells = zip(*columns, strict=True)
    title = f"{comparison.b.name} against {comparison.a.name}: {shown_name(comparison.metric)}"
    return Table("cells", title, heads, tuple(zip(*cells, strict=True)), tuple(_notes(comparison)))


Filled = tuple[Column, list[TableCell]]


def _column(column: Column, cells: Sequence[Compared], make: Callable[[Compared], TableCell]) -> Filled:
    return column, [make(cell) for cell in cells]


def _setting_columns(comparison: Comparison) -> list[Filled]:
    """Data set, model, device, and the settings that tell cells apart."""
    cells = comparison.cells
    found = [
        _column(Column("dataset", "data set", numeric=False), cells, lambda cell: TableCell(cell.a.dataset)),
        _column(Column("model", "model", numeric=False), cells, lambda cell: TableCell(_both(cell, "model"))),
        _column(Column("device", "device", numeric=False), cells, lambda cell: TableCell(_devices(cell))),
    ]
    for name in comparison.shown:
        if name not in ("dataset", "model", "device"):
            found.append((Column(name, axis_label(name)), [_setting(cell, name) for cell in cells]))
    return found


def _setting(cell: Compared, name: str) -> TableCell:
    value = cell.pair.settings.get(name)
    plain = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return TableCell(value_text(value), plain)


def _both(cell: Compared, name: str) -> str:
    return " / ".join(dict.fromkeys([getattr(cell.a, name), getattr(cell.b, name)]))


def _devices(cell: Compared) -> str:
    return " / ".join(dict.fromkeys([cell.a.trial.device, cell.b.trial.device]))


def _side_columns(comparison: Comparison) -> list[Filled]:
    """The figure of each side and its n."""
    metric = comparison.metric
    means = [
        each.mean for cell in comparison.cells for side in (cell.a, cell.b) if (each := side.estimate(metric.name))
    ]
    scale = scale_of(metric.unit, means)
    unit = f" ({scale.unit})" if scale.unit else ""

    def level(found: Estimate | None) -> TableCell:
        if found is None:
            return TableCell(DASH)
        return TableCell(figure_pm(found.mean, found.half, scale), found.mean, found.low, found.high)

    found: list[Filled] = []
    for key, name in (("a", "A"), ("b", "B")):
        sides = [getattr(cell, key) for cell in comparison.cells]
        found.append(
            (Column(key, f"{name}{unit}", interval=True), [level(side.estimate(metric.name)) for side in sides])
        )
        found.append((Column(f"n_{key}", f"n {name}"), [TableCell(str(side.n), side.n) for side in sides]))
    return found


def _ratio_columns(comparison: Comparison) -> list[Filled]:
    cells = comparison.cells

    def ratio(cell: Compared) -> TableCell:
        if cell.ratio is None:
            return TableCell(DASH)
        found = cell.ratio
        return TableCell(times(found.ratio, found.low, found.high), found.ratio, found.low, found.high)

    def could(cell: Compared) -> TableCell:
        return TableCell(DASH) if cell.detectable is None else TableCell(detectable_text(cell), cell.detectable)

    return [
        _column(Column("ratio", "ratio B / A", interval=True), cells, ratio),
        _column(
            Column("verdict", "B is", numeric=False), cells, lambda cell: TableCell(verdict_text(cell, comparison))
        ),
        _column(Column("could_show", "could show"), cells, could),
    ]


def detectable_text(cell: Compared) -> str:
    """`1.04`, of a ratio; rounded up."""
    found = cell.detectable or 1.0
    return f"{math.ceil(100 * found) / 100:.2f}" if found < 100 else "> 100"


def _accuracy_column(comparison: Comparison) -> Filled:
    def make(cell: Compared) -> TableCell:
        found = cell.accuracy
        if found is None:
            return TableCell(DASH)
        text = "the same" if cell.training == "identical" else difference_text(found)
        return TableCell(text, found.mean, found.low, found.high)

    return _column(Column("accuracy_difference", "accuracy B − A", interval=True), comparison.cells, make)


def _notes(comparison: Comparison) -> list[str]:
    """What marks and columns mean, as far as they occur."""
    notes = [f"A: {comparison.a.name}. B: {comparison.b.name}. ± : 95 % interval over processes (t). {RATIOS}"]
    if any(cell.trains_differently for cell in comparison.cells):
        notes.append(DIFFERENT)
    notes.append(DETECTABLE)
    notes += [f"{DASH} {why}." for why in dict.fromkeys(cell.why for cell in comparison.cells if cell.why)]
    doubtful = sum(len(side.not_valid) for cell in comparison.cells for side in (cell.a, cell.b))
    if doubtful:
        total = sum(sum(cell.n) for cell in comparison.cells)
        notes.append(f"{doubtful:,} of {plural(total, 'trial')} not valid; see the reports of the two sides.")
    return notes


def best_table(comparison: Comparison) -> Table | None:
    """Each side at its own best batch size; None where there are no two."""
    found = list(best_batches(comparison))
    if not found:
        return None
    heads = (
        Column("cell", "cell", numeric=False), Column("a_batch_size", "batch size A"),
        Column("b_batch_size", "batch size B"), Column("ratio", "ratio B / A", interval=True), Column("tried", "tried"),
    )  # fmt: skip
    rows = tuple(_best_row(best, comparison) for best in found)
    return Table("best-batch", "Each side at its fastest batch size", heads, rows, (RATIOS, SELECTED))


def _best_row(best: Best, comparison: Comparison) -> tuple[TableCell, ...]:
    sizes = [cell.trial.batch_size for cell in (best.a, best.b)]
    found = best.ratio
    return (
        TableCell(series_label(best.first, comparison)),
        *(TableCell(f"{size:,}", size) for size in sizes),
        TableCell(times(found.ratio, found.low, found.high), found.ratio, found.low, found.high),
        TableCell(str(best.tried), best.tried),
    )


def series_label(cell: Compared, comparison: Comparison) -> str:
    """The cell without its batch size."""
    names = [name for name in comparison.shown if name != "batch_size"]
    dataset = f"{cell.a.dataset}, " if "dataset" in comparison.shown else ""
    return dataset + cell.label(names, device="device" in comparison.shown)


def crossover_table(comparison: Comparison) -> Table | None:
    """From which batch size on B is faster; None where there are no two batch sizes."""
    found = crossovers(comparison)
    if not found:
        return None
    heads = (Column("cell", "cell", numeric=False), Column("crossover", "B faster from batch size", interval=True),
             Column("tried", "tried", numeric=False))  # fmt: skip
    rows = tuple(_crossover_row(series, crossed, comparison) for series, crossed in found)
    return Table("crossover", "From which batch size on B is faster", heads, rows, (CROSSED,))


def _crossover_row(series: Series, found: Crossover, comparison: Comparison) -> tuple[TableCell, ...]:
    ends = [None if end is None or not 0 < end < math.inf else end for end in (found.low, found.high)]
    at = found.at if 0 < found.at < math.inf else None
    tried = ", ".join(f"{size:,}" for size in series.sizes)
    return (
        TableCell(series_label(series.cells[0], comparison)),
        TableCell(crossover_text(found, series), at, ends[0], ends[1]),
        TableCell(tried),
    )


def crossover_text(found: Crossover, series: Series) -> str:
    """`180 [150, 220]`; `≤ 16` from the smallest one on, `> 512` not even at the largest."""
    text = _size(found.at, series)
    if found.low is None or found.high is None:
        return text
    return f"{text} [{_size(found.low, series)}, {_size(found.high, series)}]"


def _size(at: float, series: Series) -> str:
    if at == 0:
        return f"≤ {series.sizes[0]:,}"
    return f"> {series.sizes[-1]:,}" if math.isinf(at) else number(at, decimals=0)


def cells_frame(comparison: Comparison) -> pd.DataFrame:
    """One row a cell on either side, with every number in full."""
    import pandas as pd

    rows = [_frame_row(cell, comparison) for cell in comparison.cells]
    for side, pairs in (("A", comparison.only_a), ("B", comparison.only_b)):
        rows += [_absent_row(pair, side, comparison) for pair in pairs]
    return pd.DataFrame(rows)


def _absent_row(pair: Pair, side: str, comparison: Comparison) -> dict[str, Any]:
    cell = pair.either
    own = {"dataset": cell.dataset, "model": cell.model, "device": cell.trial.device}
    return own | _plain(pair.settings, comparison) | {"verdict": "", "why": f"only in {side}"}


def _plain(settings: dict[str, Any], comparison: Comparison) -> dict[str, Any]:
    return {n: settings.get(n) for n in comparison.shown if n not in ("dataset", "model", "device")}


def _frame_row(cell: Compared, comparison: Comparison) -> dict[str, Any]:
    found, accuracies = cell.ratio, cell.accuracy
    levels = [side.estimate(comparison.metric.name) for side in (cell.a, cell.b)]
    return {
        "dataset": cell.a.dataset, "model": _both(cell, "model"), "device": _devices(cell),
        **_plain(cell.pair.settings, comparison),
        "a": levels[0].mean if levels[0] else None, "b": levels[1].mean if levels[1] else None,
        "n_a": cell.n[0], "n_b": cell.n[1],
        "ratio": found and found.ratio, "ratio_low": found and found.low, "ratio_high": found and found.high,
        "verdict": said(cell.verdict, comparison.metric) if found else "", "why": cell.why,
        "smallest_difference": cell.smallest, "could_show": cell.detectable,
        "accuracy_difference": accuracies and accuracies.mean, "accuracy_difference_low": accuracies and accuracies.low,
        "accuracy_difference_high": accuracies and accuracies.high, "training": cell.training,
        "environment_a": _environments(cell.a), "environment_b": _environments(cell.b),
    }  # fmt: skip


def _environments(cell: Cell) -> str:
    return ",".join(sorted({result.environment_id for result in cell.ok}))
