"""Results as tables: one row a (trial, environment), one row a cell. The columns are those of the files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.base.metrics import BUILT_IN, LATER, OTHER_COLUMNS
from bench.base.records import (
    STATUSES,
    WHOLE_LIMIT,
    MeasureSettings,
    Result,
    SeedSettings,
    TrainSettings,
    Trial,
    settings_by_name,
)
from bench.results.timing import GOOD, timings
from bench.suite.plan import Suite

if TYPE_CHECKING:
    import pandas as pd

NO_RESULT = "no result yet"
IDENTITY = ("trial_id", "run_id", "environment_id", "code_id", "status", "reason")
SETTINGS = (
    "dataset", "dataset_settings", "model", "model_settings", "seed", "batch_size", "device", "precision",
    "engine", "loader", "threads", "optimizer", "learning_rate", "epochs",
)  # fmt: skip
TRAIN_COLUMNS = ("precision", "engine", "loader", "optimizer", "learning_rate")
HEAD = IDENTITY + SETTINGS
TAIL = ("valid", "validity_notes")
TIMING = ("timing", "timing_notes", "train_samples_per_second_half_width")
COUNTS = (*(status for status in STATUSES if status != "ok"), "missing", "not_valid")
WHOLE = frozenset({"count", "bytes", "FLOP"})  # units of figures that are counted, not measured
CELL = "cell_id"
TORCH = "torch"  # frame.attrs[TORCH]: environment_id → version of torch, where it is known
ANSWERS = "answers"  # frame.attrs[ANSWERS]: key of a row → which test examples were right, as a result has them in JSON


@dataclass(frozen=True, slots=True)
class Row:
    """A trial and what became of it, in one environment; `result` is None where it has none yet."""

    trial: Trial
    result: Result | None

    @property
    def status(self) -> str:
        return "missing" if self.result is None else self.result.status

    @property
    def reason(self) -> str:
        return NO_RESULT if self.result is None else self.result.reason


@dataclass(frozen=True, slots=True)
class Latest:
    """The rows of a table in the order of the plan; of a trial's rows, one an environment, the newest is the last.
    Not among them: `superseded` older results, and `outside` ones of other plans."""

    rows: tuple[Row, ...]
    superseded: int
    outside: int


def latest(results: Sequence[Result], suite: Suite | None = None) -> Latest:
    """The newest result of every (trial, environment). With a suite: the trials of its plan, in its order, absent ones
    too. Without: every trial that has a result, in the order in which they first finished."""
    newest: dict[tuple[str, str], Result] = {}
    for result in sorted(results, key=age):
        newest[result.trial_id, result.environment_id] = result  # a key keeps the place where it first stood
    by_trial: dict[str, list[Result]] = {}
    for result in newest.values():
        by_trial.setdefault(result.trial_id, []).append(result)
    for found in by_trial.values():
        found.sort(key=age)
    if suite is None:
        rows = tuple(Row(result.trial, result) for found in by_trial.values() for result in found)
        return Latest(rows, len(results) - len(newest), 0)
    planned = {trial.trial_id: trial for trial in suite.trials()}
    rows = tuple(Row(trial, result) for trial_id, trial in planned.items() for result in by_trial.get(trial_id, [None]))
    inside = sum(result.trial_id in planned for result in results)
    kept = sum(row.result is not None for row in rows)
    return Latest(rows, inside - kept, len(results) - inside)


def age(result: Result) -> tuple[str, str]:
    """The sort key of results by time: the newest is the last."""
    return result.finished_at, result.run_id


def trials_frame(results: Sequence[Result], suite: Suite | None = None) -> "pd.DataFrame":
    """One row a (trial, environment), in the columns of `trials.csv`; the index is the id of the row's cell.

    What was not measured is NaN (or <NA>), never 0. A planned trial without a result is `missing`. `frame.attrs` has
    the counts of `Latest`.
    """
    found = latest(results, suite)
    frame = rows_frame(found.rows, axes=other_axes(found.rows, suite))
    frame.attrs.update(superseded=found.superseded, outside=found.outside)
    return frame


def rows_frame(rows: Sequence[Row], *, axes: Sequence[str]) -> "pd.DataFrame":
    """The frame of rows that were chosen already; `axes` are the dotted names of the columns after `epochs`.

    The later metrics, what is known of the timings, and the metrics of plugins come last; one of these that is called
    like a column stands as `metric.<name>`.
    """
    import pandas as pd

    trials, results = [row.trial for row in rows], [row.result for row in rows]
    own = _setting_columns(trials) | {"trial_id": [trial.trial_id for trial in trials]}
    for name in ("run_id", "environment_id", "code_id"):
        own[name] = ["" if result is None else getattr(result, name) for result in results]
    own |= {"status": [row.status for row in rows], "reason": [row.reason for row in rows]}
    own["threads"] = _column(map(threads_of, rows), whole=True)
    columns = {name: own[name] for name in HEAD}
    columns |= {axis: _column([trial.setting(axis) for trial in trials]) for axis in axes}
    measured = [{} if result is None else result.metrics for result in results]
    metrics = {
        name: _column([each.get(name) for each in measured], whole=name in BUILT_IN and BUILT_IN[name].unit in WHOLE)
        for name in metric_names(results)
    }
    columns |= {name: metrics[name] for name in BUILT_IN if name not in LATER}
    found = timings(results)
    notes = ["; ".join(each.notes) for each in found]
    valid = pd.array([each.word == GOOD if each.word else None for each in found], dtype="boolean")
    columns |= dict(zip(TAIL, (valid, notes), strict=True)) | {name: metrics[name] for name in LATER}
    values = [each.word for each in found], notes, _column([each.half_width for each in found])
    columns |= dict(zip(TIMING, values, strict=True))
    for name in (name for name in metrics if name not in BUILT_IN):
        column = name
        while column in OTHER_COLUMNS or column in columns:
            column = f"metric.{column}"
        columns[column] = metrics[name]
    frame = pd.DataFrame(columns, index=pd.Index([trial.cell_id for trial in trials], name=CELL, dtype=object))
    known = [result for result in results if result is not None]
    frame.attrs[TORCH] = {result.environment_id: torch_of(result) for result in known}
    frame.attrs[ANSWERS] = _Shared(
        (answers_key(each.trial_id, each.environment_id), each.answers.to_json()) for each in known if each.answers
    )
    return frame


class _Shared(dict[str, dict[str, Any]]):
    """A dict that copies of a frame share: pandas copies `attrs` in depth with every step."""

    def __deepcopy__(self, memo: Any) -> "_Shared":
        return self


def answers_key(trial_id: str, environment_id: str) -> str:
    """What a row is called in frame.attrs[ANSWERS]: a frame has one result of a trial and environment."""
    return f"{trial_id} {environment_id}"


def torch_of(result: Result) -> str:
    """The version of torch of a result; its environment id where the environment does not say."""
    return str(result.environment.facts.get("torch") or result.environment_id)


def pools(metric: str) -> bool:
    """Whether values of `metric` pool across environments: those of timings and of plugins' metrics do not."""
    return metric in BUILT_IN and not BUILT_IN[metric].timing


def other_axes(rows: Sequence[Row], suite: Suite | None) -> list[str]:
    """Dotted names of the settings that have a column only because they vary: the suite's other axes, in its order, or
    without a suite whatever differs between trials."""
    if suite is not None:
        return [axis.name for axis in suite.axes if axis.name.rpartition(".")[2] not in SETTINGS]
    settings = {(row.trial.train, row.trial.measure, row.trial.seeds): row.trial for row in rows}.values()
    names = settings_by_name(TrainSettings(), MeasureSettings(), SeedSettings())
    others = [name for name in names if name.rpartition(".")[2] not in SETTINGS]
    return [name for name in others if len({trial.setting(name) for trial in settings}) > 1]


def threads_of(row: Row) -> int | None:
    """Threads that the trial ran with, or asks for; None: every core of a machine that is not known yet."""
    resolved = row.result.threads if row.result is not None else 0
    return resolved or row.trial.train.threads or None


def metric_names(results: Iterable[Result | None]) -> list[str]:
    """The built-in metrics in their order, then those of plugins by name."""
    extra = {name for result in results if result is not None for name in result.metrics} - BUILT_IN.keys()
    return [*BUILT_IN, *sorted(extra)]


def _setting_columns(trials: Sequence[Trial]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "dataset": [trial.dataset.name for trial in trials],
        "dataset_settings": [trial.dataset.settings_text for trial in trials],
        "model": [trial.model.name for trial in trials],
        "model_settings": [trial.model.settings_text for trial in trials],
        "seed": _column([trial.seed for trial in trials], whole=True),
        "batch_size": _column([trial.batch_size for trial in trials], whole=True),
        "device": [trial.device for trial in trials],
        "epochs": _column([None if trial.train.steps else trial.train.epochs for trial in trials], whole=True),
    }
    return columns | {name: [getattr(trial.train, name) for trial in trials] for name in TRAIN_COLUMNS}


def _column(values: Iterable[Any], *, whole: bool = False) -> Any:
    """Numbers with gaps: whole ones stay whole (Int64), others are float with NaN; anything else is left as it is."""
    import numpy as np
    import pandas as pd

    found = list(values)
    kinds = {type(value) for value in found if value is not None}
    if kinds == {bool}:
        return pd.array(found, dtype="boolean")
    if not kinds <= {int, float}:
        return found
    fits = all(value is None or -WHOLE_LIMIT < value < WHOLE_LIMIT for value in found)
    if fits and (kinds == {int} or (whole and all(value is None or float(value).is_integer() for value in found))):
        return pd.array([None if value is None else int(value) for value in found], dtype="Int64")
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)
