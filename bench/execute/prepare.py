"""What a command names, made ready before it starts: a suite on this machine, a folder of results, a data set."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base.records import Json, Result
from bench.errors import BenchError, nearest
from bench.execute.ask_worker import absolute_plugins, ask_catalogue
from bench.execute.plan import Identifier, Plan, Verdict, make_plan, parse_retry
from bench.results.store import Store
from bench.suite.catalogue import Catalogue
from bench.suite.components import Builder, ResolvedComponent
from bench.suite.mistakes import Mistake
from bench.suite.plan import Decide, Suite, Why, parse_budget, parse_time
from bench.suite.read import SuiteFile, check_installed
from bench.suite.resolve import read_whole, resolve
from bench.suite.set_option import parse_set
from bench.suite.stored import suite_from_json

if TYPE_CHECKING:
    from bench.results.decisions import Rounds
    from bench.tune.search import Searches

NOT_BY_SHARDS = (
    "--shard: models that lie in two shards cannot be compared while they run, so that nothing is decided; leave it "
    "out, or run the seeds of the grid alone with --no-until-decided"
)
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
    wait_quiet: str | None = None  # at most so long
    until_decided: bool | None = None  # None: where the suite has [decide]
    search_only: bool = False  # of a suite with [tune]


@dataclass(slots=True)
class Prepared:
    """A resolved suite on this machine, with what lies in its results folder."""

    suite: Suite
    catalogue: Catalogue
    store: Store
    options: Options
    searches: "Searches | None" = None  # of a suite with [tune], as far as its results go
    verdicts: dict[str, Verdict] = field(default_factory=dict, kw_only=True)  # of what was tried and cannot work

    def plan(self) -> Plan:
        """Returns what is to run now; reads results that others have written meanwhile. Where seeds go on until it is
        decided, the rounds that have begun are in it, and the next one. Of a suite with [tune] its searches come first,
        as far as they can go on now."""
        self.store.refresh()
        if self.suite.tune is None:
            return self.plan_trainings()
        from bench.execute.searching import ahead_of, searches_as_known  # optuna, numpy

        identifier = self.identifier()
        self.searches = searches_as_known(
            self.suite,
            identifier,
            results=self.store.searches,
            fresh=self.options.fresh,
            retry=parse_retry(self.options.retry),
        )
        search = [identifier.planned(trial) for trial in self.searches.next()]
        self.take_up_searches()
        plan = self.plan_trainings()
        plan.search, plan.later = search, ahead_of(self.searches, after=not self.options.search_only)
        plan.environments |= {planned.environment_id for planned in search}
        plan.codes |= {planned.code_id for planned in search}
        return plan

    def plan_trainings(self) -> Plan:
        """The same without the searches: of what they have chosen by now."""
        searching = self.searches is not None and not self.searches.ended
        if self.suite.decide is not None and not searching:
            self.rounds()
        return make_plan(
            () if self.options.search_only else self.suite.trainings(),
            self.identifier(),
            results=self.store.results,
            fresh=self.options.fresh,
            retry=parse_retry(self.options.retry),
        )

    def take_up_searches(self) -> None:
        """Says in the suite what its searches have tried and chosen."""
        assert self.suite.tune is not None
        assert self.searches is not None
        self.suite = replace(self.suite, tune=replace(self.suite.tune, searches=self.searches.states()))

    def rounds(self) -> "Rounds":
        """Returns the rounds of seeds as far as the results go, the next one begun, and takes them up in the suite."""
        from bench.execute.until_decided import rounds_of  # numpy, scipy

        found = rounds_of(
            self.suite,
            self.identifier(),
            results=self.store.results,
            fresh=self.options.fresh,
            retry=parse_retry(self.options.retry),
        )
        found.next_round()
        self.take_up(found)
        return found

    def take_up(self, rounds: "Rounds", *, why: Why = "") -> None:
        """Says in the suite which seeds were planned beyond its grid, and what is decided."""
        assert self.suite.decide is not None
        decide = replace(self.suite.decide, more=dict(rounds.more), why=why)
        self.suite = replace(self.suite, decide=decide, decisions=rounds.decisions())

    def identifier(self) -> Identifier:
        """Returns what completes the identity of trials where they are going to run."""
        return Identifier(self.suite, self.catalogue, self.verdicts)


def find_data_root(given: Path | None) -> Path:
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
    if options.until_decided and options.shard:
        raise BenchError(NOT_BY_SHARDS)
    if options.place not in PLACES:
        near = nearest(options.place, PLACES)
        raise BenchError(f"--place {options.place}: unknown{near} (there are: {', '.join(PLACES)})")
    if options.executor != "ray" and (options.address is not None or options.place != "any"):
        name = "--address" if options.address is not None else "--place"
        raise BenchError(f"{name} is for a cluster: add --executor ray")
    if options.wait_quiet is not None:
        parse_time(options.wait_quiet, option="--wait-quiet")
        if options.executor == "ray":
            raise BenchError("--wait-quiet looks at this machine, and trials run on others: leave out --executor ray")
    file = read_whole(options.suite, ask_catalogue, sets=options.sets, plugins=options.plugins)
    check_installed(file.sinks)
    return file


def prepare(options: Options, file: SuiteFile, *, catalogue: Catalogue | None = None) -> Prepared:
    """Resolve the suite on this machine, and look at what is stored. Nothing is written. BenchError: one line.

    `catalogue` is that of this machine, where none is given.
    """
    catalogue = catalogue or ask_catalogue(file.asked)
    suite = resolve(
        file,
        catalogue,
        only=options.only,
        shard=options.shard,
        timeout_seconds=options.timeout_seconds,
        data_root=find_data_root(options.data_root),
    )
    store = Store(options.results / suite.name)
    store.refresh()
    decide = suite.decide or (Decide() if options.until_decided else None)
    if options.until_decided is False:
        decide = None
    elif decide is not None and options.shard:
        raise BenchError(NOT_BY_SHARDS)
    suite = replace(suite, budget=parse_budget(options.budget), decide=decide)
    return Prepared(suite, catalogue, store, options)


def open_results(
    target: Path, *, results: Path, data_root: Path | None, plugins: Sequence[str]
) -> tuple[Store, Suite | None]:
    """Returns the store that `target` names, and its plan: of a suite file resolved anew, of a folder as stored."""
    if target.suffix == ".toml" or target.is_file():
        file = read_whole(target, ask_catalogue, plugins=plugins)
        catalogue = ask_catalogue(file.asked)
        suite = resolve(file, catalogue, data_root=find_data_root(data_root))
        store = Store(results / suite.name)
        with suppress(BenchError):  # a damaged plan; the one that is asked for comes from the suite file
            if (planned := store.load_suite()) is not None:
                suite = _with_choice_of(suite_from_json(planned), suite)
        return store, suite
    if not target.is_dir():
        raise BenchError(f"{target}: no such suite file or folder of results; give suites/NAME.toml or results/NAME")
    store = Store(target)
    stored = store.load_suite()
    return store, None if stored is None else suite_from_json(stored)


def _with_choice_of(stored: Suite, suite: Suite) -> Suite:
    """The suite with what the run that stored its plan last says of its seeds: a suite file does not say it."""
    same = list(stored.axis("seed").values) == list(suite.axis("seed").values)
    decide = stored.decide if same else suite.decide
    if suite.tune is not None and suite.tune == stored.tune:
        suite = replace(suite, tune=stored.tune)
    return replace(suite, budget=stored.budget, decide=decide, decisions=stored.decisions)


def of_the_plan(results: Sequence[Result], suite: Suite | None) -> tuple[list[Result], int]:
    """Returns the results of planned trials, and how many others lie in the folder."""
    if suite is None:
        return list(results), 0
    wanted = {trial.trial_id for trial in suite.trainings()}
    planned = [result for result in results if result.trial_id in wanted]
    return planned, len(results) - len(planned)


def dataset_request(
    name: str, sets: Sequence[str], *, data_root: Path | None, plugins: Sequence[str]
) -> tuple[ResolvedComponent, dict[str, Json]]:
    """The data set with its settings, and what a worker is told to build it: see bench.worker.datasets.prepare.

    Settings are checked as those of a suite are. Raises Mistake of a name or a setting, BenchError of all else.
    """
    root, specs = find_data_root(data_root), absolute_plugins(plugins)
    builder = Builder(ask_catalogue(specs), folders=(Path.cwd(), root.resolve()))
    try:
        built = builder.build("dataset", {"name": name, **_settings(sets)}, key=())
    except Mistake as found:
        raise Mistake(tuple(part for part in found.key if part != "name"), found.text) from None
    if charged := builder.unknown.get(f"dataset:{name}"):
        raise BenchError(charged)
    request = {
        "name": name,
        "settings": dict(built.component.settings),
        "locations": {key: str(path) for key, path in built.files.items()},
        "plugins": specs,
        "data_root": str(root),
    }
    return built, request


def _settings(sets: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in sets:
        keys, value = parse_set(text)
        if len(keys) != 1:
            raise BenchError(f"--set {text}: expected a setting of the data set, as in --set train_limit=1000")
        found[keys[0]] = value
    return found
