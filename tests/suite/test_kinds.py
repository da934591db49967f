"""JSON schemas of settings -> strict checks in words."""

from __future__ import annotations

import enum
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le, MinLen
from pydantic import TypeAdapter

from bench.suite.describe import Mistake, show
from bench.suite.kinds import Kind


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


TAKEN: list[tuple[Any, Any, Any]] = [
    (int, 3, 3),
    (float, 3, 3.0),
    (float, -0.0, 0.0),
    (int | float, 3, 3),
    (int | list[int], [1, 2], [1, 2]),
    (typing.Sequence[int], [1], [1]),
    (tuple[int, int], [1, 2], [1, 2]),
    (str | None, "x", "x"),
    (Literal["a", "b"], "b", "b"),
    (Literal[1, "a"], 1, 1),
    (Colour, "red", "red"),
    (Path, "a/b", "a/b"),
    (dict[str, float], {"a": 1}, {"a": 1.0}),
    (Any, {"a": [1, 2.5, True, "x"]}, {"a": [1, 2.5, True, "x"]}),
    (bool, True, True),
]


@pytest.mark.parametrize(("annotation", "value", "result"), TAKEN)
def test_takes(annotation: Any, value: Any, result: Any) -> None:
    found = Kind(TypeAdapter(annotation).json_schema()).check(value, ())
    assert repr(found) == repr(result)  # 1, 1.0 and true are equal, and not the same


REFUSED: list[tuple[Any, Any, str]] = [
    (int, True, "expected an integer, found true"),
    (int, "3", "expected an integer, found '3'"),
    (float, True, "expected a number, found true"),
    (float, float("inf"), "expected a number, found inf"),
    (Literal[1, "a"], True, "expected one of 1, a, found true"),
    (Literal[1, "a"], 1.0, "expected one of 1, a, found 1.0"),
    (Colour, "rd", "expected one of red, blue, found 'rd'; did you mean red?"),
    (int | list[int], "x", "expected an integer or a list of integers, found 'x'"),
    (str | None, 3, "expected a string, found 3"),
    (Annotated[int, Ge(1), Le(5)], 6, "expected an integer from 1 to 5, found 6"),
    (Annotated[list[Annotated[int, Ge(1)]], MinLen(1)], [], "an empty list; give at least one value"),
    (dict[str, int], 3, "expected a table, found 3"),
    (bool, 0, "expected true or false, found 0"),
]


@pytest.mark.parametrize(("annotation", "value", "text"), REFUSED)
def test_refuses(annotation: Any, value: Any, text: str) -> None:
    with pytest.raises(Mistake) as caught:
        Kind(TypeAdapter(annotation).json_schema()).check(value, ("hidden",))
    assert (caught.value.key, caught.value.text) == (("hidden",), text)


def test_the_key_leads_to_the_value() -> None:
    with pytest.raises(Mistake) as caught:
        Kind(TypeAdapter(dict[str, list[int]]).json_schema()).check({"a": [1, "x"]}, ("sizes",))
    assert (caught.value.key, caught.value.text) == (("sizes", "a", 1), "expected an integer, found 'x'")


def test_a_schema_that_nobody_knows_takes_any_json() -> None:
    assert Kind({"type": "imaginary"}).check([1, {"a": None}], ()) == [1, {"a": None}]
    recursive = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}}
    assert Kind(recursive).check([[], [[]]], ()) == [[], [[]]]


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, list(range(10_000)), {"a": 1}, 2**20_000, b"x" * 10_000],
    ids=lambda value: type(value).__name__,
)
def test_found_values_are_short(value: object) -> None:
    assert len(show(value)) <= 60
