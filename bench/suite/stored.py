"""A Suite as JSON: suite.json, which a run stores beside its results.

History of the schema:
  1  the first one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from bench.base.records import (
    Component,
    Json,
    MeasureSettings,
    SeedSettings,
    TrainSettings,
    canonical_json,
    non_defaults,
)
from bench.errors import BenchError
from bench.suite.document import LIMIT_TRIALS, SETTINGS, BatchSize, Seed, SeedRange, Source, SuiteName
from bench.suite.mistakes import shorten
from bench.suite.plan import Axis, Budget, Decide, Decision, Override, Published, Rule, Suite, check_shard, is_of
from bench.suite.tune import Tune

SCHEMA = 1
# The types of the values of axes; the first ones are in every suite, in this order.
AXES: dict[str, Any] = {"dataset": Component, "model": Component, "seed": Seed, "batch_size": BatchSize, "device": str}


class _Axis(BaseModel):
    name: str
    values: JsonValue


class _Suite(BaseModel):
    """The content of suite.json; the records in it are checked as strictly."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    name: SuiteName
    title: str
    source: str = ""
    plugins: tuple[str, ...] = ()
    plugins_added: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    baseline: str = ""
    only: tuple[str, ...] = ()
    shard: str | None = None
    budget: Budget | None = None  # of the run; a suite without one has no such key
    decide: Decide | None = None
    decisions: tuple[Decision, ...] = ()
    tune: Tune | None = None
    axes: tuple[_Axis, ...]
    train: TrainSettings
    measure: MeasureSettings
    seeds: SeedSettings = SeedSettings()
    exclude: tuple[Rule, ...] = ()
    override: tuple[Override, ...] = ()
    keep: tuple[Rule, ...] = ()
    published: tuple[Published, ...] = ()
    weights: bool = False


def suite_to_json(suite: Suite) -> dict[str, Json]:
    """What the run stores: enough to plan the same trials again, without a path of this machine."""
    value: dict[str, Json] = {name: getattr(suite, name) for name in ("name", "title", "source", "baseline", "shard")}
    value |= {name: list(getattr(suite, name)) for name in ("plugins_added", "sets", "only")}
    value |= {
        "schema": SCHEMA,
        "plugins": list(suite.plugins_written),
        "axes": [{"name": axis.name, "values": _values_json(axis.values)} for axis in suite.axes],
        "train": non_defaults(suite.train),
        "measure": non_defaults(suite.measure),
        "exclude": [_rule_json(rule) for rule in suite.exclude],
        "override": [{"rule": _rule_json(item.rule), "set": dict(item.set)} for item in suite.override],
        "keep": [_rule_json(rule) for rule in suite.keep],
    }
    # Plans without these are as they were before there were any.
    later = {
        "budget": suite.budget and asdict(suite.budget),
        "decide": suite.decide and asdict(suite.decide),
        "decisions": [asdict(each) for each in suite.decisions],
        "tune": suite.tune and asdict(suite.tune),
        "published": [asdict(each) | {"rule": _rule_json(each.rule)} for each in suite.published],
        "weights": suite.weights,
        "seeds": non_defaults(suite.seeds),
    }
    return value | {name: found for name, found in later.items() if found}


def _values_json(values: Sequence[Any]) -> Json:
    if isinstance(values, range):
        return {"count": len(values), "start": values.start}
    return [value.to_json() if isinstance(value, Component) else value for value in values]


def _rule_json(rule: Rule) -> Json:
    at = {name: sorted(places) for name, places in rule.at.items()}
    return {"at": at, "late": {key: list(values) for key, values in rule.late.items()}}


def suite_from_json(value: Json) -> Suite:
    """The Suite that `suite_to_json` of this or an older version gave. Raises BenchError: newer, or damaged."""
    version = value.get("schema") if isinstance(value, Mapping) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BenchError("suite.json in the folder of results holds no plan; run the suite again to write it")
    if version > SCHEMA:
        what = f"has schema {version}, this bench reads up to {SCHEMA}; install a newer one"
        raise BenchError(f"the stored suite (suite.json) {what}")
    try:
        return _suite(_Suite.model_validate_json(canonical_json(value)))
    except (ValidationError, KeyError, ValueError, TypeError, OverflowError, RecursionError, BenchError) as error:
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BenchError(f"the stored suite (suite.json) is damaged ({shorten(detail)}); run the suite again") from None


def _suite(stored: _Suite) -> Suite:
    axes = tuple(Axis(axis.name, _values(axis.name, axis.values)) for axis in stored.axes)
    _check_axes(axes)
    ruled = [*(each.rule for each in stored.override), *(each.rule for each in stored.published)]
    _check_rules([*stored.exclude, *stored.keep, *ruled], axes)
    for figure in stored.published:
        TypeAdapter(Source).validate_python(figure.source)
    own = {name: getattr(stored, name) for name in _Suite.model_fields}
    models = axes[list(AXES).index("model")].values
    override = tuple(_checked(each, {model.name for model in models}) for each in stored.override)
    _check_tune(stored.tune, len(models))
    own |= {"axes": axes, "override": override, "shard": check_shard(stored.shard)}
    return Suite(**own, plugins_written=stored.plugins)


def _values(name: str, stored: Json) -> Sequence[Any]:
    """The values of an axis in their declared type. KeyError: no such axis; ValueError: no such values."""
    found = _adapter(name).validate_json(canonical_json(stored))
    return range(found.start, found.start + found.count) if isinstance(found, SeedRange) else tuple(found)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    kind = (AXES | SETTINGS)[name]
    values: Any = Annotated[list[kind], MinLen(1)]  # type: ignore[valid-type]  # made at run time
    several = values | SeedRange if name.partition(".")[0] == "seed" else values
    return TypeAdapter(several, config=_Suite.model_config)


def _checked(override: Override, models: Iterable[str]) -> Override:
    of_models = {key for key in override.set if any(is_of(model, key) for model in models)} - set(SETTINGS)
    if unknown := set(override.set) - set(SETTINGS) - of_models:
        raise ValueError(f"an override of no setting, {min(unknown)}")
    typed = {key: _values(key, [value])[0] for key, value in override.set.items() if key not in of_models}
    return replace(override, set={key: typed.get(key, value) for key, value in override.set.items()})


def _check_tune(tune: Tune | None, models: int) -> None:
    if tune is None:
        return
    keys = {each.key for each in tune.ranges}
    if unknown := {key for key in keys if key.startswith("train.")} - set(SETTINGS):
        raise ValueError(f"a search for no setting, {min(unknown)}")
    if max((place for each in tune.ranges for place in each.models), default=0) >= models:
        raise ValueError("a search beyond the axis model")
    for state in tune.searches:
        if state.chosen is not None and state.chosen >= max(1, len(state.attempts)):
            raise ValueError("a choice of nothing that was tried")
        for key, value in (item for each in state.attempts for item in each.settings.items()):
            if key not in keys:
                raise ValueError("a search that tried what it does not search")
            if key in SETTINGS:
                _values(key, [value])


def _check_axes(axes: Sequence[Axis]) -> None:
    names = [axis.name for axis in axes]
    if names[: len(AXES)] != list(AXES) or len(set(names)) != len(names):
        raise ValueError(f"axes {', '.join(names)}")
    if math.prod(map(len, axes)) > LIMIT_TRIALS:
        raise ValueError(f"more than {LIMIT_TRIALS:,} trials")
    if "auto" in axes[names.index("device")].values:
        raise ValueError("a device that is not resolved")


def _check_rules(rules: Iterable[Rule], axes: Sequence[Axis]) -> None:
    sizes = {axis.name: len(axis) for axis in axes}
    for rule in rules:
        for name, places in rule.at.items():
            if max(places, default=0) >= sizes[name]:
                raise ValueError(f"a rule beyond the axis {name}")
        if unknown := set(rule.late) - set(SETTINGS):
            raise ValueError(f"a rule of no setting, {min(unknown)}")
