"""`bench publish`: tables and figures between the markers of documents."""

import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError

if TYPE_CHECKING:
    from bench.publish.document import Opener, Refreshed
    from bench.publish.source import Duel


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
    Blocks: models, summary, plot, answer, conditions, duel. In the document:
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

            render(store.folder, suite=suite, results=planned, damaged=store.damaged, others=others)

        return Source(store.folder, suite, planned, shown, cache(render))

    return opened


def _duel(folder: Path, metric: str) -> "Duel":
    """What a block shows of the duel in `folder`, of several the newest."""
    from dataclasses import replace

    from bench.comparison.ask import compare_folders
    from bench.comparison.tables import cells_table
    from bench.comparison.write import sentences_of
    from bench.publish.source import Duel

    found = compare_folders(folder, metric=metric)
    return Duel(replace(cells_table(found), notes=()), sentences_of(found))  # the sentences say more


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
