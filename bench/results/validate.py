"""Checks a line of results by the types and limits that the records name, before any of it is used.

A results folder may come from anybody. What passes here has no text that names a file, a shell or a terminal's
commands where an id stands, and no number that a table cannot hold.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from bench.base.records import (
    Component,
    Environment,
    Json,
    MeasureSettings,
    Result,
    TrainSettings,
    Trial,
    canonical_json,
)
from bench.results.migrate import migrate

T = TypeVar("T")
_CONFIG = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
_FIELDS = tuple(f.name for f in fields(Result))
_NAMED = ("metrics", "samples", "curves")
_MOST_KEPT = 4096
_kept: dict[tuple[type[Any], str], Any] = {}


def read_result(value: Json, *, known: Mapping[str, Any] | None = None) -> Result:
    """The result that `value` is, of this schema or an older one.

    `known` takes the place of fields of `value`: parts that were read before. Raises KeyError, TypeError, ValueError
    or BenchError where it is none: what it holds is not to be used then.
    """
    schema = value["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(f"schema {schema!r}")
    value, known = migrate(value), known or {}
    _checks(Result, frozenset(known)).model_validate(value)
    own = {name: value[name] for name in _FIELDS if name in value} | dict(known)
    own["validity_notes"] = tuple(value.get("validity_notes", ()))
    own |= {name: _interned(own[name]) for name in _NAMED if isinstance(own.get(name), dict)}
    if "environment" in value and "environment" not in known:
        own["environment"] = _once(Environment, value["environment"])
    if "trial" not in known:
        own["trial"] = read_trial(value["trial"])
    return Result(**own)


def read_trial(value: Json) -> Trial:
    """The trial that `value` is. Raises KeyError, TypeError, ValueError or BenchError where it is none."""
    _checks(Trial).model_validate(value)
    return Trial(
        dataset=_once(Component, value["dataset"]),
        model=_once(Component, value["model"]),
        seed=value["seed"],
        batch_size=value["batch_size"],
        device=sys.intern(value["device"]),
        train=_once(TrainSettings, value.get("train", {})),
        measure=_once(MeasureSettings, value.get("measure", {})),
    )


@cache
def _checks(record: type[Any], leave_out: frozenset[str] = frozenset()) -> type[BaseModel]:
    """A model that checks the JSON of a record, except for the fields that are records themselves."""
    types = get_type_hints(record, include_extras=True)
    own: dict[str, Any] = {
        f.name: (_in_json(types[f.name]), ... if f.default is f.default_factory is MISSING else None)
        for f in fields(record)
        if f.name not in leave_out and not is_dataclass(types[f.name])
    }
    return create_model(record.__name__, __config__=_CONFIG, **own)


def _in_json(kind: Any) -> Any:
    """The type that JSON has in place of a type of a record."""
    if get_origin(kind) is Mapping:
        return dict[get_args(kind)]  # type: ignore[misc]  # made at run time
    return list[get_args(kind)[0]] if get_origin(kind) is tuple else kind  # type: ignore[misc]


def read_record(record: type[T], value: Json) -> T:
    """A record, and the records in it, from JSON. Raises ValueError where `value` is none."""
    kind: Any = record
    found: T = _adapter(kind).validate_json(f"[{canonical_json(value)}]")[0]
    return found


@cache
def _adapter(record: Any) -> TypeAdapter[Any]:
    return TypeAdapter(list[record], config=_CONFIG)


def _once(record: type[T], value: Json) -> T:
    """`read_record`, where what thousands of results have in common is one object in memory, not one a result."""
    key = record, repr(value)  # of JSON: 1, 1.0 and true are not the same
    if key not in _kept:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = read_record(record, value)
    found: T = _kept[key]
    return found


def _interned(named: dict[str, Any]) -> dict[str, Any]:
    return {sys.intern(name): item for name, item in named.items()}
