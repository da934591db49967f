"""What forbids to judge a cell: what may go wrong between two folders of results, and is then no word on the change."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from bench.analysis.cells import Cell
from bench.base.records import Result
from bench.errors import BenchError
from bench.gate.records import Reason
from bench.pairing.sides import Side
from bench.present.format import listing, plural, ranges
from bench.results.doctor import machine_id
from bench.results.frame import Row

# What makes a machine another one; torch, Python and limits of a container may be what is judged.
HARDWARE = ("os", "machine", "cpu", "cores", "logical_cores", "gpu", "gpu_count")
BROKEN = frozenset({"failed", "diverged"})  # of the code itself; what else ends a trial may be the machine's
ENDED_BADLY = BROKEN | {"oom", "timeout", "crashed"}
MEMORY_SHARE = 0.05  # by which the memory of one machine may differ from day to day
Words = tuple[str, str]


def refuse_forged(side: Side) -> None:
    """Raises BenchError where a result says that it is of another trial than it is of."""
    for result in side.results:
        if result.trial_id != result.trial.trial_id:
            raise BenchError(
                f"{side.folder.name}: a result calls itself trial {result.trial_id} and is of trial "
                f"{result.trial.trial_id}: somebody has edited it; see python -m bench check"
            )


def endings(cell: Cell) -> dict[int, Row]:
    """Seed → a row of it that did not end well, else its last one."""
    found: dict[int, Row] = {}
    for row in cell.rows:
        if row.trial.seed not in found or found[row.trial.seed].status not in ENDED_BADLY:
            found[row.trial.seed] = row
    return found


def broken_seeds(before: Cell, after: Cell) -> int:
    """How many seeds ended well before and had an error or diverged after, where that is true of all; else 0."""
    one, other = endings(before), endings(after)
    shared = one.keys() & other.keys()
    broken = all(one[seed].status == "ok" and other[seed].status in BROKEN for seed in shared)
    return len(shared) if broken and not after.n else 0


def forbids(before: Cell, after: Cell, *, words: Words, across_machines: bool) -> Iterator[Reason]:
    """Yields why two cells that both have results are not judged."""
    yield from _seeds(before, after, words)
    if not (before.ok and after.ok):
        return
    if count := _shared(before, after):
        yield Reason(
            "same_measurement", f"{plural(count, 'measurement')} stand{'s' if count == 1 else ''} on both sides",
            f"{words[1]} needs results of its own: run the suite again into another folder",
        )  # fmt: skip
    if not across_machines and (text := _machines(before, after)):
        yield Reason("other_machine", text, "run both on one machine, or judge the accuracy with --across-machines")
    if text := _data(before, after, words):
        yield Reason("other_data", text, "run both on the same data")


def _seeds(before: Cell, after: Cell, words: Words) -> Iterator[Reason]:
    one, other = endings(before), endings(after)
    if not before.n and not after.n:
        row = next(iter(other.values()))
        yield Reason("failed_seeds", f"no seed ended well on either side ({row.status}: {row.reason})")
        return
    for word, own, others in ((words[1], other, one), (words[0], one, other)):
        bad = [seed for seed in own if own[seed].status in ENDED_BADLY]
        alone = [seed for seed in bad if seed not in others or others[seed].status not in ENDED_BADLY]
        if alone:
            first = own[alone[0]]
            yield Reason(
                "failed_seeds", f"{seeds_text(alone)} of {word} ended as {_statuses(own, alone)}: {first.reason}",
                f"look at why {word} failed",
            )  # fmt: skip
        unfinished = [s for s in own if own[s].status in ("interrupted", "missing") and _is_ok(others.get(s))]
        if unfinished:
            yield Reason(
                "unfinished_seeds", f"{seeds_text(unfinished)} of {word} ha{'s' if len(unfinished) == 1 else 've'} no "
                "result", f"finish {word}: the command that ran it goes on",
            )  # fmt: skip


def _is_ok(row: Row | None) -> bool:
    return row is not None and row.status == "ok"


def _statuses(rows: Mapping[int, Row], seeds: Sequence[int]) -> str:
    return listing(list(dict.fromkeys(rows[seed].status for seed in seeds)))


def seeds_text(seeds: Collection[int]) -> str:
    """`seed 3`, `seeds 0–2, 7`."""
    return f"seed{'' if len(seeds) == 1 else 's'} {ranges(seeds)}"


def both_failed(before: Cell, after: Cell) -> list[int]:
    """The seeds that ended well on neither side, though both tried."""
    one, other = endings(before), endings(after)
    return [s for s in one if s in other and {one[s].status, other[s].status} <= ENDED_BADLY]


def seeds_apart(before: Cell, after: Cell, words: Words) -> Iterator[str]:
    """Yields which seeds only one side has planned: what is compared are the others."""
    one, other = endings(before), endings(after)
    for word, own, others in ((words[0], one, other), (words[1], other, one)):
        if alone := [seed for seed in own if seed not in others and own[seed].status == "ok"]:
            yield f"{seeds_text(alone)} of {word} alone: left out"


def _shared(before: Cell, after: Cell) -> int:
    one, other = ({(r.trial_id, r.run_id, r.finished_at) for r in cell.ok} for cell in (before, after))
    return len(one & other)


def _machines(before: Cell, after: Cell) -> str:
    first, second = (cell.ok[0] for cell in (before, after))
    if first.environment_id == second.environment_id:
        return ""
    facts = first.environment.facts, second.environment.facts
    if not all(facts):
        return "whether both ran on one machine is not recorded"
    apart = [name for name in HARDWARE if facts[0].get(name) != facts[1].get(name)]
    sizes = [float(each.get("memory_bytes") or 0) for each in facts]
    if abs(sizes[0] - sizes[1]) > MEMORY_SHARE * max(sizes):
        apart.append("memory")
    return f"the two sides ran on different machines ({listing(apart).replace('_', ' ')})" if apart else ""


def _data(before: Cell, after: Cell, words: Words) -> str:
    one, other = before.answers_by_seed, after.answers_by_seed
    known = [(one[seed], other[seed]) for seed in one if other.get(seed) is not None and one[seed] is not None]
    for first, second in known:
        assert first is not None
        assert second is not None
        if first.test_set != second.test_set or first.examples != second.examples:
            return f"{words[1]} was tested on other examples than {words[0]}"
        if first.trained_on != second.trained_on:
            return f"{words[0]} was trained on {first.trained_on:,} examples, {words[1]} on {second.trained_on:,}"
    source = [cell.ok[0].code.get("dataset") for cell in (before, after)]
    if not known and source[0] != source[1]:
        return "the data set's file differs, and which data it gave is not stored"
    return ""


class Mixture:
    """Of which cells a side has seeds that did not all run alike: with one code, in one environment."""

    def __init__(self, side: Side, word: str) -> None:
        self._word = word
        self._kinds: dict[str, set[tuple[str, str, str]]] = {}  # cell_id → machine, environment, code
        machines: dict[str, str] = {}
        for result in side.results:
            if result.status == "ok":
                key = result.environment_id
                machines[key] = machines.get(key) or machine_id(result.environment)
                self._kinds.setdefault(result.trial.cell_id, set()).add((machines[key], key, result.code_id))

    def of(self, cell: Cell, *, other: Cell) -> Iterator[Reason]:
        """Yields the reason where `cell` is mixed. Several machines are no mixture where each is compared with itself:
        where the `other` side's cell is of the same one."""
        kinds = self._kinds.get(cell.trial.cell_id, set())
        here = [each for each in kinds if cell.machine != other.machine or each[0] == cell.machine]
        if len(here) > 1:
            yield Reason(
                "mixed_results", f"seeds of {self._word} ran with several codes or in several environments",
                f"run {self._word} again into a folder of its own",
            )  # fmt: skip


def ran_together(before: Sequence[Result], after: Sequence[Result]) -> bool:
    """Whether the trials that say that they shared the time did: those of one group overlap."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    try:
        for result in before:
            if result.group_id:
                spans[result.group_id] = _span(result)
        pairs = [(spans[each.group_id], _span(each)) for each in after if each.group_id in spans]
        return bool(pairs) and all(one[0] <= other[1] and other[0] <= one[1] for one, other in pairs)
    except (ValueError, TypeError):  # no times, or times that cannot be compared
        return False


def _span(result: Result) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(result.started_at), datetime.fromisoformat(result.finished_at)
