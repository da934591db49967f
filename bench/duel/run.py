"""Runs a duel: each trial of a suite on both sides at once, by turns; the sides take turns to begin, too."""

import secrets
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from bench.base.records import Result, Trial
from bench.duel.sides import Opponent, Side, both_sides
from bench.execute.executors.local import Executor, LocalExecutor
from bench.execute.holder import Holder
from bench.execute.jobs import Order, jobs, shares
from bench.execute.lock import measuring
from bench.execute.opening_lines import title_line, wrapped
from bench.execute.plan import Plan, Planned
from bench.execute.prepare import Options, read
from bench.execute.progress import Voice, varying
from bench.execute.run import Runner, run_group
from bench.execute.signals import Stopped, signals_raise
from bench.present.format import plural
from bench.results import doctor
from bench.results.duels import new_folder
from bench.results.store import Store
from bench.suite.plan import Suite
from bench.suite.stored import suite_to_json

PAIRS = 5  # of a cell, where it is not said how often the trials are to be repeated
# Chooses each repeat by the results of those before: from the plan and the folder that they are stored in.
Chooser: TypeAlias = Callable[[Suite, Path], Iterator[Sequence[Trial]]]


@dataclass(frozen=True, slots=True)
class Fought:
    """What a duel leaves: its folder, and whether every trial ended well on both sides (or was skipped)."""

    folder: Path
    whole: bool


def duel(
    options: Options,
    opponent: Opponent,
    *,
    rounds: int | None = None,
    voice: Voice,
    choose: Chooser | None = None,
    name: str = "bench duel",
) -> Fought:
    """Runs the suite's trials on both sides, `rounds` times, until each cell has five pairs, or as long as `choose`
    gives some, and stores them. What `choose` gives may have seeds beyond those of the suite. `name`: of the command.

    Raises BenchError for the user's mistakes, Stopped on a signal.
    """
    options = replace(options, until_decided=False)  # which seeds run is said here, not by the suite's [decide]
    with signals_raise(), ExitStack() as stack:
        file = read(options)
        folder = new_folder(options.results, file.name)
        Store(folder).refuse_unwritable()
        sides = both_sides(options, file, opponent, folder=folder, stack=stack)
        executor = LocalExecutor(*(side.interpreter for side in sides))
        found = _Duel(sides, executor, voice)
        try:
            with measuring(executor, voice, holder=Holder(name, file.name)):
                return Fought(folder, found.run(folder, rounds, choose))
        except Stopped:
            if found.measured:
                shows = "bench compare" if choose is None else name
                voice.say(f"what is done is stored: python -m {shows} {shlex.quote(str(folder))}")
            else:  # else `bench compare` would take it for the newest duel
                _remove(folder)
            raise
        finally:
            voice.end()


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # others lie there
        folder.parent.rmdir()


def repeats(trials: Sequence[Trial], rounds: int | None) -> Iterator[list[Trial]]:
    """The trials of each repeat: all of them `rounds` times; else seed after seed, and from the first one again, until
    each cell has five pairs. Seeds that train side by side are one pair together."""
    if rounds is not None:
        yield from ([*trials] for _ in range(rounds))
        return
    had: Counter[object] = Counter()
    while True:
        due = []
        for trial in trials:
            key = (trial.cell_id, trial.seed if trial.together else None)
            if had[key] < PAIRS:
                had[key] += 1
                due.append(trial)
        if not due:
            return
        yield due


def with_seeds(suite: Suite, seeds: Sequence[int]) -> Suite:
    """`suite` with those of `seeds` that it lacks behind its own: rules name its seeds by their places."""
    values = tuple(dict.fromkeys([*suite.axis("seed").values, *seeds]))
    return replace(
        suite, axes=tuple(replace(each, values=values) if each.name == "seed" else each for each in suite.axes)
    )


class _Duel:
    def __init__(self, sides: tuple[Side, Side], executor: Executor, voice: Voice) -> None:
        self._sides, self._executor, self._voice = sides, executor, voice
        self._begun = 0  # pairs
        self._lost: set[str] = set()  # cells with a trial that did not end well: they are not repeated
        self._whole = True
        self.measured = False  # whether a trial has ended well

    def run(self, folder: Path, rounds: int | None, choose: Chooser | None) -> bool:
        """Runs all repeats. Returns whether every trial ended well, or was skipped."""
        suite = self._sides[0].prepared.suite
        for found in doctor.stored(self._sides[0].prepared.options.results / suite.name):
            doctor.save(found, folder)  # what it says of the machine holds for a duel on it
        self._plan(suite)
        if choose is not None:
            self._tell()
            self._run_chosen(choose(suite, folder))
            return self._whole
        planned = list(repeats(list(suite.trials()), rounds))
        pairs = sum(map(len, planned))
        self._tell(pairs)
        self._begin(pairs)
        for trials in planned:
            self._repeat([trial for trial in trials if trial.cell_id not in self._lost])
        return self._whole

    def _run_chosen(self, chosen: Iterator[Sequence[Trial]]) -> None:
        """Runs what was chosen, also of cells that have failed: who chooses knows of it."""
        suite = self._sides[0].prepared.suite
        for trials in chosen:
            suite = with_seeds(suite, [trial.seed for trial in trials])
            self._plan(suite)
            self._begin(len(trials))
            self._repeat(trials)
            self._voice.end()

    def _plan(self, suite: Suite) -> None:
        """Stores the plan beside the results of both sides: without it they would be of no plan."""
        for side in self._sides:
            side.prepared.store.save_suite(suite_to_json(suite))

    def _begin(self, pairs: int) -> None:
        suite = self._sides[0].prepared.suite
        names = [*suite.axis("dataset").labels, *suite.axis("model").labels]
        self._voice.begin(2 * pairs, axes=varying(suite), names=names)

    def _tell(self, pairs: int | None = None) -> None:
        suite = self._sides[0].prepared.suite
        texts = [f"{s.interpreter.side}: {s.prepared.catalogue.environment.notes['duel']}" for s in self._sides]
        what = "pairs of trials" if pairs is None else f"{plural(pairs, 'pair')} of trials"
        for line in (title_line(suite), f"{what} by turns · {' · '.join(texts)}"):
            for part in wrapped(line):
                self._voice.say(part)

    def _repeat(self, trials: Sequence[Trial]) -> None:
        """Trains each of `trials` on both sides; a repeat is a run of its own."""
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        runners = [
            Runner(
                side.prepared,
                self._executor,
                self._voice,
                interpreter=side.interpreter,
                run_id=f"{stem}-{side.interpreter.side}",
            )
            for side in self._sides
        ]
        planned = [[runner.identifier.planned(trial) for trial in trials] for runner in runners]
        runs = [all(not (each.skip or each.fail) for each in pair) for pair in zip(*planned, strict=True)]
        with ExitStack() as stack:
            for runner, own in zip(runners, planned, strict=True):
                stack.enter_context(runner.writing())
                stack.callback(runner.status_file.ends)
                runner.status_file.begins(Plan(to_run=[each for each, run in zip(own, runs, strict=True) if run]))
                self._settle(runner, own)
            self._train(runners, [[each for each, run in zip(own, runs, strict=True) if run] for own in planned])

    def _settle(self, runner: Runner, planned: Sequence[Planned]) -> None:
        """Stores and tells what cannot run on a side; on the other one it is not run either."""
        for result in runner.settle(each for each in planned if each.skip or each.fail):
            self._voice.trial_ends(result, side=runner.interpreter.side)
            self._took(result)

    def _train(self, runners: Sequence[Runner], planned: Sequence[Sequence[Planned]]) -> None:
        order = Order(Plan())
        for pair in zip(*map(jobs, planned), strict=True):
            parts = list(zip(runners, pair, strict=True))[:: 1 if self._begun % 2 == 0 else -1]
            self._begun += 1
            for group in [parts] if shares(pair[0][0].trial) else [[part] for part in parts]:
                for result in run_group(group, order):
                    self._took(result)

    def _took(self, result: Result) -> None:
        self.measured |= result.status == "ok"
        if result.status != "ok":
            self._lost.add(result.trial.cell_id)
            self._whole &= result.status == "skipped"
