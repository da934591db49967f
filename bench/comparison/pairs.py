"""B against A as data: of each cell the ratio, the verdict, and the difference of accuracy."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

import numpy as np

from bench.analysis.cells import Cell, doubtful
from bench.analysis.differences import paired_difference
from bench.analysis.metric_words import DOCTORED, metric_called
from bench.analysis.ratios import bases
from bench.analysis.ratios import ratio as ratio_between
from bench.base.metrics import BUILT_IN, SPEED, Metric
from bench.base.records import TOGETHER
from bench.errors import BenchError
from bench.pairing.differences import Difference, differences, settings_apart
from bench.pairing.matching import Match, Pair, describe, match
from bench.pairing.sides import Side, named
from bench.results.doctor import Doctor, newest
from bench.results.frame import pools
from bench.statistics.intervals import FEWEST, Estimate, Ratio, ratio_of, t_quantile
from bench.statistics.power import detectable_difference, detectable_ratio
from bench.statistics.ratios import Verdict, verdict

DEFAULT_METRIC = "train_samples_per_second"
LEARNT = ("test_accuracy", "rmse", "test_loss", "train_loss")  # equal to the bit where training went the same way

# identical: equal to the bit, seed by seed; alike: seeds do not show a difference of accuracy; differently: they do
Training = Literal["identical", "alike", "differently", "unknown"]


@dataclass(frozen=True, eq=False)
class ComparedCell:
    """One cell on both sides. Ratios are B over A, of one figure a process; `accuracy` is B less A, paired by seed, of
    what its models are judged by: R² in a regression.

    `smallest`: the doctor's smallest difference of both machines, the larger one. `detectable`: the smallest ratio
    that so many processes with such a spread would show in four of five cases. `why`: why there is no ratio. `verdict`:
    doubtful where the timings of a side are disturbed.
    """

    pair: Pair
    a: Cell
    b: Cell
    ratio: Ratio | None
    why: str
    verdict: Verdict
    smallest: float | None
    detectable: float | None
    accuracy: Estimate | None
    training: Training

    @property
    def n(self) -> tuple[int, int]:
        return self.a.n, self.b.n

    @property
    def trains_differently(self) -> bool:
        return self.training == "differently"

    def label(self, names: Sequence[str], *, device: bool) -> str:
        """Returns model, settings of `names` and device, as far as they tell cells apart."""
        models = "/".join(dict.fromkeys([self.a.model, self.b.model]))
        parts = [
            models if "model" in self.pair.settings else "",  # else the models are what is compared
            describe(self.pair.settings, names=names),
            self.a.trial.device if device and "device" in self.pair.settings else "",
        ]
        return ", ".join(part for part in parts if part) or models


@dataclass(frozen=True, eq=False)
class Comparison:
    """B against A. `cells` are on both sides; `only_a` and `only_b` have figures on one alone, `neither` on none.

    `overall` is the ratio of the only cell, or the geometric mean over those that have one, without an interval: cells
    share what changed between two runs, and an interval that does not know it excluded 1 in 24 to 43 % of comparisons
    of a thing with itself. `verdict`: that of the cells where they agree, else `doubtful` where that of
    one is, or `ambiguous`. `shown`: settings that tell cells apart.
    """

    a: Side
    b: Side
    metric: Metric
    cells: tuple[ComparedCell, ...]
    only_a: tuple[Pair, ...]
    only_b: tuple[Pair, ...]
    neither: tuple[Pair, ...]
    overall: Ratio | None
    verdict: Verdict
    apart: tuple[str, ...]
    shown: tuple[str, ...]
    differences: tuple[Difference, ...]
    several: int

    @property
    def duel(self) -> bool:
        """Whether they are the two sides of a duel."""
        return self.a.duel and self.b.duel

    @cached_property
    def compared(self) -> list[ComparedCell]:
        """The cells that have a ratio."""
        return [cell for cell in self.cells if cell.ratio is not None]

    @cached_property
    def unpaired(self) -> list[ComparedCell]:
        """The cells whose trials shared no time, where others did."""
        alone = [cell for cell in self.compared if cell.ratio is not None and cell.ratio.over == "processes"]
        return alone if len(alone) < len(self.compared) else []

    def intervals(self, ratios: Iterable[Ratio | None]) -> list[str]:
        """Returns what the intervals of `ratios` are, in words; how something was learnt no turns can disturb."""
        if not self.metric.timing:
            return []
        a, b = ({result.run_id for result in side.results} for side in (self.a, self.b))
        apart, replicates = "the two sides ran one after the other (Welch)", "seeds"
        if self.duel:
            replicates = "pairs of trials"
            apart = apart if self.metric.name == SPEED else f"only {BUILT_IN[SPEED].label} is, round by round (Welch)"
        elif not a & b:
            apart += "; drift between the two runs is not in it"
        return bases(ratios, apart=apart, replicates=replicates)

    def count(self, verdict: Verdict) -> int:
        return sum(cell.verdict == verdict for cell in self.compared)

    def name_of(self, cell: ComparedCell, *, without: str = "") -> str:
        """Returns the name of a cell among the others, without one setting."""
        names = [name for name in self.shown if name != without]
        label = cell.label(names, device="device" in self.shown)
        return f"{cell.a.dataset}, {label}" if "dataset" in self.shown else label


def compare_sides(a: Side, b: Side, *, metric: str = DEFAULT_METRIC) -> Comparison:
    """Compares `b` with `a`. Raises BenchError where the metric is unknown, or they have no cell in common."""
    a, b = named(a, b)
    measured = frozenset(name for side in (a, b) for result in side.results for name in result.metrics)
    chosen = metric_called(metric, measured=measured)
    found = match(a, b)
    groups: dict[tuple[bool, bool], list[Pair]] = {}
    for pair in found.pairs:
        measured_on = (pair.a is not None and pair.a.n > 0, pair.b is not None and pair.b.n > 0)
        groups.setdefault(measured_on, []).append(pair)
    both, only_a, only_b, neither = (
        tuple(groups.get(key, ())) for key in ((True, True), (True, False), (False, True), (False, False))
    )
    if not both:
        raise BenchError(_nothing_in_common(a, b, found))
    doctors = [*a.folder.doctors, *b.folder.doctors] if chosen.name in DOCTORED else []
    cells = tuple(_compared(pair, chosen, doctors) for pair in both)
    overall, said = _overall(cells)
    return Comparison(
        a, b, chosen, cells, only_a, only_b, neither, overall, said, found.apart, _shown([*both, *only_a, *only_b]),
        tuple(differences(a, b, found, both)), found.several,
    )  # fmt: skip


def _nothing_in_common(a: Side, b: Side, found: Match) -> str:
    text = f"{a.name} and {b.name} have no measured cell in common"
    if all(pair.a is None or pair.b is None for pair in found.pairs):
        return f"{text}: {settings_apart(a, b)}; compare results of one suite"
    return f"{text}: where both have a cell, a side has no trial that is ok; see bench report"


def _shown(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Returns the settings that differ between pairs."""
    names = dict.fromkeys(name for pair in pairs for name in pair.settings)
    return tuple(name for name in names if len({pair.settings.get(name) for pair in pairs}) > 1)


def _smallest(cells: Sequence[Cell], doctors: Sequence[Doctor]) -> float | None:
    """Returns the doctor's smallest difference, the largest of the cells' machines; None where one has none."""
    known = []
    for cell in cells:
        doctor = newest(doctors, machine=cell.machine)
        share = None if doctor is None else doctor.smallest_difference(cell.trial.device)
        if share is None or not 0 < share < math.inf:
            return None
        known.append(share)
    return max(known)


def _compared(pair: Pair, metric: Metric, doctors: Sequence[Doctor]) -> ComparedCell:
    assert pair.a is not None
    assert pair.b is not None
    a, b = pair.a, pair.b
    values, why = _values(a, b, metric.name)
    accuracy = paired_difference(b, a, metric=a.main.name)
    of_accuracies = metric == a.main
    if of_accuracies and accuracy is None and not why:
        why = "the two sides have no seed in common"
    ratio = (
        None if why else _of_accuracies(a, b, accuracy) if of_accuracies else ratio_between(b, a, metric=metric.name)
    )
    share = _smallest([a, b], doctors)
    said: Verdict
    if ratio is None:
        said = "ambiguous"
    elif doubtful(metric, a, b):
        said = "doubtful"
    elif of_accuracies:
        said = _of_difference(accuracy, identical=_identical(a, b))
    elif not metric.timing and max(len(set(each)) for each in values) == 1:  # a count has no noise
        more: Verdict = "faster" if metric.higher_is_better else "slower"
        less: Verdict = "slower" if metric.higher_is_better else "faster"
        said = "same" if ratio.ratio == 1 else more if ratio.ratio > 1 else less
    else:
        said = verdict(ratio, smallest_difference=share, higher_is_better=metric.higher_is_better)
    detectable = None if ratio is None or of_accuracies else _detectable(ratio, *values)
    return ComparedCell(pair, a, b, ratio, why, said, share, detectable, accuracy, _training(a, b, accuracy))


def _of_accuracies(a: Cell, b: Cell, difference: Estimate | None) -> Ratio | None:
    """Returns the ratio of two accuracies over the seeds that both have, with the interval of their difference, A's
    mean taken as it is: both exclude no difference at once. None where no seed is on both sides."""
    if difference is None:
        return None
    known, other = a.by_seed(a.main.name), b.by_seed(a.main.name)
    shared = [value for seed, value in known.items() if seed in other]
    mean = math.fsum(shared) / len(shared)
    low, high = (None if end is None else max(0.0, 1 + end / mean) for end in (difference.low, difference.high))
    return Ratio(1 + difference.mean / mean, low, high, difference.n, "seeds")


def _of_difference(accuracy: Estimate | None, *, identical: bool) -> Verdict:
    """Returns the verdict on accuracies: paired by seed, over seeds and test images where that can be."""
    if identical:
        return "same"
    if accuracy is None or not accuracy.excludes(0):
        return "ambiguous"
    return "faster" if accuracy.mean > 0 else "slower"


def _values(a: Cell, b: Cell, metric: str) -> tuple[tuple[list[float], list[float]], str]:
    """Returns the figures of both sides, one a process, and why they have no ratio (empty where they have one)."""
    first, second = list(a.by_seed(metric).values()), list(b.by_seed(metric).values())
    together = [not pools(metric) and cell.trial.train.engine in TOGETHER for cell in (a, b)]
    alike = all(together)  # one figure each
    if any(together) and not alike:
        one = "A" if together[0] else "B"
        return (first, second), f"one process trained the seeds of {one} at once: its timings stand beside no others"
    for name, cell, values in (("A", a, first), ("B", b, second)):
        if len(values) < (1 if alike else cell.n_of(metric)):
            some = f"in {len(values)} of {cell.n_of(metric)} trials" if values else "in no trial"
            return (first, second), f"{name} has {metric} {some}"
        if min(values) <= 0:
            return (first, second), f"{name} has a {metric} of {min(values):g}"
    return (first, second), ""


def _detectable(found: Ratio, a: Sequence[float], b: Sequence[float]) -> float | None:
    if found.over == "rounds" or found.n < FEWEST or found.low is None or found.high is None:
        return None
    if found.over == "seeds":
        sd = (math.log(found.high) - math.log(found.low)) / 2 * math.sqrt(found.n) / t_quantile(found.n - 1)
        return ratio_of(sd * _detectable_sds(found.n), None, n=found.n).ratio
    squares = [float(np.log(values).var()) * len(values) for values in (a, b)]
    sd = math.sqrt(sum(squares) / (len(a) + len(b) - 2))
    return ratio_of(sd * _detectable_log(len(a), len(b)), None, n=found.n).ratio


@cache
def _detectable_sds(n: int) -> float:
    """Returns how many standard deviations of `n` paired differences can be detected. It is cached, as is the next."""
    found = detectable_difference(1.0, n)
    assert found is not None
    return found


@cache
def _detectable_log(n: int, others: int) -> float:
    """Returns the logarithm of the detectable ratio at a spread of one. It is cached: it takes a tenth of a second."""
    found = detectable_ratio(1.0, n, others=others)
    assert found is not None
    return math.log(found)


def _training(a: Cell, b: Cell, accuracy: Estimate | None) -> Training:
    """Returns whether both sides learnt the same: a cell that trains differently is not simply faster."""
    if accuracy is None:
        return "unknown"
    if _identical(a, b):
        return "identical"
    if accuracy.low is None or accuracy.n < 2:
        return "unknown"
    return "differently" if accuracy.excludes(0) else "alike"


def _identical(a: Cell, b: Cell) -> bool:
    """Returns whether each seed that both have learnt the same to the bit."""
    for metric in LEARNT:
        first, second = a.by_seed(metric), b.by_seed(metric)
        if any(first[seed] != second[seed] for seed in first.keys() & second.keys()):
            return False
    return True


def _overall(cells: Sequence[ComparedCell]) -> tuple[Ratio | None, Verdict]:
    """Returns what `Comparison` has of all cells together."""
    found = [cell for cell in cells if cell.ratio is not None]
    verdicts = {cell.verdict for cell in found}
    mixed: Verdict = "doubtful" if "doubtful" in verdicts else "ambiguous"
    said: Verdict = verdicts.pop() if len(verdicts) == 1 else mixed
    if len(found) < 2:
        return (found[0].ratio if found else None), said
    logs = [math.log(cell.ratio.ratio) for cell in found if cell.ratio is not None]
    return ratio_of(math.fsum(logs) / len(logs), None, n=len(logs)), said
