"""Which trials a gate measures next: round after round, each with a new seed of every cell that is still open."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.base.records import SCHEMA, Trial
from bench.errors import BenchError
from bench.gate.judge import judge
from bench.gate.open import duel_sides, write_mark
from bench.gate.records import Asked, Gate, Spent, can_change
from bench.pairing.open import open_folder
from bench.pairing.sides import Folder, Side
from bench.present.format import plural
from bench.results import doctor
from bench.results.duels import SIDES
from bench.results.store import Store
from bench.suite.plan import Suite, time_text


def judge_duel(folder: Path, *, asked: Asked) -> Gate:
    """The verdict on the duel in `folder`, that was looked at after each round: what it was measured against is
    before."""
    a, b = (open_folder(folder / side) for side in SIDES)
    return judge(*duel_sides(b, a), asked=asked, live=True)


class _Watched:
    """The results of a duel that is under way: each look reads what is new."""

    def __init__(self, folder: Path) -> None:
        self._stores = [Store(folder / side) for side in reversed(SIDES)]
        self._doctors = tuple(doctor.stored(folder))

    def sides(self) -> tuple[Side, Side]:
        """Before and after, as they are by now."""
        for store in self._stores:
            store.refresh()
        before, after = (
            Folder(store.folder.name, tuple(store.results), None, self._doctors, frozenset({SCHEMA}))
            for store in self._stores
        )
        return duel_sides(before, after)


class Rounds:
    """Chooses the trials of each round by what those before have told; `most_seconds` from its first one on.

    `said` is told a line after each round. A round that would not end in time by the length of the longest one is not
    begun. Called as `bench.duel.run.Chooser`.
    """

    def __init__(
        self,
        asked: Asked,
        *,
        most_seconds: float,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._most, self._say, self._clock = asked, most_seconds, say, clock
        self._told = False  # that timings are disturbed
        self.rounds = 0
        self.seconds = 0.0
        self.out_of_time = False

    @property
    def spent(self) -> Spent:
        """What it took, when it is over."""
        return Spent(self.rounds, self.seconds, self._most, self.out_of_time)

    def __call__(self, suite: Suite, folder: Path) -> Iterator[Sequence[Trial]]:
        write_mark(folder, {})  # also of rounds that are stopped: they were looked at
        cells, watched = cells_of(suite), _Watched(folder)
        opened, began, longest = set(cells), self._clock(), 0.0
        while opened:
            start = self._clock()
            if self.rounds and start - began + longest > self._most:
                self.out_of_time = True
                return
            yield [trial for name, cell in cells.items() if name in opened for trial in cell.of_round(self.rounds)]
            self.rounds += 1
            took = self._clock() - start
            longest = took if self.rounds <= 2 else max(longest, took)  # the first one starts the processes, too
            self.seconds = self._clock() - began
            opened = self._look(watched, opened)

    def _look(self, watched: _Watched, opened: set[str]) -> set[str]:
        """The cells that are still open after a look at all results."""
        try:
            gate = judge(*watched.sides(), asked=self._asked, live=True)
        except BenchError:  # no trial has run on either side
            return set()
        left = {each for cell in gate.cells if can_change(cell) for each in cell.cell_ids} & opened
        state = f"{len(left)} of {plural(len(gate.cells), 'cell')} open" if gate.verdict != "revert" else "revert"
        codes = {reason.code for cell in gate.cells for reason in cell.reasons}
        if "disturbed_timings" in codes and not self._told:
            self._told = True
            self._say("timings are disturbed by other programs: such pairs do not count")
        self._say(f"round {self.rounds}: {state} · {self.seconds:.0f} s of {time_text(self._most)}")
        return set() if gate.verdict == "revert" else left


class CellSeeds:
    """The seeds of one cell: those of the suite first, then the numbers after the largest of them. Seeds that train
    side by side in one process go as many at a time as the suite has: their speed depends on how many there are."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._seeds = trial, [trial.seed]

    def add(self, seed: int) -> None:
        """One more seed of the suite."""
        self._seeds.append(seed)

    def of_round(self, number: int) -> list[Trial]:
        """The trials of round `number`, from 0 on."""
        count = len(self._seeds) if self._trial.together else 1
        return [replace(self._trial, seed=self._seed(number * count + place)) for place in range(count)]

    def _seed(self, place: int) -> int:
        known = len(self._seeds)
        return self._seeds[place] if place < known else max(self._seeds) + 1 + place - known


def cells_of(suite: Suite) -> dict[str, CellSeeds]:
    """cell_id → the seeds of that cell, in the order of the plan."""
    found: dict[str, CellSeeds] = {}
    for trial in suite.trials():
        if trial.cell_id in found:
            found[trial.cell_id].add(trial.seed)
        else:
            found[trial.cell_id] = CellSeeds(trial)
    return found
