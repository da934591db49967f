"""What a line of results may hold: types, lengths and ranges, checked before any of it is used.

A results folder may come from anybody. What passes here has no text that names a file, a shell or a terminal's
commands where an id stands, and no number that a table cannot hold.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Annotated, Any, get_type_hints

from annotated_types import Ge, Le, Lt, MaxLen
from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, StringConstraints, create_model

from bench.records import (
    SEED_LIMIT,
    Component,
    Environment,
    Json,
    MeasureSettings,
    Result,
    Status,
    TrainSettings,
    Trial,
    canonical_json,
)
from bench.results.migrate import migrate

WHOLE_LIMIT = 2**63  # what a column of whole numbers can hold


def _fits(value: float) -> float:
    """No NaN, no infinity, and no integer that a table cannot hold."""
    if not math.isfinite(value) or (isinstance(value, int) and abs(value) >= WHOLE_LIMIT):
        raise ValueError("a number that a table cannot hold")
    return value


Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,99}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Line = Annotated[str, MaxLen(10_000)]
Number = Annotated[int | float, AfterValidator(_fits)]


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


class _Result(_Strict):
    trial: _Trial
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
    instruments: dict[str, str] = {}
    threads: Annotated[int, Ge(0), Le(4096)] = 0
    code: dict[str, str] = {}
    environment: _Environment = _Environment(facts={})
    started_at: Annotated[str, MaxLen(64)] = ""
    finished_at: Annotated[str, MaxLen(64)] = ""
    artifact_sha256: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""


def _model(settings: type[TrainSettings] | type[MeasureSettings]) -> type[BaseModel]:
    """The fields of a dataclass of settings, as strict as the rest."""
    types = get_type_hints(settings, include_extras=True)
    own: dict[str, Any] = {f.name: (types[f.name], f.default) for f in fields(settings)}
    return create_model(settings.__name__, __base__=_Strict, **own)


_SETTINGS = {"train": _model(TrainSettings), "measure": _model(MeasureSettings)}


def read_result(value: Json, *, left: Mapping[str, Any] | None = None) -> Result:
    """The result that `value` is, of this schema or an older one; `left` takes the place of fields that it lacks.

    Raises KeyError, TypeError, ValueError or BenchError where it is none: what it holds is not to be used then.
    """
    schema = value["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(f"schema {schema!r}")
    value = migrate(value)
    _Result.model_validate(value)
    for section, model in _SETTINGS.items():
        model.model_validate(value["trial"].get(section, {}))
    return _kept_once(Result.from_json(value), left or {})


def read_environment(value: Json) -> Environment:
    """Raises ValueError where it is none."""
    _Environment.model_validate(value)
    return Environment.from_json(value)


def _kept_once(result: Result, left: Mapping[str, Any]) -> Result:
    """The same, where what thousands of results have in common is one object in memory, not one a result."""
    named: dict[str, Any] = {
        name: {sys.intern(key): item for key, item in getattr(result, name).items()} for name in _NAMED
    }
    named["environment"] = _environment(canonical_json(result.environment.to_json()))
    trial, code = _trial_parts(result.trial), _code(canonical_json(dict(result.code)))
    return replace(result, trial=trial, code=code, **(named | dict(left)))


_NAMED = ("metrics", "samples", "curves", "instruments")


def _trial_parts(trial: Trial) -> Trial:
    dataset, model = (_component(canonical_json(part.to_json())) for part in (trial.dataset, trial.model))
    return replace(trial, dataset=dataset, model=model)


@lru_cache(maxsize=1024)
def _component(text: str) -> Component:
    return Component.from_json(json.loads(text))


@lru_cache(maxsize=64)
def _environment(text: str) -> Environment:
    return Environment.from_json(json.loads(text))


@lru_cache(maxsize=1024)
def _code(text: str) -> dict[str, str]:
    return dict(json.loads(text))
