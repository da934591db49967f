"""Texts for people about values that were found and about what a JSON schema allows."""

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from bench.errors import escaped, nearest

Key: TypeAlias = tuple[str | int, ...]  # where in a suite: ("grid", "model", 1, "hidden")
Schema: TypeAlias = Mapping[str, Any]

_SHOWN_CHARACTERS = 60
_SHOWN_ITEMS = 8
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
    """A mistake at `key` of a suite; the caller that knows the file turns it into a BenchError.

    `others`: more that were found beside it.
    """

    def __init__(self, key: Key, text: str, *, others: "Sequence[Mistake]" = ()) -> None:
        super().__init__(text)
        self.key, self.text, self.others = key, text, others


class Found(list[Mistake]):
    """The mistakes of a suite, as they are found."""

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Notes a Mistake that is raised inside, and goes on behind."""
        try:
            yield
        except Mistake as found:
            self += [found, *found.others]


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
        plain = len(value) <= _SHOWN_ITEMS and not any(isinstance(item, list | Mapping) for item in value)
        text = f"[{', '.join(map(show, value))}]" if plain else ""
        return text if plain and len(text) <= _SHOWN_CHARACTERS else f"a list of {len(value):,}"
    return shorten(repr(value[: 2 * _SHOWN_CHARACTERS]) if isinstance(value, str) else repr(value))


def shorten(text: str) -> str:
    """`text`, cut where it is long, and printable."""
    return escaped(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…")


def published_path(path: Path) -> str:
    """A path of the command line as it was written; of one outside the working folder only the file's name."""
    outside = path.is_absolute() or ".." in path.parts or path.as_posix().startswith("~")
    return path.name if outside else path.as_posix()


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
    # Booleans: two of them are no "2 deterministics".
    "train.deterministic": ("value of deterministic", "values of deterministic"),
    "train.pin_memory": ("value of pin memory", "values of pin memory"),
    "train.drop_last": ("value of drop last", "values of drop last"),
    "train.nesterov": ("value of nesterov", "values of nesterov"),
    "train.l1": ("L1 penalty", "L1 penalties"),
    "seed.init": ("seed of the initialisation", "seeds of the initialisation"),
    "seed.order": ("seed of the order", "seeds of the order"),
    "seed.split": ("seed of the split", "seeds of the split"),
    "measure.energy": ("value of energy", "values of energy"),
}


def axis_text(name: str, size: int) -> str:
    """'3 models', '1 data set', '4 learning rates', '2 values of epochs'."""
    word = setting_text(name)
    if word.endswith("s"):  # "2 epochs" would be said of how long a trial trains
        one, many = f"value of {word}", f"values of {word}"
    else:  # categories, but weight decays
        one, many = word, f"{word[:-1]}ies" if re.search("[^aeiou]y$", word) else f"{word}s"
    one, many = _AXES.get(name, (one, many))
    return f"{size:,} {one if size == 1 else many}"


def setting_text(name: str) -> str:
    """'learning rate' for train.learning_rate; `seed.init` as it is, which `init` alone would not say."""
    return name if name.startswith("seed.") else name.rpartition(".")[2].replace("_", " ")


def expected(schema: Schema, value: object) -> str:
    """'expected an integer of at least 1, found true', with the nearest choice where there are choices."""
    choices = [item for part in _alternatives(schema) or [schema] for item in part.get("enum", ())]
    words = [item for item in choices if isinstance(item, str)]
    near = nearest(value[:_SHOWN_CHARACTERS], words) if isinstance(value, str) else ""
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
        words = [choice if isinstance(choice, str) else show(choice) for choice in choices]
        return ("any of " if plural else "one of " if len(choices) > 1 else "") + ", ".join(words)
    kind = schema.get("type")
    if kind == "array":
        return ("lists of " if plural else "a list of ") + _items(schema)
    if kind not in _NOUNS:
        return "values" if plural else "a string, a number, true or false, a list or a table"
    return _NOUNS[kind][plural] + _bounds(schema)


def _items(schema: Schema) -> str:
    """'integers', '3 integers', '1 to 3 integers', 'just an integer': what a list of that schema holds."""
    low, high = schema.get("minItems", 0), schema.get("maxItems")
    if low == high == 1:
        return f"just {_each(schema, plural=False)}"
    if low == high:
        count = f"{low:,} "
    elif high is not None:
        count = f"{low:,} to {high:,} " if low else f"at most {high:,} "
    else:  # that a list is not empty is said where it is empty
        count = f"at least {low:,} " if low > 1 else ""
    words = _each(schema, plural=True)
    return f"{count}values, {words}" if count and words.startswith("any of ") else f"{count}{words}"


def _each(schema: Schema, *, plural: bool) -> str:
    inner = schema.get("prefixItems") or [schema.get("items", {})]
    parts = [describe(item if isinstance(item, Mapping) else {}, plural=plural) for item in inner]
    return " or ".join(dict.fromkeys(parts))


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
    """The part of a schema (without references) for `key`; {} where there is none."""
    for part in key:
        options = [_step(option, part) for option in _alternatives(schema) or [schema]]
        schema = next((option for option in options if option is not None), {})
    return schema


def _step(schema: Schema, part: str | int) -> Schema | None:
    if isinstance(part, int):
        first = schema.get("prefixItems", ())
        found = first[part] if part < len(first) else schema.get("items")
    else:
        found = schema.get("properties", {}).get(part, schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else None


def properties(schema: Schema) -> dict[str, Schema]:
    """The keys that a table may have, over all alternatives of its schema."""
    options = _alternatives(schema) or [schema]
    return {key: value for option in options for key, value in option.get("properties", {}).items()}
