"""The data of the page, as JSON: cells (rows of the summary), trials, and what is said around them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis import curves
from bench.analysis.cells import (
    DOTTED,
    Cell,
    Section,
    axis_label,
    hashable,
    is_number,
    metrics_of,
    scale_for,
    value_text,
)
from bench.analysis.conditions import environment_lines
from bench.analysis.plots import page_plots
from bench.analysis.table_columns import range_text
from bench.analysis.trust import mark
from bench.base.metrics import MAIN_METRICS, PAGE, Metric
from bench.base.privacy import published
from bench.base.records import Json, Result
from bench.present.colours import COLOURS, SHAPES, styles_of
from bench.present.format import Scale, axis_text, head, mean_text, printable_lines
from bench.present.names import short_list
from bench.present.tables import Table
from bench.report.html.answers import answers_of
from bench.report.html.details import Details
from bench.report.page import Extra, Report, caveats, command
from bench.results.frame import Row
from bench.results.timing import Timing, timings

UNTIMED = "not timed"
TICK = 14  # characters of a name below a plot
DIGITS = 7  # significant ones of a figure: more than any clock gives
CURVE_VALUES = 200_000  # of all curves together: about 1.5 MB
MOST_DETAILED = 500  # trials whose log and confusion matrix are read and embedded
Scaled = tuple[Metric, Scale]  # a metric, with its one unit for the whole page


def payload(report: Report) -> Any:
    """Everything that the page shows. Texts are no markup: the page puts them in as text. What a browser would not show
    as it stands, such as marks that turn the direction of a line, is a question mark."""
    return _shown(_data(report))


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else printable_lines(value.expandtabs())
    if isinstance(value, dict):
        return {_shown(key): _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, list | tuple) else value


def _data(report: Report) -> dict[str, Json]:
    sections, suite = report.sections, report.suite
    metrics, axes = _metrics(sections), _axes(sections)
    details = Details(report.folder)
    shared = _Trials(metrics, details)
    trials: list[Json] = []
    rows: list[Json] = []
    for index, part in enumerate(report.parts):
        best = _best(part.table)
        for place, cell in enumerate(part.section.cells):
            first = len(trials)
            trials += shared.of(cell, number=len(rows))
            figures = [_figure(cell, *scaled, best=best[place]) for scaled in metrics]
            rows.append(_row(cell, index, figures) | {"trials": [first, len(trials)]})
    numbers = [axis["name"] for axis in axes if axis["numeric"] and axis["name"].partition(".")[0] != "seed"]
    styles = styles_of(cell.model for section in sections for cell in section.cells)
    return {
        "title": report.title,
        "answers": answers_of(report.parts),
        "alarm": report.alarm(),
        "caveats": list(caveats(report)),
        "left_out": shared.left_out(),
        "axes": axes,
        "metrics": [_metric(metric, scale) for metric, scale in metrics],
        "models": list(styles),
        "short": short_list(list(styles), most=TICK),
        "looks": [[COLOURS.index(style.colour), SHAPES[style.marker]] for style in styles.values()],
        "plots": page_plots([metric for metric, _ in metrics], numbers, shared.curve_names),
        "levels": [name for name in MAIN_METRICS if any(metric.name == name for metric, _ in metrics)],
        "words": {"model": "model"} | curves.WORDS,
        "axis_words": curves.AXES | curves.losses_text(cell for section in sections for cell in section.cells),
        "lines": [curves.LINES, curves.WITH_VALIDATION],
        "sections": [{"title": part.section.title, "notes": list(part.table.notes)} for part in report.parts],
        "cells": rows,
        "trials": trials,
        "settings": shared.settings,
        "environments": shared.environments,
        "classes": details.classes,
        "extras": [_extra(extra) for extra in report.extras],
        "conditions": [{"title": title, "lines": lines} for title, lines in _environments(report)],
        "command": command(suite) if suite is not None and suite.source else "",
    }


def _environments(report: Report) -> list[tuple[str, list[str]]]:
    return environment_lines(report.sections, report.seen.doctors)


def _extra(extra: Extra) -> Json:
    table = extra.table
    return {
        "title": table.title,
        "text": extra.text,
        "heads": [{"text": column.head, "number": column.numeric} for column in table.columns],
        "rows": [[cell.text for cell in row] for row in table.rows],
        "notes": list(table.notes),
    }


def _metrics(sections: Sequence[Section]) -> list[Scaled]:
    """What was measured of any trial, the ones that matter most first."""
    cells = [cell for section in sections for cell in section.cells]
    measured = metrics_of(cells)
    found = [*(metric for metric in PAGE if metric in measured), *(metric for metric in measured if metric not in PAGE)]
    return [(metric, scale_for(metric, cells)) for metric in found]


def _metric(metric: Metric, scale: Scale) -> dict[str, Json]:
    """One metric as the page calls it: in menus and tips, over a column, along an axis."""
    column = head(metric, scale)
    return {
        "name": metric.name,
        "unit": metric.unit,
        "timed": metric.timed,
        "higher_is_better": metric.higher_is_better,
        "meaning": metric.meaning,
        "label": metric.short,
        "head": column,
        "axis": axis_text(metric, scale),
        "scale": "" if column == metric.short else scale.unit,
        "divisor": scale.divisor,
        "shown": metric in PAGE or not metric.built_in,
    }


def _best(table: Table) -> list[set[str]]:
    """The columns in which each row is the best, where it can be told from every other."""
    heads = [column.key for column in table.columns]
    return [{key for key, cell in zip(heads, row, strict=True) if cell.best} for row in table.rows]


def _figure(cell: Cell, metric: Metric, scale: Scale, *, best: set[str]) -> list[Json] | None:
    """[mean, low, high, text, 1 where it is the best]; None where it was not measured."""
    found = cell.estimate(metric.name)
    if found is None:
        return None
    numbers = map(_short, (found.mean, found.low, found.high))
    told = range_text(cell, metric) or mean_text(found, metric, scale=scale)
    text = told + mark(metric, cell.timings)
    return [*numbers, text, int(metric.name in best)]


def _row(cell: Cell, section: int, figures: Sequence[Json]) -> dict[str, Json]:
    return {
        "section": section,
        "model": cell.model,
        "values": _values(cell),
        "n": cell.n,
        "disturbed": cell.disturbed,
        "figures": list(figures),
    }


def _values(cell: Cell) -> dict[str, Json]:
    """Every setting that can be an axis, as the filter compares it."""
    own = {"model": cell.model, "dataset": cell.dataset, "device": cell.trial.device}
    own |= {"environment": cell.environment, "code": cell.code_id[:8]}
    return own | {name: hashable(cell.setting(name)) for name in DOTTED}


def _axes(sections: Sequence[Section]) -> list[dict[str, Json]]:
    """The settings that differ from one trial to another, with their values in the order of the plan."""
    found: dict[str, dict[Json, None]] = {}
    for section in sections:
        for cell in section.cells:
            for name, value in _values(cell).items():
                found.setdefault(name, {})[value] = None
            found.setdefault("seed", {}).update(dict.fromkeys(row.trial.seed for row in cell.rows))
            found.setdefault("status", {}).update(dict.fromkeys(row.status for row in cell.rows))
            found.setdefault("timing", {}).update(
                dict.fromkeys(timing.word for timing in _timings(cell) if timing.word)
            )
    if not any(section.several_codes for section in sections):
        found.pop("code", None)  # each model has its own
    return [_axis(name, list(values)) for name, values in found.items() if len(values) > 1]


def _timings(cell: Cell) -> list[Timing]:
    """One a row."""
    return timings([row.result for row in cell.rows])


def _axis(name: str, values: list[Json]) -> dict[str, Json]:
    numeric = all(map(is_number, values))
    shown = sorted(values) if numeric else values
    label = {"dataset": "data set"}.get(name, axis_label(name))
    return {"name": name, "label": label, "numeric": numeric,
            "values": [[value, value_text(value) or "unknown"] for value in shown]}  # fmt: skip


class _Trials:
    """Rows of trials. What many trials share (settings, environments) stands once, and each has its number."""

    def __init__(self, metrics: Sequence[Scaled], details: Details) -> None:
        self._names = [metric.name for metric, _ in metrics]
        self._details = details
        self._curve_values = 0
        self._detailed = self._without_curves = self._without_details = 0
        self.curve_names: set[str] = set()
        self.settings: list[dict[str, Json]] = []
        self.environments: dict[str, Json] = {}
        self._known: dict[Any, int] = {}

    def of(self, cell: Cell, *, number: int) -> Iterator[dict[str, Json]]:
        """One object a row of `cell`, which is the row `number` of the summary."""
        for row, timing in zip(cell.rows, _timings(cell), strict=True):
            own = {
                "id": row.trial.trial_id,
                "cell": number,
                "seed": row.trial.seed,
                "status": row.status,
                "reason": row.reason,
                "timing": timing.word or UNTIMED,
                "timing_notes": list(timing.notes),
                "settings": self._settings(row),
            }
            yield own if row.result is None else own | self._result(row.result)

    def _settings(self, row: Row) -> int:
        key = (row.trial.train, row.trial.measure)
        if key not in self._known:
            self._known[key] = len(self.settings)
            self.settings.append({"train": asdict(row.trial.train), "measure": asdict(row.trial.measure)})
        return self._known[key]

    def _result(self, result: Result) -> dict[str, Json]:
        environment = result.environment
        self.environments.setdefault(result.environment_id, dict(environment.facts))
        own = {
            "run": result.run_id,
            "environment": result.environment_id,
            "code": result.code_id,
            "threads": result.threads,
            "finished": result.finished_at[:19],
            "metrics": [_short(result.metrics.get(name)) for name in self._names],
            "notes": list(result.notes),
            "commit": str(environment.notes.get("commit") or "")[:12],
            "instruments": dict(result.instruments),
            "traceback": published(result.traceback) if result.traceback else "",
            "curves": self._curves(result),
        } | self._beside(result)
        return {name: value for name, value in own.items() if value not in ("", None, [], {})}

    def _curves(self, result: Result) -> dict[str, list[Json]]:
        """Of the first trials, as many as fit; those of the others are not even read from their file."""
        if self._without_curves or self._curve_values >= CURVE_VALUES:
            self._without_curves += result.status == "ok"
            return {}
        found = {name: [_short(value) for value in values] for name, values in result.curves.items()}
        self._curve_values += sum(map(len, found.values()))
        self.curve_names |= found.keys()
        return found

    def _beside(self, result: Result) -> dict[str, Json]:
        if self._detailed >= MOST_DETAILED:
            self._without_details += 1
            return {}
        self._detailed += 1
        return {"log": self._details.log(result), **self._details.arrays(result)}

    def left_out(self) -> list[str]:
        """What the page does not hold, so that it stays small enough to open."""
        found = []
        if self._without_curves:
            found.append(f"The curves of {self._without_curves:,} trials are not in this page; they are in trials/.")
        if self._without_details:
            found.append(
                f"The page holds log and confusion matrix of {self._detailed:,} trials; "
                f"those of {self._without_details:,} others are in logs/ and artifacts/."
            )
        return found


def _short(value: float | None) -> Json:
    """A figure with as many digits as a page needs; whole ones stay whole."""
    if value is None or isinstance(value, int):
        return value
    if value != value or value in (float("inf"), float("-inf")):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short
