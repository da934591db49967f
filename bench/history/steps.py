"""How each run of a series stands to the one before it, and where the level of a series changed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bench.analysis.cells import DOTTED, axis_label, hashable, labels_of, value_text
from bench.analysis.conditions import machine, reasons
from bench.base.metrics import ACCURACY, BUILT_IN, Metric
from bench.base.records import Result
from bench.errors import BenchError, nearest
from bench.history.series import Point, Series, differences, series_of
from bench.present.format import Scale, plural, printable, scale_of, signed, times
from bench.results.accuracy_intervals import accuracy, difference
from bench.results.doctor import Doctor, machine_id, newest
from bench.results.frame import metric_names
from bench.results.timing import mostly_disturbed
from bench.statistics.changes import change_points
from bench.statistics.intervals import Estimate, Meaning, log_ratio, paired_t_interval, t_interval
from bench.statistics.ratios import verdict

ALPHA = 0.05  # over all series together (Bonferroni)
WORDS = {"faster": "better", "slower": "worse"}


@dataclass(frozen=True, slots=True)
class Step:
    """How a run stands to the one before it: `better`, `worse`, `same` or `ambiguous`; `doubtful` where the timings of
    either are disturbed."""

    text: str
    verdict: str
    low: float | None
    value: float
    high: float | None
    over: Meaning | None = None  # of a difference: what its interval is for


@dataclass(frozen=True)
class Run:
    """A run of a series beside the run before it: how it stands to that, and what differs. `change`: what changed,
    where a new level begins here, else empty. `disturbed`: whether the timings that its mean is of are."""

    point: Point
    mean: Estimate
    step: Step | None
    differs: tuple[str, ...]
    change: str = ""
    disturbed: bool = False


@dataclass(frozen=True)
class Trend:
    """The runs of a series, the oldest first. `group`: what stands in one panel; `scale`: the unit of its figures."""

    model: str
    group: str
    scale: Scale
    runs: tuple[Run, ...]
    left_out: int = 0  # runs in which some seeds do not have the figure

    @property
    def name(self) -> str:
        return f"{self.model} · {self.group}"


def metric_of(name: str, results: Sequence[Result]) -> Metric:
    """Returns the metric called `name`. Raises BenchError where no result has it."""
    measured = [each for each in metric_names(results) if any(each in result.metrics for result in results)]
    if name not in measured and name in BUILT_IN and not any(result.status == "ok" for result in results):
        why = reasons((result.status, result.reason) for result in results)
        raise BenchError(f"nothing was measured in these results: {why}")
    if name not in measured:
        raise BenchError(f"--metric {name}: no such figure{nearest(name, measured)} (there are: {', '.join(measured)})")
    return BUILT_IN.get(name) or Metric(name, "", True, True, "a plugin's metric")


def trends_of(results: Sequence[Result], metric: Metric, *, doctors: Sequence[Doctor] = ()) -> list[Trend]:
    """Returns every series of `metric`, with its steps and change points. Raises BenchError where there is none."""
    found = series_of(results, metric.name)
    if not found:
        raise BenchError(f"--metric {metric.name}: in no run all seeds have it ({metric.absent}): there is no mean")
    models = labels_of({each.trial.model.canonical: each.trial.model for each in found}.values())
    datasets = labels_of({each.trial.dataset.canonical: each.trial.dataset for each in found}.values())
    settings = [name for name in DOTTED if name != "train.threads"]
    shown = [name for name in settings if len({hashable(each.trial.setting(name)) for each in found}) > 1]
    several = len({(each.machine, each.threads) for each in found}) > 1
    trends = []
    for each in found:
        group = _group(each, datasets[each.trial.dataset.canonical], shown, several=several)
        runs = _runs(each, metric, doctors, alpha=ALPHA / len(found))
        scale = scale_of(metric.unit, [run.mean.mean for run in runs])
        model = printable(models[each.trial.model.canonical])
        trends.append(Trend(model, printable(group), scale, tuple(runs), each.left_out))
    return trends


def _group(series: Series, dataset: str, shown: Sequence[str], *, several: bool) -> str:
    settings = [f"{axis_label(name)} {value_text(series.trial.setting(name))}" for name in shown]
    where = [machine(series.facts), plural(series.threads, "thread")] if several else []
    return " · ".join([dataset, series.trial.device, *settings, *where])


def _runs(series: Series, metric: Metric, doctors: Sequence[Doctor], *, alpha: float) -> list[Run]:
    points = series.points
    means = [_mean(point, metric) for point in points]
    disturbed = [metric.timed and mostly_disturbed(point.timings) for point in points]
    runs = [Run(points[0], means[0], None, (), disturbed=disturbed[0])]
    for index, (before, after) in enumerate(pairwise(points), start=1):
        step = _ratio(before, after, metric, doctors) if metric.timing else _difference(before, after, metric)
        if step and any(disturbed[index - 1 : index + 1]):
            step = replace(step, verdict="doubtful")
        differs = tuple(differences(before, after))
        runs.append(Run(after, means[index], step, differs, disturbed=disturbed[index]))
    # A disturbed run is no level: it would begin one, and end it.
    whole = [index for index, run in enumerate(runs) if not run.disturbed]
    for place, change in _changes([means[index].mean for index in whole], ratios=metric.timing, alpha=alpha):
        index = whole[place]
        why = "; ".join(runs[index].differs) or "nothing that is recorded differs"
        runs[index] = replace(runs[index], change=f"{change}: {why}")
    return runs


def _mean(point: Point, metric: Metric) -> Estimate:
    if metric.name == ACCURACY:
        return accuracy(point.values, [result.answers for result in point.results])
    return t_interval(point.values, bounds=metric.bounds)


def _ratio(before: Point, after: Point, metric: Metric, doctors: Sequence[Doctor]) -> Step | None:
    """Returns the ratio of two runs, one figure a process; None where a figure is not above 0."""
    if min(*before.values, *after.values) <= 0:
        return None
    smallest = None
    if metric.unit in ("seconds", "samples/s", "FLOP/s"):
        doctor = newest(doctors, machine=machine_id(after.first.environment))
        smallest = None if doctor is None else doctor.smallest_difference(after.first.trial.device)
    found = log_ratio(after.values, before.values)
    word = verdict(found, smallest_difference=smallest, higher_is_better=metric.higher_is_better)
    return Step(times(found.ratio, found.low, found.high), WORDS.get(word, word), found.low, found.ratio, found.high)


def _difference(before: Point, after: Point, metric: Metric) -> Step | None:
    """Returns the mean difference of two runs over the seeds that both have; None where they share none."""
    seeds = [seed for seed in before.by_seed if seed in after.by_seed]
    if not seeds:
        return None
    one, other = ([each.by_seed[seed] for seed in seeds] for each in (after, before))
    if metric.name == ACCURACY:
        answers = ([each.answers_by_seed[seed] for seed in seeds] for each in (after, before))
        found = difference(one, other, *answers)
    else:
        found = paired_t_interval(one, other, bounds=metric.bounds)
    same = found.mean == 0 and found.sd in (0, None)  # the same seed, and the same figure
    better = (found.mean > 0) == metric.higher_is_better
    word = "same" if same else ("better" if better else "worse") if found.excludes(0) else "ambiguous"
    return Step(signed(found.mean, decimals=4), word, found.low, found.mean, found.high, found.over)


def _changes(levels: Sequence[float], *, ratios: bool, alpha: float) -> Iterator[tuple[int, str]]:
    """Yields the index of the first run of each new level, with size and p of the change."""
    ratios = ratios and min(levels, default=0) > 0
    scaled = [math.log(level) for level in levels] if ratios else levels
    found = change_points(scaled, alpha=alpha)
    ends = [0, *(change.index for change in found), len(levels)]
    for start, change, end in zip(ends, found, ends[2:], strict=False):
        before, after = scaled[start : change.index], scaled[change.index : end]
        difference = sum(after) / len(after) - sum(before) / len(before)
        size = f"× {times(math.exp(difference))}" if ratios else signed(difference, decimals=4)
        yield change.index, f"{size}, p = {change.p:.2g}"
