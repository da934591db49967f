"""A ranking as data: models over data sets, each by its mean over seeds, at one setting of one device and machine."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from bench.analysis.cells import Cell, Section, Variant, doubtful
from bench.analysis.ladder import MARGIN, Judged, judged, ordered
from bench.analysis.metric_words import metric_called
from bench.analysis.ratios import ratio
from bench.analysis.sections import sections_of
from bench.base.metrics import ACCURACY, MAIN_METRICS, MEMORY, RANKING_COSTS, Metric
from bench.errors import BenchError
from bench.pairing.sides import Folder
from bench.results.frame import latest
from bench.statistics.intervals import Ratio
from bench.statistics.ranking import (
    FEWEST_DATASETS,
    CriticalDifference,
    Profile,
    critical_difference,
    pareto_front,
    performance_profile,
)


@dataclass(frozen=True, eq=False)
class RatioPair:
    """How many times one model has the timing of another on one data set. One pair alone: no family is judged."""

    dataset: str
    first: str
    second: str
    ratio: Ratio


@dataclass(frozen=True, eq=False)
class Ranking:
    """The cells of one setting, by data set and model. `chosen`: of how many settings this one was chosen."""

    metric: Metric
    sections: tuple[Section, ...]
    variant: Variant
    chosen: int = 1

    @cached_property
    def table(self) -> dict[str, dict[str, Cell]]:
        """The cells that have the metric, by data set and model."""
        found = {}
        for section in self.sections:
            cells = {cell.model: cell for cell in section.at(self.variant) if cell.estimate(self.metric.name)}
            if cells:
                found[section.dataset] = cells
        return found

    @property
    def datasets(self) -> list[str]:
        return list(self.table)

    @cached_property
    def models(self) -> list[str]:
        """In the order of the plan."""
        return list(dict.fromkeys(model for cells in self.table.values() for model in cells))

    @cached_property
    def complete(self) -> list[str]:
        """The models that were measured on every data set."""
        return [model for model in self.models if all(model in cells for cells in self.table.values())]

    @cached_property
    def doubtful(self) -> bool:
        """Whether timings that it would rank by are disturbed: then no model is ranked."""
        return any(doubtful(self.metric, *cells.values()) for cells in self.table.values())

    def score(self, dataset: str, model: str) -> float:
        """The mean over seeds; NaN where there is none."""
        cell = self.table[dataset].get(model)
        found = None if cell is None else cell.estimate(self.metric.name)
        return math.nan if found is None else found.mean

    @cached_property
    def ranks(self) -> CriticalDifference | None:
        """The average ranks. None below six data sets, where no rank is claimed; see `profile`."""
        if self.doubtful or len(self.datasets) < FEWEST_DATASETS or len(self.complete) < 2:
            return None
        scores = [[self.score(dataset, model) for model in self.complete] for dataset in self.datasets]
        return critical_difference(scores, self.complete, higher_is_better=self.metric.higher_is_better)

    @cached_property
    def profile(self) -> Profile | None:
        """The shares of data sets on which a model is within a factor of the best. None where a cost is zero: no factor
        leads to it."""
        if self.doubtful:
            return None
        costs = np.array([[self._cost(dataset, model) for model in self.models] for dataset in self.datasets])
        if len(self.models) < 2 or not bool(np.all(np.isnan(costs) | (costs > 0))):
            return None
        return performance_profile(costs)

    @property
    def _is_share(self) -> bool:
        return self.metric.unit == "fraction" or self.metric.name in MAIN_METRICS

    @property
    def left_out(self) -> list[str]:
        """The data sets of another task, whose models have no such metric."""
        return [each.dataset for each in self.sections if self.metric.name in MAIN_METRICS and each.main != self.metric]

    def _cost(self, dataset: str, model: str) -> float:
        score = self.score(dataset, model)
        if self._is_share:
            return 1 - score  # the share that is wrong, or not explained
        return 1 / score if self.metric.higher_is_better and score else score

    @property
    def cost_name(self) -> str:
        """The name of the cost that `profile` is made of."""
        if self._is_share:
            return "error (1 − accuracy)" if self.metric.name == ACCURACY else f"1 − {self.metric.short}"
        return f"1 / {self.metric.name}" if self.metric.higher_is_better else self.metric.name

    @property
    def setting(self) -> str:
        """`cpu, batch size 64`"""
        section = self.sections[0]
        return ", ".join(part for part in (section.device, section.describe(self.variant)) if part)

    @cached_property
    def pairs(self) -> list[tuple[str, Judged]]:
        """Each pair of models on each data set, the better one first, judged as the ladder judges them: all pairs of a
        data set together. None of timings: see `ratios`."""
        if self.metric.timing:
            return []
        name = self.metric.name
        margin = MARGIN if name == ACCURACY else 0.0
        return [
            (dataset, pair)
            for dataset, cells in self.table.items()
            for pair in judged(tuple(ordered(list(cells.values()), metric=name)), metric=name, margin=margin)
        ]

    @cached_property
    def ratios(self) -> list[RatioPair]:
        """Of a timing, the ratio of each pair of models on each data set, the better one first; none of disturbed
        timings."""
        found = []
        for dataset, cells in self.table.items() if self.metric.timing else ():
            for a, b in combinations(ordered(list(cells.values()), metric=self.metric.name), 2):
                between = None if doubtful(self.metric, a, b) else ratio(a, b, metric=self.metric.name)
                if between is not None:
                    found.append(RatioPair(dataset, a.model, b.model, between))
        return found


def rank(folder: Folder, *, metric: str = "") -> Ranking:
    """Ranks the models of `folder` at the setting that has the most cells; of several such, the first of the plan.
    Raises BenchError where the metric is unknown, or no two models have it."""
    measured = frozenset(name for result in folder.results for name in result.metrics)
    main = next((name for name in MAIN_METRICS if name in measured), ACCURACY)
    chosen = metric_called(metric or main, measured=measured)
    if not chosen.built_in:
        raise BenchError(f"--metric {chosen.name}: nobody said whether more or less of it is better: no ranking by it")
    groups: dict[tuple[object, ...], list[Section]] = {}
    for section in sections_of(latest(folder.results, folder.suite).rows, folder.suite):
        if section.measured:
            groups.setdefault((section.device, section.machine, section.axes), []).append(section)
    options = [
        Ranking(chosen, tuple(group), variant)
        for group in groups.values()
        for variant in dict.fromkeys(variant for section in group for variant in section.variants)
    ]
    best = max(options, key=lambda option: sum(map(len, option.table.values())), default=None)
    if best is None or len(best.models) < 2:
        raise BenchError(f"{folder.name}: no two models have {chosen.name} at one setting; there is nothing to rank")
    return replace(best, chosen=len(options))


def costs_of(ranking: Ranking) -> list[Metric]:
    """Returns the costs that two cells or more have: time, memory (the device's, else the host's), size, energy."""
    cells = [cell for found in ranking.table.values() for cell in found.values()]
    found = [cost for cost in RANKING_COSTS if sum(cell.estimate(cost.name) is not None for cell in cells) > 1]
    memory = [cost for cost in found if cost.name in MEMORY]
    return [cost for cost in found if cost not in memory[1:]]


def fronts(ranking: Ranking, cost: Metric) -> dict[str, list[str]]:
    """Returns by data set the models that no other beats in both main metric and `cost` (by means), the cheapest first;
    nothing of a data set where that cost was disturbed."""
    found = {}
    for dataset, cells in ranking.table.items():
        known = [
            (model, price.mean, level.mean)
            for model, cell in cells.items()
            if (price := cell.estimate(cost.name)) and (level := cell.estimate(cell.main.name))
        ]
        if len(known) > 1 and not doubtful(cost, *cells.values()):
            indices = pareto_front([price for _, price, _ in known], [level for *_, level in known])
            found[dataset] = [known[index][0] for index in indices]
    return found
