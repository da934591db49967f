"""From results to the files of a report: tables, plots, page. What did not change is not rendered again."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path

from bench.analysis.cells import Section
from bench.analysis.findings import answer
from bench.analysis.ladder_words import ladder_table
from bench.analysis.ladder_words import title as ladder_title
from bench.analysis.models_table import models_table
from bench.analysis.pair_tables import pairs_table
from bench.analysis.plots import Plot, plots_of
from bench.analysis.sections import sections_of, slugs_of
from bench.analysis.tuning import tuning_of
from bench.analysis.tuning_plots import tuning_plots
from bench.analysis.tuning_tables import TRIED, tried_table, tuned_table
from bench.base import files
from bench.base.cache import cache_folder
from bench.base.records import Json, Result, canonical_json, digest
from bench.errors import BenchError
from bench.present.colours import styles_of
from bench.present.files import write_tables
from bench.present.save_in_parallel import InParallel
from bench.present.tables import Table, to_csv, write_frame
from bench.registry import REPORT_FORMATS
from bench.report import published_figures
from bench.report.html import write  # registers the page
from bench.report.page import Extra, Part, Report, Seen, TuningPart, command, page
from bench.report.weights_table import weights_table
from bench.results.doctor import newest, stored
from bench.results.frame import Latest, latest, other_axes, rows_frame
from bench.results.summary import summary_frame
from bench.suite.plan import Suite
from bench.suite.stored import suite_to_json

STAMP = ".rendered"  # of a report that an older bench wrote
PACKAGES = ("matplotlib", "pandas", "scipy", "tabulate", "jinja2")
# Folders of bench whose code makes the report.
PARTS = ("base", "statistics", "suite", "results", "present", "analysis", "plots", "report")
PAGE_FILES = (".py", ".j2", ".css", ".js")


@dataclass(frozen=True, slots=True)
class RenderOutcome:
    """Where report.md lies, and whether it was written anew."""

    report_path: Path
    rendered: bool
    notes: tuple[str, ...] = ()  # what was not written, and what to do, one line each


def render(
    folder: Path,
    *,
    suite: Suite | None,
    results: Sequence[Result],
    damaged: int = 0,
    others: int = 0,
    plugin_errors: Sequence[str] = (),
    searches: Sequence[Result] = (),
) -> RenderOutcome:
    """Write folder/report: report.md, index.html, tables/*.{md,csv,tex}, plots/*.{png,svg}.

    `folder` is results/<suite>.
    `searches`: results of the trainings of searches (`Store.searches`).
    `plugin_errors`: plugins that could not be imported, and why, one line each; they are said in the report.
    Files are written aside and then put in place; those of an earlier report that are no longer made are removed.
    Raises BenchError where it cannot be written.
    """
    target = folder / "report"
    seen = Seen(damaged, others, tuple(stored(folder)), tuple(plugin_errors))
    stamp = fingerprint(suite, [*results, *searches], seen=seen)
    try:
        for path in (target, target / "tables", target / "plots"):
            files.refuse_links(path, inside=folder)
    except OSError as error:
        raise BenchError(f"{error.filename}: {files.why(error)}; remove it and report again") from error
    try:
        if written(target) == {"stamp": stamp, "files": _digests(target)}:
            return RenderOutcome(target / "report.md", rendered=False)
        target.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=target))
        try:
            report = Report(folder, suite, latest(results, suite), seen, tuning=_tuning(suite, results, searches))
            notes = _write(aside, report)
            _put_in_place(aside, target, stamp=stamp)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise BenchError(
            f"{target}: the report cannot be written there ({files.why(error)}); the results are safe"
        ) from error
    return RenderOutcome(target / "report.md", rendered=True, notes=notes)


def _tuning(suite: Suite | None, results: Sequence[Result], searches: Sequence[Result]) -> TuningPart | None:
    found = tuning_of(suite, results, searches)
    return None if found is None else TuningPart(found, tuned_table(found), tuple(tuning_plots(found)))


def preload() -> None:
    """Import what `render` imports only where something is to be drawn."""
    import pandas

    from bench.plots import draw

    del pandas, draw


def fingerprint(suite: Suite | None, results: Sequence[Result], *, seen: Seen) -> str:
    """Digest of all that a report is made of: results, plan, the doctor's word, our own code, and the packages that
    draw and write."""
    found = hashlib.sha256()
    plan = None if suite is None else suite_to_json(suite)
    beside = [seen.damaged, seen.others, list(seen.plugin_errors)]
    found.update(canonical_json([plan, beside, {name: _version(name) for name in PACKAGES}]).encode())
    keys = sorted((r.trial_id, r.environment_id, r.code_id, r.run_id, r.finished_at, r.status) for r in results)
    found.update(canonical_json(keys).encode())
    found.update(canonical_json([doctor.to_json() for doctor in seen.doctors]).encode())
    for path in _sources():
        found.update(files.read(path))
    return found.hexdigest()


def _version(name: str) -> str:
    """Empty where an extra is not installed: the report is rendered again once it is."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _sources() -> Iterator[Path]:
    bench = Path(__file__).resolve().parents[1]
    for part in PARTS:
        yield from sorted((bench / part).glob("*.py"))
    yield from sorted(path for path in write.HERE.rglob("*") if path.suffix in PAGE_FILES)


def written(report: Path) -> Json:
    """What this user's bench wrote into the folder `report` last: its stamp, and the digests of its files. It lies in
    the user's cache: a folder of results comes from anybody, and may say anything of itself."""
    try:
        return json.loads(files.read(_record(report)))
    except (OSError, ValueError):
        return {}


def _record(report: Path) -> Path:
    return cache_folder() / "reports" / f"{digest(str(report.resolve()))}.json"


def _digests(report: Path) -> dict[str, str]:
    """SHA-256 of every file that stands where a report has one; "odd" of what is no plain file."""
    names = ["report.md", *(form.file for form in REPORT_FORMATS if form.file)]
    paths = [*(report / name for name in names), *report.glob("tables/*"), *report.glob("plots/*")]
    found = {}
    for path in (path for path in paths if path.is_symlink() or (path.exists() and not path.is_dir())):
        name = path.relative_to(report).as_posix()
        try:
            found[name] = hashlib.sha256(files.read(path, inside=report)).hexdigest()
        except OSError:
            found[name] = "odd"
    return found


def _write(aside: Path, report: Report) -> tuple[str, ...]:
    """Write every file of the report; what the formats say that could not."""
    (aside / "tables").mkdir()
    (aside / "plots").mkdir()
    with InParallel() as jobs:
        jobs.run(partial(_write_frames, aside / "tables", report.latest, report.suite))
        sections = sections_of(report.latest.rows, report.suite)
        report = replace(report, extras=_extras(report, sections), parts=_parts(report, sections))
        write_tables(
            [*(table for part in report.parts for table in part.tables), *(extra.table for extra in report.extras)],
            aside / "tables",
        )
        if report.tuning is not None:
            write_tables([report.tuning.table], aside / "tables")
            files.write(aside / "tables" / f"{TRIED}.csv", to_csv(tried_table(report.tuning.tuning)))
        drawn = any(part.plots for part in report.parts) or bool(report.tuning and report.tuning.plots)
        note = _draw(aside / "plots", report, jobs) if drawn else ""
        files.write(aside / "report.md", page(report))
        notes = [note, *(form.build(report, aside / form.file) for form in REPORT_FORMATS if form.file)]
        return tuple(note for note in notes if note)


def _parts(report: Report, sections: Sequence[Section]) -> tuple[Part, ...]:
    """Every section with its table and its plots."""
    suite, slugs = report.suite, slugs_of(sections)
    plots: dict[Section, list[Plot]] = {section: [] for section in sections}
    for section, plot in plots_of(sections):
        plots[section].append(plot)
    tables = {
        section: models_table(
            section,
            name=f"models-{slugs[section]}",
            baseline=suite.baseline if suite else "",
            doctor=newest(report.seen.doctors, machine=section.machine),
            suite_name=suite.name if suite else "",
        )
        for section in sections
    }
    again = command(suite) if suite is not None and suite.source else ""
    return tuple(
        part_of(section, tables[section], plots[section], slug=slugs[section], again=again) for section in sections
    )


def part_of(section: Section, table: Table, plots: Sequence[Plot], *, slug: str, again: str) -> Part:
    """A section with the tables of its ladder, where it has two models or more."""
    found = answer(section, again=again)
    if found is None or found.ladder is None:
        return Part(section, table, tuple(plots), found)
    ladder = found.ladder
    title = f"Pairs of models on {ladder_title(ladder).partition('  ')[2]}"
    rows = [(section.dataset, pair) for pair in ladder.pairs]
    pairs = pairs_table(rows, ladder.metric, name=f"pairs-{slug}", title=title)
    return Part(section, table, tuple(plots), found, ladder_table(ladder, name=f"ladder-{slug}"), pairs)


def _extras(report: Report, sections: Sequence[Section]) -> tuple[Extra, ...]:
    """What the suite asks for under `[report]`: published figures beside ours, then the weights."""
    suite, found = report.suite, []
    if suite is not None and suite.published:
        figures = published_figures.figures_of(sections, suite, folder=report.folder)
        if figures:
            found.append(Extra(published_figures.sentence(figures), published_figures.table_of_figures(figures)))
    if suite is not None and suite.weights and (table := weights_table(sections, folder=report.folder)):
        found.append(Extra("What training left of the weights, setting by setting.", table))
    return tuple(found)


def _write_frames(folder: Path, found: Latest, suite: Suite | None) -> None:
    frame = rows_frame(found.rows, axes=other_axes(found.rows, suite))
    write_frame(frame, folder / "trials.csv")
    write_frame(summary_frame(frame), folder / "summary.csv")


def _draw(folder: Path, report: Report, jobs: InParallel) -> str:
    """The plots of every section, one after another: each is forgotten before the next is drawn. The same model looks
    the same in all of them. Returns what is to be said of their fonts."""
    from bench.plots.draw import draw  # matplotlib: half a second that a fresh report does not pay
    from bench.plots.tuning import draw_tuning
    from bench.present import glyphs, style

    absent: set[str] = set()
    styles = styles_of(cell.model for section in report.sections for cell in section.cells)
    with style.setup():
        for plot in (plot for part in report.parts for plot in part.plots):
            figure = draw(plot, styles)
            absent |= glyphs.dress(figure)
            jobs.run(partial(style.save, figure, folder / plot.name))
        for shown in report.tuning.plots if report.tuning is not None else ():
            figure = draw_tuning(shown, styles)
            absent |= glyphs.dress(figure)
            jobs.run(partial(style.save, figure, folder / shown.name))
    return glyphs.absent_note(absent)


def _put_in_place(aside: Path, report: Path, *, stamp: str) -> None:
    """Move every new file over the old one, then remove what is left of an older report. What was written is kept
    last: a report that was put in place by half is rendered again."""
    (report / STAMP).unlink(missing_ok=True)
    new = sorted(path.relative_to(aside) for path in aside.rglob("*") if path.is_file())
    for name in new:
        (report / name).parent.mkdir(exist_ok=True)
        (aside / name).replace(report / name)
    old = [report / form.file for form in REPORT_FORMATS if form.file]
    for path in (*old, *report.glob("tables/*"), *report.glob("plots/*")):
        if path.relative_to(report) not in new and (path.is_symlink() or not path.is_dir()):
            path.unlink(missing_ok=True)
    with suppress(OSError):  # a cache that cannot be written: rendered again the next time
        files.write(_record(report), json.dumps({"stamp": stamp, "files": _digests(report)}))
