"""What the columns of a table mean: numbers or words, classes or a regression. Values come as texts."""

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.records import Task
from bench.errors import DataError
from bench.worker.datasets.splits import Targets

Coding: TypeAlias = Literal["one-hot", "ordinal"]
Numbers: TypeAlias = npt.NDArray[np.float32]
Flags: TypeAlias = npt.NDArray[np.bool_]
Where: TypeAlias = Callable[[int], str]  # a row → where a person finds it: `own.csv: line 7`

MOST_CLASSES = 20  # of a target of whole numbers that nothing is said of
LEAST_MEASURED = 100  # more different whole numbers than these are a regression; those between could be either
MOST_CATEGORIES = 1000  # of a column of words: more are names or ids
WORDS_FROM = 0.5  # share of a column that has to be words for it to be one of words
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.ASCII | re.IGNORECASE)


def finite(values: Sequence[str], name: str, *, where: Where) -> Numbers | None:
    """A column of numbers, (N,); None where it is one of words. Raises DataError where it is neither."""
    words = [row for row, value in enumerate(values) if not NUMBER.fullmatch(value)]
    if len(words) >= WORDS_FROM * len(values):
        return None
    if words:
        raise DataError(f"{where(words[0])}: column {name!r}: found {values[words[0]]!r} among numbers")
    with np.errstate(over="ignore"):
        found = np.array(list(map(float, values)), dtype=np.float64).astype(np.float32)
    if not np.isfinite(found).all():
        row = int(np.argmin(np.isfinite(found)))
        raise DataError(
            f"{where(row)}: column {name!r}: found {values[row]!r}; needs a finite number that float32 holds"
        )
    return found


def parts(values: Sequence[str], *, name: str, where: Where) -> Flags:
    """A mask (N,) of the test rows, from a column that says it."""
    for row, value in enumerate(values):
        if value not in ("train", "test"):
            raise DataError(f"{where(row)}: column {name!r}: found {value!r}; needs train or test")
    is_test = np.array([value == "test" for value in values])
    if is_test.all() or not is_test.any():
        raise DataError(f"column {name!r}: every row is of the {values[0]} part; needs both parts")
    return is_test


def targets(
    values: Sequence[str], is_test: Flags, *, name: str, task: Task | None, where: Where
) -> tuple[Targets, list[str]]:
    """Class numbers (N,) and the names of the classes, or the targets of a regression (N,) and no names."""
    if task == "regression":
        return _measured(values, is_test, name=name, where=where), []
    if task is None:
        numbers = finite(values, name, where=where)
        if numbers is not None and _is_measured(numbers, name, label=_label(where)):
            return _measured(values, is_test, name=name, where=where), []
    return _classes(_whole_numbers(values), is_test, name=name, where=where)


def _is_measured(numbers: Numbers, name: str, *, label: str) -> bool:
    """Whether numbers are a regression. Raises DataError where they could as well be classes."""
    different = len(np.unique(numbers))
    if (numbers != np.round(numbers)).any() or different > LEAST_MEASURED:
        return True
    if different > MOST_CLASSES:
        raise DataError(
            f"{label}: column {name!r}: found {different} different whole numbers, classes or a regression; set "
            'task = "classification" or task = "regression"'
        )
    return False


def _measured(values: Sequence[str], is_test: Flags, *, name: str, where: Where) -> Numbers:
    word = next((row for row, value in enumerate(values) if not NUMBER.fullmatch(value)), None)
    if word is not None:
        raise DataError(
            f"{where(word)}: column {name!r}: found {values[word]!r}; a regression needs numbers "
            '(task = "classification" takes words)'
        )
    numbers = finite(values, name, where=where)
    assert numbers is not None  # no word is in it
    trained = numbers[~is_test]
    if (trained == trained[0]).all():
        value = values[int(np.argmin(is_test))]
        raise DataError(f"{_label(where)}: column {name!r}: every training row is {value}: nothing to predict")
    return numbers


def _classes(values: Sequence[str], is_test: Flags, *, name: str, where: Where) -> tuple[Targets, list[str]]:
    known = _known(values, is_test)
    if len(known) < 2:
        raise DataError(f"{_label(where)}: column {name!r}: found one class, {known[0]!r}; needs two or more")
    if len(known) > MOST_CATEGORIES:
        raise DataError(
            f"{_label(where)}: column {name!r}: found {len(known):,} classes; needs {MOST_CATEGORIES:,} at most"
        )
    places = {word: place for place, word in enumerate(known)}
    strange = next((row for row, value in enumerate(values) if value not in places), None)
    if strange is not None:
        raise DataError(f"{where(strange)}: column {name!r}: class {values[strange]!r} has no training row")
    return np.array([places[value] for value in values], dtype=np.int64), known


def feature(values: Sequence[str], is_test: Flags, *, name: str, categories: Coding, where: Where) -> Numbers:
    """A column as (N, 1) numbers, or (N, K) of 0 and 1. A word that no training row has is 0 in all, or -1."""
    if (numbers := finite(values, name, where=where)) is not None:
        return numbers[:, None]
    known = _known(values, is_test)
    if len(known) > MOST_CATEGORIES:
        raise DataError(
            f"{_label(where)}: column {name!r}: found {len(known):,} different words (names? ids?); "
            "leave it out of features"
        )
    places = {word: place for place, word in enumerate(known)}
    found = np.array([places.get(value, -1) for value in values])
    if categories == "ordinal":
        return found.astype(np.float32)[:, None]
    ones: Numbers = (found[:, None] == np.arange(len(known))).astype(np.float32)
    return ones


def _known(values: Sequence[str], is_test: Flags) -> list[str]:
    """The different words of the training rows: numbers in their order, then the others in that of the alphabet."""
    return sorted({value for value, test in zip(values, is_test, strict=True) if not test}, key=_in_order)


def _in_order(word: str) -> tuple[float, str]:
    return (float(word) if NUMBER.fullmatch(word) else float("inf"), word)


def _whole_numbers(values: Sequence[str]) -> Sequence[str]:
    """Where all are numbers: 1, 1.0 and 01 are one class, called 1."""
    if not all(NUMBER.fullmatch(value) for value in values):
        return values
    return [f"{number:g}" if number.is_integer() and abs(number) < 1e5 else value
            for value, number in ((value, float(value)) for value in values)]  # fmt: skip


def _label(where: Where) -> str:
    return where(0).partition(": ")[0]
