"""Words for people: what was found, and what a JSON schema allows. The only place where either becomes text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from bench.errors import nearest
from bench.records import Json

Key: TypeAlias = tuple[str | int, ...]  # where in a suite: ("grid", "model", 1, "hidden")
Schema: TypeAlias = Mapping[str, Any]

_SHOWN_CHARACTERS = 60
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NOUNS = {
    "integer": ("an integer", "integers"),
    "number": ("a number", "numbers"),
    "string": ("a string", "strings"),
    "boolean": ("true or false", "values true or false"),
    "object": ("a table", "tables"),
    "null": ("nothing", "nothings"),
}


class Mistake(Exception):  # the mistake is the user's; its last name is BenchError
    """Something at `key` of a suite is not what is allowed; whoever knows the file makes a BenchError of it."""

    def __init__(self, key: Key, text: str) -> None:
        super().__init__(text)
        self.key, self.text = key, text


def show(value: object) -> str:
    """A value as it was found, on one line and never longer than about 60 characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return f"the date or time {value.isoformat()}"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return shorten(repr(value[: 2 * _SHOWN_CHARACTERS]) if isinstance(value, str) else repr(value))


def shorten(text: str) -> str:
    """`text`, cut where it is long, and printable."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return printable(cut)


def printable(text: str) -> str:
    """`text` with escapes for what a terminal might take for a command, or cannot show."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def key_text(key: Key) -> str:
    """`grid.model[1].hidden`; parts that no suite has are quoted, so that they cannot write on a terminal."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else show(part))
    return text


_AXES = {
    "dataset": ("data set", "data sets"),
    "model": ("model", "models"),
    "seed": ("seed", "seeds"),
    "batch_size": ("batch size", "batch sizes"),
    "device": ("device", "devices"),
}


def axis_text(name: str, size: int) -> str:
    """'3 models', '1 data set', '4 values of train.learning_rate'."""
    one, many = _AXES.get(name, (f"value of {name}", f"values of {name}"))
    return f"{size:,} {one if size == 1 else many}"


def expected(schema: Schema, value: object) -> str:
    """'expected an integer of at least 1, found true', with the nearest choice where there are choices."""
    near = nearest(value[:_SHOWN_CHARACTERS], _choices(schema)) if isinstance(value, str) else ""
    return f"expected {describe(schema)}, found {show(value)}{near}"


def describe(schema: Schema, *, plural: bool = False) -> str:
    """What a JSON schema (without references) allows, in words."""
    if "expected" in schema:
        return str(schema["expected"][1 if plural else 0])
    if "anyOf" in schema or "oneOf" in schema:
        parts = [describe(part, plural=plural) for part in _alternatives(schema)]
        return " or ".join(dict.fromkeys(parts)) or "nothing"
    if "const" in schema or "enum" in schema:
        choices = schema.get("enum", [schema.get("const")])
        return ("any of " if plural else "one of " if len(choices) > 1 else "") + ", ".join(map(_choice, choices))
    kind = schema.get("type")
    if kind == "array":
        return ("lists of " if plural else "a list of ") + describe(schema.get("items", {}), plural=True)
    if kind not in _NOUNS:
        return "values" if plural else "a string, a number, true or false, a list or a table"
    return _NOUNS[kind][plural] + _bounds(schema)


def _choice(value: Json) -> str:
    return value if isinstance(value, str) else show(value)


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    words = {"minimum": "of at least", "exclusiveMinimum": "over", "maximum": "of at most", "exclusiveMaximum": "under"}
    words |= {"minLength": "of length at least", "maxLength": "of length at most", "pattern": "that matches"}
    parts = [f"{text} {schema[key]}" for key, text in words.items() if key in schema]
    return " " + " and ".join(parts) if parts else ""


def _alternatives(schema: Schema) -> Sequence[Schema]:
    found = [part for part in schema.get("anyOf", schema.get("oneOf", ())) if part.get("type") != "null"]
    return [inner for part in found for inner in (_alternatives(part) if "anyOf" in part else [part])]


def _choices(schema: Schema) -> Iterable[str]:
    for part in _alternatives(schema) or [schema]:
        yield from (str(value) for value in part.get("enum", ()) if isinstance(value, str))


def inline(schema: Schema, definitions: Schema | None = None, *, depth: int = 0) -> dict[str, Any]:
    """The same schema with `$ref` replaced by what it refers to; past 20 levels (a recursive type) anything goes."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if depth > 20:
        return {}
    if "$ref" in schema:
        target = definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**inline(target, definitions, depth=depth + 1), **rest}

    def walk(value: Any) -> Any:
        if isinstance(value, Mapping):
            return inline(value, definitions, depth=depth + 1)
        return [walk(item) for item in value] if isinstance(value, list) else value

    return {key: walk(value) for key, value in schema.items() if key != "$defs"}


def schema_at(schema: Schema, key: Key) -> Schema:
    """The part of a schema (without references) that speaks of `key`; {} where none does."""
    for part in key:
        options = [_step(option, part) for option in _alternatives(schema) or [schema]]
        schema = next((option for option in options if option is not None), {})
    return schema


def _step(schema: Schema, part: str | int) -> Schema | None:
    if isinstance(part, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else None


def properties(schema: Schema) -> dict[str, Schema]:
    """The keys that a table may have, over all alternatives of its schema."""
    options = _alternatives(schema) or [schema]
    return {key: value for option in options for key, value in option.get("properties", {}).items()}
