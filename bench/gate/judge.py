"""From two sides of results to a verdict: every cell by every metric, and what forbids to judge."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.analysis.cells import Cell, axis_label, value_text
from bench.base.metrics import BUILT_IN, SPEED
from bench.errors import BenchError
from bench.gate.accuracy import accuracy_test
from bench.gate.ratio import ratio_test
from bench.gate.records import Asked, Gate, GatedCell, MarginTest, Reason
from bench.gate.trust import (
    Mixture,
    Words,
    both_failed,
    broken_seeds,
    forbids,
    refuse_forged,
    seeds_apart,
    seeds_text,
)
from bench.pairing.differences import differences
from bench.pairing.matching import NEVER, THE_SAME, Pair, describe, match
from bench.pairing.sides import Side, named
from bench.present.format import plural
from bench.statistics.gates import LEVEL, Told, decide, p_of_endings, tell

WORDS = ("BEFORE", "AFTER")
OF_SOME_SEEDS = frozenset({"failed_seeds", "unfinished_seeds"})


def judge(
    before: Side, after: Side, *, asked: Asked, live: bool = False, words: Words = WORDS, by_hand: bool = False
) -> Gate:
    """The verdict on `after`. `live`: the results were looked at after each round, and that stopped the rounds.
    `by_hand`: the user chose the sides within one folder, so that model or device may be what differs.

    Raises BenchError where a result was edited, or nothing was measured on either side.
    """
    for side in (before, after):
        refuse_forged(side)
    before, after = named(before, after)
    found = match(before, after, never=NEVER if by_hand else THE_SAME)
    pairs = [pair for pair in found.pairs if _was_tried(pair.a) or _was_tried(pair.b)]
    if not pairs:
        raise BenchError(f"{before.name} and {after.name}: no trial has run on either side; see python -m bench report")
    family = len(pairs) * ((asked.within is not None) + (asked.slower is not None))
    judged = _Judge(before, after, pairs, asked=asked, words=words, family=family if live else None)
    cells = judged.cells()
    if not live:
        cells = _settled(cells, family)
    only = tuple(_damaged(before, after, words))
    verdict = decide([test.told for cell in cells for test in cell.tests])
    if verdict == "keep" and (only or any(cell.told != "fine" for cell in cells)):
        verdict = "undecided"
    both = [pair for pair in pairs if pair.a is not None and pair.b is not None]
    differ = tuple(differences(before, after, found, both))
    return Gate(verdict, before, after, words, asked, tuple(cells), family, live, differ, only)


def _was_tried(cell: Cell | None) -> bool:
    """Whether anything of a cell was run: what its device or data are not there for says nothing of a change."""
    return cell is not None and any(row.status not in ("skipped", "missing", "interrupted") for row in cell.rows)


def _settled(cells: Sequence[GatedCell], family: int) -> list[GatedCell]:
    """`cells` with what their p values tell. Tests that could not be made are in the family too: which are there must
    not hang on how they came out."""
    tests = [test for cell in cells for test in cell.tests]
    rest = [1.0] * max(0, family - len(tests))
    worse, fine = ([1.0 if p is None else p for p in each]
                   for each in ((test.p_worse for test in tests), (test.p_fine for test in tests)))  # fmt: skip
    told = iter(tell([*worse, *rest], [*fine, *rest]))
    return [replace(cell, tests=tuple(_with(test, *next(told)) for test in cell.tests)) for cell in cells]


def _with(test: MarginTest, told: Told, adjusted: float) -> MarginTest:
    known = None if test.p_worse is None else adjusted
    return replace(test, told=told, p_adjusted=known, why=None if told != "open" else test.why)


def _damaged(before: Side, after: Side, words: Words) -> Iterator[Reason]:
    for word, side in zip(words, (before, after), strict=True):
        if side.folder.damaged and side.folder.suite is None:  # with a plan, what is lost is missing there
            yield Reason(
                "damaged_lines",
                f"{plural(side.folder.damaged, 'line')} of {word} cannot be read, and no plan says what was lost",
                f"look at {side.name} with python -m bench check",
            )


class _Judge:
    def __init__(
        self, before: Side, after: Side, pairs: Sequence[Pair], *, asked: Asked, words: Words, family: int | None
    ) -> None:
        self._asked, self._words, self._family, self._pairs = asked, words, family, pairs
        self._metric = asked.metric or BUILT_IN[SPEED]
        self._mixtures = [Mixture(side, word) for side, word in zip((before, after), words, strict=True)]
        self._doctors = [*before.folder.doctors, *after.folder.doctors]
        settings = [pair.settings for pair in pairs]
        self._shown = [name for name in settings[0] if len({each.get(name) for each in settings}) > 1]

    def cells(self) -> list[GatedCell]:
        """Every cell with its tests; where they were made all at once, what they tell together is not in them yet."""
        return [self._cell(pair) for pair in self._pairs]

    def _cell(self, pair: Pair) -> GatedCell:
        cell, before, after = pair.either, pair.a, pair.b
        blocked: tuple[Reason, ...] = ()
        tests: tuple[MarginTest, ...] = ()
        notes: tuple[str, ...] = ()
        if before is None or after is None or not (_was_tried(before) and _was_tried(after)):
            blocked = (self._missing(before, after),)
        elif (seeds := broken_seeds(before, after)) > 0:
            blocked = tuple(forbids(before, after, words=self._words, across_machines=True))
            tests = (self._ending(seeds),)
        else:
            blocked = tuple(self._forbids(before, after))
            notes = tuple(self._notes(before, after))
            # What the other seeds show may still be worse; with some that failed it is never kept.
            if before.n and after.n and not {reason.code for reason in blocked} - OF_SOME_SEEDS:
                tests = tuple(self._tests(before, after))
        ids = tuple("" if each is None else each.trial.cell_id for each in (before, after))
        settings = {axis_label(name): value_text(pair.settings[name]) for name in self._shown if name in pair.settings}
        return GatedCell(
            self._name(pair), cell.dataset, cell.model, cell.trial.device, cell.trial.batch_size, settings,
            (ids[0], ids[1]), tests, blocked, notes,
        )  # fmt: skip

    def _name(self, pair: Pair) -> str:
        cell = pair.either
        parts = [
            cell.dataset if "dataset" in self._shown else "",
            cell.model,
            describe(pair.settings, names=self._shown),
            cell.trial.device if "device" in self._shown else "",
        ]
        return ", ".join(part for part in parts if part)

    def _missing(self, before: Cell | None, after: Cell | None) -> Reason:
        absent, other = (0, 1) if before is None or not _was_tried(before) else (1, 0)
        cell = (before, after)[absent]
        why = next((f" ({row.status}: {row.reason})" for row in (cell.rows if cell is not None else ())), "")
        return Reason(
            "missing_cell", f"only {self._words[other]} has results of it{why}",
            f"run it for {self._words[absent]} too, with the same suite",
        )  # fmt: skip

    def _forbids(self, before: Cell, after: Cell) -> Iterator[Reason]:
        yield from forbids(before, after, words=self._words, across_machines=self._asked.across_machines)
        yield from self._mixtures[0].of(before, other=after)
        yield from self._mixtures[1].of(after, other=before)

    def _notes(self, before: Cell, after: Cell) -> Iterator[str]:
        if seeds := both_failed(before, after):
            yield f"{seeds_text(seeds)} ended badly on both sides: left out"
        yield from seeds_apart(before, after, self._words)

    def _ending(self, seeds: int) -> MarginTest:
        """Whether trials end well at all, where none of the change does."""
        p = p_of_endings(seeds)
        if self._family is None:
            return MarginTest("ending", "", 0.0, n=seeds, p_worse=p, p_fine=1.0)
        return MarginTest("ending", "", 0.0, n=seeds, told="worse" if p <= LEVEL / self._family else "open")

    def _tests(self, before: Cell, after: Cell) -> Iterator[MarginTest]:
        asked = self._asked
        if asked.within is not None:
            yield accuracy_test(before, after, within=asked.within, family=self._family, words=self._words)
        if asked.slower is not None:
            yield ratio_test(
                before, after, self._metric, slower=asked.slower, doctors=self._doctors, family=self._family,
                words=self._words,
            )  # fmt: skip
