"""The history of a metric in words: what each run had, how it stands to the one before, and where the level changed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analysis.cells import DOTTED, axis_label, hashable, labels_of, value_text
from bench.analysis.conditions import machine, reasons
from bench.base.metrics import BUILT_IN, Metric
from bench.base.records import Result, Trial
from bench.errors import BenchError, nearest
from bench.history.series import Point, Series, differences, series_of
from bench.present.format import DASH, Scale, figure_as, plural, printable, scale_of, signed, times
from bench.present.tables import Column, Table, TableCell
from bench.registry import REPORT_FORMATS
from bench.results.doctor import Doctor, machine_id
from bench.results.frame import metric_names
from bench.statistics.changes import change_points
from bench.statistics.intervals import log_ratio, paired_t_interval, t_interval
from bench.statistics.verdict import verdict

ALPHA = 0.05  # over all series together (Bonferroni)
FEWEST = 8  # runs: with fewer, no change point can be found
WIDTH, MOST_POINTS, MOST_SERIES = 80, 12, 12
WORDS = {"faster": "better", "slower": "worse"}
TEXTS = (
    ("series", "series"),
    ("finished_at", "run (UTC)"),
    ("run_id", "run id"),
    ("commit", "commit"),
    ("torch", "torch"),
)
NOTE = (
    "× before: the ratio to the run before, with the 95 % interval over the processes of the two runs; what differs "
    "from one run to the next as such is not in it, so look again before you believe a small one."
)
PAIRED = "− before: the mean difference to the run before over the seeds that both have, with its verdict at 95 %."


@dataclass(frozen=True, slots=True)
class Step:
    """How a run stands to the one before it: `better`, `worse`, `same` or `ambiguous`."""

    text: str
    verdict: str
    low: float | None
    value: float
    high: float | None


@dataclass(frozen=True)
class Told:
    """One series with what is said of it. `steps`: one a point, the first has none; `changes`: index → words."""

    series: Series
    name: str
    model: str
    group: str
    steps: tuple[Step | None, ...]
    changes: Mapping[int, str]


def metric_of(name: str, results: Sequence[Result]) -> Metric:
    """The metric called `name`; BenchError where no result has it."""
    measured = [each for each in metric_names(results) if any(each in result.metrics for result in results)]
    if name not in measured and name in BUILT_IN and not any(result.status == "ok" for result in results):
        why = reasons((result.status, result.reason) for result in results)
        raise BenchError(f"nothing was measured in these results: {why}")
    if name not in measured:
        raise BenchError(f"--metric {name}: no such figure{nearest(name, measured)} (there are: {', '.join(measured)})")
    return BUILT_IN.get(name) or Metric(name, "", True, True, "a plugin's metric")


def told(results: Sequence[Result], metric: Metric, *, doctors: Sequence[Doctor] = ()) -> list[Told]:
    """Every series of `metric`, with its steps and change points."""
    found = series_of(results, metric.name)
    models = labels_of({each.trial.model.canonical: each.trial.model for each in found}.values())
    datasets = labels_of({each.trial.dataset.canonical: each.trial.dataset for each in found}.values())
    varying = [name for name in DOTTED if name != "train.threads"]
    varying = [name for name in varying if len({hashable(each.trial.setting(name)) for each in found}) > 1]
    several = len({(each.machine, each.threads) for each in found}) > 1
    told = []
    for each in found:
        group = _group(each, datasets[each.trial.dataset.canonical], varying, several=several)
        model = models[each.trial.model.canonical]
        told.append(
            Told(
                each, printable(f"{model} · {group}"), model, printable(group),
                _steps(each, metric, doctors), _changes(each, metric, alpha=ALPHA / len(found)),
            )
        )  # fmt: skip
    return told


def _group(series: Series, dataset: str, varying: Sequence[str], *, several: bool) -> str:
    trial: Trial = series.trial
    settings = [f"{axis_label(name)} {value_text(trial.setting(name))}" for name in varying]
    where = [machine(series.facts), plural(series.threads, "thread")] if several else []
    return " · ".join([dataset, trial.device, *settings, *where])


def _steps(series: Series, metric: Metric, doctors: Sequence[Doctor]) -> tuple[Step | None, ...]:
    pairs = zip(series.points, series.points[1:], strict=False)
    return (None, *(_step(before, after, metric, doctors) for before, after in pairs))


def _step(before: Point, after: Point, metric: Metric, doctors: Sequence[Doctor]) -> Step | None:
    if metric.timing:
        if min(*before.values, *after.values) <= 0:
            return None
        ratio = log_ratio(after.values, before.values)
        smallest = _smallest(after, doctors) if metric.unit in ("seconds", "samples/s", "FLOP/s") else None
        said = verdict(ratio, smallest_difference=smallest, higher_is_better=metric.higher_is_better)
        return Step(
            times(ratio.ratio, ratio.low, ratio.high), WORDS.get(said, said), ratio.low, ratio.ratio, ratio.high
        )
    seeds = [seed for seed in before.by_seed if seed in after.by_seed]
    if not seeds:
        return None
    diff = paired_t_interval([after.by_seed[seed] for seed in seeds], [before.by_seed[seed] for seed in seeds])
    same = diff.mean == 0 and diff.half in (0, None)  # the same seed, and the same figure
    better = (diff.mean > 0) == metric.higher_is_better
    word = "same" if same else ("better" if better else "worse") if diff.excludes(0) else "ambiguous"
    return Step(signed(diff.mean, decimals=4), word, diff.low, diff.mean, diff.high)


def _smallest(point: Point, doctors: Sequence[Doctor]) -> float | None:
    """What the newest doctor of the run's machine says is the smallest difference that can be told from noise."""
    own = [each for each in doctors if machine_id(each.environment) == machine_id(point.first.environment)]
    found = max(own, key=lambda each: each.finished_at, default=None)
    return None if found is None else found.smallest_difference(point.first.trial.device)


def _changes(series: Series, metric: Metric, *, alpha: float) -> dict[int, str]:
    """Index of the first point of a new level → what changed, and what differs there."""
    levels = [t_interval(point.values).mean for point in series.points]
    ratios = metric.timing and min(levels) > 0
    scaled = [math.log(level) for level in levels] if ratios else levels
    found = change_points(scaled, alpha=alpha)
    ends = [0, *(change.index for change in found), len(levels)]
    texts = {}
    for number, change in enumerate(found, 1):
        before, after = scaled[ends[number - 1] : change.index], scaled[change.index : ends[number + 1]]
        difference = sum(after) / len(after) - sum(before) / len(before)
        size = f"× {times(math.exp(difference))}" if ratios else signed(difference, decimals=4)
        why = differences(series.points[change.index - 1], series.points[change.index])
        texts[change.index] = f"{size}, p = {change.p:.2g}: {'; '.join(why) or 'nothing that is recorded differs'}"
    return texts


def history_text(found: Sequence[Told], metric: Metric, *, title: str) -> str:
    """The whole of it for a terminal of 80 columns; the newest runs of each series."""
    blocks = [title, *(_wrapped(text) for text in notes(found))]
    for each in found[:MOST_SERIES]:
        blocks.append("\n".join(_block(each, metric)))
    if len(found) > MOST_SERIES:
        blocks.append(f"… and {len(found) - MOST_SERIES:,} other series: see the table")
    blocks.append(_wrapped(NOTE if metric.timing else PAIRED))
    return "\n\n".join(blocks)


def notes(found: Sequence[Told]) -> Iterator[str]:
    """What was found, and whether anything could be."""
    longest = max((len(each.series.points) for each in found), default=0)
    changed = [each for each in found if each.changes]
    for each in changed:
        for index, text in each.changes.items():
            yield f"Change point in {each.name} at {_when(each.series.points[index])}: {text}."
    if longest < FEWEST:
        yield (
            f"Change points need {FEWEST} runs of a cell at least, and the longest series here has {longest}: "
            "only neighbours are compared."
        )
    elif not changed:
        yield f"No change point: {len(found):,} series together, at {ALPHA:g}."


def _block(each: Told, metric: Metric) -> Iterator[str]:
    """Name, heads, and a line a run; above a run what differs from the one before it, ◂ behind a change point."""
    scale = _scale(each.series, metric)
    unit = scale.unit or metric.unit
    mean = f"mean ({unit})" if unit and unit != "fraction" else "mean"
    first = max(0, len(each.series.points) - MOST_POINTS)
    rows = [["run (UTC)", "commit", "n", f"{mean}  ", "× before" if metric.timing else "− before", ""]]
    rows += [_line(each, index, scale) for index in range(first, len(each.series.points))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield _wrapped(each.name)
    if first:
        yield f"(the last {MOST_POINTS} of {len(each.series.points)} runs)"
    for index, row in enumerate(rows, first - 1):
        if why := _unlike(each.series, index):
            yield _wrapped(f"{why}:", indent="  ")
        cells = [text.ljust(widths[i]) if i in (0, 1, 5) else text.rjust(widths[i]) for i, text in enumerate(row)]
        yield "  ".join(cells).rstrip() + (" ◂" if index in each.changes else "")


def _line(each: Told, index: int, scale: Scale) -> list[str]:
    point, step = each.series.points[index], each.steps[index]
    mean = _mean(point, scale) + (" †" if point.not_valid else "  ")
    said = [step.text, step.verdict] if step else ["", ""]
    return [_when(point), point.commit or DASH, f"{len(point.values)}", mean, *said]


def _unlike(series: Series, index: int) -> str:
    """What differs from the run before, without the commit, which has a column."""
    if index < 1:
        return ""
    found = differences(series.points[index - 1], series.points[index])
    return "; ".join(text for text in found if not text.startswith("commit "))


def _scale(series: Series, metric: Metric) -> Scale:
    return scale_of(metric.unit, [t_interval(point.values).mean for point in series.points])


def _mean(point: Point, scale: Scale) -> str:
    found = t_interval(point.values)
    ends = None if found.low is None or found.high is None else (found.low, found.high)
    return figure_as("interval", found.mean, ends, scale)


def _when(point: Point) -> str:
    return point.at[:16].replace("T", " ")


def _wrapped(text: str, *, indent: str = "") -> str:
    return textwrap.fill(
        printable(text), WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def history_table(found: Sequence[Told], metric: Metric, *, title: str) -> Table:
    """Every point of every series, one a row."""
    named = metric.name.replace("_", " ")
    heads = (
        *(Column(key, head, numeric=False) for key, head in TEXTS),
        Column("n", "n"),
        Column(metric.name, named, interval=True),
        Column("step", "× before" if metric.timing else "− before", interval=True),
        Column("verdict", "verdict", numeric=False),
        Column("change", "change point", numeric=False),
        Column("differs", "what differs from the run before", numeric=False),
    )
    rows = tuple(tuple(_row(each, index, metric)) for each in found for index in range(len(each.series.points)))
    return Table(f"history-{metric.name}", title, heads, rows, (*notes(found), NOTE if metric.timing else PAIRED))


def _row(each: Told, index: int, metric: Metric) -> Iterator[TableCell]:
    point, step = each.series.points[index], each.steps[index]
    mean = t_interval(point.values)
    unit = _scale(each.series, metric)
    yield TableCell(each.name)
    yield from (TableCell(text) for text in (_when(point), point.first.run_id, point.commit))
    yield TableCell(str(point.first.environment.facts.get("torch") or ""))
    yield TableCell(f"{len(point.values)}", number=len(point.values))
    yield TableCell(
        f"{_mean(point, unit)} {unit.unit}".strip() + (" †" if point.not_valid else ""), mean.mean, mean.low, mean.high
    )
    yield TableCell(step.text, step.value, step.low, step.high) if step else TableCell("")
    yield TableCell(step.verdict if step else "")
    yield TableCell(each.changes.get(index, ""))
    yield TableCell("; ".join(differences(each.series.points[index - 1], point)) if index else "")


def title_of(found: Sequence[Told], metric: Metric, *, name: str) -> str:
    """`baseline · train_samples_per_second · 4 runs, 2026-11-01 to 2026-11-20`"""
    points = [point for each in found for point in each.series.points]
    runs = {point.first.run_id for point in points}
    days = sorted({point.at[:10] for point in points})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{name} · {metric.name} · {plural(len(runs), 'run')}, {span}"


def write(found: Sequence[Told], metric: Metric, *, folder: Path, title: str) -> list[Path]:
    """Write history-<metric>.{md,csv,tex,png,svg} into `folder`; gives what was written. No plot of a single run."""
    from bench.history import draw as draw_history
    from bench.present import style
    from bench.present.format import slug

    folder.mkdir(parents=True, exist_ok=True)
    stem, table = folder / f"history-{slug(metric.name)}", history_table(found, metric, title=title)
    forms = [form for form in REPORT_FORMATS if not form.file]  # of tables, not of whole reports
    written = [stem.with_name(f"{stem.name}.{form.name}") for form in forms]
    for form, path in zip(forms, written, strict=True):
        form.build(table, path)
    drawn = [each for each in found if len(each.series.points) > 1]
    if drawn:
        styles = style.styles_of([each.model for each in found])
        with style.setup():
            style.save(draw_history.history(drawn, metric, title=title, styles=styles), stem)
        written += [stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg")]
    return written
