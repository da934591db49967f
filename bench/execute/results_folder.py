"""Opens a folder of results: its store, its plan, and the results that belong to the plan."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench.base.records import Result
from bench.errors import BenchError
from bench.execute.ask_worker import ask_catalogue
from bench.execute.prepare import data_root as data_root_of
from bench.results.store import Store
from bench.suite.plan import Budget, Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve
from bench.suite.stored import suite_from_json


def open_results(
    target: Path, *, results: Path, data_root: Path | None, plugins: Sequence[str]
) -> tuple[Store, Suite | None]:
    """Returns the store that `target` names, and its plan: of a suite file resolved anew, of a folder as stored."""
    if target.suffix == ".toml" or target.is_file():
        file = read_suite(target, plugins=plugins)
        catalogue = ask_catalogue(file.plugins)
        suite = resolve(file, catalogue, data_root=data_root_of(data_root))
        store = Store(results / suite.name)
        return store, replace(suite, budget=_budget_of(store))
    if not target.is_dir():
        raise BenchError(f"{target}: no such suite file or folder of results; give suites/NAME.toml or results/NAME")
    store = Store(target)
    stored = store.load_suite()
    return store, None if stored is None else suite_from_json(stored)


def _budget_of(store: Store) -> Budget | None:
    """Returns the budget of the run that stored its plan last: a suite file does not say it."""
    with suppress(BenchError):  # a damaged plan; the one that is asked for comes from the suite file
        if (stored := store.load_suite()) is not None:
            return suite_from_json(stored).budget
    return None


def of_the_plan(results: Sequence[Result], suite: Suite | None) -> tuple[list[Result], int]:
    """Returns the results of planned trials, and how many others lie in the folder."""
    if suite is None:
        return list(results), 0
    wanted = {trial.trial_id for trial in suite.trials()}
    planned = [result for result in results if result.trial_id in wanted]
    return planned, len(results) - len(planned)
