"""A user's own table: rows are samples, columns are features. How the file is read is in `table_file`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from annotated_types import Gt, Lt

from bench.base.cache import file_sha256
from bench.base.records import Task
from bench.errors import DataError, Unavailable, nearest
from bench.registry import dataset
from bench.worker.datasets.arrays import Arrays, cached
from bench.worker.datasets.files import unreadable
from bench.worker.datasets.splits import Splits, Targets
from bench.worker.datasets.table_file import Columns, read

VERSION = 1  # of the decoder: raise it when the decoded arrays change
MOST_CLASSES = 20  # of a target of whole numbers that nothing is said of
MOST_CATEGORIES = 1000  # of a column of words: more are names or ids
FEW_WORDS = 0.5  # share of a column that has to be words for it to be one

Coding: TypeAlias = Literal["one-hot", "ordinal"]
Numbers: TypeAlias = npt.NDArray[np.float32]
Flags: TypeAlias = npt.NDArray[np.bool_]
Where: TypeAlias = Callable[[int], str]  # a row → where a person finds it: `own.csv: line 7`


@dataset("table")
def table(
    root: Path,
    *,
    path: Path,
    target: str,
    features: list[str] | None = None,
    task: Task | None = None,
    categories: Coding = "one-hot",
    missing: Literal["refuse", "drop"] = "refuse",
    group: str | None = None,
    part: str | None = None,
    test_path: Path | None = None,
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
) -> Splits:
    """Your own table: .csv, .tsv, .parquet or .feather, a row a sample, with the names of the columns first.

    target: the column to predict. features: the columns to predict it from; all others where they are left out.
    task: "classification" or "regression"; left out, numbers with a fraction or of over 20 values are a regression.
    categories: columns of words become a 0 or 1 for each word ("one-hot"), or their place in the alphabet ("ordinal").
    missing: rows that lack a value are refused, or dropped. group: rows of one group never lie in both parts.
    part: a column that says "train" or "test". test_path: the test part in a file of its own. Without either the
    trial's seed draws test_fraction.
    Raises Unavailable where a file is missing, DataError, in one line, where it is not as above.
    """
    settings = repr((target, features, task, categories, missing, group, part))
    sources = {"file": _digest(path), "test": _digest(test_path) if test_path else "", settings: ""}

    def decode() -> Arrays:
        asked = _Asked(target, features, task, categories, group=group, part=part)
        return _decode(path, test_path, asked, drop=missing == "drop")

    arrays = cached("table", sources=sources, version=VERSION, decode=decode)
    inputs, targets = arrays["inputs"], arrays["targets"]
    is_test = arrays["is_test"]
    drawn = not is_test.any()
    classes = tuple(map(str, arrays["classes"]))
    groups = arrays["groups"] if group and drawn else None
    return Splits(
        train_inputs=np.ascontiguousarray(inputs[~is_test]),
        train_targets=targets[~is_test],
        test_inputs=np.ascontiguousarray(inputs[is_test]),
        test_targets=targets[is_test],
        task="classification" if classes else "regression",
        class_names=classes,
        target_names=() if classes else (target,),
        licence="not stated: the user's own file",
        source=path.name,
        test_fraction=test_fraction if drawn else None,
        train_groups=groups,
    )


def _digest(path: Path) -> str:
    if not path.is_file():
        raise Unavailable(f"table: {path.name} is not there: put it where the suite says, or set `path` right")
    try:
        return file_sha256(path)
    except OSError as error:
        raise unreadable(Path(path.name), error) from error  # reasons are published: no folder of this machine


class _Asked:
    """What of a table is wanted."""

    def __init__(
        self, target: str, features: Sequence[str] | None, task: Task | None, categories: Coding, *, group: str | None,
        part: str | None,
    ) -> None:  # fmt: skip
        self.target, self.features, self.task, self.categories = target, features, task, categories
        self.group, self.part = group, part

    def columns(self, found: Columns, *, label: str) -> list[str]:
        """The features. Raises DataError where a column is not there, or is two things at once."""
        special = [name for name in (self.target, self.group, self.part) if name]
        for name in (*special, *(self.features or ())):
            if name not in found:
                raise DataError(
                    f"{label}: found no column {name!r}{nearest(name, found)} (there are: {', '.join(list(found)[:10])}"
                    f"{', …' if len(found) > 10 else ''})"
                )
        kept = [name for name in found if name not in special] if self.features is None else list(self.features)
        if both := next((name for name in kept if name in special), None):
            raise DataError(
                f"{label}: column {both!r} is a feature and target, group or part; leave it out of features"
            )
        if not kept:
            raise DataError(f"{label}: found no column beside the target; needs features")
        return kept


def _decode(path: Path, test_path: Path | None, asked: _Asked, *, drop: bool) -> Arrays:
    if asked.part and test_path:
        raise DataError(f"{path.name}: part = {asked.part!r} and test_path: give one of them")
    train = read(path)
    features = asked.columns(train, label=path.name)
    tables, names = [train], [path.name]
    if test_path is not None:
        tests = read(test_path)
        asked.columns(tests, label=test_path.name)
        if lacking := [name for name in features if name not in tests]:
            raise DataError(f"{test_path.name}: found no column {lacking[0]!r}; needs those of {path.name}")
        tables, names = [train, tests], [path.name, test_path.name]
    needed = [*features, asked.target, *([asked.group] if asked.group else []), *([asked.part] if asked.part else [])]
    rows = [_whole(each, needed, label=name, drop=drop) for each, name in zip(tables, names, strict=True)]

    def column(name: str) -> list[str]:
        return [each[name][row] for each, own in zip(tables, rows, strict=True) for row in own]

    def where(row: int) -> str:
        first = len(rows[0])
        number, own = (0, row) if row < first else (1, row - first)
        return f"{names[number]}: {tables[number].place(rows[number][own])}"

    is_test = np.array([False] * len(rows[0]) + [True] * sum(map(len, rows[1:])))
    if asked.part:
        is_test = _parts(column(asked.part), name=asked.part, where=where)
    targets, classes = _targets(column(asked.target), is_test, asked, label=path.name, where=where)
    groups = np.unique(column(asked.group), return_inverse=True)[1] if asked.group else np.zeros(len(targets), np.int64)
    if asked.group and (both := set(groups[is_test].tolist()) & set(groups[~is_test].tolist())):
        name = next(value for value, number in zip(column(asked.group), groups, strict=True) if number in both)
        raise DataError(f"{path.name}: group {name!r} of {asked.group!r} lies in the training and in the test part")
    inputs = np.concatenate([_feature(column(name), name, is_test, asked, where=where) for name in features], axis=1)
    return {"inputs": inputs, "targets": targets, "classes": np.array(classes, dtype=np.str_), "is_test": is_test,
            "groups": groups.astype(np.int64)}  # fmt: skip


def _whole(found: Columns, needed: Sequence[str], *, label: str, drop: bool) -> list[int]:
    """The rows that lack no value."""
    kept = []
    for row in range(found.rows):
        lacking = next((name for name in needed if not found[name][row]), None)
        if lacking is None:
            kept.append(row)
        elif not drop:
            raise DataError(
                f"{label}: {found.place(row)}: column {lacking!r} is empty; fill it, leave the column out of features, "
                'or set missing = "drop"'
            )
    if not kept:
        raise DataError(f"{label}: every row lacks a value")
    return kept


def _parts(values: Sequence[str], *, name: str, where: Where) -> Flags:
    for row, value in enumerate(values):
        if value not in ("train", "test"):
            raise DataError(f"{where(row)}: column {name!r}: found {value!r}; needs train or test")
    is_test = np.array([value == "test" for value in values])
    if is_test.all() or not is_test.any():
        raise DataError(f"column {name!r}: every row is of the {values[0]} part; needs both parts")
    return is_test


def _numbers(values: Sequence[str]) -> list[float | None]:
    """Each value as a number; None where it is none. Python reads 1_000, which is nobody's number in a table."""

    def number(text: str) -> float | None:
        try:
            return None if "_" in text else float(text)
        except ValueError:
            return None

    return list(map(number, values))


def _finite(values: Sequence[str], name: str, *, where: Where) -> Numbers | None:
    """A column of numbers, (N,); None where it is one of words. Raises DataError where it is neither."""
    numbers = _numbers(values)
    words = [row for row, number in enumerate(numbers) if number is None]
    if len(words) >= FEW_WORDS * len(values):
        return None
    if words:
        raise DataError(f"{where(words[0])}: column {name!r}: found {values[words[0]]!r} among numbers")
    found = np.array(numbers, dtype=np.float64)
    with np.errstate(over="ignore"):
        single = found.astype(np.float32)
    if not np.isfinite(single).all():
        row = int(np.argmin(np.isfinite(single)))
        raise DataError(
            f"{where(row)}: column {name!r}: found {values[row]!r}; needs a finite number that float32 holds"
        )
    return single


def _targets(
    values: Sequence[str], is_test: Flags, asked: _Asked, *, label: str,
    where: Where,
) -> tuple[Targets, list[str]]:  # fmt: skip
    """Class numbers and the names of the classes, or the targets of a regression and no names."""
    numbers = None if asked.task == "classification" else _finite(values, asked.target, where=where)
    if asked.task == "regression" and numbers is None:
        raise DataError(f"{where(0)}: column {asked.target!r}: found {values[0]!r}; a regression needs numbers")
    if numbers is not None and (asked.task == "regression" or _is_measured(numbers)):
        if (numbers[~is_test] == numbers[~is_test][0]).all():
            raise DataError(f"{label}: column {asked.target!r}: every training row is {values[0]}: nothing to predict")
        return numbers, []
    trained = sorted({value for value, test in zip(values, is_test, strict=True) if not test}, key=_in_order)
    if len(trained) < 2:
        raise DataError(f"{label}: column {asked.target!r}: found one class, {trained[0]!r}; needs two or more")
    if len(trained) > MOST_CATEGORIES:
        raise DataError(f"{label}: column {asked.target!r}: found {len(trained):,} classes; needs 1,000 at most")
    places = {name: place for place, name in enumerate(trained)}
    if strange := next((row for row, value in enumerate(values) if value not in places), None):
        raise DataError(f"{where(strange)}: column {asked.target!r}: class {values[strange]!r} has no training row")
    return np.array([places[value] for value in values], dtype=np.int64), trained


def _is_measured(numbers: Numbers) -> bool:
    return bool((numbers != np.round(numbers)).any()) or len(np.unique(numbers)) > MOST_CLASSES


def _in_order(name: str) -> tuple[float, str]:
    """Classes called 2 and 10 in the order of their numbers; words in that of the alphabet, behind them."""
    number = _numbers([name])[0]
    return (float("inf") if number is None else number, name)


def _feature(
    values: Sequence[str], name: str, is_test: Flags, asked: _Asked, *,
    where: Where,
) -> Numbers:  # fmt: skip
    """A column as (N, 1) numbers, or (N, K) of 0 and 1. A word that no training row has is 0 in all, or -1."""
    if (numbers := _finite(values, name, where=where)) is not None:
        return numbers[:, None]
    known = sorted({value for value, test in zip(values, is_test, strict=True) if not test}, key=_in_order)
    if len(known) > MOST_CATEGORIES:
        raise DataError(
            f"{where(0)}: column {name!r}: found {len(known):,} different words (names? ids?); leave it out of features"
        )
    places = {word: place for place, word in enumerate(known)}
    found = np.array([places.get(value, -1) for value in values])
    if asked.categories == "ordinal":
        return found.astype(np.float32)[:, None]
    ones: Numbers = (found[:, None] == np.arange(len(known))).astype(np.float32)
    return ones
