"""A comparison in plain sentences: what it shows, what it could not have shown, what is missing."""

from collections.abc import Iterator, Sequence
from itertools import chain

from bench.analysis.cells import Cell
from bench.analysis.conditions import dates, machine, reasons
from bench.analysis.metric_words import DOCTORED, factor_words, said
from bench.base.metrics import Metric
from bench.comparison.pairs import ComparedCell, Comparison
from bench.comparison.tables import detectable_text, differences_text, disturbed, intervals_text
from bench.pairing.matching import Pair, describe
from bench.pairing.sides import side_text
from bench.present.format import listing, percent, plural, ranges, span, times
from bench.statistics.ratios import Verdict

MOST_NAMED = 4
DOUBTFUL = "most timings of a side were disturbed, so that nothing is said of their speeds."
CHANCE_FROM = 5  # cells from which on it is said how many verdicts chance alone gives
ORDER: tuple[Verdict, ...] = ("faster", "slower", "same", "ambiguous", "doubtful")


def answer(comparison: Comparison) -> str:
    """Returns what the comparison shows, in one paragraph, and what disturbed the timings of a side."""
    told = _cells(comparison) if len(comparison.compared) > 1 else _cell(comparison)
    return " ".join(part for part in (told, _trains(comparison), *disturbed(comparison)) if part)


def _cell(comparison: Comparison) -> str:
    """Returns what the only cell shows."""
    found, metric = comparison.overall, comparison.metric
    if found is None:
        whys = dict.fromkeys(cell.why for cell in comparison.cells if cell.why)
        return f"No ratio: {'; '.join(whys)}." if whys else f"No cell has {metric.name} on both sides."
    if comparison.verdict == "doubtful":
        return f"Doubtful: {DOUBTFUL}"
    much = times(found.ratio, found.low, found.high)
    factor = factor_words(found.ratio, metric) if comparison.verdict in ("faster", "slower") else ""
    if found.low is None:
        why = "a side has one process" if found.n < 2 else "these seeds give none"
        return f"B has {much} times the {metric.label} of A, without an interval: {why}."
    if comparison.verdict == "ambiguous":
        return f"Ambiguous: B has {much} times the {metric.label} of A."
    return (
        f"B is {_as(comparison.verdict, metric)}: {much} times its {metric.label}{f' (it {factor})' if factor else ''}."
    )


def _as(verdict: Verdict, metric: Metric) -> str:
    """Returns `faster than A`, `the same as A`."""
    return f"the {said(verdict, metric)} as A" if verdict == "same" else f"{said(verdict, metric)} than A"


def _cells(comparison: Comparison) -> str:
    """Returns how many cells say what, and their mean, which is no test."""
    total, metric = len(comparison.compared), comparison.metric
    counted = [(said(each, metric), comparison.count(each)) for each in ORDER if comparison.count(each)]
    if len(counted) == 1:
        return f"{'Both' if total == 2 else f'All {total}'} cells are {counted[0][0]}. {_mean(comparison)}"
    texts = [f"{count} {'is' if count == 1 else 'are'} {word}" for word, count in counted]
    chance = ""
    if total >= CHANCE_FROM and any(comparison.count(each) for each in ("faster", "slower")):
        chance = f" (by chance alone, about {0.05 * total:.1f} of them would be {said('faster', metric)}"
        chance += f" or {said('slower', metric)})"
    return f"Of {total} cells {listing(texts)}{chance}. {_mean(comparison)}"


def _mean(comparison: Comparison) -> str:
    found, metric = comparison.overall, comparison.metric
    assert found is not None
    if comparison.verdict == "doubtful":
        return f"Where they are doubtful, {DOUBTFUL}"
    if comparison.count("faster") and comparison.count("slower"):
        return f"Their geometric mean, {times(found.ratio)}, stands for none of them."
    factor = factor_words(found.ratio, metric) if comparison.verdict in ("faster", "slower") else ""
    no_test = ": no test, because cells share what changed between the two sides" if metric.timing else ""
    return f"Geometric mean of the ratios: {times(found.ratio)}{f' (it {factor})' if factor else ''}{no_test}."


def _trains(comparison: Comparison) -> str:
    unlike = [cell for cell in comparison.cells if cell.trains_differently]
    if not unlike:
        return ""
    but = "But " if comparison.compared else ""
    if len(comparison.cells) == 1:
        return f"{but}it trains differently: the accuracies of the same seeds differ, so it is not simply so."
    count = f"{len(unlike)} of {len(comparison.cells)} cells"
    return (
        f"{but}{count} train{'s' if len(unlike) == 1 else ''} differently (≠): their accuracies differ, seed by seed."
    )


def remarks(comparison: Comparison) -> Iterator[str]:
    """Yields what a reader has to know: power, the doctor's smallest difference, what is missing or was chosen."""
    if how := intervals_text(comparison):
        yield f"The intervals of the ratios: {how}."
    yield from differences_text(comparison)
    yield from _power(comparison.compared)
    yield from _doctor(comparison)
    for name, pairs in (("A", comparison.only_a), ("B", comparison.only_b)):
        if pairs:
            yield _only(name, pairs, comparison)
    if comparison.neither:
        cells = [cell for pair in comparison.neither for cell in (pair.a, pair.b) if cell is not None]
        found = reasons((row.status, row.reason) for cell in cells for row in cell.not_ok)
        yield f"Measured on neither side: {plural(len(comparison.neither), 'cell')} ({found})."
    if whys := dict.fromkeys(cell.why for cell in comparison.cells if cell.why):
        yield f"No ratio for {plural(sum(bool(cell.why) for cell in comparison.cells), 'cell')}: {'; '.join(whys)}."
    sides = list(chain.from_iterable((cell.a, cell.b) for cell in comparison.cells))
    if left_out := [row for side in sides for row in side.not_ok]:
        yield f"Not in these figures: {reasons((row.status, row.reason) for row in left_out)}."
    if shared := _shared(comparison.cells):
        yield f"The same measurement stands on both sides {plural(shared, 'time')}: it says nothing of a difference."
    if comparison.several:
        ran = f"{plural(comparison.several, 'cell')} ran in several environments or with several codes"
        yield f"{ran} on one side: the newest counts."


def _shared(cells: Sequence[ComparedCell]) -> int:
    """Returns how many results both sides hold: the same run, not another one like it."""
    sides = [cell.a for cell in cells], [cell.b for cell in cells]
    a, b = ({(each.trial_id, each.run_id, each.finished_at) for cell in side for each in cell.ok} for side in sides)
    return len(a & b)


def _power(cells: Sequence[ComparedCell]) -> Iterator[str]:
    """Yields what so few processes could not have shown."""
    for n, few in ((1, "one process has no interval, and cannot"), (2, "two processes cannot")):
        alone = [cell for cell in cells if cell.ratio and cell.ratio.over != "rounds" and cell.ratio.n == n]
        if alone:
            where = f"n = {n}" if len(alone) == len(cells) else f"n = {n} in {len(alone)} of {len(cells)} cells"
            yield f"{where}: {few} show any difference; run more seeds."
    known = [cell.detectable for cell in cells if cell.detectable is not None]
    if known and max(known) > 1:  # a count has no spread
        ends = dict.fromkeys(detectable_text(end) for end in (min(known), max(known)))
        counts = span(n for cell in cells if min(cell.n) > 1 for n in cell.n)
        yield (
            f"With {counts} processes a side and this spread, a ratio has to be {' to '.join(ends)} or more to show in "
            "four of five cases; less may be there, and not be seen."
        )


def _doctor(comparison: Comparison) -> Iterator[str]:
    if comparison.metric.name not in DOCTORED:
        name, same = comparison.metric.label, any(cell.verdict == "same" for cell in comparison.compared)
        if same:
            return
        yield f'No cell is called "same": bench doctor knows how small a difference shows in throughput, not in {name}.'
        return
    shares = sorted({cell.smallest for cell in comparison.compared if cell.smallest is not None})
    if shares:
        shown = " to ".join(dict.fromkeys(percent(each) for each in (shares[0], shares[-1])))
        yield f"Smallest difference that can be told from noise here (bench doctor): {shown}."
    if any(cell.smallest is None for cell in comparison.compared):
        where = "with each side's Python" if comparison.duel else "on each machine"
        yield (
            'No cell is called "same" before it is known how small a difference this machine can show: '
            f"bench doctor --results DIR, {where}."
        )


def _only(name: str, pairs: Sequence[Pair], comparison: Comparison) -> str:
    """Returns the cells that only one side has, and why the other has none where its trials failed."""
    labels = list(dict.fromkeys(_pair_label(pair, comparison) for pair in pairs))
    more = [f"{len(labels) - MOST_NAMED} more"] if len(labels) > MOST_NAMED else []
    text = f"Only in {name}: {listing([*labels[:MOST_NAMED], *more])}"
    others = [pair.b if name == "A" else pair.a for pair in pairs]
    rows = [row for cell in others if cell is not None for row in cell.not_ok]
    return f"{text} (the other side: {reasons((row.status, row.reason) for row in rows)})." if rows else f"{text}."


def _pair_label(pair: Pair, comparison: Comparison) -> str:
    cell: Cell = pair.either
    settings = describe(pair.settings, names=comparison.shown)
    return " · ".join(part for part in (cell.dataset, cell.model, settings) if part)


def side_lines(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    """Yields for A and B the letter, the name of the side, and under which conditions it was measured."""
    yield "A", side_text(comparison.a), _conditions([cell.a for cell in comparison.cells])
    yield "B", side_text(comparison.b), _conditions([cell.b for cell in comparison.cells])


def _conditions(cells: Sequence[Cell]) -> str:
    """Returns machine, threads, torch, days and n of one side."""
    results = [result for cell in cells for result in cell.ok]
    facts = next((each.environment.facts for each in results if each.environment.facts), {})
    several = len({cell.machine for cell in cells})
    threads = ranges({each.threads for each in results if each.threads})
    parts = [
        machine(facts) if several < 2 else f"{several} environments",
        f"{threads} thread{'' if threads == '1' else 's'}" if threads else "",
        f"torch {facts['torch']}" if facts.get("torch") and several < 2 else "",
        dates(results),
        f"n = {span(cell.n for cell in cells)}",
    ]
    return " · ".join(part for part in parts if part)
