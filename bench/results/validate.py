"""Checks a line of results by the types and limits that the records name, before any of it is used, and migrates
results of older schemas; the files stay as they are.

A results folder may come from anybody. What passes here has no text that names a file, a shell or a terminal's
commands where an id stands, and no number that a table cannot hold.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from bench.base.answers import Answers
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.base.records import (
    LONGEST_TRACEBACK,
    SCHEMA,
    WHOLE_LIMIT,
    Component,
    Environment,
    Json,
    MeasureSettings,
    Result,
    SearchRole,
    SeedSettings,
    TrainSettings,
    Trial,
    canonical_json,
)
from bench.errors import BenchError

T = TypeVar("T")
_CONFIG = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
_FIELDS = tuple(f.name for f in fields(Result))
# What a trial's process says of it that goes into the result as it is.
NOTES, MOST_NOTES = ("validity_notes", "notes"), 100  # lists, which a record has as tuples
SAID = ("status", "reason", "traceback", "metrics", "samples", "curves", "valid", *NOTES, "instruments", "answers")
_MOST_KEPT = 4096
# Of a figure that is not 0. What lies beyond cannot be squared or divided by, and nothing that is measured comes near.
SMALLEST, LARGEST = 1e-100, 1e100
# Not times: some are differences of two readings, and noise makes a small one negative.
BOUNDED, ROUNDING = frozenset({"fraction", "samples/s", "FLOP/s"}), 1e-9
MOST_CHARACTERS = 10_000  # of a text among the facts of an environment
# What a fact or a note is, where something counts on it.
_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("os", "kernel", "machine", "cpu", "torch", "python", "blas", "gpu", "driver", "governor"), str),
    **dict.fromkeys(("commit", "mkl", "onednn", "cpu_capability", "cuda", "torch_git", "visible_gpus", "quiet"), str),
    **dict.fromkeys(("cores", "logical_cores", "usable_cores", "gpu_count"), int),
    **dict.fromkeys(("container_limits", "switches", "versions", "caches", "devices"), dict),
}
VERSION = re.compile(r"[0-9]+(\.[0-9]+){1,3}")
_kept: dict[tuple[type[Any], str], Any] = {}
# What reading a damaged line raises.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, BenchError)


def read_result(value: Json, *, known: Mapping[str, Any] | None = None) -> Result:
    """The result that `value` is, of this schema or an older one. `known`: parts that were read before, in place of its
    own. Raises one of DAMAGED where it is none: what it holds is not to be used then."""
    schema = value["schema"]
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ValueError(f"schema {schema!r}")
    value, known = migrate(value), known or {}
    _checks(Result, frozenset(known)).model_validate(value)
    own = {name: value[name] for name in _FIELDS if name in value} | dict(known)
    lists = (each for name in ("samples", "curves") if isinstance(own.get(name), dict) for each in own[name].values())
    for number in (*own.get("metrics", {}).values(), *chain.from_iterable(lists)):
        if number and not SMALLEST < abs(number) < LARGEST:
            raise ValueError(f"a number beyond what is measured: {number!r}")
    check_bounds(own.get("metrics", {}))
    own |= {name: tuple(value.get(name, ())) for name in NOTES} | {"answers": read_answers(value)}
    for field in ("metrics", "samples", "curves"):
        if isinstance(own.get(field), dict):
            own[field] = {sys.intern(name): item for name, item in own[field].items()}
    if "environment" in value and "environment" not in known:
        own["environment"] = read_environment(value["environment"])
    if "trial" not in known:
        own["trial"] = read_trial(value["trial"])
    return Result(**own)


def parse(text: bytes) -> Json:
    """The JSON value of a text. Raises one of DAMAGED, also of half characters and of numbers that are none: neither
    can be written again."""
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def read_environment(value: Json) -> Environment:
    """The environment that `value` is. Raises one of DAMAGED where it is none, or a fact is not of its kind."""
    found = _once(Environment, value)
    for name, fact in [*found.facts.items(), *found.notes.items()]:
        kind = _KINDS.get(name, int if name.endswith("_bytes") else object)
        if not isinstance(fact, kind | None) or not _is_plain(fact, depth=4):
            raise ValueError(f"environment: {name} is {type(fact).__name__}")
        if kind is dict and not all(isinstance(each, str) for each in (fact or {}).values()):
            raise ValueError(f"environment: {name} holds more than texts")
    return found


def _is_plain(value: Json, *, depth: int) -> bool:
    """Whether a value can be shown and counted with: a number that a column holds, a text of a line, a few of them."""
    if isinstance(value, dict):
        return depth > 0 and all(_is_plain(each, depth=depth - 1) for each in (*value, *value.values()))
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(each, depth=depth - 1) for each in value)
    if isinstance(value, int | float):
        return -WHOLE_LIMIT < value < WHOLE_LIMIT
    return value is None or (isinstance(value, str) and len(value) <= MOST_CHARACTERS)


def read_trial(value: Json) -> Trial:
    """The trial that `value` is. Raises one of DAMAGED where it is none."""
    _checks(Trial).model_validate(value)
    return Trial(
        dataset=_once(Component, value["dataset"]),
        model=_once(Component, value["model"]),
        seed=value["seed"],
        batch_size=value["batch_size"],
        device=sys.intern(value["device"]),
        train=_once(TrainSettings, value.get("train", {})),
        measure=_once(MeasureSettings, value.get("measure", {})),
        seeds=_once(SeedSettings, value.get("seeds", {})),
        search=_once(SearchRole, value["search"]) if "search" in value else None,
    )


def check_bounds(metrics: Mapping[str, float]) -> None:
    """Raises ValueError where a share lies outside of 0 to 1, or a speed below 0."""
    for name, number in metrics.items():
        metric = BUILT_IN.get(name)
        if metric is not None and metric.unit in BOUNDED:
            bounds = metric.bounds
            if not bounds.least - ROUNDING <= number <= bounds.most + ROUNDING:
                raise ValueError(f"{name} is {number!r}, which cannot be")


def read_answers(value: Mapping[str, Json]) -> Answers | None:
    """What a result, or the outcome of a trial, says of its test examples; None where nothing. Raises ValueError where
    that cannot be, or is not the accuracy that stands beside it."""
    if value.get("answers") is None:
        return None
    found = read_record(Answers, value["answers"])
    accuracy = value.get("metrics", {}).get(ACCURACY)
    if accuracy is None or abs(found.count_right - accuracy * found.examples) > ROUNDING * found.examples:
        raise ValueError(f"{found.count_right:,} of {found.examples:,} right with an accuracy of {accuracy!r}")
    return found


def check_said(value: Json) -> None:
    """Raises ValueError where `value` is no outcome of a trial, or of several (its `others`)."""
    checks = _checks(Result, frozenset(_FIELDS) - set(SAID))
    checks.model_validate(value)
    others = value.get("others", [])
    if not isinstance(others, list):
        raise ValueError("others that are no list")
    for said in (value, *others):
        checks.model_validate(said)
        check_bounds(said.get("metrics", {}))
        read_answers(said)
        reason = said.get("reason", "")
        names = (name for part in ("samples", "curves", "instruments") for name in said.get(part, {}))
        traceback_bytes = len(said.get("traceback", "").encode())  # what is no Unicode raises ValueError: of names, too
        "".join([*names, *said.get("instruments", {}).values()]).encode()
        if len(reason.splitlines()) != (said["status"] != "ok") or (reason and not reason.strip()):
            raise ValueError(f"status {said['status']} with {len(reason.splitlines())} lines of reason")
        if traceback_bytes > LONGEST_TRACEBACK:
            raise ValueError(f"a traceback of {traceback_bytes:,} bytes")
        if most := next((name for name in NOTES if len(said.get(name, ())) > MOST_NOTES), ""):
            raise ValueError(f"more than {MOST_NOTES} {most}")
        if "total_seconds" not in said.get("metrics", {}):
            raise ValueError("no metric total_seconds")


@cache
def _checks(record: type[Any], leave_out: frozenset[str] = frozenset()) -> type[BaseModel]:
    """A model that checks the JSON of a record, except for the fields that are records themselves."""
    types = get_type_hints(record, include_extras=True)
    own: dict[str, Any] = {
        f.name: (_in_json(types[f.name]), ... if f.default is f.default_factory is MISSING else None)
        for f in fields(record)
        if f.name not in leave_out and not _is_record(types[f.name])
    }
    return create_model(record.__name__, __config__=_CONFIG, **own)


def _is_record(kind: Any) -> bool:
    """Whether a type is a record, or one or None."""
    return any(isinstance(each, type) and is_dataclass(each) for each in (kind, *get_args(kind)))


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


class Newer(BenchError):
    """Written by a newer version of bench: refused, because what it means is not known here."""


def refuse_newer(value: Mapping[str, Json], path: Path | str) -> None:
    """Raise Newer, with the version to install, where the schema is younger than this package."""
    version = value["schema"]
    if isinstance(version, int) and version > SCHEMA:
        wrote = value.get("bench")
        package = f"'bench-models>={wrote}'" if isinstance(wrote, str) and VERSION.fullmatch(wrote) else "bench-models"
        what = f"written by a newer version of bench (schema {version}, this one reads up to {SCHEMA})"
        raise Newer(f"{path}: {what}; install that version: pip install --upgrade {package}")


def _from_1(value: Mapping[str, Json]) -> dict[str, Json]:
    """Schema 2 has the digest of the trial's HDF5 file; of older results it is not known."""
    return {**value, "artifact_sha256": ""}


def _from_2(value: Mapping[str, Json]) -> dict[str, Json]:
    """Schema 3 has notes; what was to note of older results was not looked at."""
    return {**value, "notes": []}


def _from_3(value: Mapping[str, Json]) -> dict[str, Json]:
    """Schema 4 has the group of trials that shared the time, and which test examples were right; older trials ran one
    after the other, and stored the number of right ones alone."""
    return {**value, "group_id": "", "answers": None}


def _from_4(value: Mapping[str, Json]) -> dict[str, Json]:
    """Schema 5 has trainings that only serve a search; older results are of trials, all of them."""
    return {**value}


# From the schema that is the key to the next one. A change of the shape of a result raises SCHEMA in
# bench/base/records.py, adds a line to the history there, a step here, and a golden file under tests/results/golden.
STEPS: Mapping[int, Callable[[Mapping[str, Json]], dict[str, Json]]] = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4}


def migrate(value: Mapping[str, Json]) -> Mapping[str, Json]:
    """A result of any older schema as one of SCHEMA. KeyError: `value` has no schema that ever was."""
    for version in range(value["schema"], SCHEMA):
        value = {**STEPS[version](value), "schema": version + 1}
    return value
