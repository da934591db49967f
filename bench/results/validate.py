"""What a line of results may hold: types, lengths and ranges, checked before any of it is used.

A results folder may come from anybody. What passes here has no text that names a file, a shell or a terminal's
commands where an id stands, and no number that a table cannot hold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints, TypeAdapter, create_model

from bench.base.records import (
    SEED_LIMIT,
    Component,
    Environment,
    Json,
    MeasureSettings,
    Result,
    Status,
    TrainSettings,
    Trial,
)
from bench.results.migrate import migrate

T = TypeVar("T")
WHOLE_LIMIT = 2**63  # what a column of whole numbers can hold


Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,99}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Line = Annotated[str, MaxLen(10_000)]
# No NaN, no infinity, and no integer that a table cannot hold.
Number = Annotated[int, Gt(-WHOLE_LIMIT), Lt(WHOLE_LIMIT)] | float


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Component(_Strict):
    name: Name
    settings: dict[str, JsonValue] = {}
    files: dict[str, str] = {}


class _Trial(_Strict):
    dataset: _Component
    model: _Component
    seed: Annotated[int, Ge(0), Lt(SEED_LIMIT)]
    batch_size: Annotated[int, Ge(1), Lt(WHOLE_LIMIT)]
    device: Name
    train: dict[str, JsonValue] = {}
    measure: dict[str, JsonValue] = {}


class _Environment(_Strict):
    facts: dict[str, JsonValue]
    notes: dict[str, JsonValue] = {}


class _Own(_Strict):
    """What is a result's own."""

    trial_id: Hex
    run_id: FileName
    environment_id: Hex
    code_id: Hex
    status: Status
    reason: Line = ""
    traceback: str = ""
    metrics: dict[Name, Number] = {}
    samples: dict[str, list[Number]] = {}
    curves: dict[str, list[Number | None]] = {}
    valid: bool | None = None
    validity_notes: list[Line] = []
    threads: Annotated[int, Ge(0), Le(4096)] = 0
    started_at: Annotated[str, MaxLen(64)] = ""
    finished_at: Annotated[str, MaxLen(64)] = ""
    artifact_sha256: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""


class _Result(_Own):
    """The same with what it may share with others, which is looked at once where it was written the same before."""

    trial: _Trial
    instruments: dict[str, str] = {}
    code: dict[str, str] = {}
    environment: _Environment = _Environment(facts={})


_SHARED = frozenset(_Result.model_fields) - frozenset(_Own.model_fields)
_TEXTS = TypeAdapter(dict[str, str], config=ConfigDict(strict=True))


def _model(settings: type[TrainSettings] | type[MeasureSettings]) -> type[BaseModel]:
    """The fields of a dataclass of settings, as strict as the rest."""
    types = get_type_hints(settings, include_extras=True)
    own: dict[str, Any] = {f.name: (types[f.name], f.default) for f in fields(settings)}
    return create_model(settings.__name__, __base__=_Strict, **own)


_SETTINGS = {"train": _model(TrainSettings), "measure": _model(MeasureSettings)}


def read_result(value: Json, *, known: Mapping[str, Any] | None = None) -> Result:
    """The result that `value` is, of this schema or an older one.

    `known` takes the place of fields of `value`: parts that were read before. Raises KeyError, TypeError, ValueError
    or BenchError where it is none: what it holds is not to be used then.
    """
    schema = value["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(f"schema {schema!r}")
    value, known = migrate(value), known or {}
    (_Own if known.keys() >= _SHARED else _Result).model_validate(value)
    return _built({**value, **known})


def read_trial(value: Json) -> Trial:
    """Raises KeyError, TypeError, ValueError or BenchError where it is none."""
    _Trial.model_validate(value)
    return _built_trial(value)


def read_texts(value: Json) -> dict[str, str]:
    """Texts by name. Raises ValueError where they are none."""
    return _TEXTS.validate_python(value)


def read_environment(value: Json) -> Environment:
    """Raises ValueError where it is none."""
    _Environment.model_validate(value)
    return Environment.from_json(value)


def _built(value: Mapping[str, Any]) -> Result:
    """`Result.from_json`, where what thousands of results have in common is one object in memory, not one a result.

    `trial` and `environment` may be objects already, and `samples` and `curves` any mapping.
    """
    own = {name: value[name] for name in _FIELDS if name in value}
    own |= {name: _interned(own[name]) for name in _NAMED if isinstance(own.get(name), dict)}
    if not isinstance(own.get("environment"), Environment):
        own["environment"] = _once(Environment.from_json, own.get("environment", {"facts": {}}))
    if not isinstance(own["trial"], Trial):
        own["trial"] = _built_trial(own["trial"])
    own["validity_notes"] = tuple(own.get("validity_notes", ()))
    return Result(**own)


def _built_trial(trial: Json) -> Trial:
    return Trial(
        dataset=_once(Component.from_json, trial["dataset"]),
        model=_once(Component.from_json, trial["model"]),
        seed=trial["seed"],
        batch_size=trial["batch_size"],
        device=sys.intern(trial["device"]),
        train=_once(_train, trial.get("train", {})),
        measure=_once(_measure, trial.get("measure", {})),
    )


_FIELDS = tuple(f.name for f in fields(Result))
_NAMED = ("metrics", "samples", "curves")
_MOST_KEPT = 4096
_kept: dict[tuple[Callable[[Any], Any], str], Any] = {}


def _interned(named: dict[str, Any]) -> dict[str, Any]:
    return {sys.intern(name): item for name, item in named.items()}


def _train(settings: dict[str, Json]) -> TrainSettings:
    _SETTINGS["train"].model_validate(settings)
    return TrainSettings(**settings)


def _measure(settings: dict[str, Json]) -> MeasureSettings:
    _SETTINGS["measure"].model_validate(settings)
    return MeasureSettings(**settings)


def _once(build: Callable[[Any], T], value: Json) -> T:
    """`build(value)`; for a value that is written like an earlier one, what came of that."""
    key = build, repr(value)  # of JSON: 1, 1.0 and true are not the same
    if key not in _kept:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = build(value)
    found: T = _kept[key]
    return found
