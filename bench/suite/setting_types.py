"""JSON schema -> a Python type that pydantic checks strictly; pydantic's errors -> one line for people."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import AfterValidator, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from bench.base.records import Json, canonical_json
from bench.errors import nearest
from bench.suite.mistakes import Key, Mistake, Schema, describe, expected, inline, key_text, properties, schema_at

STRICT = ConfigDict(strict=True, allow_inf_nan=False)

_PLAIN: dict[str, Any] = {"integer": int, "number": float, "string": str, "boolean": bool, "null": None}
_CONSTRAINTS: dict[str, Any] = {
    "minimum": Ge,
    "exclusiveMinimum": Gt,
    "maximum": Le,
    "exclusiveMaximum": Lt,
    "minLength": MinLen,
    "maxLength": MaxLen,
    "minItems": MinLen,
    "maxItems": MaxLen,
}


class SettingType:
    """The type of a setting, from its JSON schema. `check` returns the value in that type, or raises Mistake."""

    def __init__(self, schema: Schema) -> None:
        self.schema = inline(schema)
        self._adapter: TypeAdapter[Any] = TypeAdapter(type_of(self.schema), config=STRICT)

    def check(self, value: object, key: Key) -> Json:
        try:
            return positive_zero(self._adapter.validate_python(value))
        except ValidationError as error:
            first, *rest = (Mistake(key + each.key, each.text) for each in mistakes(error, value, self.schema))
            raise Mistake(first.key, first.text, others=rest) from None


def type_of(schema: Schema) -> Any:
    """The Python type of a JSON schema without references; what it does not know is any JSON value."""
    if "const" in schema or "enum" in schema:
        return _one_of(schema.get("enum", [schema.get("const")]))
    options = schema.get("anyOf", schema.get("oneOf"))
    if options is None and isinstance(schema.get("type"), list):
        options = [{**schema, "type": kind} for kind in schema["type"]]
    if options:
        return reduce(or_, [type_of(option) for option in options])
    kind = schema.get("type")
    if kind == "array":
        # The length of a tuple comes with it, as minItems and maxItems.
        inner = reduce(or_, [type_of(item) for item in schema.get("prefixItems") or [schema.get("items", {})]])
        return _constrained(list[inner], schema)  # type: ignore[valid-type]  # built at run time
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return dict[str, type_of(schema["additionalProperties"])]  # type: ignore[misc]  # built at run time
    if kind == "object":
        return dict[str, JsonValue]
    return _constrained(_PLAIN[kind], schema) if kind in _PLAIN else JsonValue


def _constrained(kind: Any, schema: Schema) -> Any:
    found = [constraint(schema[key]) for key, constraint in _CONSTRAINTS.items() if key in schema]
    if "pattern" in schema and kind is str:
        found.append(Field(pattern=schema["pattern"]))
    for constraint in found:
        kind = Annotated[kind, constraint]
    return kind


def _one_of(choices: Sequence[Json]) -> Any:
    if all(isinstance(choice, str) for choice in choices):
        return Literal[tuple(choices)]
    # Literal compares with ==, and True == 1 == 1.0; JSON tells them apart.
    allowed = {canonical_json(choice) for choice in choices}

    def check(value: Json) -> Json:
        if canonical_json(value) not in allowed:
            raise ValueError("none of the choices")
        return value

    return Annotated[JsonValue, AfterValidator(check)]


def positive_zero(value: Json) -> Json:
    """-0.0 is 0.0: they are equal, and must be one text in the identity of a trial."""
    if isinstance(value, list):
        return [positive_zero(item) for item in value]
    if isinstance(value, dict):
        return {key: positive_zero(item) for key, item in value.items()}
    return 0.0 if isinstance(value, float) and value == 0 else value


def mistakes(error: ValidationError, data: object, schema: Schema) -> list[Mistake]:
    """The mistakes in `data`; of those that alternatives of one value make, the ones that lie deepest.

    An alternative that fails deep inside is the one that was meant: `{ nam = "mlp" }` is a bad table, not a bad name.
    """
    groups: dict[Key, list[tuple[Key, Any, Any]]] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        key, value = _place(detail["loc"], data)
        common = next((at for at, part in enumerate(detail["loc"]) if key[at : at + 1] != (part,)), len(key))
        groups.setdefault(key[:common], []).append((key, value, detail))
    found: dict[Key, Mistake] = {}
    for group in groups.values():
        depths = [(len(key), detail["type"] == "missing") for key, _, detail in group]
        for depth, (key, value, detail) in zip(depths, group, strict=True):
            if depth == max(depths):
                each = _mistake(key, value, detail, schema=schema)
                found.setdefault(each.key, each)
    unknown = [each.text for each in found.values()]
    # What is called by another name is not missing, too.
    return [each for each in found.values() if not any(t.endswith(f"mean {key_text(each.key)}?") for t in unknown)]


def _mistake(key: Key, value: Any, detail: Any, *, schema: Schema) -> Mistake:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return Mistake(key, unknown_key(key, schema))
    if kind == "missing":
        missing = (*key, detail["loc"][-1])
        return Mistake(missing, f"missing; expected {describe(schema_at(schema, missing))}")
    options = schema_at(schema, key).get("anyOf", [schema_at(schema, key)])
    if value == [] and kind == "too_short" and all(option.get("minItems", 0) <= 1 for option in options):
        return Mistake(key, "an empty list; give at least one value")
    return Mistake(key, expected(schema_at(schema, key), value))


def _place(location: Sequence[str | int], data: Any) -> tuple[Key, Any]:
    """The part of pydantic's location that exists in the data (the rest names alternatives), and the value there."""
    key: Key = ()
    for part in location:
        here = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if here:
            key, data = (*key, part), data[part]
    return key, data


def unknown_key(key: Key, schema: Schema) -> str:
    """'unknown key; did you mean train.epochs?': of the same table first, then of the others; else what there is."""
    name, parent = str(key[-1])[:64], key[:-1]
    siblings = list(properties(schema_at(schema, parent)))
    prefix = key_text(parent) + "." if parent else ""
    if near := nearest(name, siblings):
        return "unknown key" + near.replace("did you mean ", f"did you mean {prefix}", 1)
    for outer in ("train", "measure", "seed", "report", "grid"):
        inner = [key for key in properties(schema_at(schema, (outer,))) if "." not in key]
        if parent != (outer,) and (near := nearest(name, inner)):
            return "unknown key" + near.replace("did you mean ", f"did you mean {outer}.", 1)
    plain = [sibling for sibling in siblings if "." not in sibling]
    rest = ", or a setting of train, measure or seed by its dotted name" if len(plain) < len(siblings) else ""
    return f"unknown key; the keys are {', '.join(plain)}{rest}" if plain else "unknown key"
