"""The blocks that a document can have: each makes its content from results, anew each time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import normpath
from pathlib import Path

from bench.analysis.cells import Section
from bench.analysis.conditions import environment_lines
from bench.analysis.findings import answer
from bench.analysis.ladder_words import ladder_table
from bench.analysis.models_table import models_table
from bench.analysis.trust import short
from bench.base import files
from bench.errors import nearest
from bench.publish.markup import Markup
from bench.publish.source import (
    AXES,
    SHORT,
    BlockError,
    Source,
    axis_of,
    choose,
    conditions_lines,
    data_digest,
    provenance,
    results_in,
)
from bench.publish.summary import OPTIONS as SUMMARY_OPTIONS
from bench.publish.summary import summary_table
from bench.results.doctor import newest


@dataclass(slots=True)
class Request:
    """What one marker asks for. `document` is its folder; `check`: nothing may be written."""

    attributes: Mapping[str, str]
    source: Source
    markup: Markup
    document: Path
    check: bool = False
    copies: dict[Path, bytes] = field(default_factory=dict)  # pictures to put beside the document

    @property
    def filters(self) -> dict[str, list[str]]:
        """Axis → values: every attribute that is one."""
        given = {key: text for key, text in self.attributes.items() if key in AXES or key in SHORT}
        return {axis_of(key): [part.strip() for part in text.split(",")] for key, text in given.items()}

    def sections(self) -> list[Section]:
        return choose(self.source, self.filters)

    def listed(self, key: str) -> list[str]:
        return [part.strip() for part in self.attributes.get(key, "").split(",") if part.strip()]

    def origin(self, sections: Sequence[Section]) -> str:
        """The line that says where a block is from, with a link to the whole report where the document knows it."""
        said, shown = self.markup.text(provenance(self.source, sections)), self.source.shown
        report = f"{self.markup.link(shown, f'{shown}/report/report.md')} · " if shown else ""
        return f"{self.markup.text('Source:')} {report}{said}."


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
        yield request.markup.table(table)
    yield request.origin(sections)


def _summary(request: Request) -> Iterator[str]:
    """A table with the rows, columns and metrics of the marker's choice."""
    sections = request.sections()
    yield request.markup.table(summary_table(sections, request.attributes))
    yield from map(request.markup.text, conditions_lines(sections))
    yield request.origin(sections)


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
    yield from map(request.markup.text, conditions_lines(sections))
    yield request.origin(sections)


def _conditions(request: Request) -> Iterator[str]:
    """Machine, versions, threads, commit and days of every environment."""
    found = environment_lines(request.sections(), request.source.doctors)
    for heading, lines in found:
        if len(found) > 1:
            yield request.markup.strong(heading)
        yield request.markup.bullets(lines)


def _duel(request: Request) -> Iterator[str]:
    """Which of the two sides of a duel is faster, cell by cell, with what differs between them."""
    source = request.source
    if source.duel is None:
        raise BlockError("no duel lies there: bench duel keeps each in a folder results/SUITE-duel/MOMENT")
    found = source.duel(request.attributes.get("metric", ""))
    yield request.markup.table(found.table)
    yield from map(request.markup.text, found.sentences)
    if source.shown:
        yield request.markup.text(f"Source: {source.shown}.")


def _plot(request: Request) -> Iterator[str]:
    """Pictures of the report, linked or copied, with the conditions that they were measured under."""
    source, names = request.source, request.listed("name") or [""]
    if "alt" in request.attributes and len(names) > 1:
        raise BlockError("alt= is for one picture: each of several has its own words from the report")
    sections = []
    for name in names:
        path = source.picture(name)
        section, plot = source.plots[name]
        sections += [section] if section not in sections else []
        target = f"{source.shown}/report/report.md" if source.shown else ""
        alt = request.attributes.get("alt") or plot.alt
        yield request.markup.image(_placed(request, path, name), alt=alt, target=target)
    yield from map(request.markup.text, conditions_lines(sections))
    # The picture itself says nothing to --check: these digits do.
    yield f"{request.origin(sections)[:-1]} · {request.markup.text(f'data {data_digest(results_in(sections))}')}."


def _placed(request: Request, path: Path, name: str) -> str:
    """Where the document finds the picture: in the report, or a copy of it beside the document."""
    folder = request.attributes.get("copy")
    if folder is None:
        if not request.source.shown:
            raise BlockError("say where the document finds the picture: results=FOLDER to link it, copy=FOLDER to copy")
        return f"{request.source.shown}/report/plots/{name}.png"
    copied = Path(folder) / f"{request.source.name}-{name}.png"
    if folder.startswith("~") or not _may_hold((request.document / copied).parent, request):
        where = "a folder of the document's own, relative to it: not above it, no link, no folder of results, no ~"
        raise BlockError(f"copy={folder}: pictures go into {where}")
    try:
        request.copies[request.document / copied] = files.read(path, inside=request.source.folder)
    except OSError:
        raise BlockError(f"{path}: the picture cannot be read; remove it and run bench report") from None
    return Path(normpath(copied)).as_posix()


def _may_hold(folder: Path, request: Request) -> bool:
    """Whether copies may be put into a folder: below the document, without a link, and neither one of results, in such
    a one, nor the one that holds the block's."""
    try:
        files.refuse_links(folder, inside=request.document)
    except OSError:
        return False
    below = [each for each in (folder, *folder.parents) if request.document in each.parents]
    holds_results = folder.absolute() == request.source.folder.absolute().parent
    return not holds_results and not any((each / "trials").is_dir() for each in below)


@dataclass(frozen=True, slots=True)
class BlockKind:
    """One kind of block: what makes it, its attributes beside the axes, and whether it takes axes as filters."""

    make: Callable[[Request], Iterator[str]]
    attributes: tuple[str, ...] = ()
    filters: bool = True


KINDS: dict[str, BlockKind] = {
    "models": BlockKind(_models, ("columns",)),
    "summary": BlockKind(_summary, SUMMARY_OPTIONS),
    "plot": BlockKind(_plot, ("name", "copy", "alt"), filters=False),
    "answer": BlockKind(_answer),
    "conditions": BlockKind(_conditions),
    "duel": BlockKind(_duel, ("metric",), filters=False),
}


def content(name: str, request: Request) -> str:
    """The text of a block, between its markers. BlockError: no such block or attribute; BenchError of a table."""
    if name not in KINDS:
        raise BlockError(f"no such block{nearest(name, KINDS)} (there are: {', '.join(KINDS)})")
    kind = KINDS[name]
    own = ["results", *kind.attributes]
    for key in request.attributes:
        if key not in own and not (kind.filters and (key in AXES or key in SHORT)):
            choices = [*own, *(AXES if kind.filters else ())]
            axes = ", and the axes of the suite, as in device=cpu" if kind.filters else ""
            raise BlockError(f"{key}: no such attribute{nearest(key, choices)} (there are: {', '.join(own)}{axes})")
    if request.source.duel is not None and kind.make is not _duel:
        raise BlockError("a duel lies there: bench:duel shows it; other blocks show one of its sides: results=…/A")
    if not request.check:
        request.source.render()  # what blocks link to is there, and says the same as they do
    return "\n\n".join(kind.make(request))
