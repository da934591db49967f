"""`bench publish`: tables and figures between the markers of documents."""

import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError

if TYPE_CHECKING:
    from bench.base.records import Result
    from bench.comparison.ask import ShownComparison
    from bench.publish.document import Opener, Refreshed
    from bench.publish.source import Filters, Told
    from bench.results.doctor import Doctor


def publish(
    targets: Annotated[
        list[Path],
        typer.Argument(
            metavar="[RESULTS] DOC...",
            help="Documents (.md, .rst); before them the results, for blocks that name none themselves.",
        ),
    ],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 where a block is stale.")] = False,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Put tables and figures between the markers of a document.

    \b
    Blocks: models, summary, plot, answer, pairs, machines, conditions, history,
    compare, duel. In the document:
      <!-- bench:summary rows=model columns=device metric=test_accuracy -->
      <!-- /bench -->

    \b
    Examples:
      python -m bench publish results/baseline docs/results.md
      python -m bench publish README.md docs/*.md
      python -m bench publish --check README.md
    """
    from bench.present.format import plural
    from bench.publish.document import refresh, write
    from bench.publish.markers import SYNTAX

    given = targets[0] if targets[0].is_dir() or targets[0].suffix.lower() not in SYNTAX else None
    documents = targets[1:] if given is not None else targets
    if not documents:
        raise BenchError(f"{targets[0]}: and which document? bench publish RESULTS DOC.md")

    opened = _opener(results, data_root, plugin or ())
    # All are made before the first is written: a mistake in one leaves every document as it was.
    outcomes = [refresh(path, opened=opened, given=given, check=check) for path in documents]
    if not any(outcome.blocks for outcome in outcomes):
        raise BenchError(_nothing(documents, given, left=any(outcome.left for outcome in outcomes)))
    if check:
        return _checked(outcomes)
    for outcome in outcomes:
        said = "published" if write(outcome) else "up to date"
        left = f", {outcome.left} of other results left alone" if outcome.left else ""
        print(f"{outcome.path}: {said}, {plural(outcome.blocks, 'block')}{left}")
    return EXIT_OK


def _opener(results: Path, data_root: Path | None, plugins: Sequence[str]) -> "Opener":
    """What reads results for blocks: each folder once."""
    from bench.execute.prepare import of_the_plan, open_results
    from bench.publish.source import Source
    from bench.results.doctor import stored
    from bench.results.duels import folders_of

    @cache
    def opened(target: Path, shown: str) -> Source:
        if folders_of(target) is not None:
            return Source(target, None, (), shown, duel=partial(_duel, target))
        store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
        store.refresh_some()
        planned, others = of_the_plan(store.results, suite)

        def render() -> None:
            from bench.report.render import render

            render(
                store.folder,
                suite=suite,
                results=planned,
                damaged=store.damaged,
                others=others,
                searches=store.searches,
            )

        history = partial(_history, store.results, doctors=stored(store.folder))
        compare = partial(_compare, target, results=results, data_root=data_root, plugins=plugins)
        return Source(store.folder, suite, planned, shown, cache(render), history, compare, searches=store.searches)

    return opened


def _duel(folder: Path, metric: str) -> "Told":
    """What a block shows of the duel in `folder`, of several the newest."""
    from bench.comparison.ask import compare_folders

    return _compared(compare_folders(folder, metric=metric))


def _compare(folder: Path, other: Path | None, by: str, values: Sequence[str], metric: str, **where: Any) -> "Told":
    """What a block shows of `other` against `folder`, or of two values of an axis within it."""
    from bench.comparison.ask import compare_folders

    return _compared(compare_folders(folder, other, by=by, values=values, metric=metric, **where))


def _compared(found: "ShownComparison") -> "Told":
    from dataclasses import replace

    from bench.comparison.tables import cells_table
    from bench.comparison.write import sentences_of
    from bench.publish.source import Told

    first, *rest = sentences_of(found)
    return Told(replace(cells_table(found), notes=()), [first], rest)  # the sentences say more than its notes


def _history(results: "Sequence[Result]", name: str, filters: "Filters", *, doctors: "Sequence[Doctor]") -> "Told":
    """What a block shows of a metric from run to run."""
    from dataclasses import replace

    from bench.analysis.conditions import machine
    from bench.history.steps import metric_of, trends_of
    from bench.history.write import findings, history_table
    from bench.present.format import listing
    from bench.publish.source import Told, results_that

    kept = results_that(results, filters)
    metric = metric_of(name, kept)
    trends = trends_of(kept, metric, doctors=doctors)
    table, sentences = history_table(trends, metric, title=metric.label).in_files, list(findings(trends))
    machines = listing(list(dict.fromkeys(machine(result.environment.facts) for result in kept)))
    notes = [
        *(text for text in table.notes if text not in sentences),
        f"Conditions: {machines}; versions in the table.",
    ]
    return Told(replace(table, notes=()), sentences, notes)


def _nothing(documents: Sequence[Path], given: Path | None, *, left: bool) -> str:
    if given is not None and left:
        return f"{given}: no block is of these results: each names others (results=FOLDER, relative to its document)"
    names = ", ".join(map(str, documents[:3])) + (", …" if len(documents) > 3 else "")
    return f"{names}: no block there: put <!-- bench:models --> and <!-- /bench --> where a table belongs"


def _checked(found: "Sequence[Refreshed]") -> int:
    from bench.present.format import plural, printable_line

    stale = [line for outcome in found for line in outcome.stale]
    for line in stale:
        sys.stderr.write(f"{printable_line(line)}\n")
    if stale:
        sys.stderr.write("run the same command without --check\n")
        return EXIT_TRIALS
    print(f"{plural(sum(outcome.blocks for outcome in found), 'block')} up to date")
    return EXIT_OK
