"""The blocks that a document can have: each makes its content from results, anew each time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis.conditions import environment_lines
from bench.analysis.findings import answer
from bench.analysis.ladder_words import ladder_table, shared_seeds, together
from bench.analysis.ladder_words import title as ladder_title
from bench.analysis.machines_table import machines_table
from bench.analysis.models_table import models_table
from bench.analysis.pair_tables import matrix_table, pairs_table
from bench.analysis.trust import short
from bench.analysis.tuning import sentences, tuning_of
from bench.analysis.tuning_tables import tuned_table
from bench.base.metrics import ACCURACY, BUILT_IN, SPEED
from bench.errors import nearest
from bench.publish.request import NOTES, Request
from bench.publish.source import (
    AXES,
    SHORT,
    BlockError,
    Told,
    conditions_lines,
    data_digest,
    known_metric,
    results_in,
)
from bench.publish.summary import OPTIONS as SUMMARY_OPTIONS
from bench.publish.summary import summary_table
from bench.results.doctor import newest

OPTIONS = ("results", "link", "notes", "copy")  # of every block
PLACES = ("dataset", "device", "environment")  # what a picture of the report is of one of


def _models(request: Request) -> Iterator[str]:
    """The table of models of every section that was measured."""
    sections, source = request.sections(), request.source
    for section in sections:
        if len(sections) > 1:
            yield request.markup.strong(section.title)
        table = models_table(
            section,
            name="models",
            baseline=source.baseline,
            doctor=newest(source.doctors, machine=section.machine),
            columns=request.listed("columns"),
        )
        yield request.table(table)
    yield from request.origin(sections)


def _summary(request: Request) -> Iterator[str]:
    """A table with the rows, columns and metrics of the marker's choice."""
    sections = request.sections()
    yield request.table(summary_table(sections, request.attributes))
    yield from request.notes(conditions_lines(sections))
    yield from request.origin(sections)


def _answer(request: Request) -> Iterator[str]:
    """Which model is best, whether the difference is real, what it costs: the report's own words."""
    sections = request.sections()
    found = [each for section in sections if (each := answer(section))]
    for each in found:
        if each.ladder:
            yield request.markup.strong(each.title)
            yield request.markup.table(replace(ladder_table(each.ladder, name="ladder"), notes=()))
        yield from map(request.markup.text, each.paragraphs)
    timings = short(result for section in sections for cell in section.cells for result in cell.ok)
    if not found:
        yield request.markup.text("Nothing was measured yet: no trial is ok.")
    elif timings:
        yield request.markup.text(timings)
    yield from request.notes(conditions_lines(sections))
    yield from request.origin(sections)


def _tuning(request: Request) -> Iterator[str]:
    """Default and tuned models side by side, how they were tuned, and what that cost."""
    found = tuning_of(request.source.suite, request.source.results, request.source.searches)
    if found is None:
        raise BlockError("its suite has no [tune], so nothing was tuned")
    table = tuned_table(found)
    yield request.markup.strong(table.title)
    yield request.markup.table(replace(table, notes=()))
    yield from map(request.markup.text, sentences(found))
    yield from request.notes(table.notes)
    yield from request.origin(request.sections())


def _conditions(request: Request) -> Iterator[str]:
    """Machine, versions, threads, commit and days of every environment."""
    found = environment_lines(request.sections(), request.source.doctors)
    for heading, lines in found:
        if len(found) > 1:
            yield request.markup.strong(heading)
        yield request.markup.bullets(lines)


def _pairs(request: Request) -> Iterator[str]:
    """Every two models of the ladder: how far one is ahead, and whether that is shown."""
    sections, form = request.sections(), request.choice("format", ("matrix", "list"))
    found = [each.ladder for section in sections if (each := answer(section)) and each.ladder]
    if not found:
        raise BlockError("fewer than two models have an accuracy at one setting: there is no pair")
    for ladder in found:
        title = f"Pairs of models on {ladder_title(ladder).partition('  ')[2]}"
        table = matrix_table(ladder, name="pairs", title=title) if form == "matrix" else None
        if table is None:  # of two models there is one pair
            rows = [(ladder.cells[0].dataset, pair) for pair in ladder.pairs]
            table = pairs_table(rows, BUILT_IN[ACCURACY], name="pairs", title=title).in_files
        yield request.markup.strong(title)
        yield request.table(table)
        yield from request.notes(text for text in (shared_seeds(ladder), together(ladder)) if text)
    yield from request.notes(conditions_lines(sections))
    yield from request.origin(sections)


def _machines(request: Request) -> Iterator[str]:
    """A metric on each machine side by side, with the ratios to one of them."""
    sections = request.sections()
    cells = [cell for section in sections for cell in section.cells]
    metric = known_metric(request.attributes.get("metric", SPEED), cells)
    names = list(dict.fromkeys(name for section in sections for name in section.environments))
    if len({section.machine for section in sections if section.measured}) < 2:
        raise BlockError("results of one machine alone: bench merge puts those of several into one folder")
    base = request.attributes.get("base", "")
    if base and not any(name.startswith(base) for name in names):
        raise BlockError(f"base={base}: no such environment (there are: {', '.join(name[:8] for name in names)})")
    yield request.table(machines_table(sections, metric, base=base))
    yield from request.notes(conditions_lines(sections))
    yield from request.origin(sections)


def _history(request: Request) -> Iterator[str]:
    """A metric from run to run, with what changed between them."""
    if request.source.history is None:
        raise BlockError("no results lie there that have a history")
    yield from _told(request, request.source.history(request.attributes.get("metric", SPEED), request.filters))


def _compare(request: Request) -> Iterator[str]:
    """Two folders, or two values of an axis within one: the ratio of each cell, the verdict, and what differs."""
    against, by = request.attributes.get("against", ""), request.attributes.get("by", "")
    if bool(against) == bool(by):
        raise BlockError("with what? say against=FOLDER (relative to this file), or by=AXIS within the one folder")
    if Path(against).is_absolute():
        raise BlockError(f"against={against}: a folder relative to the document, so that it is there for others too")
    if by == "model" and len(request.listed("values")) != 2:
        raise BlockError("by=model: say which two, as in values=linear,mlp; bench:pairs shows all models")
    if request.source.compare is None:
        raise BlockError("no results lie there that can be compared")
    folder = request.document / against if against else None
    metric = request.attributes.get("metric", "")
    yield from _told(request, request.source.compare(folder, by, request.listed("values"), metric))


def _duel(request: Request) -> Iterator[str]:
    """Which of the two sides of a duel is faster, cell by cell, with what differs between them."""
    source = request.source
    if source.duel is None:
        raise BlockError("no duel lies there: bench duel keeps each in a folder results/SUITE-duel/MOMENT")
    yield from _told(request, source.duel(request.attributes.get("metric", "")))


def _told(request: Request, found: Told) -> Iterator[str]:
    """A table of another command with its sentences, and its notes as far as the marker wants them."""
    yield request.table(found.table)
    yield from map(request.markup.text, found.sentences)
    yield from request.notes(found.notes)
    if request.source.shown and request.link != "none":
        yield from request.notes([f"Source: {request.source.shown}."])


def _plot(request: Request) -> Iterator[str]:
    """Pictures of the report, linked or copied, with the conditions that they were measured under."""
    source, names = request.source, _chosen(request)
    if "alt" in request.attributes and len(names) > 1:
        raise BlockError("alt= is for one picture: each of several has its own words from the report")
    sections = []
    for name in names:
        path = source.picture(name)
        section, plot = source.plots[name]
        sections += [section] if section not in sections else []
        alt = request.attributes.get("alt") or plot.alt
        yield request.markup.image(_placed(request, path, name), alt=alt, target=request.target())
    yield from request.notes(conditions_lines(sections))
    # The picture itself says nothing to --check: these digits do.
    digits = request.markup.text(f"data {data_digest(results_in(sections))}")
    yield from request.origin(sections, more=f" · {digits}") or [f"{digits[:1].upper()}{digits[1:]}."]


def _chosen(request: Request) -> list[str]:
    """The names of the pictures that the marker asks for: by file name, or by kind and filters."""
    kinds, filters = request.listed("plot"), request.filters
    if kinds and "name" in request.attributes:
        raise BlockError("name= and plot= both choose pictures: keep one of them")
    if filters and not kinds:
        raise BlockError(f"{next(iter(filters))}= filters what plot=KIND chooses; a name is of one picture already")
    if not kinds:
        return request.listed("name") or [""]
    return [name for kind in kinds for name in request.source.pictures_of(kind, filters)]


def _placed(request: Request, path: Path, name: str) -> str:
    """Where the document finds the picture: in the report, or a copy of it beside the document."""
    if "copy" in request.attributes:
        return request.copied(path, f"{request.source.name}-{name}.png", what="the picture")
    if not request.source.shown:
        raise BlockError("say where the document finds the picture: results=FOLDER to link it, copy=FOLDER to copy")
    return f"{request.source.shown}/report/plots/{name}.png"


@dataclass(frozen=True, slots=True)
class BlockKind:
    """One kind of block: what makes it, its own attributes, and the axes that it takes as filters."""

    make: Callable[[Request], Iterator[str]]
    attributes: tuple[str, ...] = ()
    filters: Sequence[str] = AXES


KINDS: dict[str, BlockKind] = {
    "models": BlockKind(_models, ("columns",)),
    "summary": BlockKind(_summary, SUMMARY_OPTIONS),
    "plot": BlockKind(_plot, ("name", "plot", "alt"), filters=PLACES),
    "answer": BlockKind(_answer),
    "tuning": BlockKind(_tuning, filters=()),
    "pairs": BlockKind(_pairs, ("format",)),
    "machines": BlockKind(_machines, ("metric", "base")),
    "conditions": BlockKind(_conditions),
    "history": BlockKind(_history, ("metric",)),
    "compare": BlockKind(_compare, ("against", "by", "values", "metric"), filters=()),
    "duel": BlockKind(_duel, ("metric",), filters=()),
}
LEFT_OUT = "Notes and conditions that are not here: as above."  # of notes=once


def content(name: str, request: Request) -> str:
    """The text of a block, between its markers. BlockError: no such block or attribute; BenchError of a table."""
    if name not in KINDS:
        raise BlockError(f"no such block{nearest(name, KINDS)} (there are: {', '.join(KINDS)})")
    kind = KINDS[name]
    _refuse_unknown(kind, request)
    if request.source.duel is not None and kind.make is not _duel:
        raise BlockError("a duel lies there: bench:duel shows it; other blocks show one of its sides: results=…/A")
    if not request.check:
        request.source.render()  # what blocks link to is there, and says the same as they do
    parts = list(kind.make(request))
    return "\n\n".join(parts + ([request.markup.text(LEFT_OUT)] if request.shortened else []))


def _refuse_unknown(kind: BlockKind, request: Request) -> None:
    """BlockError: an attribute that blocks of this kind do not have, or one that has nothing to do there."""
    own = [*OPTIONS, *kind.attributes]
    axes = [*kind.filters, *(short for short, axis in SHORT.items() if axis in kind.filters)]
    for key in request.attributes:
        if key not in own and key not in axes:
            told = ", and the axes of the suite, as in device=cpu" if kind.filters is AXES else ""
            there = ", ".join(own if told else [*own, *axes])
            raise BlockError(f"{key}: no such attribute{nearest(key, [*own, *axes])} (there are: {there}{told})")
    request.choice("notes", NOTES)
    if "copy" in request.attributes and request.link != "copy" and kind.make is not _plot:
        raise BlockError("copy= is the folder of pictures, and of pages with link=copy: this block has neither")
