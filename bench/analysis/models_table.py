"""The table of models of one section: what they reach, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bench.analysis.cells import Cell, Section, axis_label, paired_difference, ratio, value_text
from bench.analysis.conditions import conditions, reasons, seeds_text, validity
from bench.base.metrics import BUILT_IN, Metric
from bench.errors import BenchError, nearest
from bench.present.doctor_text import cited
from bench.present.format import DASH, figure, figure_pm, percent, plural, scale_of, times, whole
from bench.present.tables import Column, Table, TableCell
from bench.results.doctor import Doctor
from bench.results.frame import metric_names

# What a table of models shows of the built-in metrics, how its column is called, and whether with the interval.
SHOWN = (
    ("parameters", "parameters", False),
    ("test_accuracy", "test accuracy", True),
    ("train_samples_per_second", "trained samples/s", True),
    ("end_to_end_samples_per_second", "end-to-end samples/s", False),
    ("inference_samples_per_second", "inference samples/s", False),
    ("host_peak_bytes", "host memory", False),
    ("device_peak_allocated_bytes", "device memory", False),
    ("fit_seconds", "fit", False),
    ("time_to_target_seconds", "to target", False),
    ("epochs_trained", "epochs trained", False),
    ("best_epoch", "best epoch", False),
)
NOT_MEASURED = {  # where that is not the word for it
    "time_to_target_seconds": "not reached",
    "epochs_trained": "no early stopping",
    "best_epoch": "no early stopping",
}
ALWAYS = frozenset({"test_accuracy"})
INTERVALS = "±: 95 % interval of the mean over seeds (Student's t)."
RATIOS = "In brackets: 95 % interval of the ratio of trained samples/s (Welch, of logarithms)."
POOLING = (
    "n: seeds in the accuracy, which pools over environments of the same torch, kind of device, threads and code; "
    "timings are of this environment alone."
)
PEAK = "Of peak FLOP/s: counted FLOPs of forward and backward over time, as a share of a float32 matrix product's."
BOLD = "Bold: the best of its column, where it can be told from every other (95 % intervals of the differences)."


@dataclass
class Marks:
    """Footnotes: the same text has the same mark."""

    _known: dict[str, str] = field(default_factory=dict)

    def mark(self, text: str) -> str:
        return self._known.setdefault(text, f"({_letters(len(self._known))})")

    def notes(self, rows: Sequence[Sequence[TableCell]]) -> list[str]:
        """Those whose mark stands somewhere in `rows`."""
        shown = {word for row in rows for cell in row for word in cell.text.split()}
        return [f"{mark} {text}" for text, mark in self._known.items() if mark in shown]


def _letters(index: int) -> str:
    """a, b, …, z, aa, ab, …"""
    return (_letters(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


def models_table(
    section: Section,
    *,
    name: str,
    baseline: str = "",
    doctor: Doctor | None = None,
    suite_name: str = "",
    columns: Sequence[str] = (),
) -> Table:
    """Rows in the order of the plan; ratios against `baseline` (name of a model) at the same settings.

    `doctor`: what `bench doctor` found on the section's machine. `columns`: keys of those to show, in this order;
    all where there are none. BenchError: a key that the table does not have.

    What is not `ok` leaves a mark and a footnote that says why; nothing is left out.
    """
    marks = Marks()
    found = _chosen(list(_columns(section, baseline=baseline, doctor=doctor, marks=marks)), columns)
    heads, cells = zip(*found, strict=True)
    rows = tuple(zip(*cells, strict=True))
    title = f"Models on {section.title}"
    caption = ", ".join([title, *([f"suite {suite_name}"] if suite_name else []), seeds_text(section)])
    return Table(name, title, heads, rows, tuple(_notes(section, heads, rows, marks, doctor)), caption)


def _columns(
    section: Section, *, baseline: str, doctor: Doctor | None, marks: Marks
) -> Iterator[tuple[Column, list[TableCell]]]:
    yield from _setting_columns(section)
    for metric, head, with_interval in _metrics(section):
        yield _metric_column(section, metric, head=head, with_interval=with_interval, marks=marks)
        if metric.name == "test_accuracy":
            yield _n_column(section, marks)
        if metric.name != "train_samples_per_second":
            continue
        if section.pools:
            yield _timing_n_column(section)
        if found := baseline_of(section, baseline):
            yield _ratio_column(section, found, marks)
        if shares := _shares_of_peak(section, doctor):
            yield Column("share_of_peak", "of peak FLOP/s"), shares


Columns = list[tuple[Column, list[TableCell]]]


def _chosen(columns: Columns, keys: Sequence[str]) -> Columns:
    """The columns called `keys`, in that order; all of them where there are none."""
    found = {column.key: (column, cells) for column, cells in columns}
    for key in keys:
        if key not in found:
            raise BenchError(f"columns: {key}: no such column{nearest(key, found)} (there are: {', '.join(found)})")
    return [found[key] for key in dict.fromkeys(keys)] or columns


def baseline_of(section: Section, name: str) -> str:
    """Label of the first model called `name` that the section has; empty where it has none."""
    return next((cell.model for cell in section.cells if cell.trial.model.name == name), "")


def _notes(
    section: Section,
    heads: Sequence[Column],
    rows: Sequence[Sequence[TableCell]],
    marks: Marks,
    doctor: Doctor | None,
) -> Iterator[str]:
    yield conditions(section)
    if section.measured:
        yield cited(doctor, device=section.device)
    if any(head.key == "share_of_peak" for head in heads):
        yield PEAK
    if section.pools:
        yield POOLING
    if any("±" in cell.text for row in rows for cell in row):
        yield " ".join([INTERVALS, *([RATIOS] if any(head.key == "ratio" for head in heads) else [])])
    if any(cell.best for row in rows for cell in row):
        yield BOLD
    doubtful = [result for cell in section.cells for result in cell.not_valid]
    if doubtful:
        total = sum(cell.n for cell in section.cells)
        yield f"† not valid, {len(doubtful):,} of {plural(total, 'trial')}: {validity(doubtful)}."
    yield from marks.notes(rows)


def _setting_columns(section: Section) -> Iterator[tuple[Column, list[TableCell]]]:
    yield Column("model", "model", numeric=False), [TableCell(cell.model) for cell in section.cells]
    for name in section.shown:
        values = [cell.setting(name) for cell in section.cells]
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        cells = [TableCell(value_text(value), number=value if numeric else None) for value in values]
        yield Column(name.rpartition(".")[2], axis_label(name), numeric=numeric), cells
    if section.several_codes:
        yield Column("code_id", "code", numeric=False), [TableCell(cell.code_id[:8]) for cell in section.cells]


def _metrics(section: Section) -> Iterator[tuple[Metric, str, bool]]:
    """The metrics of SHOWN that something was measured of, then those of plugins."""
    measured = {name for cell in section.cells for result in cell.ok for name in result.metrics}
    for name, head, with_interval in SHOWN:
        if name in measured or name in ALWAYS:
            yield BUILT_IN[name], head, with_interval
    for name in metric_names(result for cell in section.cells for result in cell.ok)[len(BUILT_IN) :]:
        yield Metric(name, "", True, True, ""), name, True


def _metric_column(
    section: Section, metric: Metric, *, head: str, with_interval: bool, marks: Marks
) -> tuple[Column, list[TableCell]]:
    estimates = [cell.estimate(metric.name) for cell in section.cells]
    scale = scale_of(metric.unit, [found.mean for found in estimates if found])
    text = figure_pm if with_interval else figure
    cells = []
    for cell, found in zip(section.cells, estimates, strict=True):
        if found is None:
            cells.append(TableCell(f"{DASH} {marks.mark(why_empty(cell, metric))}"))
            continue
        shown = whole(found.mean) if metric.unit == "count" else text(found.mean, found.half, scale)
        cells.append(TableCell(shown, found.mean, found.low, found.high))
    best = best_cell(section.cells, metric) if metric.name in BUILT_IN and metric.unit != "count" else None
    cells = [replace(shown, best=cell is best) for shown, cell in zip(cells, section.cells, strict=True)]
    unit = "" if scale.unit in ("", metric.unit) and metric.unit != "seconds" else f" ({scale.unit})"
    return Column(metric.name, head + unit, interval=with_interval), cells


def _shares_of_peak(section: Section, doctor: Doctor | None) -> list[TableCell]:
    """Achieved FLOP/s of each cell over what a matrix product reaches here; empty where that is known for none."""
    shares = [share_of_peak(cell, doctor) for cell in section.cells]
    if not any(shares):
        return []
    return [TableCell(DASH) if share is None else TableCell(percent(share), number=share) for share in shares]


def share_of_peak(cell: Cell, doctor: Doctor | None) -> float | None:
    """None where the peak of the cell's threads is not known, or the cell is not of float32: its peak is another."""
    achieved = cell.estimate("achieved_flops_per_second")
    if doctor is None or achieved is None or cell.setting("train.precision") != "float32":
        return None
    peak = doctor.peak_flops_per_second(cell.trial.device, threads=int(cell.setting("train.threads")))
    return achieved.mean / peak if peak else None


def why_empty(cell: Cell, metric: Metric) -> str:
    if not cell.n:
        return reasons((row.status, row.reason) for row in cell.not_ok) + "."
    has, n = len(cell.by_seed(metric.name)), cell.n_of(metric.name)
    what = NOT_MEASURED.get(metric.name, "not measured")
    return (
        f"{what}." if not has else f"{what} by {n - has} of {plural(n, 'seed')}; those that have it are in trials.csv."
    )


def _n_column(section: Section, marks: Marks) -> tuple[Column, list[TableCell]]:
    cells = []
    for cell in section.cells:
        n = cell.n_of("test_accuracy")
        planned = len({row.trial.seed for row in cell.rows} | {result.trial.seed for result in cell.pool})
        text = f"{n}" if n == planned else f"{n} of {planned}"
        if cell.not_ok:
            text += " " + marks.mark(reasons((row.status, row.reason) for row in cell.not_ok) + ".")
        text += f" ({len(cell.not_valid)} †)" if cell.not_valid else ""
        cells.append(TableCell(text, number=n))
    return Column("n", "n"), cells


def _timing_n_column(section: Section) -> tuple[Column, list[TableCell]]:
    return Column("n_timings", "n of timings"), [TableCell(f"{cell.n}", number=cell.n) for cell in section.cells]


def _ratio_column(section: Section, baseline: str, marks: Marks) -> tuple[Column, list[TableCell]]:
    metric = "train_samples_per_second"
    against = {section.variant_of(cell): cell for cell in section.measured if cell.model == baseline}
    cells = []
    for cell in section.cells:
        other = against.get(section.variant_of(cell))
        found = ratio(cell, other, metric=metric) if other is not None else None
        if found is None:
            why = (
                why_empty(cell, BUILT_IN[metric]) if not cell.n else f"no {baseline} to compare with at these settings."
            )
            cells.append(TableCell(f"{DASH} {marks.mark(why)}"))
        elif cell is other:
            cells.append(TableCell(times(1.0), number=1.0))
        else:
            cells.append(TableCell(times(found.ratio, found.low, found.high), found.ratio, found.low, found.high))
    return Column("ratio", f"×{baseline}", interval=True), cells


def best_cell(cells: Sequence[Cell], metric: Metric) -> Cell | None:
    """The best of `cells` by its mean, where its interval against each of the others excludes that they are equal."""
    measured = [(found.mean, cell) for cell in cells if (found := cell.estimate(metric.name))]
    measured.sort(key=lambda pair: pair[0], reverse=metric.higher_is_better)
    if len(measured) < 2:
        return None
    best, *others = (cell for _, cell in measured)
    return best if all(distinguishable(best, other, metric=metric) for other in others) else None


def distinguishable(a: Cell, b: Cell, *, metric: Metric) -> bool:
    """Whether the seeds show a difference: timings by their ratio, what the seed decides by the paired difference."""
    if metric.timing:
        found = ratio(a, b, metric=metric.name)
        return found is not None and found.excludes(1)
    difference = paired_difference(a, b, metric=metric.name)
    return difference is not None and difference.excludes(0)
