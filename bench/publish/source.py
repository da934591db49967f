"""What a block is made of: a folder of results with its sections, and the cells of them that a marker chooses."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.analysis.cells import DOTTED, Cell, Section, metrics_of, value_text
from bench.analysis.conditions import conditions
from bench.analysis.plots import Plot, plots_of
from bench.analysis.sections import narrowed, sections_of
from bench.base.metrics import BUILT_IN, Metric, metric_named
from bench.base.records import Json, Result, canonical_json, digest
from bench.errors import nearest
from bench.present.format import listing, plural
from bench.present.tables import Table
from bench.results.doctor import Doctor, stored
from bench.results.frame import Row, latest
from bench.suite.plan import Suite

NAMED = ("dataset", "model", "device", "environment", "code")
AXES = (*NAMED, *DOTTED)
SHORT = {name.rpartition(".")[2]: name for name in DOTTED}  # learning_rate → train.learning_rate


class BlockError(Exception):
    """What is wrong with a block; the document adds its file, line and name."""


@dataclass(frozen=True)
class Told:
    """What a block shows of another command: its table, the sentences that say what was found, and notes."""

    table: Table
    sentences: Sequence[str]
    notes: Sequence[str] = ()


Filters = Mapping[str, Sequence[str]]  # axis → values as people write them


@dataclass(frozen=True)
class Source:
    """The results of one folder, for blocks of one document. `shown` is the folder as the document names it; empty
    where it does not. `render` brings the report of the folder up to date. `history`: by metric and filters. `compare`:
    by the other folder, or by an axis and its values, and a metric. `duel`, by metric: of a folder that holds the two
    sides of one, and no results itself. `searches`: results of trainings that only serve a search."""

    folder: Path
    suite: Suite | None
    results: Sequence[Result]
    shown: str = ""
    render: Callable[[], None] = field(default=lambda: None)
    history: Callable[[str, Filters], Told] | None = None
    compare: Callable[[Path | None, str, Sequence[str], str], Told] | None = None
    duel: Callable[[str], Told] | None = None
    searches: Sequence[Result] = ()

    @property
    def name(self) -> str:
        return self.suite.name if self.suite is not None else self.folder.resolve().name

    @property
    def baseline(self) -> str:
        return self.suite.baseline if self.suite is not None else ""

    @cached_property
    def sections(self) -> list[Section]:
        return sections_of(latest(self.results, self.suite).rows, self.suite)

    @cached_property
    def plots(self) -> dict[str, tuple[Section, Plot]]:
        """The plots of the report by the name of their files, each with its section."""
        return {plot.name: (section, plot) for section, plot in plots_of(self.sections)}

    def picture(self, name: str) -> Path:
        """Where the report keeps a plot. BlockError where it has none of that name, or was not rendered yet."""
        path = self.folder / "report" / "plots" / f"{name}.png"
        drawn = [each for each in self.plots if path.with_name(f"{each}.png").is_file()]
        if name not in drawn:
            there = ", ".join(sorted(drawn)) or f"none: python -m bench report {self.shown or self.name} draws them"
            missing = f"no picture {name}{nearest(name, drawn)}" if name else "name= is missing: which picture?"
            raise BlockError(f"{missing} (there are: {there})")
        return path

    def pictures_of(self, what: str, filters: Filters) -> list[str]:
        """The names of the pictures of a kind of plot, of the sections that `filters` let through. BlockError: none."""
        kinds = list(dict.fromkeys(plot.what for _, plot in self.plots.values()))
        if what not in kinds:
            raise BlockError(f"plot={what}: no such plot{nearest(what, kinds)} (there are: {', '.join(kinds)})")
        cells = [cell for section in self.sections for cell in section.cells]
        for axis, values in filters.items():
            _known_values(cells, axis, values)
        found = [
            name
            for name, (section, plot) in self.plots.items()
            if plot.what == what and any(_kept(cell, filters) for cell in section.cells)
        ]
        if not found:
            raise BlockError(f"plot={what}: none is of {_listed(filters)} together")
        return found

    @cached_property
    def doctors(self) -> list[Doctor]:
        return stored(self.folder)


def choose(source: Source, filters: Filters) -> list[Section]:
    """The sections with the cells that `filters` (axis → values as people write them) let through.

    Sections in which nothing was measured are left out, unless their device or data set was asked for. BlockError
    where nothing is left.
    """
    every = [cell for section in source.sections for cell in section.cells]
    for axis, values in filters.items():
        _known_values(every, axis, values)
    found = [
        narrowed(section, [cell for cell in section.cells if _kept(cell, filters)], axes=section.axes)
        for section in source.sections
    ]
    asked = bool({"device", "dataset", "environment"} & set(filters))
    found = [section for section in found if section.cells and (section.measured or asked)]
    if not found:
        raise BlockError(f"no result has {_listed(filters)} together" if filters else "nothing was measured there")
    return found


def _listed(filters: Filters) -> str:
    return listing([f"{axis}={','.join(values)}" for axis, values in filters.items()])


def results_that(results: Iterable[Result], filters: Filters) -> list[Result]:
    """The results that `filters` let through, of whatever run. BlockError: a value that none has, or none is left."""
    cells = [
        (Cell(r.trial, r.trial.model.label, r.trial.dataset.label, (Row(r.trial, r),), "", r.code_id), r)
        for r in results
    ]
    for axis, values in filters.items():
        _known_values([cell for cell, _ in cells], axis, values)
    found = [result for cell, result in cells if _kept(cell, filters)]
    if not found:
        raise BlockError(f"no result has {_listed(filters)} together")
    return found


def known_metric(name: str, cells: Sequence[Cell]) -> Metric:
    """The metric called `name`, of bench or of a plugin that measured it here. BlockError: none."""
    known = [*BUILT_IN, *(metric.name for metric in metrics_of(cells) if not metric.built_in)]
    if name not in known:
        raise BlockError(f"metric={name}: no such metric{nearest(name, known)} (there are: {', '.join(known)})")
    return metric_named(name)


def axis_of(name: str) -> str:
    """The axis called `name` in a marker: `model`, `train.learning_rate` or `learning_rate`. BlockError: none."""
    found = SHORT.get(name, name)
    if name == "seed":
        raise BlockError("seed is no axis of a table: seeds are the replicates that a mean is of")
    if found not in AXES:
        raise BlockError(f"{name}: no such axis{nearest(name, [*AXES, *SHORT])} (there are: {', '.join(AXES)})")
    return found


def value_of(cell: Cell, axis: str) -> Json:
    """Where a cell stands on an axis."""
    if axis in NAMED:
        own = (cell.dataset, cell.model, cell.trial.device, cell.environment, cell.code_id[:8])
        return own[NAMED.index(axis)]
    return cell.setting(axis)


def written(cell: Cell, axis: str) -> set[str]:
    """How a marker may write that place: the label, or the registered name of a model or data set."""
    value = value_of(cell, axis)
    names = {"dataset": {cell.trial.dataset.name}, "model": {cell.trial.model.name}}.get(axis, set())
    plain = {str(value), str(value).replace(",", "")} if isinstance(value, int | float) else set()
    return {value_text(value), value_text(value).replace(",", ""), *names, *plain}


def _kept(cell: Cell, filters: Filters) -> bool:
    return all(written(cell, axis) & set(values) for axis, values in filters.items())


def _known_values(cells: Iterable[Cell], axis: str, values: Sequence[str]) -> None:
    found: dict[str, None] = {}
    every: set[str] = set()
    for cell in cells:
        found[value_text(value_of(cell, axis))] = None
        every |= written(cell, axis)
    for value in values:
        if value not in every:
            there = ", ".join(found)
            raise BlockError(f"{axis}={value}: no such value{nearest(value, every)} (there are: {there})")


def conditions_lines(sections: Sequence[Section]) -> list[str]:
    """One line for each condition that figures were taken under; sections that share one share the line."""
    texts: dict[str, list[str]] = {}
    for section in sections:
        texts.setdefault(conditions(section), []).append(section.title)
    if len(texts) == 1:
        return list(texts)
    return [f"{listing(titles)}: {text}" for text, titles in texts.items()]


def provenance(source: Source, sections: Sequence[Section]) -> str:
    """Suite, commit, and versions that the conditions leave out: `suite baseline · commit 3c40aa2c03a1 · …`."""
    results = results_in(sections)
    notes = [result.environment.notes for result in results]
    commits = sorted({str(each["commit"])[:12] for each in notes if each.get("commit")})
    dirty = any(each.get("dirty") for each in notes)
    python = sorted({str(each["python"]) for each in notes if each.get("python")})
    numpy = sorted({str(v) for each in notes if (v := dict(each.get("versions") or {}).get("numpy"))})
    parts = [
        f"suite {source.name}",
        f"commit {', '.join(commits)}{' (with changes)' if dirty else ''}" if commits else "commit unknown",
        f"Python {', '.join(python)}" if python else "",
        f"numpy {', '.join(numpy)}" if numpy else "",
        plural(len(results), "result"),
    ]
    return " · ".join(part for part in parts if part)


def results_in(sections: Iterable[Section]) -> list[Result]:
    """Every result behind the figures of these sections, each once."""
    cells = [cell for section in sections for cell in section.cells]
    return list({id(result): result for cell in cells for result in [*cell.ok, *cell.pool]}.values())


def data_digest(results: Collection[Result]) -> str:
    """Eight digits that change when any figure of these results does."""
    lines = sorted(canonical_json([r.trial_id, r.environment_id, r.finished_at, dict(r.metrics)]) for r in results)
    return digest("\n".join(lines))[:8]
