"""What `bench publish`, `bench merge` and `bench history` do, from Python values to an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import EXIT_OK, EXIT_TRIALS, BenchError
from bench.execute.results_folder import of_the_plan, open_results
from bench.present.format import plural

if TYPE_CHECKING:
    from bench.publish.document import Opener, Outcome


def publish(
    targets: Sequence[Path], *, check: bool, results: Path, data_root: Path | None, plugins: Sequence[str]
) -> int:
    """Make the blocks of documents anew. `targets`: documents, behind a folder of results or a suite file if given.

    With `check` nothing is written, and the exit code is 1 where a block is stale.
    """
    from bench.publish.document import refresh, write
    from bench.publish.markers import SYNTAX

    given = targets[0] if targets[0].is_dir() or targets[0].suffix.lower() not in SYNTAX else None
    documents = targets[1:] if given is not None else targets
    if not documents:
        raise BenchError(f"{targets[0]}: and which document? bench publish RESULTS DOC.md")

    opened = _opener(results, data_root, plugins)
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


def _opener(results: Path, data_root: Path | None, plugins: Sequence[str]) -> Opener:
    """What reads results for blocks: each folder once."""
    from bench.publish.source import Source

    @cache
    def opened(target: Path, shown: str) -> Source:
        store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
        store.refresh_some()
        planned, others = of_the_plan(store.results, suite)

        def render() -> None:
            from bench.report.render import render

            render(store.folder, suite=suite, results=planned, damaged=store.damaged, others=others)

        return Source(store.folder, suite, planned, shown, cache(render))

    return opened


def _nothing(documents: Sequence[Path], given: Path | None, *, left: bool) -> str:
    if given is not None and left:
        return f"{given}: no block is of these results: each names others (results=FOLDER, relative to its document)"
    names = ", ".join(map(str, documents[:3])) + (", …" if len(documents) > 3 else "")
    return f"{names}: no block there: put <!-- bench:models --> and <!-- /bench --> where a table belongs"


def _checked(found: Sequence[Outcome]) -> int:
    stale = [line for outcome in found for line in outcome.lines()]
    for line in stale:
        sys.stderr.write(f"{line}\n")
    if stale:
        sys.stderr.write("run the same command without --check\n")
        return EXIT_TRIALS
    print(f"{plural(sum(outcome.blocks for outcome in found), 'block')} up to date")
    return EXIT_OK


def merge(out: Path, sources: Sequence[Path], *, plan: Path | None) -> int:
    """Put folders of results together, and say what was done."""
    from bench.results.merge import merge as merged_into

    done = merged_into(out, sources, plan=plan)
    for part in done.parts:
        print(f"  {part.folder}: {_counted(part.files, part.results, part.damaged)}")
    twice = f", {done.twice:,} of them twice" if done.twice else ""
    print(
        f"{done.out}: {_counted(done.files, done.results, done.damaged)}{twice}; {plural(done.copied, 'file')} copied"
    )
    for note in done.notes:
        print(f"- {note}")
    print(f"render it: python -m bench report {done.out}")
    return EXIT_OK


def _counted(files: int, results: int, damaged: int) -> str:
    lines = f", {plural(damaged, 'damaged line')} left out" if damaged else ""
    return f"{plural(results, 'result')} in {plural(files, 'file')}{lines}"


def history(
    target: Path,
    *,
    metric: str,
    model: Sequence[str],
    output: Path | None,
    results: Path,
    data_root: Path | None,
    plugins: Sequence[str],
) -> int:
    """Print a metric from run to run; write it as table and plot into the report's folder, or `output`."""
    from bench.history.steps import metric_of, trends_of
    from bench.history.table import history_text, title_of
    from bench.history.write import write
    from bench.results.doctor import stored

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugins)
    store.refresh_some()
    kept = [each for each in store.results if not model or {each.trial.model.name, each.trial.model.label} & set(model)]
    if not kept:
        names = ", ".join(dict.fromkeys(each.trial.model.name for each in store.results))
        raise BenchError(f"--model {', '.join(model)}: no result is of it (there are: {names})")
    found = metric_of(metric, kept)
    trends = trends_of(kept, found, doctors=stored(store.folder))
    title = title_of(trends, found, name=suite.name if suite is not None else store.folder.resolve().name)
    print(history_text(trends, found, title=title))
    folder = output if output is not None else store.folder / "report" / "history"
    for path in write(trends, found, folder=folder, title=title):
        print(path)
    return EXIT_OK
