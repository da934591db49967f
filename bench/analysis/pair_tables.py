"""Every pair of models, as a table and as a matrix: difference, bracket and verdict, as the ladder has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.analysis.interval_words import meanings, purpose
from bench.analysis.ladder import MARGIN, Judged, Ladder, Verdict
from bench.analysis.ladder_words import figures, points
from bench.base.metrics import ACCURACY, Metric
from bench.present.format import DASH, figure, p_text, scale_of
from bench.present.tables import Column, Columns, Table, TableCell, count_cell, table_of
from bench.statistics.intervals import Estimate

FEWEST_MODELS = 3  # that a matrix shows more of than a sentence
WORDS: dict[Verdict, str] = {
    "yes": "yes", "alike": "alike", "tie": "the same", "open": "not shown", "few": "too few seeds",
    "reversed": "the other way",
}  # fmt: skip
MATRIX = "Points of accuracy by which the column is ahead of the row, and whether that is shown."
Row = tuple[str, Judged]  # a data set, and a pair of models on it


def pairs_table(rows: Sequence[Row], metric: Metric, *, name: str, title: str, alone: bool = False) -> Table:
    """A row a pair, the better model first. All pairs of a data set are one family; `alone`: each pair is its own."""
    several = len({dataset for dataset, _ in rows}) > 1
    unit = " (points)" if metric.name == ACCURACY else ""

    def where(row: Row) -> str:
        return f"{row[0]}: " if several else ""

    columns: Columns[Row] = [
        (Column("pair", "pair", numeric=False, place="terminal"),
         lambda row: f"{where(row)}{row[1].upper.model} − {row[1].lower.model}"),
        (Column("dataset", "data set", numeric=False, place="files"), lambda row: row[0]),
        (Column("first", "model", numeric=False, place="files"), lambda row: row[1].upper.model),
        (Column("second", "against", numeric=False, place="files"), lambda row: row[1].lower.model),
        (Column("n", "seeds"), lambda row: count_cell(row[1].n)),
        (Column("difference", f"difference{unit}", interval=True), partial(_difference, metric)),
        (Column("p", "p" if alone else "p (Holm)"), _p_cell),
        (Column("verdict", "shown", numeric=False), lambda row: WORDS[row[1].verdict]),
        (Column("seeds_to_tell", "seeds to tell", place="files"), _seeds_to_tell),
    ]  # fmt: skip
    notes = _notes([pair for _, pair in rows], metric, several=several, alone=alone or len(rows) == 1)
    return table_of(name, title, rows, columns, notes=notes)


def _notes(pairs: Sequence[Judged], metric: Metric, *, several: bool, alone: bool) -> list[str]:
    """How the pairs are judged, and what their brackets are for."""
    if not any(pair.bracket for pair in pairs):
        return ["One seed has no interval, and decides nothing."]
    overs = meanings(_estimate(pair) for pair in pairs)
    family = f"The pairs of {'each data set' if several else 'all models'} are judged together"
    level = "95 % for all pairs together (Bonferroni)"
    adjusted = ", adjusted by Holm,"
    if alone:
        family, level, adjusted = "Each pair is judged alone", "95 %", ""
    alike = f"; alike: it lies within ± {points(MARGIN)} points" if metric.name == ACCURACY else ""
    return [
        f"{family}: yes where p{adjusted} is at most 0.05 and the bracket excludes 0{alike}.",
        f"Differences are paired by seed. Brackets: {level}, {purpose(overs).removeprefix('95 % interval ')}.",
    ]


def _estimate(pair: Judged) -> Estimate | None:
    found = pair.evidence
    low, high = pair.bracket or (None, None)
    return Estimate(found.mean, found.sd, low, high, found.n, found.over) if found else None


def _difference(metric: Metric, row: Row) -> TableCell:
    """The difference of the means with its bracket: of accuracies in points of a hundred."""
    found = _estimate(row[1])
    if found is None:
        return TableCell(DASH)
    if metric.name == ACCURACY:
        text = _signed(" ".join(figures(row[1])).rstrip())
    else:
        scale = scale_of(metric.unit, [found.mean])
        text = f"{figure(found.mean, scale, ends=found.ends).replace('-', '−')} {scale.unit}".strip()
    return TableCell(text, found.mean, found.low, found.high, over=found.over)


def _p_cell(row: Row) -> TableCell:
    return TableCell(p_text(row[1].p), row[1].p) if row[1].n else TableCell(DASH)


def _seeds_to_tell(row: Row) -> TableCell:
    return TableCell(DASH) if row[1].seeds is None else count_cell(row[1].seeds)


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """What stands where the row of a model meets the column of a better one: three short lines, and the verdict."""

    verdict: Verdict
    difference: str  # of accuracies in points
    bracket: str  # empty where there is none
    word: str


def matrix(ladder: Ladder, *, most: int) -> list[list[MatrixCell | None]]:
    """The pairs of the first `most` models: a row a model from the second one on, a column a model up to the last but
    one; None above the diagonal. Empty below three models."""
    count = min(most, len(ladder.cells))
    if count < FEWEST_MODELS:
        return []
    columns = range(count - 1)
    return [
        [_cell(ladder.pair(upper, lower)) if upper < lower else None for upper in columns] for lower in range(1, count)
    ]


def matrix_table(ladder: Ladder, *, name: str, title: str, most: int = 16) -> Table | None:
    """The matrix of the first `most` models as a table; None below three models."""
    rows = matrix(ladder, most=most)
    models = [cell.model for cell in ladder.cells[: len(rows) + 1]]
    columns: Columns[int] = [(Column("model", "", numeric=False), lambda row: models[row + 1])]
    for at in range(len(rows)):
        columns.append((Column(models[at], models[at], numeric=False), partial(_matrix_text, rows, at)))
    left = len(ladder.cells) - len(models)
    first = f" The first {len(models)} of {len(ladder.cells)} models." if left else ""
    notes = [f"{MATRIX}{first}"]
    return table_of(name, title, range(len(rows)), columns, notes=notes) if rows else None


def _matrix_text(rows: Sequence[Sequence["MatrixCell | None"]], column: int, row: int) -> str:
    """`+1.2 [0.3, 2.1] yes`; empty above the diagonal."""
    found = rows[row][column]
    return " ".join(filter(None, (found.difference, found.bracket, found.word))) if found else ""


def _cell(pair: Judged) -> MatrixCell:
    if not pair.n:
        return MatrixCell(pair.verdict, DASH, "", "no common seed")
    mean, bracket = figures(pair)
    return MatrixCell(pair.verdict, _signed(mean), bracket, WORDS[pair.verdict])


def _signed(text: str) -> str:
    return text if text.startswith("−") else f"+{text}"
