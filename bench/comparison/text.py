"""What `bench compare` prints: 80 columns, the answer first, then the cells, then what differs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.analysis.metric_words import shown_name
from bench.base.metrics import BUILT_IN
from bench.comparison.batches import best_batches, crossovers
from bench.comparison.pairs import ACCURACY, Compared, Comparison
from bench.comparison.rank import duel
from bench.comparison.rank_text import duels_lines
from bench.comparison.sentences import answer, remarks, side_line
from bench.comparison.sides import side_text
from bench.comparison.tables import crossover_text, difference_text, series_label, verdict_text
from bench.present.columns import aligned, cut
from bench.present.doctor_text import printable_line
from bench.present.format import DASH, times

WIDTH = 80
MOST_ROWS = 40
MOST_DIFFERENCES = 16
LEAST_LABEL = 12


def comparison_text(comparison: Comparison, *, width: int = WIDTH) -> str:
    """The whole comparison for a terminal."""
    blocks = [
        [f"B against A · {shown_name(comparison.metric)}, ratio B / A with its 95 % interval"],
        list(_sides(comparison, width)),
        _wrap(answer(comparison), width),
        *_groups(comparison, width),
        _pairs(comparison, width),
        list(_batches(comparison, width)),
        [line for text in remarks(comparison) for line in _wrap(text, width)],
        list(_differences(comparison, width)),
    ]
    blocks[0:2] = [[*blocks[0], *blocks[1]]]
    return "\n\n".join("\n".join(printable_line(line) for line in block) for block in blocks if block) + "\n"


def _wrap(text: str, width: int, *, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, subsequent_indent=indent)


def _sides(comparison: Comparison, width: int) -> Iterator[str]:
    for letter, side in (("A", comparison.a), ("B", comparison.b)):
        cells = [getattr(cell, letter.lower()) for cell in comparison.cells]
        yield from _wrap(f"{letter}  {side_text(side)} · {side_line(side, cells)}", width, indent="   ")


def _groups(comparison: Comparison, width: int) -> Iterator[list[str]]:
    """A table for every data set (and device, where there are several)."""
    groups: dict[str, list[Compared]] = {}
    for cell in comparison.cells[:MOST_ROWS]:
        devices = "/".join(dict.fromkeys([cell.a.trial.device, cell.b.trial.device]))
        groups.setdefault(f"{cell.a.dataset} · {devices}", []).append(cell)
    for name, cells in groups.items():
        yield _table(name, cells, comparison, width)
    if len(comparison.cells) > MOST_ROWS:
        yield [f"… and {len(comparison.cells) - MOST_ROWS:,} more cells: --output DIR writes all of them"]


def _table(name: str, cells: Sequence[Compared], comparison: Comparison, width: int) -> list[str]:
    rows = [["", "n", "ratio B/A", "B is", "accuracy B − A"]]
    for cell in cells:
        label = cell.label(comparison.shown, device=False)
        rows.append([label, _n(cell), _ratio(cell), verdict_text(cell, comparison), _accuracy(cell)])
    if all(cell.accuracy is None for cell in cells):
        rows = [row[:-1] for row in rows]
    rest = sum(2 + max(map(len, column)) for column in list(zip(*rows, strict=True))[1:])
    room = max(LEAST_LABEL, width - rest)
    rows[0][0] = cut(name, room)
    return aligned([[cut(row[0], room), *row[1:]] for row in rows], left=(0, 3))


def _n(cell: Compared) -> str:
    return "/".join(dict.fromkeys(map(str, cell.n)))


def _ratio(cell: Compared) -> str:
    return times(cell.ratio.ratio, cell.ratio.low, cell.ratio.high) if cell.ratio else DASH


def _accuracy(cell: Compared) -> str:
    return "the same" if cell.training == "identical" else difference_text(cell.accuracy)


def _pairs(comparison: Comparison, width: int) -> list[str]:
    """Two models by the accuracies of their seeds: difference, P(B > A), Wilcoxon."""
    if "model" not in comparison.apart:
        return []
    metric = BUILT_IN[ACCURACY]
    found = [(cell, duel(cell.a.dataset, cell.b, cell.a, metric=metric)) for cell in comparison.cells]
    several = len(found) > len({cell.a.dataset for cell, _ in found})
    duels = [
        replace(each, dataset=f"{each.dataset}, {cell.label(comparison.shown, device=True)}") if several else each
        for cell, each in found
        if each is not None
    ]
    return duels_lines(duels, metric, width)


def _batches(comparison: Comparison, width: int) -> Iterator[str]:
    """From which batch size on B is faster, and both at their best one."""
    crossed = {id(series.cells[0]): crossover_text(found, series) for series, found in crossovers(comparison)}
    bests = {id(best.first): best for best in best_batches(comparison)}
    if not crossed:
        return
    rows = [["over batch sizes", "B faster from size", *(["fastest A/B", "ratio B/A there"] if bests else [])]]
    for cell in comparison.compared:
        if id(cell) not in crossed:
            continue
        row = [series_label(cell, comparison), crossed[id(cell)]]
        if best := bests.get(id(cell)):
            much = times(best.ratio.ratio, best.ratio.low, best.ratio.high)
            row += [f"{best.a.trial.batch_size:,}/{best.b.trial.batch_size:,}", much]
        rows.append([*row, *[DASH] * (len(rows[0]) - len(row))])
    rest = sum(2 + max(map(len, column)) for column in list(zip(*rows, strict=True))[1:])
    room = max(LEAST_LABEL, width - rest)
    yield from aligned([[cut(row[0], room), *row[1:]] for row in rows])
    if bests:
        text = "The fastest batch size is a selection: the best of several means is too high by chance."
        yield from _wrap(text, width)


def _differences(comparison: Comparison, width: int) -> Iterator[str]:
    if not comparison.differences:
        yield from _wrap("Nothing that is recorded differs: settings, environment, versions, code.", width)
        return
    yield "What differs (A against B):"
    for each in comparison.differences[:MOST_DIFFERENCES]:
        yield from _wrap(f"- {each}", width, indent="  ")
    if len(comparison.differences) > MOST_DIFFERENCES:
        yield f"- and {len(comparison.differences) - MOST_DIFFERENCES} more: --output DIR writes all of them"
