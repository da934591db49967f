"""JSON schemas of settings -> strict checks in words."""

from __future__ import annotations

import enum
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Le, Len, MaxLen, MinLen
from pydantic import TypeAdapter

from bench.suite.mistakes import Mistake, show
from bench.suite.setting_types import SettingType


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
    found = SettingType(TypeAdapter(annotation).json_schema()).check(value, ())
    assert repr(found) == repr(result)  # 1, 1.0 and true are equal, and not the same


Shape = Annotated[Sequence[Annotated[int, Ge(1)]], Len(3, 3)]

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
    (Shape | None, [6, 7], "expected a list of 3 integers of at least 1, found [6, 7]"),
    (Shape, [6, 7, 8, 9], "expected a list of 3 integers of at least 1, found [6, 7, 8, 9]"),
    (Shape, [], "expected a list of 3 integers of at least 1, found []"),
    (Shape, list(range(1, 50)), "expected a list of 3 integers of at least 1, found a list of 49"),
    (tuple[int, int], [4], "expected a list of 2 integers, found [4]"),
    (tuple[int, str], [True, "a", 2.0], "expected a list of 2 integers or strings, found [true, 'a', 2.0]"),
    (tuple[int], [1, 2], "expected a list of just an integer, found [1, 2]"),
    (Annotated[list[int], Len(2)], [1], "expected a list of at least 2 integers, found [1]"),
    (Annotated[list[int], Len(1, 2)], [1, 2, 3], "expected a list of 1 to 2 integers, found [1, 2, 3]"),
    (Annotated[list[int], MaxLen(2)], [1, 2, 3], "expected a list of at most 2 integers, found [1, 2, 3]"),
    (tuple[Literal["a", "b"], Literal["a", "b"]], ["a"], "expected a list of 2 values, any of a, b, found ['a']"),
    (dict[str, int], 3, "expected a table, found 3"),
    (bool, 0, "expected true or false, found 0"),
]


@pytest.mark.parametrize(("annotation", "value", "text"), REFUSED)
def test_refuses(annotation: Any, value: Any, text: str) -> None:
    with pytest.raises(Mistake) as caught:
        SettingType(TypeAdapter(annotation).json_schema()).check(value, ("hidden",))
    assert (caught.value.key, caught.value.text) == (("hidden",), text)


def test_the_key_leads_to_the_value() -> None:
    with pytest.raises(Mistake) as caught:
        SettingType(TypeAdapter(dict[str, list[int]]).json_schema()).check({"a": [1, "x"]}, ("sizes",))
    assert (caught.value.key, caught.value.text) == (("sizes", "a", 1), "expected an integer, found 'x'")


def test_the_place_in_a_tuple_says_what_belongs_there() -> None:
    with pytest.raises(Mistake) as caught:
        SettingType(TypeAdapter(tuple[int, str]).json_schema()).check([1, 2.5], ("pair",))
    assert (caught.value.key, caught.value.text) == (("pair", 1), "expected a string, found 2.5")


def test_a_schema_that_nobody_knows_takes_any_json() -> None:
    assert SettingType({"type": "imaginary"}).check([1, {"a": None}], ()) == [1, {"a": None}]
    recursive = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}}
    assert SettingType(recursive).check([[], [[]]], ()) == [[], [[]]]


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, list(range(10_000)), {"a": 1}, 2**20_000, b"x" * 10_000],
    ids=lambda value: type(value).__name__,
)
def test_found_values_are_short(value: object) -> None:
    assert len(show(value)) <= 60
