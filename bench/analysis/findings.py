"""The answer of a section: the ladder of its models, what it costs, and what is known of other settings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.analysis.cells import Cell, Section, Variant, axis_label, value_text
from bench.analysis.conditions import reasons
from bench.analysis.cost_words import costs, is_timed
from bench.analysis.ladder import Ladder, ladder
from bench.analysis.ladder_words import (
    command,
    decide,
    headline,
    intervals,
    levels,
    notes,
    rung,
    several,
    shared_seeds,
    title,
    together,
)
from bench.analysis.ratios import basis, ratio
from bench.base.metrics import ACCURACY, SPEED, Metric
from bench.present.format import accuracy, listing, plain, plural, times

UNCHOSEN = (
    "Which of these settings is best is not said: it would be chosen on the test set. Hold a part of the training set "
    "out for that (--set train.validation_split=0.2), or search with [tune]."
)
CHOSEN = "the setting with the highest mean validation {}"
CHOSEN_OF_SEVERAL = "one of the settings with the highest mean validation {}"
MOST_NAMED = 6  # models, in a sentence
MOST_SETTINGS = 24  # beside the first, of which the ladder is made


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known of a section at the setting that it is shown at.

    `ladder`: None where it has one model alone. `sentences`: what is said below it. `decides`: what would decide the
    open pairs, with `command`, which is empty where nothing would. `others`: a line each on the other settings. `how`:
    what the verdicts are; `meaning`: what the intervals of accuracies are for.
    """

    section: Section
    ladder: Ladder | None
    sentences: tuple[str, ...]
    decides: str = ""
    command: str = ""
    others: tuple[str, ...] = ()
    how: str = ""
    meaning: str = ""

    @property
    def title(self) -> str:
        return title(self.ladder) if self.ladder else self.section.title

    @property
    def headline(self) -> str:
        """The answer in one sentence; of one model what it reaches."""
        return f"Best: {headline(self.ladder)}" if self.ladder else self.sentences[0]

    @property
    def opening(self) -> str:
        """The sentences before the command: the answer, where the second rung does not say it all, and what would
        decide it."""
        several = self.ladder is not None and len(self.ladder.cells) > 2
        decides = f"{self.decides}{':' if self.command else '.'}" if self.decides else ""
        return " ".join(part for part in (self.headline if several else "", decides) if part)

    @property
    def paragraphs(self) -> list[str]:
        """What is said below the ladder, the command after the first of them."""
        said = " ".join(self.sentences), *self.others, f"{self.how} {self.meaning}".strip()
        return [text for text in (self.opening, self.command, *said) if text]

    @property
    def text(self) -> str:
        """All of it, a line a rung, as one text."""
        lines = [self.title] if self.ladder else []
        if self.ladder:
            shown = zip(self.ladder.places, self.ladder.cells, levels(self.ladder), strict=True)
            for index, (place, cell, reached) in enumerate(shown):
                lines.append(f"{place} {cell.model} {reached} {rung(self.ladder, index)}".rstrip())
        return "\n".join([*lines, *self.paragraphs])


def chosen(section: Section) -> str:
    """Why a sweep is shown at the setting that it is shown at."""
    if not section.validated:
        return f"the first of {plural(section.options, 'setting')}"
    return (CHOSEN_OF_SEVERAL if section.focus_is_tied else CHOSEN).format(section.main.title)


def answer(section: Section, *, again: str = "") -> Answer | None:
    """The answer of a section; None where nothing was measured. `again`: the command that runs its suite as it was
    run, where that is known."""
    first = ladder(section, section.focus)
    variants = [variant for variant in section.variants if variant != section.focus]
    if first is None:
        variant = next((each for each in variants if ladder(section, each)), None)
        first = None if variant is None else ladder(section, variant)
    if first is None:
        return None
    if len(first.cells) == 1:
        return Answer(section, None, tuple(filter(None, [_alone(first), *_sweep(section), _along_axis(section)])))
    decides, seeds = decide(first)
    # Seeds go on by accuracies alone.
    run = command(seeds, again=again) if seeds is not None and again and first.metric.name == ACCURACY else ""
    at = f"At {section.describe(first.variant)}: {chosen(section)}." if section.tuned and variants else ""
    sentences = filter(None, [shared_seeds(first), at, *costs(first), *_sweep(section)])
    others = tuple(_others(first, variants))
    return Answer(section, first, tuple(sentences), decides, run, others, together(first), intervals([first]))


def _others(first: Ladder, variants: Sequence[Variant]) -> Iterator[str]:
    """A line for each other setting. Which setting is best is not said: the test set must not choose it."""
    section = first.section
    for variant in variants[:MOST_SETTINGS]:
        found = ladder(section, variant)
        if found is not None and len(found.cells) > 1:
            yield f"Best at {section.describe(variant)}: {headline(found)}"
    if len(variants) > MOST_SETTINGS:
        yield f"… and {plural(len(variants) - MOST_SETTINGS, 'other setting')}: see the table."


def nothing(section: Section) -> str:
    """Why a section has no figures."""
    rows = [row for cell in section.cells for row in cell.rows]
    return f"{section.title}: nothing was measured: {reasons((row.status, row.reason) for row in rows)}."


def level(cell: Cell) -> str:
    """The mean of a cell's main metric with its interval."""
    found = cell.estimate(cell.main.name)
    return accuracy(found.mean, found.ends) if found else f"no {cell.main.title}"


def _reached(metric: Metric) -> str:
    return "an accuracy of" if metric.name == ACCURACY else f"{metric.title} of"


def _alone(here: Ladder) -> str:
    cell, section = here.best, here.section
    seeds = plural(cell.n_of(cell.main.name), "seed")
    where = ", ".join(part for part in (section.title, section.describe(here.variant)) if part)
    why = f" ({chosen(section)})" if section.tuned and len(section.variants) > 1 else ""
    text = f"On {where}{why}, {cell.model} reaches {_reached(cell.main)} {level(cell)} over {seeds}"
    speed = cell.estimate(SPEED)
    text += f" and trains on {plain(speed.mean)} samples a second." if speed and is_timed(cell) else "."
    lost = listing(list(notes(cell)))
    return f"{text} {lost[0].upper()}{lost[1:]}." if lost else text


def _along_axis(section: Section) -> str:
    """The sentence on what one model reaches, and its speed, at its other settings: from end to end of an axis of
    numbers, one by one of any other axis."""
    for axis in section.axes:
        cells = [cell for cell in section.along(axis) if cell.estimate(cell.main.name)]
        if axis in section.tuned or len(cells) < 2:
            continue
        if axis in section.numeric_axes:
            return _from_to(axis, cells[0], cells[-1])
        here = value_text(section.focus[section.axes.index(axis)])
        others = [cell for cell in cells if value_text(cell.setting(axis)) != here][:4]
        levels = [f"{level(cell)} with {axis_label(axis)} {value_text(cell.setting(axis))}" for cell in others]
        return f"It reaches {listing(levels)}."
    return ""


def _sweep(section: Section) -> Iterator[str]:
    """The sentences on a sweep: the range of means over the axes that models are tuned by, and where each model is best
    on the validation part. Without one it is not said: it would be chosen on the test set."""
    found = [(cell, each) for cell in section.measured if (each := cell.estimate(section.main.name))]
    if not section.tuned or not found:
        return
    axes = listing([_span_of(section, axis) for axis in section.tuned])
    means = [each.mean for _, each in found]
    span = f"lie between {accuracy(min(means))} and {accuracy(max(means))}"
    where = span if min(means) < max(means) else f"are all {accuracy(means[0])}"
    yield f"Over {axes} mean {several(section.main)} {where}."
    if not section.validated:
        yield UNCHOSEN
        return
    best: dict[str, list[Cell]] = {}
    for cell, _ in found:
        level, highest = cell.validation or 0.0, best[cell.model][0].validation if cell.model in best else None
        if highest is None or level >= highest:
            best[cell.model] = [*(best.get(cell.model, []) if level == highest else []), cell]
    shown = [_best_at(section, cells) for cells in list(best.values())[:MOST_NAMED]]
    more = f"; {plural(len(best) - len(shown), 'other model')}: see the table" if len(best) > len(shown) else ""
    yield f"Best setting of each model by validation {section.main.title}: {'; '.join(shown)}{more}."


def _best_at(section: Section, cells: Sequence[Cell]) -> str:
    """`mlp 0.918 ± 0.015 at learning rate 0.1`, and at how many others the same."""
    others = f" and the same at {plural(len(cells) - 1, 'other setting')}" if len(cells) > 1 else ""
    return f"{cells[0].model} {level(cells[0])} at {section.describe(section.variant_of(cells[0]))}{others}"


def _span_of(section: Section, axis: str) -> str:
    values = sorted({float(cell.setting(axis)) for cell in section.measured})
    return f"{axis_label(axis)} {value_text(values[0])} to {value_text(values[-1])}"


def _from_to(axis: str, first: Cell, last: Cell) -> str:
    ends = f"From {axis_label(axis)} {value_text(first.setting(axis))} to {value_text(last.setting(axis))}"
    text = f"{ends} its {first.main.title} goes from {level(first)} to {level(last)}"
    found = ratio(last, first, metric=SPEED) if is_timed(first) and is_timed(last) else None
    if found is None:
        return f"{text}."
    how = "" if found.low is None else f" ({basis(found, apart='one ran after the other')})"
    return f"{text}, and its speed to {times(found.ratio, found.low, found.high)} times{how}."
