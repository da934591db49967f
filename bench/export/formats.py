"""Results in the formats of other tools: trials as CSV, JSON or Parquet, pytest-benchmark's JSON; tables of a report;
the model index of a card."""

import json
import statistics
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.analysis.cells import labels_of
from bench.base.records import NOT_IDENTITY, TOGETHER, Json, Result, Trial
from bench.errors import BenchError, nearest
from bench.export.model_index import model_index
from bench.export.tables import FORMS, tables_text
from bench.present.tables import frame_csv
from bench.results.frame import Latest, latest, other_axes, rows_frame
from bench.results.timing import GOOD, timings
from bench.suite.plan import Suite

if TYPE_CHECKING:
    import pandas as pd

# The pytest-benchmark whose format this is. `datetime`, `machine_info`, `commit_info`, `benchmarks`, each with `stats`.
FORMAT_VERSION = "5.0.0"
TIMED = "step_seconds"
CARD, DEFAULT_TABLE = "model-index", "models"
PLAIN = frozenset({"dataset", "device", "batch_size"})  # a name shows their values alone


@dataclass(frozen=True, slots=True)
class Exported:
    """The content of a file, and a note about it: one line, or none."""

    content: str | bytes
    note: str = ""


def export(
    form: str, results: Sequence[Result], *, suite: Suite | None, name: str, table: str = "", task: str = ""
) -> Exported:
    """`results` (of the plan of `suite`, where there is one) in the format `form`; `name` is that of the suite.
    `table`: which one, of the formats of tables; `task`: what the Hub calls it, of model-index.

    Raises BenchError for an unknown format or table, and where there is nothing that the format could hold.
    """
    known(form, table=table, task=task)
    found = latest(results, suite)
    if form in FORMS:
        return Exported(tables_text(form, table or DEFAULT_TABLE, found, suite, name))
    if form == CARD:
        return Exported(model_index(found, suite, name, task=task))
    return FORMATS[form](found, suite, name)


def known(form: str, *, table: str = "", task: str = "") -> None:
    """Raises BenchError where there is no such format, or an option is not for it."""
    every = [*FORMATS, *FORMS, CARD]
    if form not in every:
        raise BenchError(f"--format {form}: unknown{nearest(form, every)} (there are: {', '.join(every)})")
    if table and form not in FORMS:
        raise BenchError(f"--table is for --format {', '.join(FORMS)}; {form} has all trials")
    if task and form != CARD:
        raise BenchError(f"--task is for --format {CARD}")


def _frame(found: Latest, suite: Suite | None) -> "pd.DataFrame":
    return rows_frame(found.rows, axes=other_axes(found.rows, suite))


def _csv(found: Latest, suite: Suite | None, name: str) -> Exported:
    return Exported(frame_csv(_frame(found, suite)))


def _json(found: Latest, suite: Suite | None, name: str) -> Exported:
    """A list with one object a trial: the columns of trials.csv, settings as objects, null for a gap."""
    import pandas as pd

    frame = _frame(found, suite)
    rows = frame.astype(object).where(pd.notna(frame), None).to_dict(orient="records")
    for row in rows:
        row |= {key: json.loads(row[key]) for key in ("dataset_settings", "model_settings")}
    return Exported(json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _parquet(found: Latest, suite: Suite | None, name: str) -> Exported:
    """The frame of `bench.load` with its types, and its index, the cell: what pandas reads back is the same frame."""
    try:
        data = _frame(found, suite).to_parquet(engine="pyarrow")
    except ImportError as error:
        raise BenchError("--format parquet needs pyarrow: python -m pip install 'bench-models[parquet]'") from error
    return Exported(bytes(data))


def _pytest_benchmark(found: Latest, suite: Suite | None, name: str) -> Exported:
    """What pytest-benchmark writes with `--benchmark-json`. A cell is a benchmark; its rounds are its seeds, each with
    the median step of its process."""
    cells: dict[tuple[str, str, str], list[Result]] = {}
    for row in found.rows:
        if row.result is not None and row.result.status == "ok" and TIMED in row.result.metrics:
            cells.setdefault((row.trial.cell_id, row.result.environment_id, row.result.code_id), []).append(row.result)
    if not cells:
        raise BenchError(f"{name}: no trial is ok and has {TIMED}: nothing to export as pytest-benchmark")
    often = Counter(cell_id for cell_id, _, _ in cells)
    datasets = labels_of({row.trial.dataset.canonical: row.trial.dataset for row in found.rows}.values())
    benchmarks = [
        _benchmark(cell, suite=name, datasets=datasets, several=often[key[0]] > 1) for key, cell in cells.items()
    ]
    newest = max((cell[-1] for cell in cells.values()), key=lambda result: result.finished_at)
    notes = newest.environment.notes
    value = {
        "machine_info": _machine(newest),
        "commit_info": {
            "id": notes.get("commit") or "unversioned",
            "time": None,
            "author_time": None,
            "dirty": bool(notes.get("dirty")),
            "project": "bench-models",
            "branch": "(unknown)",
        },
        "benchmarks": benchmarks,
        "datetime": newest.finished_at,
        "version": FORMAT_VERSION,
    }
    return Exported(json.dumps(value, indent=4, ensure_ascii=True, allow_nan=False) + "\n", _left_out(found))


def _left_out(found: Latest) -> str:
    """A note on the trials that are not ok, by status: the format has no place for them."""
    statuses = Counter(row.status for row in found.rows if row.status != "ok")
    counted = ", ".join(f"{count} {status}" for status, count in statuses.items())
    return f"left out: {statuses.total()} of {len(found.rows)} trials, which are not ok ({counted})" if statuses else ""


def _benchmark(results: Sequence[Result], *, suite: str, datasets: Mapping[str, str], several: bool) -> Json:
    """One cell. `several`: it was run on several machines or with several codes, which are then part of its name."""
    first = results[0]
    settings = {"dataset": datasets[first.trial.dataset.canonical]} | _settings(first.trial)
    if several:
        settings |= {"environment": first.environment_id[:8], "code": first.code_id[:8]}
    others = "-".join(str(value) if key in PLAIN else f"{key}={value}" for key, value in settings.items())
    own = "".join(f"{key}={value}-" for key, value in sorted(first.trial.model.settings.items()))
    name = f"{first.trial.model.name}[{own}{others}]"
    return {
        "group": f"{suite}: {others}",
        "name": name,
        "fullname": f"{suite}::{name}",
        "params": {"model": first.trial.model.label, **settings},
        "param": f"{own}{others}",
        "extra_info": _extra(results),
        "options": {"timer": "perf_counter"},
        "stats": stats([result.metrics[TIMED] for result in _processes(results)]),
    }


def _processes(results: Sequence[Result]) -> list[Result]:
    """One result a process: seeds that one process trained at once share one measurement."""
    if results[0].trial.train.engine not in TOGETHER:
        return list(results)
    return list({result.run_id: result for result in reversed(results)}.values())


def _settings(trial: Trial) -> dict[str, Json]:
    """The other settings of a cell: device and batch size, then those that are not their default."""
    written = trial.to_json()
    own = {**written["train"], **written["measure"]}
    own |= {f"seed.{name}": value for name, value in written.get("seeds", {}).items()}
    identity = {key: value for key, value in own.items() if key not in NOT_IDENTITY}
    return {"device": trial.device, "batch_size": trial.batch_size, **identity}


def _extra(results: Sequence[Result]) -> dict[str, Json]:
    """Every figure of every seed, and where they come from."""
    names, found = dict.fromkeys(name for result in results for name in result.metrics), timings(results)
    return {
        "seeds": [result.trial.seed for result in results],
        "trial_ids": [result.trial_id for result in results],
        "environment_id": results[0].environment_id,
        "code_id": results[0].code_id,
        "threads": results[0].threads,
        "not_valid": sum(timing.word != GOOD for timing in found),
        "timing": [timing.word for timing in found],
        "timing_notes": ["; ".join(timing.notes) for timing in found],
        "metrics": {name: [result.metrics.get(name) for result in results] for name in names},
    }


def _machine(result: Result) -> dict[str, Json]:
    """The environment under pytest-benchmark's names. Without `node`: no host name is in what gets published."""
    facts, notes = result.environment.facts, result.environment.notes
    named = {
        "machine": facts.get("machine"),
        "system": facts.get("os"),
        "release": facts.get("kernel"),
        "python_version": notes.get("python", facts.get("python")),
        "cpu": {"brand_raw": facts.get("cpu"), "count": facts.get("logical_cores", facts.get("cores"))},
        "bench": {"environment_id": result.environment_id, **facts},
    }
    return {key: value for key, value in named.items() if value is not None}


def stats(data: Sequence[float]) -> dict[str, Json]:
    """The statistics of a benchmark as pytest-benchmark defines them; quartiles are medians of the halves, method 2 for
    an even and 3 for an odd number of values (https://en.wikipedia.org/wiki/Quartile). Raises ValueError without data.
    """
    if not data:
        raise ValueError("a benchmark has at least one value")
    ordered, mean = sorted(data), statistics.mean(data)
    sd = statistics.stdev(data) if len(data) > 1 else 0
    q1, q3 = _quartile(ordered), -_quartile([-value for value in reversed(ordered)])
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    far = sum(not mean - sd <= value <= mean + sd for value in data)
    outside = sum(not low <= value <= high for value in data)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": sd,
        "rounds": len(data),
        "median": statistics.median(data),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "ops": len(data) / sum(data),
        "total": sum(data),
        "data": list(data),
        "iterations": 1,
    }


def _quartile(ordered: Sequence[float]) -> float:
    """The lower quartile of values in order."""
    n, odd = divmod(len(ordered), 4)
    if len(ordered) == 1:
        return ordered[0]
    if odd == 1:
        return 0.25 * ordered[n - 1] + 0.75 * ordered[n]
    if odd == 3:
        return 0.75 * ordered[n] + 0.25 * ordered[n + 1]
    return statistics.median(ordered[: len(ordered) // 2])


Form = Callable[[Latest, Suite | None, str], Exported]
FORMATS: dict[str, Form] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "pytest-benchmark": _pytest_benchmark,
}
