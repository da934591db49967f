"""What the searches of a suite found: default and tuned models side by side, and what the search of each cost."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.analysis.cells import Cell, axis_label, is_number, value_text
from bench.analysis.differences import paired_difference
from bench.analysis.sections import sections_of
from bench.base.metrics import BUILT_IN, Metric
from bench.base.records import Json, Result
from bench.present.format import listing, plural
from bench.results.frame import latest
from bench.results.searches import Search, TriedSetting, searches_of
from bench.statistics.expected_best import expected_bests
from bench.statistics.intervals import Estimate
from bench.suite.plan import Suite
from bench.suite.tune import Range, Tune

NEAR = 0.01  # of the width of a range: what lies so near its end counts as at its end


@dataclass(frozen=True, eq=False)
class Searched:
    """A search and the cells of its final trainings: at the `default` settings, and `tuned`; one where the default won.
    None where there is none with a result."""

    search: Search
    default: Cell | None
    tuned: Cell | None

    @property
    def model(self) -> str:
        """How its model is called at the default settings."""
        return self.search.default.model.label

    @property
    def look(self) -> str:
        """The name of its model in the other plots, where it is at its tuned settings."""
        return self.tuned.model if self.tuned is not None else self.search.tuned.model.label

    @property
    def tried(self) -> list[TriedSetting]:
        """What was tried, without what is not trained yet."""
        return [each for each in self.search.tried if each.status != "missing"]

    @property
    def metric(self) -> Metric:
        """What its models are judged by on the test set; on the validation part the search chose by the same."""
        return BUILT_IN["test_accuracy" if self.search.score == "accuracy" else "r2"]

    @property
    def score(self) -> str:
        """`validation accuracy`, `validation R²`"""
        return f"validation {self.search.score}"

    @property
    def gain(self) -> Estimate | None:
        """Tuned less default score on the test set, over the seeds that both have; None where the default won."""
        if self.default is None or self.tuned is None or self.default.trial.cell_id == self.tuned.trial.cell_id:
            return None
        return paired_difference(self.tuned, self.default, metric=self.metric.name)

    @cached_property
    def bests(self) -> list[float]:
        """Expected best score after 1, 2, … settings. One that was given up counts by what it had reached then, one
        that failed as the worst: neither is left out, which would make a search look better than it was."""
        known = [each.reached for each in self.tried if each.reached is not None]
        return expected_bests([min([0.0, *known]) if each.reached is None else each.reached for each in self.tried])


@dataclass(frozen=True, eq=False)
class Tuning:
    """The searches of a suite in the order of its plan. `places`: of each, where it stands apart from those of other
    models: data set, batch size and the other axes of which there are several."""

    tune: Tune
    searched: tuple[Searched, ...]

    @property
    def done(self) -> bool:
        return all(each.search.done for each in self.searched)

    def place(self, each: Searched) -> str:
        """`mnist, batch size 64`: of the axes in which searches differ, the model left out; empty where none do."""
        keys = [_place(other) for other in self.searched]
        own = _place(each)
        differ = [name for name in own if len({key.get(name) for key in keys}) > 1]
        return ", ".join(own[name] if name in ("dataset", "device") else f"{axis_label(name)} {own[name]}"
                         for name in differ)  # fmt: skip

    @cached_property
    def groups(self) -> dict[str, list[Searched]]:
        """The searches of several models in one place, by `place`."""
        found: dict[str, list[Searched]] = {}
        for each in self.searched:
            found.setdefault(self.place(each), []).append(each)
        return found


def tuning_of(suite: Suite | None, results: Sequence[Result], searches: Sequence[Result]) -> Tuning | None:
    """None of a suite without [tune]. `results`: of final trainings, at chosen and at default settings; `searches`:
    `Store.searches`."""
    if suite is None or suite.tune is None:
        return None
    tuned, default = _cells(suite, results), _cells(suite.before_tuning(), results)
    found = []
    for search in searches_of(suite, searches):
        before = default.get(search.default.cell_id, [])
        pairs: list[tuple[Cell | None, Cell | None]]
        pairs = [(next((each for each in before if _alike(each, cell)), None), cell)
                 for cell in tuned.get(search.tuned.cell_id, [])]  # fmt: skip
        found += [Searched(search, *pair) for pair in pairs or [(cell, None) for cell in before] or [(None, None)]]
    return Tuning(suite.tune, tuple(found))


def _cells(suite: Suite, results: Sequence[Result]) -> dict[str, list[Cell]]:
    """Measured cells by id, one a machine."""
    found: dict[str, list[Cell]] = {}
    for section in sections_of(latest(results, suite).rows, suite):
        for cell in section.measured:
            found.setdefault(cell.trial.cell_id, []).append(cell)
    return found


def _alike(a: Cell, b: Cell) -> bool:
    return (a.machine, a.code_id) == (b.machine, b.code_id)


def _place(each: Searched) -> dict[str, str]:
    trial, tried = each.search.default, each.search.tried
    axes = {name: value_text(value) for name, value in tried[0].axes.items()} if tried else {}
    return {"dataset": trial.dataset.label, "batch_size": f"{trial.batch_size:,}"} | axes


def settings_text(settings: Mapping[str, Json]) -> str:
    """`learning rate 0.3, momentum 0.9`"""
    return ", ".join(f"{axis_label(name)} {value_text(value)}" for name, value in settings.items())


def at_edge(value: Json, allowed: Range) -> str:
    """`largest`, `smallest`: of what is allowed; empty in between. What can be no smaller anyway (a weight decay of 0)
    and what is no number is at no edge."""
    if not is_number(value):
        return ""
    low, high = _limits(allowed)
    if not low < high:
        return ""
    at = _share(float(value), low, high, log=allowed.log)
    if at >= 1 - NEAR:
        return "largest"
    return "smallest" if at <= NEAR and value != 0 else ""


def _limits(allowed: Range) -> tuple[float, float]:
    """The ends of what is allowed; of values that are no numbers twice the same."""
    if not allowed.values:
        return allowed.low, allowed.high
    numbers = [float(each) for each in allowed.values if is_number(each)]
    return (min(numbers), max(numbers)) if len(numbers) == len(allowed.values) else (0.0, 0.0)


def _at_end(key: str, value: float, end: str, limits: tuple[float, float]) -> str:
    limit = limits[end == "largest"]
    close = "" if value == limit else "close to "
    shown = f" ({value_text(limit)})" if close else ""
    return f"{axis_label(key)} {value_text(value)} is {close}the {end} allowed{shown}"


def _share(value: float, low: float, high: float, *, log: bool) -> float:
    """Where a value lies in its range, from 0 to 1; on logarithms where the range is."""
    if log:
        value, low, high = (math.log(max(each, 1e-300)) for each in (value, low, high))
    return (value - low) / (high - low)


def edge_sentences(tuning: Tuning) -> Iterator[str]:
    """`mlp: learning rate 1 is the largest allowed; a better one may lie beyond.`, of each search that ended there."""
    for each in {id(found.search): found for found in tuning.searched}.values():
        chosen = each.search.chosen
        if chosen is None or chosen.validation_accuracy is None:
            continue
        ends = {allowed.key: at_edge(chosen.settings.get(allowed.key), allowed) for allowed in each.search.ranges}
        limits = {allowed.key: _limits(allowed) for allowed in each.search.ranges}
        texts = [_at_end(key, float(chosen.settings[key]), end, limits[key]) for key, end in ends.items() if end]
        if texts:
            where = tuning.place(each)
            beyond = "a better one may lie beyond it" if len(texts) == 1 else "better ones may lie beyond them"
            yield f"{each.model}{f' ({where})' if where else ''}: {listing(texts)}; {beyond}."


def how(tuning: Tuning) -> str:
    """How settings were chosen, in two sentences."""
    tune = tuning.tune
    budget = f"{tune.seconds:g} seconds of training" if tune.seconds else plural(tune.trials, "setting")
    over = listing([axis_label(each.key) for each in tune.ranges])
    seeds = f" over {plural(tune.seeds, 'seed')}" if tune.seeds > 1 else ""
    words = list(dict.fromkeys(each.score for each in tuning.searched))
    return (
        f"Each model was searched with a budget of {budget} ({tune.sampler}), over {over}. The setting with the best "
        f"{listing(words)}{seeds} was chosen, on {100 * tune.validation:g} % of the training set. "
        "The test set took no part in any choice."
    )


def unfinished(tuning: Tuning) -> str:
    """What is not tuned yet; empty where all is."""
    names = list(dict.fromkeys(each.model for each in tuning.searched if not each.search.done))
    if not names:
        return ""
    return f"The search is not at its end for {listing(names)}: there the figures are those of the default settings."


def sentences(tuning: Tuning) -> list[str]:
    """What is said beside the table of default and tuned models."""
    return [text for text in (unfinished(tuning), how(tuning), *edge_sentences(tuning)) if text]
