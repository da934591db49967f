"""What `bench history` prints and writes: its findings, the table in every format, and a plot."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.analysis.interval_words import meanings, purpose
from bench.analysis.trust import footnote, mark
from bench.base.metrics import Metric
from bench.history.steps import ALPHA, Run, Trend
from bench.present.columns import page_of, to_text, wrapped
from bench.present.files import save_figures, write_tables, writing
from bench.present.format import figure, plural, slug
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, table_of
from bench.statistics.intervals import Meaning

FEWEST = 8  # runs: with fewer, no change point can be found
MOST_RUNS, MOST_SERIES = 12, 12  # on a terminal
NOTE = (
    "× before: the ratio to the run before, with the 95 % interval over the processes of the two runs; drift between "
    "the two runs is not in it, so look again before you believe a small one."
)
PAIRED = "− before: the mean difference to the run before over the seeds that both have"


def history_table(trends: Sequence[Trend], metric: Metric, *, title: str) -> Table:
    """One row a run of each series. A terminal shows the newest runs of each, under its name."""
    notes = [*findings(trends), *_keys(trends, metric)]
    name = f"history-{slug(metric.name)}"
    tables = [table_of(name, title, trend.runs, _columns(trend, metric), notes=notes) for trend in trends]
    return replace(tables[0], rows=tuple(row for table in tables for row in table.rows))


def _columns(trend: Trend, metric: Metric) -> Columns[Run]:
    unit = trend.scale.unit
    return [
        (Column("heading", "", place="group"), lambda run: f"{trend.name}, in {unit}" if unit else trend.name),
        (Column("series", "series", numeric=False, place="files"), lambda run: trend.name),
        (Column("finished_at", "run (UTC)", numeric=False), _when),
        (Column("run_id", "run id", numeric=False, place="files"), lambda run: run.point.first.run_id),
        (Column("commit", "commit", numeric=False), lambda run: run.point.commit),
        (Column("torch", "torch", numeric=False, place="files"),
         lambda run: str(run.point.first.environment.facts.get("torch") or "")),
        (Column("n", "n"), lambda run: count_cell(len(run.point.values))),
        (Column(metric.name, metric.label, interval=True, place="files"),
         lambda run: _mean_cell(run, trend, metric, unit)),
        (Column("mean", "mean", place="terminal"), lambda run: _mean_cell(run, trend, metric, "")),
        (Column("step", "× before" if metric.timing else "− before", interval=True), _step_cell),
        (Column("verdict", "verdict", numeric=False), lambda run: run.step.verdict if run.step else ""),
        (Column("change", "change point", numeric=False, place="files"), lambda run: run.change),
        (Column("mark", "", numeric=False, place="terminal"), lambda run: "◂" if run.change else ""),
        (Column("differs", "what differs from the run before", numeric=False, place="files"),
         lambda run: "; ".join(run.differs)),
        (Column("above", "", place="above"), _above),
    ]  # fmt: skip


def _when(run: Run) -> str:
    return run.point.at[:16].replace("T", " ")


def _mean_cell(run: Run, trend: Trend, metric: Metric, unit: str) -> TableCell:
    mean = run.mean
    text = f"{figure(mean.mean, trend.scale, ends=mean.ends)} {unit}".strip()
    return TableCell(text + mark(metric, run.point.timings), mean.mean, mean.low, mean.high)


def _step_cell(run: Run) -> TableCell:
    return TableCell(run.step.text, run.step.value, run.step.low, run.step.high) if run.step else TableCell("")


def _above(run: Run) -> str:
    """Returns what differs from the run before, without the commit, which has a column."""
    found = "; ".join(text for text in run.differs if not text.startswith("commit "))
    return found and f"{found}:"


def findings(trends: Sequence[Trend]) -> Iterator[str]:
    """Yields the change points, or why there are none."""
    longest = max(len(trend.runs) for trend in trends)
    changed = [(trend, run) for trend in trends for run in trend.runs if run.change]
    for trend, run in changed:
        yield f"Change point in {trend.name} at {_when(run)}: {run.change}."
    if longest < FEWEST:
        yield (
            f"Change points need {FEWEST} runs of a cell at least, and the longest series here has {longest}: "
            "only neighbours are compared."
        )
    elif not changed:
        yield f"No change point: {len(trends):,} series together, at {ALPHA:g}."
    if disturbed := sum(run.disturbed for trend in trends for run in trend.runs):
        yield f"Not looked at for change points: {plural(disturbed, 'run')} of a series whose timings were disturbed."
    if left_out := sum(trend.left_out for trend in trends):
        runs = plural(left_out, "run")
        yield f"Left out: {runs} in which some seeds do not have the figure; a mean needs all of them."


def _keys(trends: Sequence[Trend], metric: Metric) -> Iterator[str]:
    """Yields what columns and marks mean."""
    if metric.timing:
        yield NOTE
    else:
        overs = [run.step.over for trend in trends for run in trend.runs if run.step and run.step.low is not None]
        yield f"{PAIRED}{_with_its([each for each in overs if each])}."
    if found := meanings(run.mean for trend in trends for run in trend.runs):
        yield f"Means: {purpose(found)}."
    points = [run.point for trend in trends for run in trend.runs]
    if text := footnote([(point.timings, point.results) for point in points], metric):
        yield text


def _with_its(overs: Sequence[Meaning]) -> str:
    return f", with its {purpose(overs)}" if overs else ""


def history_text(trends: Sequence[Trend], metric: Metric, *, title: str) -> str:
    """Returns the history for a terminal: the findings, then the newest runs of each series."""
    shown = [replace(trend, runs=trend.runs[-MOST_RUNS:]) for trend in trends[:MOST_SERIES]]
    left_out = len(trends) - len(shown)
    blocks = [wrapped(title), *(wrapped(text) for text in findings(trends))]
    if any(len(trend.runs) > MOST_RUNS for trend in trends):
        blocks.append([f"Of each series the newest {MOST_RUNS} runs; the table has all:"])
    blocks.append([to_text(history_table(shown, metric, title=title))])
    if left_out:
        blocks.append([f"… and {left_out:,} other series: see the table"])
    return page_of([*blocks, *(wrapped(text) for text in _keys(shown, metric))])


def title_of(trends: Sequence[Trend], metric: Metric, *, name: str) -> str:
    """Returns `baseline · train_samples_per_second · 4 runs, 2026-11-01 to 2026-11-20`"""
    points = [run.point for trend in trends for run in trend.runs]
    runs = {point.first.run_id for point in points}
    days = sorted({point.at[:10] for point in points})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{name} · {metric.name} · {plural(len(runs), 'run')}, {span}"


def write(trends: Sequence[Trend], metric: Metric, *, folder: Path, title: str, inside: Path) -> list[Path]:
    """Writes history-<metric>.{md,csv,tex,png,svg} into `folder`, which lies in the folder that the user named,
    `inside`; returns the files. A single run has no plot."""
    table = history_table(trends, metric, title=title)
    with writing(folder, "the history", inside=inside):
        files = write_tables([table], folder)
        pictures = save_figures(_figures(table.name, trends, metric, title=title), folder)
    return [*files, *(folder / f"{name}.{ending}" for name in pictures for ending in ("png", "svg"))]


def _figures(name: str, trends: Sequence[Trend], metric: Metric, *, title: str) -> Iterator[tuple[str, str, Any]]:
    from bench.history import draw
    from bench.present.colours import styles_of

    if drawn := [trend for trend in trends if len(trend.runs) > 1]:
        styles = styles_of([trend.model for trend in trends])
        yield name, title, draw.history(drawn, metric, title=title, styles=styles)
