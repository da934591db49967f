"""What a gate says, in a terminal of 80 columns and as a comment of a pull request: the verdict first, then the cells
that matter, then why and what to do."""

import shlex
from collections.abc import Iterable, Iterator, Sequence

from bench.base.metrics import SPEED
from bench.gate.records import Gate, GatedCell, MarginTest, name_of, share_text
from bench.present.columns import aligned, page_of, wrapped
from bench.present.format import difference, listing, plural, printable, times
from bench.present.tables import escape_markdown
from bench.statistics.gates import LEVEL
from bench.statistics.intervals import Estimate

MOST_ROWS, MOST_NAMED, MOST_DIFFERENCES = 12, 3, 6
BY_TURNS = "python -m bench gate SUITE --against PYTHON     (or --against-ref REF)"
ORDER = {"worse": 0, "open": 1, "fine": 2}
Row = tuple[str, str, str, str, str]


def gate_text(gate: Gate) -> str:
    """Returns the whole verdict for a terminal."""
    return page_of(
        [
            wrapped(headline(gate)),
            _sides(gate),
            _table(gate),
            _listed("Why:", whys(gate)),
            _listed("What to do:", todos(gate)),
            _listed("What differs (BEFORE against AFTER):" if gate.words[0] == "BEFORE" else "", differs(gate)),
            (line for text in footnotes(gate) for line in wrapped(text)),
            _unjudged(gate),
            f"results  {gate.stored} (python -m bench gate {shlex.quote(gate.stored)})" if gate.stored else "",
        ]
    )


def gate_markdown(gate: Gate) -> str:
    """Returns the verdict as a comment of a pull request."""
    rows, left = _rows(gate)
    cells = [[escape_markdown(each) for each in row] for row in (_head(gate), *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|---|---|--:|--:|---|")
    blocks = [
        f"### {_BADGE[gate.verdict]} {escape_markdown(headline(gate))}",
        "\n".join(lines) + (f"\n\n{escape_markdown(left)}" if left else ""),
    ]
    for name, found in (("Why", list(whys(gate))), ("What to do", list(todos(gate)))):
        blocks += [f"**{name}**\n\n{_bullets(found)}"] if found else []
    unjudged = [f"{gate.unjudged}; to judge it, measure both by turns: {BY_TURNS}"] if gate.unjudged else []
    how = _bullets([*_side_texts(gate), *differs(gate), *footnotes(gate), *unjudged])
    blocks.append(f"<details><summary>How it was judged</summary>\n\n{how}\n\n</details>")
    return "\n\n".join(blocks) + "\n"


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {escape_markdown(each)}" for each in texts)


_BADGE = {"keep": "✅", "revert": "❌", "undecided": "❔"}


def headline(gate: Gate) -> str:
    """Returns the verdict in one sentence or two."""
    before, after = gate.words
    total = len(gate.cells)
    worse = [cell for cell in gate.cells if cell.told == "worse"]
    unsure = [cell for cell in gate.cells if cell.told == "open"]
    if gate.verdict == "revert":
        where = "" if total == 1 else f" in {len(worse)} of {total} cells"
        return f"revert: {after} is worse than {before}{where}: {_loss(gate, worse[0])}."
    if gate.verdict == "keep":
        where = "" if total == 1 else f" in {'both' if total == 2 else f'all {total}'} cells"
        return f"keep: {after} is no worse than {before}{where}, to within {_margins(gate)}."
    failed = [reason for cell in unsure for reason in cell.blocked if reason.code == "failed_seeds"]
    first = f" {_sentence(failed[0].text)}" if failed else ""
    if total == 1:
        return f"undecided: {after} is neither shown to be worse than {before} nor to be as good.{first}"
    if not unsure:
        return f"undecided: all {total} cells are as good, but not all results can be read."
    if len(unsure) == total:
        return f"undecided: none of {total} cells is shown to be worse or to be as good.{first}"
    are = "is" if len(unsure) == 1 else "are"
    rest = f"{len(unsure)} {are} not shown to be as good"
    return f"undecided: none of {total} cells is shown to be worse, and {rest}.{first}"


def _loss(gate: Gate, cell: GatedCell) -> str:
    test = next(test for test in cell.tests if test.told == "worse")
    name = f"{cell.name}, " if len(gate.cells) > 1 else ""
    if test.kind == "ending":
        return f"{name}all {test.n} seeds of {gate.words[1]} failed, and ended well in {gate.words[0]}"
    if test.kind == "accuracy":
        return f"{name}accuracy {_value(test)}"
    return f"{name}{times(test.mean or 0.0, test.low, test.high)} times its {_named(test)}"


def _named(test: MarginTest) -> str:
    return name_of(test.metric)


def _margins(gate: Gate) -> str:
    asked = gate.asked
    parts = [f"{asked.within:g} of accuracy"] if asked.within is not None else []
    if asked.slower is not None:
        metric = SPEED if asked.metric is None else asked.metric.name
        largest = max((test.margin for cell in gate.cells for test in cell.tests if test.kind == "ratio"), default=0.0)
        parts.append(f"{share_text(max(largest, asked.slower))} of {name_of(metric)}")
    return " and ".join(parts)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _sides(gate: Gate) -> Iterator[str]:
    for text in _side_texts(gate):
        yield from wrapped(text, indent="        ")


def _side_texts(gate: Gate) -> list[str]:
    texts = []
    for word, side in zip(gate.words, (gate.before, gate.after), strict=True):
        found = [each for each in side.results if each.status == "ok"]
        torch = dict.fromkeys(str(each.environment.facts.get("torch") or "") for each in found)
        parts = [f"torch {listing([each for each in torch if each])}" if any(torch) else "",
                 plural(len(found), "result")]  # fmt: skip
        texts.append(f"{word:<8}{side.name} · {' · '.join(filter(None, parts))}")
    return texts


def _unjudged(gate: Gate) -> Iterator[str]:
    if gate.unjudged:
        yield from wrapped(f"{gate.unjudged}. To judge it, measure both by turns:")
        yield f"  {BY_TURNS}"


def _table(gate: Gate) -> Iterator[str]:
    rows, left = _rows(gate)
    yield from aligned([_head(gate), *rows], left=(0, 1, 4))
    if left:
        yield left


def _head(gate: Gate) -> Row:
    """Returns the heads of the table; the first says what all cells share."""
    shared = [{cell.dataset for cell in gate.cells}, {cell.device for cell in gate.cells}]
    name = ", ".join(_short(next(iter(each)), 20) for each in shared if len(each) == 1)
    return name, "figure", "n", f"{gate.words[1]} against {gate.words[0]}", ""


def _rows(gate: Gate) -> tuple[list[Row], str]:
    """Returns the rows of the table, the worst first, and what is said of those left out."""
    rows = [(ORDER[test.told], _row(cell, test, gate)) for cell in gate.cells for test in cell.tests]
    rows += [(ORDER["open"], (cell.name, "", "", "", "not judged")) for cell in gate.cells if not cell.tests]
    rows.sort(key=lambda each: each[0])
    left = len(rows) - MOST_ROWS
    return [
        row for _, row in rows[:MOST_ROWS]
    ], f"… and {plural(left, 'more row')} (--json has all)" if left > 0 else ""


def _row(cell: GatedCell, test: MarginTest, gate: Gate) -> Row:
    worse = {"accuracy": "less accurate", "ending": "fails"}.get(
        test.kind, "slower" if test.metric == SPEED else "worse"
    )
    word = {"worse": worse, "fine": "identical" if test.identical else "no worse", "open": "open"}[test.told]
    if test.told == "fine" and cell.blocked:
        word = "open"
    return (_short(cell.name), _named(test), f"{test.n}" if test.n else "", _value(test), word)


def _short(name: str, most: int = 28) -> str:
    text = printable(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _value(test: MarginTest) -> str:
    if test.mean is None:
        return ""
    if test.identical and test.kind == "accuracy":
        return "the same"
    if test.kind == "accuracy":
        return difference(Estimate(test.mean, None, test.low, test.high, test.n))
    return times(test.mean, test.low, test.high)


def whys(gate: Gate) -> Iterator[str]:
    """Yields why what is not decided is not, with the cells that it is true of."""
    for reason in gate.only:
        yield _sentence(reason.text)
    found: dict[str, list[str]] = {}
    for cell in gate.cells:
        if cell.told != "worse":
            for reason in cell.blocked:
                found.setdefault(reason.text, []).append(cell.name)
            for test in cell.tests if not cell.blocked else ():
                if test.why is not None and test.told == "open":
                    found.setdefault(f"{_named(test)}: {test.why.text}", []).append(cell.name)
    for text, names in found.items():
        yield f"{_cells(names, gate)}{text}" if len(gate.cells) > 1 else _sentence(text)
    noted: dict[str, list[str]] = {}
    for cell in gate.cells:
        for note in cell.notes:
            noted.setdefault(note, []).append(cell.name)
    for text, names in noted.items():
        yield f"{_cells(names, gate)}{text}" if len(gate.cells) > 1 else _sentence(text)


def _cells(names: Sequence[str], gate: Gate) -> str:
    if len(names) == len(gate.cells):
        return "every cell: "
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    shown = [*names[:MOST_NAMED], *more]
    return f"{'; '.join(shown) if any(',' in name for name in names) else listing(shown)}: "


def todos(gate: Gate) -> Iterator[str]:
    """Yields what to do about it, each thing once."""
    if gate.verdict == "keep":
        return
    reasons = [*gate.only, *(each for cell in gate.cells if cell.told == "open" for each in cell.reasons)]
    yield from (_sentence(todo) for todo in dict.fromkeys(reason.todo for reason in reasons if reason.todo))
    if (most := max((reason.seeds for reason in reasons if reason.seeds is not None), default=0)) > 0:
        yield f"Run more seeds: about {most} on each side would tell (at an even chance)."
    if gate.live and any(reason.code == "not_shown" for reason in reasons):
        yield "Give it more time: --most 30m."


def differs(gate: Gate) -> Iterator[str]:
    """Yields what is recorded that differs, the likeliest causes first."""
    yield from (str(each) for each in gate.differences[:MOST_DIFFERENCES])
    if len(gate.differences) > MOST_DIFFERENCES:
        yield f"and {len(gate.differences) - MOST_DIFFERENCES} more"


def footnotes(gate: Gate) -> Iterator[str]:
    """Yields what was not judged, and how the rest was."""
    if gate.spent is not None:
        why = "; no further round would have ended in time" if gate.spent.out_of_time else ""
        yield f"Measured by turns: {plural(gate.spent.rounds, 'round')} in {gate.spent.seconds:.0f} s{why}."
    before, after = gate.words
    if left_out := sum(test.left_out for cell in gate.cells for test in cell.tests):
        yield f"Left out of the speeds: {plural(left_out, 'pair')} of trials that {_were(left_out)} disturbed."
    kinds = {test.kind for cell in gate.cells for test in cell.tests}
    parts = [f"accuracy {after} − {before}"] if "accuracy" in kinds else []
    parts += [f"speed {after} / {before}"] if "ratio" in kinds else []
    shown = f"Shown: {listing(parts)}, with 90 % intervals. " if parts else ""
    one = f"1 gate in {1 / LEVEL:.0f}"
    how = "over all looks" if gate.live else "Holm"
    tests = "one test" if gate.family == 1 else f"all {gate.family} tests together"
    yield (
        f"{shown}Margins: {_margins(gate)}. At most {one} reverts a change that is no worse ({tests}, {how}), and at "
        f"most {one} keeps one that is worse by more than a margin."
    )


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _listed(head: str, texts: Iterable[str]) -> Iterator[str]:
    for index, text in enumerate(texts):
        if index == 0 and head:
            yield head
        yield from wrapped(f"- {text}", indent="  ")
