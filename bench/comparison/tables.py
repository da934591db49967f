"""The tables of a comparison: cells, batch sizes, differences; and the frame with every number."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.analysis.cells import Cell, axis_label, value_text
from bench.analysis.interval_words import meanings, purpose
from bench.analysis.metric_words import said
from bench.analysis.trust import happened
from bench.base.metrics import ACCURACY, MAIN_METRICS, Metric
from bench.comparison.batches import BatchSeries, Best, best_batches, crossovers
from bench.comparison.pairs import ComparedCell, Comparison
from bench.pairing.differences import Difference
from bench.pairing.matching import Pair
from bench.present.format import DASH, difference, number, scale_of
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, estimate_cell, ratio_cell, table_of
from bench.statistics.intervals import Estimate, Ratio
from bench.statistics.ratios import Crossover

if TYPE_CHECKING:
    import pandas as pd

RATIOS = "Ratio: B / A, geometric means over processes; in brackets its 95 % interval, taken on logarithms"
RATIO_OF_ACCURACIES = "Ratio: B / A of the means; in brackets from the interval of their difference."
UNPAIRED = "‡"  # beside a ratio whose trials shared no time, where those of others did
DIFFERENT = "≠ trains differently: accuracies of the same seeds differ; it is not simply faster or slower."
DETECTABLE = "Could show: the smallest ratio that so many processes would show in four of five cases, at their spread."
SELECTED = (
    "Each side stands at the fastest of the batch sizes that were tried. That is a selection: a maximum of means is "
    "too high by chance, and the interval does not know of the choice."
)
CROSSED = (
    "B is faster from this batch size on, at every larger one that was tried; between two of them the ratio is taken "
    "as straight in logarithms. In brackets: from where the upper ends of the ratios' 95 % intervals stay above 1, to "
    "where the lower ends do. ≤: already at the smallest one; >: not even at the largest."
)


def verdict_text(cell: ComparedCell, comparison: Comparison) -> str:
    """Returns `faster`, with a mark where the cell trains differently."""
    if cell.ratio is None:
        return DASH
    return said(cell.verdict, comparison.metric) + (" ≠" if cell.trains_differently else "")


def cells_table(comparison: Comparison) -> Table:
    """One row a cell. A terminal has one name for all settings, and one n."""
    metric = comparison.metric.name
    levels = [found.mean for cell in comparison.cells for side in (cell.a, cell.b) if (found := side.estimate(metric))]
    scale = scale_of(comparison.metric.unit, levels)
    unit = f" ({scale.unit})" if scale.unit else ""
    columns: Columns[ComparedCell] = [
        (Column("group", "", place="group"), lambda cell: f"{cell.a.dataset} · {_devices(cell, '/')}"),
        (Column("name", "", numeric=False, place="terminal"), lambda cell: cell.label(comparison.shown, device=False)),
        (Column("n", "n", place="terminal"), lambda cell: "/".join(dict.fromkeys(map(str, cell.n)))),
        (Column("dataset", "data set", numeric=False, place="files"), lambda cell: cell.a.dataset),
        (Column("model", "model", numeric=False, place="files"), _models),
        (Column("device", "device", numeric=False, place="files"), _devices),
        *((Column(name, axis_label(name), place="files"), partial(_setting, name)) for name in _settings(comparison)),
        (Column("a", f"A{unit}", interval=True, place="files"),
         lambda cell: estimate_cell(cell.a.estimate(metric), scale)),
        (Column("n_a", "n A", place="files"), lambda cell: count_cell(cell.a.n)),
        (Column("b", f"B{unit}", interval=True, place="files"),
         lambda cell: estimate_cell(cell.b.estimate(metric), scale)),
        (Column("n_b", "n B", place="files"), lambda cell: count_cell(cell.b.n)),
        (Column("ratio", "ratio B / A", interval=True), partial(_ratio, comparison)),
        (Column("verdict", "B is", numeric=False), lambda cell: verdict_text(cell, comparison)),
        (Column("could_show", "could show", place="files"),
         lambda cell: TableCell(detectable_text(cell.detectable), cell.detectable)),
    ]  # fmt: skip
    for main in dict.fromkeys(cell.a.main for cell in comparison.cells if cell.accuracy):
        column = Column(f"{main.word}_difference", f"{main.title} B − A", interval=True)
        columns.append((column, partial(_difference_of, main)))
    title = f"{comparison.b.name} against {comparison.a.name}: {comparison.metric.label}"
    return table_of("cells", title, comparison.cells, columns, notes=_notes(comparison))


def _ratio(comparison: Comparison, cell: ComparedCell) -> TableCell:
    shown = ratio_cell(cell.ratio)
    return replace(shown, text=f"{shown.text} {UNPAIRED}") if cell in comparison.unpaired else shown


def intervals_text(comparison: Comparison, ratios: Sequence[Ratio | None] = ()) -> str:
    """Returns what the intervals of the cells are, or of other `ratios`; those marked as not paired last."""
    if ratios or not comparison.unpaired:
        return "; ".join(comparison.intervals(ratios or [cell.ratio for cell in comparison.compared]))
    paired = [cell.ratio for cell in comparison.compared if cell not in comparison.unpaired]
    unpaired = [f"{UNPAIRED} {each}" for each in comparison.intervals(cell.ratio for cell in comparison.unpaired)]
    return "; ".join([*comparison.intervals(paired), *unpaired])


def _ratio_note(comparison: Comparison, ratios: Sequence[Ratio | None] = ()) -> str:
    return "; ".join(part for part in (RATIOS, intervals_text(comparison, ratios)) if part) + "."


def _settings(comparison: Comparison) -> list[str]:
    """Returns the settings that have a column of their own."""
    return [name for name in comparison.shown if name not in ("dataset", "model", "device")]


def _setting(name: str, cell: ComparedCell) -> TableCell:
    value = cell.pair.settings.get(name)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return TableCell(value_text(value), number)


def _models(cell: ComparedCell) -> str:
    return " / ".join(dict.fromkeys([cell.a.model, cell.b.model]))


def _devices(cell: ComparedCell, between: str = " / ") -> str:
    return between.join(dict.fromkeys([cell.a.trial.device, cell.b.trial.device]))


def detectable_text(ratio: float | None) -> str:
    """Returns `1.04`: the smallest ratio that would show, rounded up."""
    if ratio is None:
        return DASH
    return f"{math.ceil(100 * ratio) / 100:.2f}" if ratio < 100 else "> 100"


def _difference_of(main: Metric, cell: ComparedCell) -> TableCell:
    found = cell.accuracy
    if found is None or cell.a.main != main:
        return TableCell(DASH)
    return TableCell(
        "the same" if cell.training == "identical" else difference(found), found.mean, found.low, found.high
    )


def _notes(comparison: Comparison) -> list[str]:
    """Returns what marks and columns mean, as far as they occur."""
    told = RATIO_OF_ACCURACIES if comparison.metric.name in MAIN_METRICS else _ratio_note(comparison)
    notes = [f"A: {comparison.a.name}. B: {comparison.b.name}. {told}"]
    if found := meanings(each for cell in comparison.cells for each in _levels(cell, comparison.metric.name)):
        notes.append(f"Means of A and B: {purpose(found)}.")
    notes += differences_text(comparison)
    if any(cell.trains_differently for cell in comparison.cells):
        notes.append(DIFFERENT)
    notes.append(DETECTABLE)
    notes += [f"{DASH} {why}." for why in dict.fromkeys(cell.why for cell in comparison.cells if cell.why)]
    return [*notes, *disturbed(comparison)]


def disturbed(comparison: Comparison) -> Iterator[str]:
    """Yields for each side what disturbed its timings, where the metric is one of them."""
    for name, sides in zip("AB", zip(*((cell.a, cell.b) for cell in comparison.cells), strict=True), strict=True):
        if comparison.metric.timed and (text := happened(result for cell in sides for result in cell.ok)):
            yield f"Timings of {name}: {text}."


def best_table(comparison: Comparison) -> Table | None:
    """Each side at its fastest batch size; None where there are no two sizes."""
    columns: Columns[Best] = [
        (Column("cell", "cell", numeric=False), lambda best: comparison.name_of(best.first, without="batch_size")),
        (Column("a_batch_size", "batch size A"), lambda best: count_cell(best.a.trial.batch_size)),
        (Column("b_batch_size", "batch size B"), lambda best: count_cell(best.b.trial.batch_size)),
        (Column("ratio", "ratio B / A", interval=True), lambda best: ratio_cell(best.ratio)),
        (Column("tried", "tried"), lambda best: count_cell(best.tried)),
    ]
    found = list(best_batches(comparison))
    title, notes = (
        "Each side at its fastest batch size",
        [_ratio_note(comparison, [best.ratio for best in found]), SELECTED],
    )
    return table_of("best-batch", title, found, columns, notes=notes) if found else None


def crossover_table(comparison: Comparison) -> Table | None:
    """From which batch size on B is faster; None where there are no two batch sizes."""
    columns: Columns[tuple[BatchSeries, Crossover]] = [
        (Column("cell", "cell", numeric=False), lambda row: comparison.name_of(row[0].cells[0], without="batch_size")),
        (Column("crossover", "B faster from batch size", interval=True), lambda row: _crossover_cell(*row)),
        (
            Column("tried", "tried", numeric=False, place="files"),
            lambda row: ", ".join(f"{size:,}" for size in row[0].sizes),
        ),
    ]
    found = crossovers(comparison)
    title = "From which batch size on B is faster"
    return table_of("crossover", title, found, columns, notes=[CROSSED]) if found else None


def _crossover_cell(series: BatchSeries, found: Crossover) -> TableCell:
    """Returns `180 [150, 220]`; `≤ 16`: from the smallest one on; `> 512`: not even at the largest."""
    at, low, high = (
        end if end is not None and 0 < end < math.inf else None for end in (found.at, found.low, found.high)
    )
    text = _size(found.at, series)
    if found.low is not None and found.high is not None:
        text += f" [{_size(found.low, series)}, {_size(found.high, series)}]"
    return TableCell(text, at, low, high)


def _size(at: float, series: BatchSeries) -> str:
    if at == 0:
        return f"≤ {series.sizes[0]:,}"
    return f"> {series.sizes[-1]:,}" if math.isinf(at) else number(at, decimals=0)


def differences_table(comparison: Comparison) -> Table:
    """Everything recorded that differs between the two sides."""
    columns: Columns[Difference] = [
        (Column("kind", "kind", numeric=False), lambda each: each.kind),
        (Column("what", "what", numeric=False), lambda each: each.what),
        (Column("a", "A", numeric=False), lambda each: each.a),
        (Column("b", "B", numeric=False), lambda each: each.b),
    ]
    return table_of("differences", "What differs between A and B", comparison.differences, columns)


def cells_frame(comparison: Comparison) -> "pd.DataFrame":
    """One row a cell on either side, with every number in full."""
    import pandas as pd

    rows = [_frame_row(cell, comparison) for cell in comparison.cells]
    for side, pairs in (("A", comparison.only_a), ("B", comparison.only_b)):
        rows += [_absent_row(pair, side, comparison) for pair in pairs]
    return pd.DataFrame(rows)


def differences_text(comparison: Comparison) -> list[str]:
    """What the intervals of the differences are for, a sentence a main metric: `Accuracy B − A: paired by seed, …`."""
    told = []
    for main in dict.fromkeys(cell.a.main for cell in comparison.cells):
        if overs := meanings(cell.accuracy for cell in comparison.cells if cell.a.main == main):
            told.append(f"{main.title[0].upper()}{main.title[1:]} B − A: paired by seed, {purpose(overs)}.")
    return told


def _absent_row(pair: Pair, side: str, comparison: Comparison) -> dict[str, Any]:
    cell = pair.either
    own = {"dataset": cell.dataset, "model": cell.model, "device": cell.trial.device}
    settings = {name: pair.settings.get(name) for name in _settings(comparison)}
    return own | settings | {"verdict": "", "why": f"only in {side}"}


def _levels(cell: ComparedCell, metric: str) -> list[Estimate | None]:
    return [side.estimate(metric) for side in (cell.a, cell.b)]


def _frame_row(cell: ComparedCell, comparison: Comparison) -> dict[str, Any]:
    found, main, of_main = cell.ratio, cell.a.main, cell.accuracy
    accuracies = of_main if main.name == ACCURACY else None
    others = {} if main.name == ACCURACY else {
        "r2_difference": of_main and of_main.mean, "r2_difference_low": of_main and of_main.low,
        "r2_difference_high": of_main and of_main.high,
    }  # fmt: skip
    levels = _levels(cell, comparison.metric.name)
    return {
        "dataset": cell.a.dataset, "model": _models(cell), "device": _devices(cell),
        **{name: cell.pair.settings.get(name) for name in _settings(comparison)},
        "a": levels[0].mean if levels[0] else None, "b": levels[1].mean if levels[1] else None,
        "n_a": cell.n[0], "n_b": cell.n[1],
        "ratio": found and found.ratio, "ratio_low": found and found.low, "ratio_high": found and found.high,
        "verdict": said(cell.verdict, comparison.metric) if found else "", "why": cell.why,
        "smallest_difference": cell.smallest, "could_show": cell.detectable,
        "accuracy_difference": accuracies and accuracies.mean, "accuracy_difference_low": accuracies and accuracies.low,
        "accuracy_difference_high": accuracies and accuracies.high, "training": cell.training,
        "environment_a": _environments(cell.a), "environment_b": _environments(cell.b),
        "interval_over": found and found.over, "accuracy_interval_over": accuracies and accuracies.over,
        **others,
    }  # fmt: skip


def _environments(cell: Cell) -> str:
    return ",".join(sorted({result.environment_id for result in cell.ok}))
