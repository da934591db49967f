"""Every answer of a diagnosed model as tables for other programs: confusions, and errors with all their
probabilities."""

from collections.abc import Iterator

import numpy as np

from bench.analysis.artifacts import Array, Diagnosed
from bench.present.tables import Column, Table, TableCell, count_cell

TRUE = Column("true", "true class", numeric=False)


def probabilities(found: Diagnosed) -> Array:
    """(N, K) of the test set: the softmax of the logits, in float64."""
    logits = found.logits.astype(np.float64)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = odds / odds.sum(axis=1, keepdims=True)
    return shares


def files_of(found: Diagnosed) -> Iterator[Table]:
    """The tables that are files of their own beside the page, each called as its file."""
    yield _confusion(found, "confusion-counts", found.confusion)
    totals = np.maximum(found.confusion.sum(axis=1, keepdims=True), 1)
    yield _confusion(found, "confusion-shares", found.confusion / totals)
    yield errors(found)


def _confusion(found: Diagnosed, name: str, matrix: Array) -> Table:
    """A row a true class, a column an answer."""
    names = found.class_names
    columns = (TRUE, *(Column(f"answered_{answer}", answer) for answer in names))
    rows = tuple(
        (TableCell(label), *(TableCell(f"{value:g}", value) for value in row))
        for label, row in zip(names, matrix.tolist(), strict=True)
    )
    return Table(name, "Confusion matrix", columns, rows)


def errors(found: Diagnosed) -> Table:
    """Every wrong answer, the surest first: its place in the test set, true class, answer, and the probability of each
    class."""
    shares, said = probabilities(found), found.logits.argmax(axis=1)
    wrong = np.flatnonzero(~found.right)
    order = wrong[np.argsort(-shares[wrong].max(axis=1), kind="stable")]
    names = found.class_names
    columns = (
        Column("index", "place in the test set"), TRUE, Column("answer", "answer", numeric=False),
        Column("confidence", "confidence"), *(Column(f"probability_{name}", name) for name in names),
    )  # fmt: skip
    rows = tuple(
        (
            count_cell(int(place)), TableCell(names[int(found.labels[place])]), TableCell(names[int(said[place])]),
            *(TableCell(f"{share:.4f}", share) for share in (float(shares[place].max()), *shares[place].tolist())),
        )
        for place in order
    )  # fmt: skip
    return Table("errors", "Errors", columns, rows)


def partners(found: Diagnosed) -> list[str]:
    """What each class was most often taken for, with how often: `9 (12)`; `none` where it never was."""
    wrong = found.confusion.copy()
    np.fill_diagonal(wrong, 0)
    worst = wrong.argmax(axis=1)
    counts = wrong.max(axis=1)
    return [f"{found.class_names[k]} ({n:,})" if n else "none" for k, n in zip(worst, counts, strict=True)]
