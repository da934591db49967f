"""What the searches of a folder of results have tried: one record a tried setting, from the plan and the results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.base.records import RUNGS, Json, Result, Trial
from bench.results.frame import age
from bench.suite.plan import DefaultCell, Suite
from bench.suite.tune import Attempt, Range, SearchState, Tune

# given up: clearly behind at a rung of its training. missing: not trained yet.
TriedStatus = Literal["ok", "given up", "failed", "missing"]
# Metrics of a search's training. What settings are chosen by is the first of SCORES that it has.
SCORES = {"validation_accuracy": "accuracy", "validation_r2": "R²"}
EPOCHS, SECONDS = "epochs_trained", "total_seconds"
GIVEN_UP = "given_up_epoch"  # metric of one that was given up
RUNG_ACCURACY = "rung_accuracy"  # samples of one


@dataclass(frozen=True, slots=True)
class TriedSetting:
    """One setting that a search has tried.

    model, dataset: labels. axes: the other axes of its search by dotted name, the device among them. number: in the
    order in which they were tried; 0 is the default. settings: dotted name → value, each key of the search.
    validation_accuracy: fraction (R² of a regression), mean over `seeds` trainings; None where it was given up, failed
    or is missing.
    reached: the same of one that was given up too, by what its trainings had reached then; None of the other two.
    epochs, seconds: of all its trainings, those that failed among them. reason: of one that is not ok, one line.
    """

    model: str
    dataset: str
    batch_size: int
    axes: Mapping[str, Json]
    number: int
    settings: Mapping[str, Json]
    validation_accuracy: float | None
    seeds: int
    epochs: int
    seconds: float
    status: TriedStatus
    reason: str
    is_default: bool
    is_chosen: bool
    reached: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The search for the best settings of one cell. place: of its model, on the axis. default: one of its trials at the
    default settings; `cell_id` of it is the default cell, that of `tuned` the cell of the final trainings (the same
    where the default won). ranges: what was searched. done: whether it is at its end; until then nothing is chosen, and
    `tuned` is the default."""

    place: int
    default: Trial
    tuned: Trial
    ranges: tuple[Range, ...]
    tried: tuple[TriedSetting, ...]
    done: bool
    score: str = "accuracy"  # what settings are chosen by, on the validation part; R² of a regression

    @property
    def chosen(self) -> TriedSetting | None:
        """What won; None until the search is at its end."""
        return next((each for each in self.tried if each.is_chosen), None)

    @property
    def seconds(self) -> float:
        """What all of it cost."""
        return sum(each.seconds for each in self.tried)


def searches_of(suite: Suite, results: Iterable[Result]) -> tuple[Search, ...]:
    """The searches of a suite with [tune], in the order of its plan; none of another. A search that has not begun has
    tried nothing. results: `Store.searches` of the folder."""
    if suite.tune is None:
        return ()
    newest = {result.trial_id: result for result in sorted(results, key=age)}
    states = {state.cell: state for state in suite.tune.searches}
    return tuple(
        _search(suite, suite.tune, cell, states.get(cell_id, SearchState(cell_id)), newest)
        for cell_id, cell in suite.default_cells().items()
    )


def _search(suite: Suite, tune: Tune, cell: DefaultCell, state: SearchState, newest: Mapping[str, Result]) -> Search:
    results = [[newest.get(each) for each in attempt.trials] for attempt in state.attempts]
    tried = tuple(
        _tried(suite, cell.trials[0], number, attempt, results[number], chosen=state.chosen)
        for number, attempt in enumerate(state.attempts)
    )
    tuned, done = tune.tuner()(cell.trials[0]), state.chosen is not None
    known = (score_name(result) for own in results for result in own if result is not None)
    score = next(filter(None, known), "accuracy")
    return Search(cell.place, cell.trials[0], tuned, tune.of_model(cell.place), tried, done, score)


def _tried(
    suite: Suite, trial: Trial, number: int, attempt: Attempt, results: Sequence[Result | None], *, chosen: int | None
) -> TriedSetting:
    there = [result for result in results if result is not None]
    status, reason = status_of(results)
    names = ["device", *(axis.name for axis in suite.axes if "." in axis.name)]
    return TriedSetting(
        model=trial.model.label,
        dataset=trial.dataset.label,
        batch_size=trial.batch_size,
        axes={name: trial.setting(name) for name in names},
        number=number,
        settings=attempt.settings,
        validation_accuracy=mean_accuracy(there) if status == "ok" else None,
        seeds=sum(result.status == "ok" for result in there),
        epochs=int(sum(result.metrics.get(EPOCHS, 0) for result in there)),
        seconds=sum(result.metrics.get(SECONDS, 0.0) for result in there),
        status=status,
        reason=reason,
        is_default=number == 0,
        is_chosen=number == chosen,
        reached=mean_accuracy(there) if status in ("ok", "given up") else None,
    )


def reached(result: Result) -> list[float]:
    """Validation accuracy at each of the RUNGS that a training of a search came to."""
    return list(result.samples.get(RUNG_ACCURACY, ()))


def score_of(result: Result) -> float | None:
    """What a training of a search reached on its validation part: accuracy, or R²; None where that is not defined."""
    return next((result.metrics[name] for name in SCORES if name in result.metrics), None)


def score_name(result: Result) -> str:
    """What that is called; empty where it has none."""
    return next((word for name, word in SCORES.items() if name in result.metrics), "")


def mean_accuracy(results: Sequence[Result]) -> float:
    """Mean score over the trainings of one setting, each of which has one."""
    return sum(score_of(result) or 0.0 for result in results) / len(results)


def status_of(results: Sequence[Result | None]) -> tuple[TriedStatus, str]:
    """What became of a setting by its trainings, in the order of seeds; and why, where that is not `ok`."""
    for result in results:
        if result is not None and result.status not in ("ok", "interrupted", "skipped"):
            return "failed", f"{result.status}: {result.reason}"
        if result is not None and GIVEN_UP in result.metrics:
            return "given up", behind_text(result)
    there = [result for result in results if result is not None and result.status == "ok"]
    if any(score_of(result) is None for result in there):
        return "failed", "what it reached on the validation part is not defined"
    if not results or len(there) < len(results):
        return "missing", next((each.reason for each in results if each is not None and each.reason), "not trained yet")
    return "ok", ""


def behind_text(result: Result) -> str:
    """Where a training was given up: `0.412 after epoch 3 of 10, the median is 0.655`."""
    rungs = reached(result)
    below = dict(result.trial.search.give_up if result.trial.search else ()).get(RUNGS[max(0, len(rungs) - 1)])
    epochs = f" of {result.trial.train.epochs}" if result.trial.train.steps is None else ""
    at = f"{score_of(result) or 0.0:.3f} after epoch {result.metrics[GIVEN_UP]:.0f}{epochs}"
    return at if below is None else f"{at}, the median there is {below:.3f}"
