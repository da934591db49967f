"""The answer in sentences: which model is best, whether the difference is real, what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell, Section, Variant, axis_label, paired_difference, ratio, value_text
from bench.analysis.conditions import reasons
from bench.base.metrics import ACCURACY, MEMORY, SPEED
from bench.present.format import accuracy, figure, listing, plain, plural, scale_of, signed, supported, times
from bench.statistics.intervals import Estimate, Ratio, probability_better

CHOSEN = "the setting with the highest mean accuracy, chosen on the test set"
MOST_NAMED = 6  # models, in a sentence


@dataclass(frozen=True, eq=False)
class AtSetting:
    """The models of a section at one setting, by mean accuracy."""

    section: Section
    variant: Variant
    ranked: tuple[Cell, ...]  # by mean accuracy, the best first

    @property
    def best(self) -> Cell:
        return self.ranked[0]

    @property
    def rival(self) -> Cell:
        """The next best, or the first that cannot be told from the best: not always the same, seeds scatter."""
        return next((cell for cell in self.ranked[1:] if not self._told_apart(cell)), self.ranked[1])

    @property
    def difference(self) -> Estimate | None:
        """Accuracy of the best less that of its rival, paired by seed."""
        return paired_difference(self.best, self.rival, metric=ACCURACY)

    @property
    def shown(self) -> bool:
        """Whether the seeds show that the best is better than every other."""
        return all(self._told_apart(cell) for cell in self.ranked[1:])

    def _told_apart(self, other: Cell) -> bool:
        found = paired_difference(self.best, other, metric=ACCURACY)
        return found is not None and found.excludes(0)

    @property
    def fastest(self) -> Cell | None:
        timed = [cell for cell in self.ranked if cell.estimate(SPEED)]
        return max(timed, key=_speed, default=None)


def _speed(cell: Cell) -> float:
    found = cell.estimate(SPEED)
    return found.mean if found else 0.0


def at_setting(section: Section, variant: Variant) -> AtSetting | None:
    """The models at one setting; None where no accuracy was measured there."""
    cells = [(found.mean, cell) for cell in section.at(variant) if (found := cell.estimate(ACCURACY))]
    cells.sort(key=lambda pair: -pair[0])
    return AtSetting(section, variant, tuple(cell for _, cell in cells)) if cells else None


def answer(section: Section) -> str:
    """One paragraph on a section. Empty where nothing was measured."""
    found = [each for variant in section.variants if (each := at_setting(section, variant))]
    if not found:
        return ""
    first = next((each for each in found if each.variant == section.focus), found[0])
    others = [each for each in found if each is not first and len(each.ranked) > 1]
    if len(first.ranked) == 1:
        parts = [_alone(first), _sweep(section), _along_axis(section)]
    else:
        parts = [_headline(first), cost(first), _elsewhere(first, others), _sweep(section)]
    return " ".join(part for part in parts if part)


def nothing(section: Section) -> str:
    """Why a section has no figures."""
    rows = [row for cell in section.cells for row in cell.rows]
    return f"{section.title}: nothing was measured: {reasons((row.status, row.reason) for row in rows)}."


def _where(here: AtSetting) -> str:
    section = here.section
    engine = f"engine {section.together}" if section.together else ""
    details = ", ".join(part for part in (section.device, engine, section.describe(here.variant)) if part)
    machine = f", {section.environment_text}" if section.environment_text else ""
    chosen = f", {CHOSEN}" if section.tuned and len(section.variants) > 1 else ""
    return f"{section.dataset} ({details}{chosen}{machine})"


def _level(cell: Cell) -> str:
    found = cell.estimate(ACCURACY)
    return accuracy(found.mean, found.ends) if found else "no accuracy"


def _headline(here: AtSetting) -> str:
    best, rival, difference = here.best, here.rival, here.difference
    start = f"On {_where(here)}"
    if difference is None:
        unpaired = f"it shares no seed with {rival.model}"
        return f"{start}, {best.model} has the highest mean accuracy, {_level(best)}; {unpaired}."
    if difference.low is None or difference.high is None:
        return (
            f"{start}, {best.model} has the highest accuracy, {_level(best)}, {signed(difference.mean)} over "
            f"{rival.model}; one seed cannot show whether that difference is real."
        )
    if here.shown:
        return (
            f"{start}, {best.model} is the most accurate: {_level(best)}, {_difference(difference)} over "
            f"{rival.model} ({interval(difference)}, paired over {plural(difference.n, 'seed')})."
        )
    return (
        f"{start}, {best.model} has the highest mean accuracy, {_level(best)}, but {plural(difference.n, 'seed')} "
        f"cannot tell it from {_listed(_indistinct(here))}: {_difference(difference)} over {rival.model}, "
        f"{interval(difference)}{_share_of_seeds(best, rival)}."
    )


def _difference(difference: Estimate) -> str:
    return signed(difference.mean, decimals=_decimals(difference))


def _decimals(difference: Estimate) -> int:
    return min(5, max(3, supported(difference.half or 0)))


def interval(difference: Estimate) -> str:
    """`95 % interval 0.010 to 0.034`"""
    decimals = _decimals(difference)
    low, high = (
        (signed(end, decimals=decimals)).removeprefix("+") for end in (difference.low or 0, difference.high or 0)
    )
    return f"95 % interval {low} to {high}"


def _indistinct(here: AtSetting) -> list[str]:
    """The models that the best cannot be told from."""
    pairs = [(cell, paired_difference(here.best, cell, metric=ACCURACY)) for cell in here.ranked[1:]]
    return [cell.model for cell, difference in pairs if difference is None or not difference.excludes(0)]


def _listed(models: list[str]) -> str:
    return listing(models if len(models) <= 4 else [*models[:3], f"{len(models) - 3} others"])


def _share_of_seeds(a: Cell, b: Cell) -> str:
    """`; better in 4 of 5 seeds`: P(A > B), as a number of seeds."""
    first, second = a.by_seed(ACCURACY), b.by_seed(ACCURACY)
    seeds = [seed for seed in first if seed in second]
    share = probability_better([first[seed] for seed in seeds], [second[seed] for seed in seeds])
    tie = ", a tie counting half" if any(first[seed] == second[seed] for seed in seeds) else ""
    return f"; better in {share * len(seeds):g} of {len(seeds)} seeds{tie}"


def cost(here: AtSetting) -> str:
    """The sentence on what the most accurate model costs in speed and memory, against the fastest."""
    best, fastest = here.best, here.fastest
    if fastest is None:
        return ""
    if fastest is best:
        others = [cell for cell in here.ranked[1:] if cell.estimate(SPEED)]
        second = max(others, key=_speed, default=None)
        found = ratio(best, second, metric=SPEED) if second else None
        return f"{_faster(best, second, found)}." if second and found else ""
    found = ratio(fastest, best, metric=SPEED)
    if found is None:
        return ""
    speed, memory = _faster(fastest, best, found), _memory(fastest, best)
    told = found.low is None or found.excludes(1)
    return f"{speed}{', and' if told else f'; {fastest.model}'} {memory}." if memory else f"{speed}."


def _faster(fast: Cell, slow: Cell, found: Ratio) -> str:
    much = times(found.ratio, found.low, found.high)
    if found.low is None:
        return f"{fast.model} trains {much} times as fast as {slow.model} (no interval from one seed)"
    if not found.excludes(1):
        return f"In speed {fast.model} cannot be told from {slow.model} ({much} times)"
    return f"{fast.model} trains {much} times as fast as {slow.model}"


def _memory(fast: Cell, slow: Cell) -> str:
    for metric in MEMORY:
        first, second = fast.estimate(metric), slow.estimate(metric)
        if first and second:
            scale = scale_of("bytes", [first.mean, second.mean])
            one, other = (figure(each.mean, scale, ends=each.ends, form="mean") for each in (first, second))
            where = "device memory" if metric == MEMORY[0] else "memory"
            return f"takes {one} {scale.unit} of {where} where {slow.model} takes {other}"
    return ""


def _elsewhere(first: AtSetting, others: Sequence[AtSetting]) -> str:
    """The sentence on the other settings: whether the same model is best there. Which setting is best is not said: the
    test set must not choose it."""
    if not others:
        return ""
    name = first.best.model
    unlike = [each for each in others if each.best.model != name]
    if len(others) == 1 and unlike:
        other = unlike[0]
        return f"With {other.section.describe(other.variant)} {other.best.model} has the highest mean accuracy."
    if unlike:
        where = f"{unlike[0].best.model} with {unlike[0].section.describe(unlike[0].variant)}"
        return (
            f"At {len(unlike)} of {plural(len(others), 'other setting')} another model has the highest mean accuracy"
            f" ({where}{', for one' if len(unlike) > 1 else ''})."
        )
    shown = sum(each.shown for each in others)
    if len(others) == 1:
        verdict = "and the seeds show it" if shown else "though the seeds do not show it"
        return f"With {others[0].section.describe(others[0].variant)} {name} has the highest mean too, {verdict}."
    return f"{name} has the highest mean at all {len(others)} other settings too; at {shown} of them the seeds show it."


def _alone(here: AtSetting) -> str:
    cell = here.best
    seeds = plural(cell.n_of(ACCURACY), "seed")
    text = f"On {_where(here)}, {cell.model} reaches an accuracy of {_level(cell)} over {seeds}"
    speed = cell.estimate(SPEED)
    return f"{text} and trains on {plain(speed.mean)} samples a second." if speed else f"{text}."


def _along_axis(section: Section) -> str:
    """The sentence on one model's accuracy and speed at its other settings: from end to end of an axis of numbers, one
    by one of any other axis."""
    for axis in section.axes:
        cells = [cell for cell in section.along(axis) if cell.estimate(ACCURACY)]
        if axis in section.tuned or len(cells) < 2:
            continue
        if axis in section.numeric_axes:
            return _from_to(axis, cells[0], cells[-1])
        here = value_text(section.focus[section.axes.index(axis)])
        others = [cell for cell in cells if value_text(cell.setting(axis)) != here][:4]
        levels = [f"{_level(cell)} with {axis_label(axis)} {value_text(cell.setting(axis))}" for cell in others]
        return f"It reaches {listing(levels)}."
    return ""


def _sweep(section: Section) -> str:
    """The sentence on a sweep: the range of mean accuracies over the axes that models are tuned by, and where each
    model is best."""
    found = [(cell, each) for cell in section.measured if (each := cell.estimate(ACCURACY))]
    if not section.tuned or not found:
        return ""
    axes = listing([_span_of(section, axis) for axis in section.tuned])
    means = [each.mean for _, each in found]
    best: dict[str, tuple[Cell, Estimate]] = {}
    for cell, each in found:
        if cell.model not in best or best[cell.model][1].mean < each.mean:
            best[cell.model] = cell, each
    shown = list(best.values())[:MOST_NAMED]
    texts = [f"{cell.model} {_level(cell)} at {section.describe(section.variant_of(cell))}" for cell, _ in shown]
    more = f"; {plural(len(best) - len(shown), 'other model')}: see the table" if len(best) > len(shown) else ""
    return (
        f"Over {axes} mean accuracies lie between {accuracy(min(means))} and {accuracy(max(means))}. "
        f"Best setting of each model (chosen on the test set, so optimistic): {'; '.join(texts)}{more}."
    )


def _span_of(section: Section, axis: str) -> str:
    values = sorted({float(cell.setting(axis)) for cell in section.measured})
    return f"{axis_label(axis)} {value_text(values[0])} to {value_text(values[-1])}"


def _from_to(axis: str, first: Cell, last: Cell) -> str:
    ends = f"From {axis_label(axis)} {value_text(first.setting(axis))} to {value_text(last.setting(axis))}"
    text = f"{ends} its accuracy goes from {_level(first)} to {_level(last)}"
    found = ratio(last, first, metric=SPEED)
    return f"{text}, and its speed to {times(found.ratio, found.low, found.high)} times." if found else f"{text}."
