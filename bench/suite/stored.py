"""A Suite as JSON, as it lies beside the results of its run: suite.json.

History of the schema:
  1  the first one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from annotated_types import Ge, Gt, MinLen
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from bench.base.records import Component, Json, MeasureSettings, TrainSettings, non_defaults
from bench.errors import BenchError
from bench.suite.budget import Budget, Why
from bench.suite.document import (
    LIMIT_TRIALS,
    SETTINGS,
    BatchSize,
    Measure,
    SeedRange,
    Seeds,
    Set,
    Source,
    SuiteName,
    Train,
)
from bench.suite.mistakes import shorten
from bench.suite.only_option import check_shard
from bench.suite.plan import Axis, Override, Published, Rule, Suite

SCHEMA = 1
_COMPONENT_AXES = ("dataset", "model")


class _Stored(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _Component(_Stored):
    name: str
    settings: dict[str, JsonValue] = {}
    files: dict[str, str] = {}


class _Rule(_Stored):
    at: dict[str, list[Annotated[int, Ge(0)]]] = {}
    late: dict[str, list[JsonValue]] = {}


class _Override(_Stored):
    rule: _Rule
    set: Set


class _Published(_Stored):
    rule: _Rule
    metric: str
    low: float
    high: float
    source: Source
    class_name: str = ""


class _Axis(_Stored):
    name: str
    values: Annotated[list[JsonValue], MinLen(1)] | SeedRange


class _Budget(_Stored):
    seconds: Annotated[float, Gt(0)]
    spent_seconds: Annotated[float, Ge(0)] | None = None
    why: Why = ""
    open_pairs: Annotated[int, Ge(0)] = 0


class _Suite(_Stored):
    name: SuiteName
    title: str
    source: str = ""
    plugins: list[str] = []
    plugins_added: list[str] = []
    sets: list[str] = []
    baseline: str = ""
    only: list[str] = []
    shard: str | None = None
    budget: _Budget | None = None  # of the run; a suite without one has no such key
    axes: list[_Axis]
    train: Train
    measure: Measure
    exclude: list[_Rule] = []
    override: list[_Override] = []
    keep: list[_Rule] = []
    published: list[_Published] = []
    weights: bool = False


# In the order of the axes.
_VALUES: dict[str, TypeAdapter[Any]] = {
    "dataset": TypeAdapter(list[_Component]),
    "model": TypeAdapter(list[_Component]),
    "seed": TypeAdapter(Seeds),
    "batch_size": TypeAdapter(list[BatchSize]),
    "device": TypeAdapter(list[str]),
}


def suite_to_json(suite: Suite) -> dict[str, Json]:
    """What the run stores: enough to plan the same trials again, without a path of this machine."""
    budget = {"budget": asdict(suite.budget)} if suite.budget is not None else {}
    return (
        budget
        | {
            "schema": SCHEMA,
            "name": suite.name,
            "title": suite.title,
            "source": suite.source,
            "plugins": list(suite.plugins_written),
            "plugins_added": list(suite.plugins_added),
            "sets": list(suite.sets),
            "baseline": suite.baseline,
            "only": list(suite.only),
            "shard": suite.shard,
            "axes": [{"name": axis.name, "values": _values(axis.values)} for axis in suite.axes],
            "train": non_defaults(suite.train),
            "measure": non_defaults(suite.measure),
            "exclude": [_rule(rule) for rule in suite.exclude],
            "override": [{"rule": _rule(item.rule), "set": dict(item.set)} for item in suite.override],
            "keep": [_rule(rule) for rule in suite.keep],
        }
        | _shown(suite)
    )


def _shown(suite: Suite) -> dict[str, Json]:
    """What only the report asks for, where there is some: plans without it are as they were."""
    published = [{"rule": _rule(each.rule), "metric": each.metric, "low": each.low, "high": each.high,
                  "source": each.source, "class_name": each.class_name} for each in suite.published]  # fmt: skip
    return ({"published": published} if published else {}) | ({"weights": True} if suite.weights else {})


def _values(values: Sequence[Any]) -> Json:
    if isinstance(values, range):
        return {"count": len(values), "start": values.start}
    return [value.to_json() if isinstance(value, Component) else value for value in values]


def _rule(rule: Rule) -> Json:
    at = {name: sorted(places) for name, places in rule.at.items()}
    return {"at": at, "late": {key: list(values) for key, values in rule.late.items()}}


def suite_from_json(value: Json) -> Suite:
    """The Suite that `suite_to_json` of this or an older version gave. Raises BenchError: newer, or damaged."""
    version = value.get("schema") if isinstance(value, Mapping) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BenchError("suite.json in the folder of results holds no plan; run the suite again to write it anew")
    if version > SCHEMA:
        raise BenchError(
            f"the stored suite (suite.json) has schema {version}, this bench reads up to {SCHEMA}; install a newer one"
        )
    try:
        return _suite(_Suite.model_validate(value))
    except (ValidationError, KeyError, ValueError, TypeError, OverflowError, RecursionError, BenchError) as error:
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BenchError(f"the stored suite (suite.json) is damaged ({shorten(detail)}); run the suite again") from None


def _suite(stored: _Suite) -> Suite:
    axes = tuple(Axis(axis.name, _read_values(axis)) for axis in stored.axes)
    _check_axes(axes)
    ruled = [*(item.rule for item in stored.override), *(each.rule for each in stored.published)]
    _check_rules([*stored.exclude, *stored.keep, *ruled], axes)
    return Suite(
        name=stored.name,
        title=stored.title,
        axes=axes,
        train=TrainSettings(**stored.train.model_dump()),
        measure=MeasureSettings(**stored.measure.model_dump()),
        exclude=tuple(map(_read_rule, stored.exclude)),
        override=tuple(Override(_read_rule(item.rule), _set(item.set)) for item in stored.override),
        keep=tuple(map(_read_rule, stored.keep)),
        baseline=stored.baseline,
        published=tuple(
            Published(_read_rule(each.rule), each.metric, each.low, each.high, each.source, each.class_name)
            for each in stored.published
        ),
        weights=stored.weights,
        only=tuple(stored.only),
        shard=check_shard(stored.shard),
        budget=None if stored.budget is None else Budget(**stored.budget.model_dump()),
        source=stored.source,
        plugins_written=tuple(stored.plugins),
        sets=tuple(stored.sets),
        plugins_added=tuple(stored.plugins_added),
        plugins=tuple(stored.plugins),
    )


def _check_axes(axes: Sequence[Axis]) -> None:
    names = [axis.name for axis in axes]
    if names[: len(_VALUES)] != list(_VALUES) or len(set(names)) != len(names):
        raise ValueError(f"axes {', '.join(names)}")
    if math.prod(map(len, axes)) > LIMIT_TRIALS:
        raise ValueError(f"more than {LIMIT_TRIALS:,} trials")
    if "auto" in axes[names.index("device")].values:
        raise ValueError("a device that is not resolved")


def _check_rules(rules: Sequence[_Rule], axes: Sequence[Axis]) -> None:
    sizes = {axis.name: len(axis) for axis in axes}
    for rule in rules:
        for name, places in rule.at.items():
            if max(places, default=0) >= sizes[name]:
                raise ValueError(f"a rule beyond the axis {name}")
        if unknown := set(rule.late) - set(SETTINGS):
            raise ValueError(f"a rule of no setting, {min(unknown)}")


def _read_rule(stored: _Rule) -> Rule:
    at = {name: frozenset(places) for name, places in stored.at.items()}
    return Rule(at, {key: tuple(values) for key, values in stored.late.items()})


def _set(stored: Any) -> dict[str, Json]:
    return dict(stored.model_dump(by_alias=True, exclude_unset=True))


def _read_values(axis: _Axis) -> Sequence[Any]:
    if isinstance(axis.values, SeedRange):
        return range(axis.values.start, axis.values.start + axis.values.count)
    if axis.name not in _VALUES:
        return tuple(_set(Set.model_validate({axis.name: value}))[axis.name] for value in axis.values)
    found = _VALUES[axis.name].validate_python(axis.values, strict=True)
    if axis.name in _COMPONENT_AXES:
        return tuple(Component(item.name, item.settings, item.files) for item in found)
    return tuple(found)
