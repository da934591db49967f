"""From results to the files of a report: tables, plots, page. What did not change is not rendered again."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from bench.analysis.cells import Section
from bench.analysis.models_table import models_table
from bench.analysis.sections import sections_of, slugs_of
from bench.base.records import Result, canonical_json
from bench.errors import BenchError
from bench.present.save_in_parallel import Press
from bench.present.tables import Table, write_frame
from bench.registry import REPORT_FORMATS
from bench.report.content import Content
from bench.report.extras import extras_of
from bench.report.html import write  # registers the page
from bench.report.page import Part, Picture, page
from bench.results.doctor import Doctor, newest, stored
from bench.results.frame import Latest, latest, other_axes, rows_frame
from bench.results.summary import summary_frame
from bench.suite.plan import Suite
from bench.suite.stored import suite_to_json

STAMP = ".rendered"
PACKAGES = ("matplotlib", "pandas", "scipy", "tabulate")
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
) -> RenderOutcome:
    """Write folder/report: report.md, index.html, tables/*.{md,csv,tex}, plots/*.{png,svg}.

    `folder` is results/<suite>.
    `plugin_errors`: plugins that could not be imported, and why, one line each; they are said in the report.
    Files are written aside and then put in place; those of an earlier report that are no longer made are removed.
    Raises BenchError where it cannot be written.
    """
    report = folder / "report"
    _refuse_links(report)
    doctors = stored(folder)
    seen = Seen(damaged, others, tuple(doctors), tuple(plugin_errors))
    stamp = fingerprint(suite, results, seen=seen)
    if _is_fresh(report, stamp):
        return RenderOutcome(report / "report.md", rendered=False)
    try:
        report.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=report))
        try:
            title = suite.title if suite is not None and suite.title else folder.name
            notes = _write(aside, folder, title=title, suite=suite, results=results, seen=seen)
            _put_in_place(aside, report, stamp=stamp)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise BenchError(
            f"{report}: the report cannot be written there ({error.strerror or error}); the results are safe"
        ) from error
    return RenderOutcome(report / "report.md", rendered=True, notes=notes)


def preload() -> None:
    """Import what `render` imports only where something is to be drawn."""
    import pandas

    from bench.present import style
    from bench.report import choose_plots as plots

    del pandas, plots, style


def _refuse_links(report: Path) -> None:
    """A folder of results may come from a stranger: what is written and removed here stays in it."""
    for path in (report, report / "tables", report / "plots"):
        if path.is_symlink():
            raise BenchError(f"{path}: is a link, a report is not written through it; remove it and report again")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a report says beside the results: damaged lines, results of other plans, the doctor's word, and which
    plugins could not be imported."""

    damaged: int
    others: int
    doctors: tuple[Doctor, ...]
    plugin_errors: tuple[str, ...]


def fingerprint(suite: Suite | None, results: Sequence[Result], *, seen: Seen) -> str:
    """Digest of all that a report is made of: results, plan, the doctor's word, our own code, and the packages that
    draw and write."""
    found = hashlib.sha256()
    plan = None if suite is None else suite_to_json(suite)
    beside = [seen.damaged, seen.others, list(seen.plugin_errors)]
    found.update(canonical_json([plan, beside, _versions()]).encode())
    keys = sorted((r.trial_id, r.environment_id, r.code_id, r.run_id, r.finished_at, r.status) for r in results)
    found.update(canonical_json(keys).encode())
    found.update(canonical_json([doctor.to_json() for doctor in seen.doctors]).encode())
    for path in _sources():
        found.update(path.read_bytes())
    return found.hexdigest()


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in PACKAGES} | {"jinja2": _version("jinja2")}


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


def _is_fresh(report: Path, stamp: str) -> bool:
    try:
        kept = json.loads((report / STAMP).read_text(encoding="utf-8"))
        return bool(kept["stamp"] == stamp) and all((report / name).is_file() for name in kept["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(
    aside: Path,
    folder: Path,
    *,
    title: str,
    suite: Suite | None,
    results: Sequence[Result],
    seen: Seen,
) -> tuple[str, ...]:
    found = latest(results, suite)
    sections = sections_of(found.rows, suite)
    (aside / "tables").mkdir()
    (aside / "plots").mkdir()
    with Press() as press:
        press.run(partial(_write_frames, aside / "tables", found, suite))
        parts = _parts(aside, sections, suite=suite, seen=seen, press=press)
        extras = extras_of(sections, suite, folder=folder)
        for extra in extras:
            _write_table(aside / "tables", extra.table)
        text = page(
            parts,
            title=title,
            suite=suite,
            latest=found,
            damaged=seen.damaged,
            others=seen.others,
            doctors=seen.doctors,
            plugin_errors=seen.plugin_errors,
            extras=extras,
        )
        (aside / "report.md").write_text(text, encoding="utf-8")
        around = seen.doctors, seen.damaged, seen.others, seen.plugin_errors
        return _write_whole(aside, Content(folder, title, suite, found, tuple(parts), *around, extras))


def _parts(aside: Path, sections: Sequence[Section], *, suite: Suite | None, seen: Seen, press: Press) -> list[Part]:
    """The table and the plots of every section; their files are on their way when this returns."""
    slugs = slugs_of(sections)
    tables = {
        section: models_table(
            section,
            name=f"models-{slugs[section]}",
            baseline=suite.baseline if suite else "",
            doctor=newest(seen.doctors, machine=section.machine),
            suite_name=suite.name if suite else "",
        )
        for section in sections
    }
    for table in tables.values():
        _write_table(aside / "tables", table)
    pictures = _draw(aside / "plots", sections, slugs, press=press)
    return [Part(section, tables[section], tuple(pictures[section])) for section in sections]


def _write_whole(aside: Path, content: Content) -> tuple[str, ...]:
    """The formats that write the whole report in one file; what those say that could not."""
    notes = [form.build(content, aside / form.file) for form in REPORT_FORMATS if form.file]
    return tuple(note for note in notes if note)


def _write_frames(folder: Path, found: Latest, suite: Suite | None) -> None:
    frame = rows_frame(found.rows, axes=other_axes(found.rows, suite))
    write_frame(frame, folder / "trials.csv")
    write_frame(summary_frame(frame), folder / "summary.csv")


def _write_table(folder: Path, table: Table) -> None:
    for form in (each for each in REPORT_FORMATS if not each.file):
        form.build(table, folder / f"{table.name}.{form.name}")


def _draw(
    folder: Path, sections: Sequence[Section], slugs: Mapping[Section, str], *, press: Press
) -> dict[Section, list[Picture]]:
    """The plots of every section; the same model looks the same in all of them."""
    pictures: dict[Section, list[Picture]] = {section: [] for section in sections}
    if not any(section.measured for section in sections):
        return pictures
    from bench.present import style  # matplotlib: half a second that a fresh report does not pay
    from bench.report import choose_plots as plots

    styles = style.styles_of(list(dict.fromkeys(cell.model for section in sections for cell in section.cells)))
    with style.setup():
        for section in sections:
            for plot in plots.plots_of(section, slug=slugs[section], styles=styles):
                press.run(partial(style.save, plot.figure, folder / plot.name))
                pictures[section].append(Picture(plot.name, plot.alt))
        for section, plot in plots.across_devices(sections, slugs=slugs, styles=styles):
            press.run(partial(style.save, plot.figure, folder / plot.name))
            pictures[section].append(Picture(plot.name, plot.alt))
    return pictures


def _put_in_place(aside: Path, report: Path, *, stamp: str) -> None:
    """Move every new file over the old one, then remove what is left of an older report. The stamp comes last: a
    report that was put in place by half is rendered again."""
    (report / STAMP).unlink(missing_ok=True)
    new = sorted(path.relative_to(aside) for path in aside.rglob("*") if path.is_file())
    for name in new:
        (report / name).parent.mkdir(exist_ok=True)
        (aside / name).replace(report / name)
    for old in (*report.glob("tables/*"), *report.glob("plots/*")):
        if old.is_file() and old.relative_to(report) not in new:
            old.unlink(missing_ok=True)
    kept = {"stamp": stamp, "files": [name.as_posix() for name in new]}
    fresh = aside / STAMP
    fresh.write_text(json.dumps(kept), encoding="utf-8")
    fresh.replace(report / STAMP)
