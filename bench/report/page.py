"""report.md: the answer first, then the evidence, then the conditions."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis.cells import Section
from bench.analysis.conditions import environment_lines, fact_text, notes, reasons
from bench.analysis.findings import Answer, nothing
from bench.analysis.ladder_words import QUESTION
from bench.analysis.plots import Plot
from bench.analysis.seeds_apart import of_seeds_apart
from bench.analysis.trust import alarm, state
from bench.analysis.tuning import Tuning, sentences
from bench.analysis.tuning_plots import TuningPlot
from bench.analysis.tuning_tables import TRIED
from bench.base.records import Json, Result
from bench.present.files import MOST_ROWS, table_section
from bench.present.format import listing, plural, printable, ranges
from bench.present.tables import Table, escape_markdown, to_markdown
from bench.report.decided import seeds_sentences
from bench.results.doctor import Doctor
from bench.results.frame import Latest
from bench.suite.plan import Suite

NOTHING = "Nothing was measured yet: no trial of this plan is ok."


@dataclass(frozen=True, slots=True)
class Seen:
    """What a report says beside the results: damaged lines, results of other plans, the doctor's word, and which
    plugins could not be imported."""

    damaged: int = 0
    others: int = 0
    doctors: tuple[Doctor, ...] = ()
    plugin_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A section: answer, table of models, plots. `ladder`, `pairs`: tables of its models; none where it has one."""

    section: Section
    table: Table
    plots: tuple[Plot, ...] = ()
    answer: Answer | None = None
    ladder: Table | None = None
    pairs: Table | None = None

    @property
    def tables(self) -> list[Table]:
        return [table for table in (self.ladder, self.pairs, self.table) if table is not None]


@dataclass(frozen=True, slots=True)
class Extra:
    """A table over all sections that a suite asks for, and what it says in words."""

    text: str
    table: Table


@dataclass(frozen=True, eq=False)
class TuningPart:
    """What the report says of tuning: sentences, default and tuned models side by side, pictures."""

    tuning: Tuning
    table: Table
    plots: tuple[TuningPlot, ...] = ()

    @property
    def sentences(self) -> list[str]:
        return sentences(self.tuning)


@dataclass(frozen=True, eq=False)
class Report:
    """What a report is made of. `folder` is results/<suite>, where logs and artifacts lie. `tuning`: None of a suite
    without [tune]."""

    folder: Path
    suite: Suite | None
    latest: Latest
    seen: Seen = Seen()
    parts: tuple[Part, ...] = ()
    extras: tuple[Extra, ...] = ()
    tuning: TuningPart | None = None

    @property
    def title(self) -> str:
        return (self.suite.title if self.suite is not None else "") or self.folder.name

    @property
    def sections(self) -> list[Section]:
        return [part.section for part in self.parts]

    @property
    def ok(self) -> list[Result]:
        return [row.result for row in self.latest.rows if row.result is not None and row.result.status == "ok"]

    def alarm(self) -> tuple[str, str]:
        """What disturbed timings, and the command that measures those anew; both empty where nothing did."""
        return alarm(self.ok, again=command(self.suite) if self.suite is not None and self.suite.source else "")


def page(report: Report) -> str:
    """The whole report as Markdown. Everything that comes from a suite or a result is escaped."""
    blocks = [f"# {escape_markdown(report.title)}"]
    blocks += [block for part in report.parts for block in _answer(part)] or [NOTHING]
    blocks += _tuning(report.tuning) if report.tuning is not None else []
    if all(alarm := report.alarm()):
        blocks += [f"**{escape_markdown(alarm[0])}**", "    " + printable(alarm[1])]
    blocks.append("## What to know about these figures")
    blocks.append("\n".join(f"- {escape_markdown(text)}" for text in caveats(report)))
    for part in report.parts:
        blocks += _section(part)
    for extra in report.extras:
        heading, *table = table_section(extra.table)
        blocks += [heading, escape_markdown(extra.text), *table]
    blocks += ["## Conditions", *_environments(report)]
    blocks += ["## How to do it again", *_again(report)]
    return "\n\n".join(blocks) + "\n"


def _answer(part: Part) -> Iterator[str]:
    """The ladder as a table, then what is said of it, the command in a block of its own."""
    found = part.answer
    if found is None:
        return
    if part.ladder is not None:
        yield f"**{QUESTION}** {escape_markdown(part.ladder.title.removeprefix(QUESTION).strip())}"
        yield to_markdown(replace(part.ladder, notes=()), most_rows=MOST_ROWS).rstrip()
    for text in found.paragraphs:
        yield "    " + printable(text) if text == found.command else escape_markdown(text)
    if part.pairs is not None and len(part.pairs.rows) > 1:
        yield f"Every pair: [CSV](tables/{part.pairs.name}.csv) · [Markdown](tables/{part.pairs.name}.md)"


def _tuning(part: TuningPart) -> Iterator[str]:
    """Default and tuned models, the sentences on them, and the pictures of the search."""
    heading, *table = table_section(part.table)
    yield heading
    yield from table
    for text in part.sentences:
        yield escape_markdown(text)
    yield f"Every setting that was tried: [tables/{TRIED}.csv](tables/{TRIED}.csv)"
    yield from map(_picture, part.plots)


def _picture(plot: Plot | TuningPlot) -> str:
    alt = escape_markdown(plot.alt).replace("[", "\\[").replace("]", "\\]")
    return f"[![{alt}](plots/{plot.name}.png)](plots/{plot.name}.svg)"


def caveats(report: Report) -> Iterator[str]:
    """What is not right with the figures, one sentence each; the first one counts the trials."""
    sections, suite, latest, seen = report.sections, report.suite, report.latest, report.seen
    yield _count(latest)
    yield from (nothing(section) for section in sections if not section.measured)
    measured = [row for section in sections if section.measured for cell in section.cells for row in cell.not_ok]
    if measured:
        yield f"In the tables below, not in any mean: {reasons((row.status, row.reason) for row in measured)}."
    ok = report.ok
    if text := state(ok):
        yield text
    yield from notes(ok)
    if text := _one_recipe(suite, sections):
        yield text
    yield from _mixtures(sections)
    if text := of_seeds_apart(sections):
        yield text
    if suite is not None and (suite.only or suite.shard):
        yield f"Only a part of the suite was planned: {' '.join(_narrowed(suite))}."
    yield from seeds_sentences(suite, latest)
    if latest.superseded:
        stay = "stays" if latest.superseded == 1 else "stay"
        yield f"{plural(latest.superseded, 'older result')} of these trials {stay} on file; the newest is shown."
    if seen.damaged:
        was = "was" if seen.damaged == 1 else "were"
        yield f"{plural(seen.damaged, 'damaged line')} in the stored results could not be read, and {was} left out."
    if seen.others:
        of = "is of a trial that this suite does not have, and is"
        of = of if seen.others == 1 else "are of trials that this suite does not have, and are"
        yield f"{plural(seen.others, 'other result')} in this folder {of} not shown."
    for text in seen.plugin_errors:
        yield f"A plugin could not be imported, what it registers is missing here: {text.rstrip('.')}."


def _count(latest: Latest) -> str:
    statuses = Counter(row.status for row in latest.rows)
    ok = statuses.pop("ok", 0)
    if not statuses:
        return f"All {plural(ok, 'trial')} are ok." if ok != 1 else "The one trial is ok."
    counts = [f"{ok:,} are ok", *(f"{count:,} {status}" for status, count in statuses.most_common())]
    return f"Of {plural(len(latest.rows), 'trial')} {listing(counts)}."


def _one_recipe(suite: Suite | None, sections: Sequence[Section]) -> str:
    """That models are compared at one learning rate, which suits one of them better than another; empty where they are
    tuned, where something is set for a model, or where the rate is an axis."""
    if suite is None or suite.tune is not None or suite.override or not any(len(each.models) > 1 for each in sections):
        return ""
    rates = {cell.trial.train.learning_rate for section in sections for cell in section.measured}
    if len(rates) != 1:
        return ""
    return (
        f"All models share one learning rate, {rates.pop():g}, and none is tuned: at another one they may stand in "
        "another order. A suite with [tune] compares each at its best; python -m bench run tuned does so on the digits."
    )


def _mixtures(sections: Sequence[Section]) -> Iterator[str]:
    machines = {section.machine for section in sections if section.machine}
    if len(machines) > 1:
        yield f"The results come from {len(machines)} environments (machine or software); timings are kept apart."
        yield _unlike([section.facts for section in sections if section.machine])
    if any(section.pools for section in sections):
        yield "Accuracies pool over environments where version of torch, kind of device, threads and code agree."
    if any(section.several_codes for section in sections):
        yield "Some cells were run with more than one version of the code; each version has a row of its own."


def _unlike(facts: Sequence[Mapping[str, Json]]) -> str:
    """The facts that differ from one environment to another: `torch 2.14.0 against 2.15.0`."""
    texts = []
    for name in dict.fromkeys(name for each in facts for name in each):
        values = dict.fromkeys(
            fact_text(name, each[name]) if each.get(name) is not None else "unknown" for each in facts
        )
        if len(values) > 1:
            texts.append(f"{name.removesuffix('_bytes').replace('_', ' ')} {' against '.join(values)}")
    return (
        f"The environments differ in: {'; '.join(texts)}." if texts else "The environments do not say how they differ."
    )


def _section(part: Part) -> Iterator[str]:
    yield from table_section(part.table, title=part.section.title)
    yield from map(_picture, part.plots)


def _environments(report: Report) -> Iterator[str]:
    found = environment_lines(report.sections, report.seen.doctors)
    for heading, lines in found:
        if len(found) > 1:
            yield f"### {heading}"
        yield "\n".join(f"- {escape_markdown(line)}" for line in lines)


def _narrowed(suite: Suite) -> list[str]:
    kept = [part for text in suite.only for part in ("--only", shlex.quote(text))]
    return kept + (["--shard", shlex.quote(suite.shard)] if suite.shard else [])


def command(suite: Suite) -> str:
    """What runs the suite again as it was run, on one line, quoted for a shell."""
    added = (("--set", suite.sets), ("--plugin", suite.plugins_added))
    options = [part for name, texts in added for text in texts for part in (name, shlex.quote(text))]
    options += ["--until-decided"] if suite.decide is not None else []
    return " ".join(" ".join(["python -m bench run", shlex.quote(suite.source), *options, *_narrowed(suite)]).split())


def _again(report: Report) -> Iterator[str]:
    suite = report.suite
    seeds = {row.trial.seed for section in report.sections for cell in section.cells for row in cell.rows}
    named = f"{'seed' if len(seeds) == 1 else 'seeds'} {ranges(seeds) or 'none'}"
    if suite is not None and suite.source:
        yield "    " + printable(command(suite))  # indented, not fenced: no name can end it
        yield f"Suite file: {escape_markdown(suite.source)}, {named}."
    else:
        yield f"{named.capitalize()}."
    yield "Every trial: [tables/trials.csv](tables/trials.csv); every cell: [tables/summary.csv](tables/summary.csv)."
