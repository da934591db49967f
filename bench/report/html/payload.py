"""The data of the page, as JSON: cells (rows of the summary), trials, and what is said around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis.cells import DOTTED, Cell, Section, axis_label, hashable, value_text
from bench.analysis.conditions import facts_of
from bench.analysis.findings import answer
from bench.base.metrics import BUILT_IN, Metric
from bench.base.privacy import published
from bench.base.records import Json, Result
from bench.present.doctor_text import doctor_facts
from bench.present.format import Scale, figure_pm, scale_of, whole
from bench.present.tables import Table
from bench.report.content import Content
from bench.report.html.details import Details
from bench.report.page import Extra, caveats, command
from bench.results.doctor import newest
from bench.results.frame import Row, metric_names

DIGITS = 7  # significant ones of a figure: more than any clock gives
CURVE_VALUES = 200_000  # of all curves together: about 1.5 MB
MOST_DETAILED = 500  # trials whose log and confusion matrix are read and embedded
NOTHING = "Nothing was measured yet: no trial of this plan is ok."
SHORT = {
    "test_accuracy": "test accuracy",
    "train_samples_per_second": "trained samples/s",
    "end_to_end_samples_per_second": "end-to-end samples/s",
    "inference_samples_per_second": "inference samples/s",
    "host_peak_bytes": "host memory",
    "device_peak_allocated_bytes": "device memory",
    "fit_seconds": "fit",
    "total_seconds": "total",
    "time_to_target_seconds": "to target",
    "energy_joules": "energy",
    "epochs_trained": "epochs trained",
    "best_epoch": "best epoch",
}
FIRST = ("test_accuracy", "train_samples_per_second", "host_peak_bytes", "device_peak_allocated_bytes", "fit_seconds",
         "parameters", "test_loss", "energy_joules", "time_to_target_seconds",
         "epochs_trained", "best_epoch")  # fmt: skip
SHOWN = frozenset(FIRST) - {"test_loss"}


def payload(content: Content) -> dict[str, Json]:
    """Everything that the page shows. Texts are raw: the page puts them in as text, never as markup."""
    sections = [part.section for part in content.parts]
    metrics = _metrics(sections)
    details = Details(content.folder)
    shared = _Trials(metrics, details)
    trials: list[Json] = []
    rows: list[Json] = []
    for index, part in enumerate(content.parts):
        best = _best(part.table)
        for place, cell in enumerate(part.section.cells):
            first = len(trials)
            trials += shared.of(cell, number=len(rows))
            figures = _figures(cell, metrics, best[place])
            rows.append(_row(cell, index, figures) | {"trials": [first, len(trials)]})
    return {
        "title": content.title,
        "suite": content.suite.name if content.suite is not None else content.folder.name,
        "answers": [text for section in sections if (text := answer(section))] or [NOTHING],
        "caveats": _caveats(content, sections),
        "left_out": shared.left_out(),
        "axes": _axes(sections),
        "metrics": [_metric(metric, scale) for metric, scale in metrics],
        "models": list(dict.fromkeys(cell.model for section in sections for cell in section.cells)),
        "sections": [_section(part.section, part.table) for part in content.parts],
        "cells": rows,
        "trials": trials,
        "settings": shared.settings,
        "environments": shared.environments,
        "classes": details.classes,
        "extras": [_extra(extra) for extra in content.extras],
        "conditions": list(_conditions(content, sections)),
        "command": command(content.suite) if content.suite is not None and content.suite.source else "",
    }


def _extra(extra: Extra) -> Json:
    table = extra.table
    return {
        "title": extra.heading,
        "text": extra.text,
        "heads": [{"text": column.head, "number": column.numeric} for column in table.columns],
        "rows": [[cell.text for cell in row] for row in table.rows],
        "notes": list(table.notes),
    }


def _metrics(sections: Sequence[Section]) -> list[tuple[Metric, Scale]]:
    """What was measured of any trial, the ones that matter most first, each with one unit for the whole page."""
    results = [result for section in sections for cell in section.cells for result in cell.ok]
    measured = {name for result in results for name in result.metrics}
    names = [name for name in FIRST if name in measured]
    names += [name for name in metric_names(results) if name in measured and name not in names]
    found = []
    for name in names:
        metric = BUILT_IN.get(name, Metric(name, "", True, True, "a metric of a plugin"))
        means = [each.mean for section in sections for cell in section.cells if (each := cell.estimate(name))]
        found.append((metric, scale_of(metric.unit, means)))
    return found


def _metric(metric: Metric, scale: Scale) -> dict[str, Json]:
    label = SHORT.get(metric.name, metric.name.removesuffix("_seconds").removesuffix("_bytes").replace("_", " "))
    own = {name: value for name, value in asdict(metric).items() if name != "timing"}
    return own | {
        "label": label.replace(" per second", "/s"),
        "scale": "" if "/s" in label and scale.unit == metric.unit else scale.unit,
        "divisor": scale.divisor,
        "decimals": scale.decimals,
        "shown": metric.name in SHOWN or metric.name not in BUILT_IN,
    }


def _best(table: Table) -> list[set[str]]:
    """The columns in which each row is the best, where it can be told from every other."""
    heads = [column.key for column in table.columns]
    return [{key for key, cell in zip(heads, row, strict=True) if cell.best} for row in table.rows]


def _figures(cell: Cell, metrics: Sequence[tuple[Metric, Scale]], best: set[str]) -> list[Json]:
    """For each metric null or [mean, low, high, text, 1 where it is the best]."""
    found: list[Json] = []
    for metric, scale in metrics:
        each = cell.estimate(metric.name)
        if each is None:
            found.append(None)
            continue
        text = whole(each.mean) if metric.unit == "count" else figure_pm(each.mean, each.half, scale)
        found.append([*map(_short, (each.mean, each.low, each.high)), text, int(metric.name in best)])
    return found


def _row(cell: Cell, section: int, figures: list[Json]) -> dict[str, Json]:
    return {
        "section": section,
        "model": cell.model,
        "values": _values(cell),
        "n": cell.n,
        "n_accuracy": cell.n_of("test_accuracy"),
        "figures": figures,
    }


def _values(cell: Cell) -> dict[str, Json]:
    """Every setting that can be an axis, as the filter compares it."""
    own = {"model": cell.model, "dataset": cell.dataset, "device": cell.trial.device}
    own |= {"environment": cell.machine[:8], "code": cell.code_id[:8]}
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
    if not any(section.several_codes for section in sections):
        found.pop("code", None)  # each model has its own
    return [_axis(name, list(values)) for name, values in found.items() if len(values) > 1]


def _axis(name: str, values: list[Json]) -> dict[str, Json]:
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    shown = sorted(values) if numeric else values
    label = {"dataset": "data set"}.get(name, axis_label(name))
    return {"name": name, "label": label, "numeric": numeric,
            "values": [[value, value_text(value) or "unknown"] for value in shown]}  # fmt: skip


def _section(section: Section, table: Table) -> dict[str, Json]:
    return {"title": section.title, "dataset": section.dataset, "device": section.device, "notes": list(table.notes)}


def _caveats(content: Content, sections: Sequence[Section]) -> list[str]:
    told = caveats(sections, content.suite, content.latest, content.damaged, content.others)
    errors = [f"A plugin could not be imported: {text}" for text in content.plugin_errors]
    return [*told, *errors]


def _conditions(content: Content, sections: Sequence[Section]) -> Iterator[dict[str, Json]]:
    """Machine, versions, days and commit of every environment that something ran in."""
    results: dict[str, list[Result]] = {}
    for section in sections:
        results.setdefault(section.machine, []).extend(section.results)
    for machine, group in results.items():
        if group:
            lines = [*facts_of(group), *doctor_facts(newest(content.doctors, machine=machine))]
            yield {"title": f"Environment {machine[:8]}", "lines": lines}


class _Trials:
    """Rows of trials. What many trials share (settings, environments) stands once, and each has its number."""

    def __init__(self, metrics: Sequence[tuple[Metric, Scale]], details: Details) -> None:
        self._names = [metric.name for metric, _ in metrics]
        self._details = details
        self._curve_values = 0
        self._detailed = self._without_curves = self._without_details = 0
        self.settings: list[dict[str, Json]] = []
        self.environments: dict[str, Json] = {}
        self._known: dict[Any, int] = {}

    def of(self, cell: Cell, *, number: int) -> Iterator[dict[str, Json]]:
        """One object a row of `cell`, which is the row `number` of the summary."""
        for row in cell.rows:
            own = {
                "id": row.trial.trial_id,
                "cell": number,
                "seed": row.trial.seed,
                "status": row.status,
                "reason": row.reason,
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
            "started": result.started_at[:19],
            "finished": result.finished_at[:19],
            "metrics": [_short(result.metrics.get(name)) for name in self._names],
            "valid": result.valid,
            "notes": list(result.validity_notes),
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
        curves: Mapping[str, Sequence[float | None]] = result.curves
        self._curve_values += sum(len(values) for values in curves.values())
        return {name: [_short(value) for value in values] for name, values in curves.items()}

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
