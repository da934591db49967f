"""A user's own table: rows are samples, columns are features. How a file is read is in `table_file`, what its columns
mean in `table_columns`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Lt, MinLen

from bench.base.records import Task
from bench.errors import DataError, nearest
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import digest_of_own
from bench.worker.datasets.splits import Labels, Splits
from bench.worker.datasets.table_columns import Coding, Flags, Numbers, feature, parts, targets
from bench.worker.datasets.table_file import Columns, read

VERSION = 1  # of the decoder: raise it when the decoded arrays change
MOST_INPUTS = 10_000  # columns of the table, with one for each word
LISTED_NAMES = 10

Missing = Literal["refuse", "drop"]


@dataset("table")
def table(
    root: Path,
    *,
    path: Path,
    target: Annotated[str, MinLen(1)],
    features: Annotated[Sequence[str], MinLen(1)] | None = None,
    task: Task | None = None,
    categories: Coding = "one-hot",
    missing: Missing = "refuse",
    group: Annotated[str, MinLen(1)] | None = None,
    part: Annotated[str, MinLen(1)] | None = None,
    query: Annotated[str, MinLen(1)] | None = None,
    test_path: Path | None = None,
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
) -> Splits:
    """Your own table: CSV, TSV, Parquet, Feather or SQLite, a row a sample, with the names of the columns first.

    target: the column to predict. features: the columns to predict it from; all others where they are left out.
    task: "classification" or "regression". Left out: words are classes, and so are whole numbers of at most 20 values;
    numbers with a fraction or of more than 100 values are a regression; what lies between is refused.
    categories: columns of words become a 0 or 1 for each word ("one-hot"), or their place in the alphabet ("ordinal").
    missing: rows that lack a value are refused, or dropped. group: rows of one group never lie in both parts.
    part: a column that says "train" or "test". test_path: the test part in a file of its own. Without either the
    trial's seed draws test_fraction. query: the SELECT that gives the rows, of a SQLite file.
    Raises Unavailable where a file is missing, DataError, in one line, where it is not as above.
    """
    asked = Asked(target, tuple(features) if features else None, task, categories, missing, group, part, query)
    arrays = _load(path, test_path, asked)
    is_test, classes = arrays["is_test"], arrays["classes"].tolist()
    is_drawn = not is_test.any()
    return Splits(
        train_inputs=arrays["inputs"][~is_test],
        train_targets=arrays["targets"][~is_test],
        test_inputs=arrays["inputs"][is_test],
        test_targets=arrays["targets"][is_test],
        train_groups=arrays["groups"][~is_test] if group else None,
        task="classification" if classes else "regression",
        class_names=classes,
        target_names=() if classes else (target,),
        licence="not stated: the user's own file",
        source=" and ".join(file.name for file in (path, test_path) if file),
        test_fraction=test_fraction if is_drawn else None,
    )


@dataclass(frozen=True)
class Asked:
    """What of a table is wanted."""

    target: str
    features: tuple[str, ...] | None
    task: Task | None
    categories: Coding
    missing: Missing
    group: str | None
    part: str | None
    query: str | None

    @property
    def special(self) -> list[str]:
        return [name for name in (self.target, self.group, self.part) if name]

    def names(self, found: Columns) -> list[str]:
        """The features. Raises DataError where a column is not there, or is asked for twice."""
        for name in (*self.special, *(self.features or ())):
            if name not in found.values:
                listed = ", ".join([*found.values][:LISTED_NAMES]) + (", …" if len(found.values) > LISTED_NAMES else "")
                near = nearest(name, found.values)
                raise DataError(f"{found.label}: found no column {name!r}{near} (there are: {listed})")
        kept = [name for name in found.values if name not in self.special] if self.features is None else self.features
        for place, name in enumerate(kept):
            if name in self.special:
                how = "a feature and target, group or part; leave it out of features"
                raise DataError(f"{found.label}: column {name!r} is {how}")
            if self.features and name in kept[:place]:
                raise DataError(f"{found.label}: column {name!r} stands twice in features")
        if len(set(self.special)) < len(self.special):
            raise DataError(f"{found.label}: target, group and part: found one column for two; needs a column for each")
        if not kept:
            raise DataError(f"{found.label}: found no column beside the target; needs features")
        return list(kept)


def _load(path: Path, test_path: Path | None, asked: Asked) -> Arrays:
    if asked.part and test_path:
        raise DataError(f"{path.name}: part = {asked.part!r} and test_path: give one of them")
    files = [file for file in (path, test_path) if file]
    sources = {f"{place} {file.suffix.lower()}": digest_of_own(file, name="table") for place, file in enumerate(files)}
    return cached("table", sources=sources | {repr(asked): ""}, version=VERSION, decode=lambda: _decode(files, asked))


class _Rows:
    """The rows of one or two files that are kept, one after the other."""

    def __init__(self, tables: Sequence[Columns], needed: Sequence[str], asked: Asked) -> None:
        self.rows = [(each, row) for each in tables for row in _whole(each, needed, asked)]
        self.is_second = np.array([each is not tables[0] for each, _ in self.rows])

    def column(self, name: str) -> list[str]:
        return [each.values[name][row] for each, row in self.rows]

    def where(self, row: int) -> str:
        each, own = self.rows[row]
        return each.place(own)


def _decode(files: Sequence[Path], asked: Asked) -> Arrays:
    tables = [read(file, query=asked.query) for file in files]
    names = asked.names(tables[0])
    needed = [*names, *asked.special]
    for other in tables[1:]:
        if lacking := [name for name in needed if name not in other.values]:
            raise DataError(f"{other.label}: found no column {lacking[0]!r}; needs those of {files[0].name}")
    rows = _Rows(tables, needed, asked)
    is_test = rows.is_second
    if asked.part:
        is_test = parts(rows.column(asked.part), name=asked.part, where=rows.where)
    found, classes = targets(rows.column(asked.target), is_test, name=asked.target, task=asked.task, where=rows.where)
    return {
        "inputs": _inputs(rows, names, is_test, asked),
        "targets": found,
        "classes": np.array(classes, dtype=np.str_),
        "is_test": is_test,
        "groups": _groups(rows, is_test, asked),
    }


def _whole(found: Columns, needed: Sequence[str], asked: Asked) -> list[int]:
    """The rows that lack no value."""
    columns: Mapping[str, list[str]] = {name: found.values[name] for name in needed}
    kept = []
    for row in range(len(found)):
        lacking = next((name for name, values in columns.items() if not values[row]), None)
        if lacking is None:
            kept.append(row)
        elif asked.missing == "refuse":
            other = "" if lacking in asked.special else "leave the column out of features, "
            how = f'fill it, {other}or set missing = "drop" to leave out such rows'
            raise DataError(f"{found.place(row)}: column {lacking!r} is empty; {how}")
    if not kept:
        raise DataError(f"{found.label}: every row lacks a value")
    return kept


def _inputs(rows: _Rows, names: Sequence[str], is_test: Flags, asked: Asked) -> Numbers:
    """(N, D), D being the columns of numbers and one for each word of the others."""
    found: list[Numbers] = []
    width = 0
    for name in names:
        found.append(feature(rows.column(name), is_test, name=name, categories=asked.categories, where=rows.where))
        width += found[-1].shape[1]
        if width > MOST_INPUTS:
            how = 'leave some out of features, or set categories = "ordinal"'
            raise DataError(f"column {name!r}: found more than {MOST_INPUTS:,} inputs with one for each word; {how}")
    return np.concatenate(found, axis=1)


def _groups(rows: _Rows, is_test: Flags, asked: Asked) -> Labels:
    """A number (N,) for each row's group; all 0 without groups. Raises DataError where one lies in both parts."""
    if not asked.group:
        return np.zeros(len(is_test), dtype=np.int64)
    names, groups = np.unique(rows.column(asked.group), return_inverse=True)
    if len(both := np.intersect1d(groups[is_test], groups[~is_test])):
        name = str(names[both[0]])
        label = rows.rows[0][0].label
        raise DataError(f"{label}: group {name!r} of {asked.group!r} lies in the training and in the test part")
    if len(names) < 2:
        raise DataError(f"{rows.rows[0][0].label}: column {asked.group!r}: found one group; needs two or more")
    return groups.astype(np.int64)
