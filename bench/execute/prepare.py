"""What a run needs before it starts: the command line, the suite on this machine, what is stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError, nearest
from bench.execute.ask_worker import ask_catalogue
from bench.execute.plan import Identifier, Plan, make_plan, parse_retry
from bench.results.store import Store
from bench.suite.catalogue import Catalogue
from bench.suite.plan import Suite, parse_budget
from bench.suite.read import SuiteFile, check_installed, read_suite
from bench.suite.resolve import resolve

PLACES = ("any", "environment")  # --place: trials of a cell on any node, or on nodes of one environment


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line of `bench run` says."""

    suite: Path
    sets: Sequence[str] = ()
    only: Sequence[str] = ()
    results: Path = Path("results")
    data_root: Path | None = None
    executor: str = "local"
    shard: str | None = None
    fresh: bool = False
    retry: str | None = None
    plugins: Sequence[str] = ()
    timeout_seconds: float | None = None
    address: str | None = None  # of the cluster, for the executor ray
    place: str = "any"  # there: PLACES
    budget: str | None = None


@dataclass(slots=True)
class Prepared:
    """A resolved suite on this machine, with what lies in its results folder."""

    file: SuiteFile
    suite: Suite
    catalogue: Catalogue
    store: Store
    options: Options

    def plan(self) -> Plan:
        """Returns what is to run now; reads results that others have written meanwhile."""
        self.store.refresh()
        return make_plan(
            self.suite.trials(),
            self.identifier(),
            results=self.store.results,
            fresh=self.options.fresh,
            retry=parse_retry(self.options.retry),
        )

    def identifier(self) -> Identifier:
        """Returns what completes the identity of trials where they are going to run."""
        return Identifier(self.suite, self.catalogue)


def data_root(given: Path | None) -> Path:
    """--data-root, else $BENCH_DATA, else ~/.cache/bench."""
    if given is not None:
        return given.expanduser().resolve()
    if named := os.environ.get("BENCH_DATA"):
        return Path(named).resolve()
    return Path("~/.cache/bench").expanduser()


def read(options: Options) -> SuiteFile:
    """Reads the suite file, and refuses what can be refused before a process starts. Raises BenchError: one line."""
    parse_retry(options.retry)
    parse_budget(options.budget)
    if options.place not in PLACES:
        near = nearest(options.place, PLACES)
        raise BenchError(f"--place {options.place}: unknown{near} (there are: {', '.join(PLACES)})")
    if options.executor != "ray" and (options.address is not None or options.place != "any"):
        name = "--address" if options.address is not None else "--place"
        raise BenchError(f"{name} is for a cluster: add --executor ray")
    file = read_suite(options.suite, sets=options.sets, plugins=options.plugins)
    check_installed(file.sinks)
    return file


def prepare(options: Options, file: SuiteFile) -> Prepared:
    """Resolve the suite on this machine, and look at what is stored. Nothing is written. BenchError: one line."""
    return prepare_with(ask_catalogue(file.plugins), options, file=file)


def prepare_with(catalogue: Catalogue, options: Options, *, file: SuiteFile) -> Prepared:
    """Does the same with a catalogue that is there already."""
    suite = resolve(
        file,
        catalogue,
        only=options.only,
        shard=options.shard,
        timeout_seconds=options.timeout_seconds,
        data_root=data_root(options.data_root),
    )
    store = Store(options.results / suite.name)
    store.refresh()
    return Prepared(file, replace(suite, budget=parse_budget(options.budget)), catalogue, store, options)
