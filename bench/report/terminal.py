"""What a run prints when it is done, the ladder first: plain text, 80 columns, no colour codes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.analysis.cells import Cell, Section, Variant, doubtful, scale_for
from bench.analysis.conditions import reasons
from bench.analysis.findings import Answer, answer, nothing
from bench.analysis.interval_words import SHORT, meanings, purpose
from bench.analysis.ladder_text import ladder_lines, wrapped
from bench.analysis.ladder_words import several
from bench.analysis.models_table import baseline_of
from bench.analysis.ratios import basis, ratio
from bench.analysis.sections import sections_of
from bench.analysis.seeds_apart import of_seeds_apart
from bench.analysis.trust import MARK, alarm, mark, meaning, state
from bench.analysis.tuning import tuning_of
from bench.analysis.tuning_tables import tuning_lines
from bench.base.metrics import ACCURACY, BUILT_IN, MEMORY, SPEED, Metric
from bench.base.records import Result
from bench.present.columns import aligned, page_of
from bench.present.format import (
    DASH,
    Scale,
    accuracy,
    figure,
    listing,
    plural,
    printable_line,
    scale_of,
    span,
    times,
    whole,
)
from bench.present.names import short_names
from bench.present.names import width as width_of
from bench.report.page import command
from bench.results.frame import latest
from bench.statistics.intervals import Estimate, Ratio
from bench.suite.plan import Suite

MOST_SECTIONS = 3  # with their ladder and their table; the others have a line each
MOST_LINES = 4  # of other settings and other sections
NAME_WIDTH, LEAST_NAME = 24, 10
DATASET_WIDTH = 36


def terminal_summary(
    results: Sequence[Result],
    suite: Suite | None,
    *,
    report_path: Path | str = "",
    width: int = 80,
    beside: str = "",
    searches: Sequence[Result] = (),
) -> str:
    """What disturbed the timings, the ladders, the tables of their settings, where the report lies.

    `beside`: what is said of published figures, where the suite has some. `searches`: results of the trainings of
    searches; of a suite with [tune], default and tuned models stand behind the ladders.
    """
    sections = sections_of(latest(results, suite).rows, suite)
    measured = [section for section in sections if section.measured]
    ok = [result for section in measured for cell in section.cells for result in cell.ok]
    again = command(suite) if suite is not None and suite.source else ""
    what, retry = alarm(ok, again=again)
    parts: list[list[str]] = [[*wrapped(what, width=width), printable_line(f"  {retry}")] if what else []]
    answers = [found for section in measured if (found := answer(section, again=again))]
    parts += [part for each in answers[:MOST_SECTIONS] for part in _answer(each, width)]
    parts.append(_one_line_each(answers[MOST_SECTIONS:], width))
    parts += tuning_lines(tuning_of(suite, results, searches), width=width)
    parts += _tables([each.section for each in answers[:MOST_SECTIONS]] or measured, suite, width)
    parts += [wrapped(nothing(section), width=width) for section in sections if not section.measured]
    cells = [cell for section in measured for cell in section.cells]
    how = [*dict.fromkeys(each.how for each in answers), *_intervals(cells), state(ok)]
    parts += [wrapped(" ".join(filter(None, how)), width=width), wrapped(of_seeds_apart(measured), width=width)]
    parts += [wrapped(beside, width=width), [printable_line(f"report  {report_path}")] if report_path else []]
    return page_of(parts)


def _answer(found: Answer, width: int) -> Iterator[list[str]]:
    """The ladder of a section, what is said of it, and a line for each of the first other settings."""
    lines = list(ladder_lines(found.ladder, width=width)) if found.ladder else []
    lines += wrapped(found.opening, width=width)
    yield [*lines, *([printable_line(f"  {found.command}")] if found.command else [])]
    yield wrapped(" ".join(found.sentences), width=width)
    lines = [line for text in found.others[:MOST_LINES] for line in wrapped(text, width=width, indent="  ")]
    more = len(found.others) - MOST_LINES
    yield [*lines, *([f"… and {plural(more, 'other setting')}: see the report"] if more > 0 else [])]


def _one_line_each(answers: Sequence[Answer], width: int) -> list[str]:
    """The answers of further sections, in a sentence each."""
    lines = [
        line
        for each in answers[:MOST_LINES]
        for line in wrapped(f"{each.section.title}: {each.headline}", width=width, indent="  ")
    ]
    more = len(answers) - MOST_LINES
    return [*lines, *([f"… and {more} more: see the report"] if more > 0 else [])]


def _tables(sections: Sequence[Section], suite: Suite | None, width: int) -> Iterator[list[str]]:
    """The table of each of `sections`, at the setting of its ladder."""
    short = short_names((section.dataset for section in sections), most=DATASET_WIDTH)
    for section in sections:
        baseline = suite.baseline if suite is not None else ""
        yield _block(section, section.focus, short[section.dataset], baseline=baseline, width=width)


def _block(section: Section, variant: Variant, dataset: str, *, baseline: str, width: int) -> list[str]:
    cells = [cell for cell in section.cells if section.variant_of(cell) == variant]
    title = section.title.replace(section.dataset, dataset, 1)  # the report has its settings in full
    name = " · ".join(part for part in (title, section.describe(variant)) if part)
    lines = list(map(printable_line, _table(cells, baseline_of(section, baseline), width)))
    above = _title(name, _counted(cells, lines), used=max(map(width_of, lines)), width=width)
    notes = [*_footnotes(cells), *_not_paired(cells, baseline_of(section, baseline))]
    return [*above, *lines, *(line for note in notes for line in wrapped(note, width=width))]


def _counted(cells: Sequence[Cell], lines: Sequence[str]) -> str:
    """`n = 5 seeds, ± 95 % (new seeds, new images)`, where a line has such an interval; the seeds of timings too where
    they are fewer."""
    levels, timings = ([cell.n_of(name) for cell in cells if cell.n] for name in (main_of(cells).name, SPEED))
    seeds = plural(levels[0], "seed") if len(set(levels)) == 1 else f"{span(levels)} seeds"
    own = f" (timings {span(timings)})" if levels != timings else ""
    overs = meanings(cell.estimate(cell.main.name) for cell in cells)
    interval = f", ± 95 % ({SHORT[overs[0]]})" if overs and any("±" in line or " [" in line for line in lines) else ""
    return f"n = {seeds}{own}{interval}"


def _title(name: str, counted: str, *, used: int, width: int) -> list[str]:
    """Both on one line, as wide as the table; on more where they do not fit."""
    if width_of(name) + 3 + len(counted) > width:
        return [*wrapped(name, width=width), *wrapped(counted, width=width)]
    return [printable_line(f"{name}{' ' * max(3, used - width_of(name) - len(counted))}{counted}")]


def _table(cells: Sequence[Cell], against: str, width: int) -> list[str]:
    """The lines of the table. Names give way where it is too wide, then the columns that say least."""
    names, *columns = _columns(cells, against)
    least = min(LEAST_NAME, max(map(width_of, names)))
    for head in ("parameters", "fit (s)"):
        if _width(columns) > width - least:
            columns = [column for column in columns if column[0] != head]
    room = min(NAME_WIDTH, max(least, width - _width(columns)))
    return aligned(list(zip([names[0], *map(short_names(names[1:], most=room).get, names[1:])], *columns, strict=True)))


def _width(columns: Sequence[Sequence[str]]) -> int:
    """What columns take, with the gaps before them."""
    return sum(2 + max(map(width_of, column)) for column in columns)


def _columns(cells: Sequence[Cell], against: str) -> Iterator[list[str]]:
    """Each column from its head down."""
    memory = next((name for name in MEMORY if any(cell.estimate(name) for cell in cells)), MEMORY[-1])
    scale = scale_for(BUILT_IN[memory], cells) if any(cell.estimate(memory) for cell in cells) else Scale("MiB")

    def column(head: str, metric: str, text: Callable[[Estimate], str]) -> list[str]:
        texts = [text(found) if (found := cell.estimate(metric)) else DASH for cell in cells]
        whole = [cell.disturbed or metric == SPEED for cell in cells]  # how many seeds: said once in a row
        marks = [mark(BUILT_IN[metric], cell.timings) if say else "" for cell, say in zip(cells, whole, strict=True)]
        return [head, *_marked(texts, marks)]

    def figures(scale: Scale) -> Callable[[Estimate], str]:
        return lambda found: figure(found.mean, scale, ends=found.ends, form="mean")

    yield ["model", *(cell.model for cell in cells)]
    yield column("parameters", "parameters", lambda found: whole(found.mean))
    yield [main_of(cells).title, *map(_level, cells)]
    yield column("samples/s", SPEED, figures(scale_of("samples/s", [])))
    if against:
        short = short_names({cell.model: None for cell in cells} | {against: None}, most=12)
        yield [f"×{short[against]}", *_ratio_texts(cells, against)]
    yield column(f"memory ({scale.unit})", memory, figures(scale))
    yield column("fit (s)", "fit_seconds", figures(scale_of("", [])))


def main_of(cells: Sequence[Cell]) -> Metric:
    """What the models of a table are judged by."""
    return next((cell.main for cell in cells if cell.n), BUILT_IN[ACCURACY])


def _intervals(cells: Sequence[Cell]) -> Iterator[str]:
    """What the intervals of each main metric are for."""
    for metric in dict.fromkeys(cell.main for cell in cells if cell.n):
        overs = meanings(cell.estimate(metric.name) for cell in cells if cell.main == metric)
        if overs:
            name = several(metric)
            yield f"{name[0].upper()}{name[1:]}: {purpose(overs)}."


def _level(cell: Cell) -> str:
    if not cell.n:
        return "/".join(dict.fromkeys(row.status for row in cell.rows))
    found = cell.estimate(cell.main.name)
    return accuracy(found.mean, found.ends) if found else DASH


def _ratios(cells: Sequence[Cell], against: str) -> list[Ratio | None]:
    other = next((each for each in cells if each.model == against), None)
    return [ratio(cell, other, metric=SPEED) if other else None for cell in cells]


def _ratio_texts(cells: Sequence[Cell], against: str) -> list[str]:
    """Ratios with the mark of those of which a side is disturbed."""
    bases = [cell for cell in cells if cell.model == against]
    marks = [f" {MARK}" if doubtful(BUILT_IN[SPEED], cell, *bases) else "" for cell in cells]
    return _marked([times(each.ratio) if each else DASH for each in _ratios(cells, against)], marks)


def _marked(texts: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Figures with their marks behind them, so that the figures still stand below each other."""
    room = max(map(len, marks))
    return [f"{text}{each:{room}}" for text, each in zip(texts, marks, strict=True)]


def _not_paired(cells: Sequence[Cell], against: str) -> Iterator[str]:
    """The note on ratios of models that shared no time with the baseline, where others did."""
    ratios = {cell.model: found for cell, found in zip(cells, _ratios(cells, against), strict=True) if found}
    alone = [model for model, found in ratios.items() if found.over == "processes" and model != against]
    if alone and any(found.over != "processes" for found in ratios.values()):
        yield f"×{against} of {listing(alone)} is {basis(ratios[alone[0]])}"


def _footnotes(cells: Sequence[Cell]) -> list[str]:
    marks = meaning(mark(BUILT_IN[SPEED], cell.timings) for cell in cells)
    absent = [(row.status, row.reason) for cell in cells for row in cell.not_ok]
    notes = [marks, f"{DASH} {reasons(absent)}" if absent else "", *_other_intervals(cells)]
    return [note for note in notes if note]


def _other_intervals(cells: Sequence[Cell]) -> Iterator[str]:
    """What the intervals of the main metric are for that are not as the title says."""
    found = {cell.model: cell.estimate(cell.main.name) for cell in cells}
    for over in meanings(found.values())[1:]:
        models = [model for model, each in found.items() if each and each.low is not None and each.over == over]
        yield f"± of {listing(models)}: {purpose([over])}"
