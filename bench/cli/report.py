"""`bench report`: render tables and plots again from what is stored."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.cli import options as opt
from bench.errors import EXIT_OK

if TYPE_CHECKING:
    from bench.base.records import Result
    from bench.results.store import Store
    from bench.suite.plan import Suite


def report(
    target: opt.Target,
    results: opt.Results = opt.RESULTS,
    data_root: opt.DataRoot = None,
    plugin: opt.Plugin = None,
) -> int:
    """Render tables and plots again from what is stored.

    \b
    Examples:
      python -m bench report suites/baseline.toml
      python -m bench report results/baseline
    """
    from bench.execute.prepare import open_results

    store, suite = open_results(target, results=results, data_root=data_root, plugins=plugin or ())
    store.refresh() if suite is not None else store.refresh_some()
    render_and_print(store, suite)
    return EXIT_OK


def render_and_print(store: "Store", suite: "Suite | None", *, plugin_errors: Sequence[str] = ()) -> None:
    """Write the report, then print the table and where the report lies."""
    from bench.execute.prepare import of_the_plan
    from bench.present.format import printable_line
    from bench.report.published_figures import told
    from bench.report.render import render
    from bench.report.terminal import terminal_summary

    planned, others = of_the_plan(store.results, suite)
    outcome = render(
        store.folder,
        suite=suite,
        results=planned,
        damaged=store.damaged,
        others=others,
        plugin_errors=plugin_errors,
        searches=store.searches,
    )
    if store.damaged:
        what = "1 line or file" if store.damaged == 1 else f"{store.damaged:,} lines or files"
        line = f"{what} of the results cannot be read: see python -m bench check {store.folder}"
        sys.stderr.write(printable_line(line) + "\n")
    beside = told(planned, suite, folder=store.folder)
    print(terminal_summary(planned, suite, report_path=outcome.report_path, beside=beside, searches=store.searches))
    tell_seeds(planned, suite)
    for note in outcome.notes:
        sys.stderr.write(f"{printable_line(note)}\n")


def tell_seeds(planned: "Sequence[Result]", suite: "Suite | None") -> None:
    """Print what was decided, and what a budget left out, where the run chose its seeds."""
    from bench.present.columns import wrapped
    from bench.report.decided import seeds_sentences
    from bench.results.frame import latest

    texts = ["\n".join(wrapped(text)) for text in seeds_sentences(suite, latest(planned, suite))]
    if texts:
        print("\n\n".join(texts))
