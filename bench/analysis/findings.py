"""The answer in sentences: which model is best, whether the difference is real, what it costs."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell, Section, Variant, axis_label, value_text
from bench.analysis.conditions import reasons
from bench.analysis.differences import paired_difference
from bench.analysis.interval_words import PAIRED
from bench.analysis.ratios import basis, ratio
from bench.base.metrics import ACCURACY, MEMORY, SPEED
from bench.present.format import accuracy, figure, listing, plain, plural, scale_of, signed, supported, times
from bench.statistics.intervals import Estimate, Ratio, probability_better

CHOSEN = "the setting with the highest mean accuracy, chosen on the test set"
CHOSEN_OF_SEVERAL = "one of the settings with the highest mean accuracy, chosen on the test set"
LOST = {"failed": "failed", "diverged": "diverged", "oom": "ran out of memory", "timeout": "timed out",
        "crashed": "crashed"}  # fmt: skip
MOST_NAMED = 6  # models, in a sentence
MOST_LOST = 3  # of which each says how many of its seeds came to nothing


@dataclass(frozen=True, eq=False)
class AtSetting:
    """The models of a section at one setting, by mean accuracy over the seeds that all of them have."""

    section: Section
    variant: Variant
    ranked: tuple[Cell, ...]  # the best first
    leaders: tuple[Cell, ...]  # those of the highest mean: several where they are equal

    @property
    def best(self) -> Cell:
        return self.ranked[0]

    @property
    def others(self) -> tuple[Cell, ...]:
        return self.ranked[len(self.leaders) :]

    @property
    def rival(self) -> Cell:
        """The next best, or the first that cannot be told from the best: not always the same, seeds scatter."""
        return next((cell for cell in self.others if not self.told_apart(cell)), self.others[0])

    @property
    def difference(self) -> Estimate | None:
        """Accuracy of the best less that of its rival, paired by seed."""
        return paired_difference(self.best, self.rival, metric=ACCURACY)

    @property
    def shown(self) -> bool:
        """Whether the seeds show that the best is better than every other."""
        return len(self.leaders) == 1 and all(map(self.told_apart, self.others))

    def told_apart(self, other: Cell) -> bool:
        """Whether the seeds show that the best is better than `other`."""
        found = paired_difference(self.best, other, metric=ACCURACY)
        return found is not None and found.excludes(0) and found.mean > 0

    @property
    def timed(self) -> list[Cell]:
        """The models whose speeds may be compared, the fastest first."""
        return sorted((cell for cell in self.ranked if _is_timed(cell)), key=_speed, reverse=True)


def _is_timed(cell: Cell) -> bool:
    return cell.estimate(SPEED) is not None and not cell.disturbed


def _speed(cell: Cell) -> float:
    found = cell.estimate(SPEED)
    return found.mean if found else 0.0


def at_setting(section: Section, variant: Variant) -> AtSetting | None:
    """The models at one setting; None where no accuracy was measured there."""
    cells = [cell for cell in section.at(variant) if cell.estimate(ACCURACY)]
    if not cells:
        return None
    shared = set.intersection(*(set(cell.by_seed(ACCURACY)) for cell in cells))
    levels = {cell: _mean_over(shared or set(cell.by_seed(ACCURACY)), cell) for cell in cells}
    ranked = sorted(cells, key=lambda cell: -levels[cell])
    leaders = [cell for cell in ranked if math.isclose(levels[cell], levels[ranked[0]], rel_tol=1e-12)]
    return AtSetting(section, variant, tuple(ranked), tuple(leaders))


def _mean_over(seeds: Iterable[int], cell: Cell) -> float:
    values = [cell.by_seed(ACCURACY)[seed] for seed in seeds]
    return math.fsum(values) / len(values)


def chosen(section: Section) -> str:
    """Why a sweep is shown at the setting that it is shown at."""
    return CHOSEN_OF_SEVERAL if section.focus_is_tied else CHOSEN


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
    why = f", {chosen(section)}" if section.tuned and len(section.variants) > 1 else ""
    return f"{section.dataset} ({details}{why}{machine})"


def _level(cell: Cell) -> str:
    found = cell.estimate(ACCURACY)
    return accuracy(found.mean, found.ends) if found else "no accuracy"


def _headline(here: AtSetting) -> str:
    """Who leads, by how much, and whether the seeds show it; then whose seeds are not all in it."""
    said = _lead(here) if here.others else f"{_who(here.leaders)} {_tie(here)}, {_level(here.best)}"
    lost = _lost(here)
    return f"On {_where(here)}, {said}." + (
        f" {lost}; models are compared over the seeds that both have." if lost else ""
    )


def _who(leaders: Sequence[Cell]) -> str:
    return f"{_listed([cell.model for cell in leaders])} {'has' if len(leaders) == 1 else 'have'}"


def _tie(here: AtSetting) -> str:
    """What the leaders have in common."""
    seeds = here.best.by_seed(ACCURACY)
    if any(cell.by_seed(ACCURACY) != seeds for cell in here.leaders):
        return "the same mean accuracy"
    return f"the same accuracy{' in every seed' if len(seeds) > 1 else ''}"


def _lead(here: AtSetting) -> str:
    rival, difference, level, who = here.rival, here.difference, _level(here.best), _who(here.leaders)
    level += f" ({_tie(here)})" if len(here.leaders) > 1 else ""
    if difference is None:
        return f"{who} the highest mean accuracy, {level}; it shares no seed with {rival.model}"
    over = f"{_difference(difference)} over {rival.model}"
    if difference.low is None or difference.high is None:
        seeds = "one seed" if difference.n == 1 else f"{difference.n} seeds"
        return (
            f"{who} the highest accuracy, {level}, {signed(difference.mean)} over {rival.model}; {seeds} cannot show "
            "whether that difference is real"
        )
    if all(map(here.told_apart, here.others)):
        paired = f"{interval(difference)}, paired over {plural(difference.n, 'seed')}{PAIRED[difference.over]}"
        who = who.removesuffix("has").removesuffix("have") + ("is" if len(here.leaders) == 1 else "are")
        return f"{who} the most accurate: {level}, {over} ({paired})"
    if difference.mean > 0 and not difference.includes(0):
        few = f"{plural(difference.n, 'seed')} are too few to tell {'it' if len(here.leaders) == 1 else 'them'} apart"
        return f"{who} the highest mean accuracy, {level}, {over}{_share_of_seeds(here.best, rival)}; but {few}"
    indistinct = _listed([cell.model for cell in here.others if not here.told_apart(cell)])
    return (
        f"{who} the highest mean accuracy, {level}, but {plural(difference.n, 'seed')} cannot tell "
        f"{'it' if len(here.leaders) == 1 else 'them'} from {indistinct}: {over}, "
        f"{interval(difference)}{_share_of_seeds(here.best, rival)}"
    )


def _lost(here: AtSetting) -> str:
    """The sentence on models of which some seeds came to nothing: what is left of them may be their best."""
    texts = []
    for cell in here.section.cells:
        counts = Counter(row.status for row in cell.not_ok if row.status in LOST)
        if counts and here.section.variant_of(cell) == here.variant:
            lost = listing([f"{count} {LOST[status]}" for status, count in counts.most_common()])
            texts.append(f"of {plural(len(cell.rows), 'seed')} of {cell.model} {lost}")
    if len(texts) > MOST_LOST:
        return f"{len(texts)} models lost seeds, for example: {'; '.join(texts[:2])}"
    named = listing(texts)
    return f"{named[:1].upper()}{named[1:]}"


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
    """The sentence on what the most accurate model costs in speed and memory, against the fastest of
    those whose timings nothing disturbed; none where its own are disturbed."""
    best, timed = here.best, here.timed
    if best not in timed:
        return ""
    fastest, *others = timed
    if fastest is best:
        found = ratio(best, others[0], metric=SPEED) if others else None
        return f"{_faster(best, others[0], found)}." if found else ""
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
        return f"In speed {fast.model} cannot be told from {slow.model} ({much} times; {basis(found)})"
    return f"{fast.model} trains {much} times as fast as {slow.model} ({basis(found)})"


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
    name, leading = _who(first.leaders), {cell.model for cell in first.leaders}
    unlike = [each for each in others if {cell.model for cell in each.leaders} != leading]
    if len(others) == 1 and unlike:
        other = unlike[0]
        return f"With {other.section.describe(other.variant)} {_who(other.leaders)} the highest mean accuracy."
    if unlike:
        where = f"{unlike[0].best.model} with {unlike[0].section.describe(unlike[0].variant)}"
        return (
            f"At {len(unlike)} of {plural(len(others), 'other setting')} another model has the highest mean accuracy"
            f" ({where}{', for one' if len(unlike) > 1 else ''})."
        )
    shown = sum(each.shown for each in others)
    if len(others) == 1:
        verdict = "and the seeds show it" if shown else "though the seeds do not show it"
        said = f", {verdict}" if len(leading) == 1 else ""
        return f"With {others[0].section.describe(others[0].variant)} {name} the highest mean too{said}."
    said = f"; at {shown} of them the seeds show it" if len(leading) == 1 else ""
    return f"{name} the highest mean at all {len(others)} other settings too{said}."


def _alone(here: AtSetting) -> str:
    cell = here.best
    seeds = plural(cell.n_of(ACCURACY), "seed")
    text = f"On {_where(here)}, {cell.model} reaches an accuracy of {_level(cell)} over {seeds}"
    speed, lost = cell.estimate(SPEED), _lost(here)
    text += f" and trains on {plain(speed.mean)} samples a second." if speed and _is_timed(cell) else "."
    return f"{text} {lost}." if lost else text


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
    best: dict[str, list[tuple[Cell, Estimate]]] = {}
    for cell, each in found:
        level = best[cell.model][0][1].mean if cell.model in best else -math.inf
        if each.mean >= level:
            best[cell.model] = [*(best.get(cell.model, []) if each.mean == level else []), (cell, each)]
    shown = [_best_at(section, [cell for cell, _ in cells]) for cells in list(best.values())[:MOST_NAMED]]
    more = f"; {plural(len(best) - len(shown), 'other model')}: see the table" if len(best) > len(shown) else ""
    span = f"lie between {accuracy(min(means))} and {accuracy(max(means))}"
    return (
        f"Over {axes} mean accuracies {span if min(means) < max(means) else f'are all {accuracy(means[0])}'}. "
        f"Best setting of each model (chosen on the test set, so optimistic): {'; '.join(shown)}{more}."
    )


def _best_at(section: Section, cells: Sequence[Cell]) -> str:
    """`mlp 0.918 ± 0.015 at learning rate 0.1`, and at how many others the same."""
    others = f" and the same at {plural(len(cells) - 1, 'other setting')}" if len(cells) > 1 else ""
    return f"{cells[0].model} {_level(cells[0])} at {section.describe(section.variant_of(cells[0]))}{others}"


def _span_of(section: Section, axis: str) -> str:
    values = sorted({float(cell.setting(axis)) for cell in section.measured})
    return f"{axis_label(axis)} {value_text(values[0])} to {value_text(values[-1])}"


def _from_to(axis: str, first: Cell, last: Cell) -> str:
    ends = f"From {axis_label(axis)} {value_text(first.setting(axis))} to {value_text(last.setting(axis))}"
    text = f"{ends} its accuracy goes from {_level(first)} to {_level(last)}"
    found = ratio(last, first, metric=SPEED) if _is_timed(first) and _is_timed(last) else None
    if found is None:
        return f"{text}."
    how = "" if found.low is None else f" ({basis(found, apart='one ran after the other')})"
    return f"{text}, and its speed to {times(found.ratio, found.low, found.high)} times{how}."
