"""What a search has chosen, as [[override]] blocks: in place of [tune] they plan the same trainings."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from bench.base.records import Component, Json
from bench.results.searches import Search
from bench.suite.plan import Suite

# Axis, registered name, setting -> what the setting is where nobody sets it.
DefaultOf: TypeAlias = Callable[[str, str, str], Json]


def override_blocks(suite: Suite, searches: Iterable[Search], default_of: DefaultOf) -> Iterator[str]:
    """The blocks, in TOML, in the order of the plan. Where the default won there is none."""
    for search in searches:
        if search.chosen is not None and search.tuned.trial_id != search.default.trial_id:
            where = _table(_where(suite, search, default_of))
            yield f"[[override]]\nwhere = {where}\nset = {_table(search.chosen.settings)}"


def _where(suite: Suite, search: Search, default_of: DefaultOf) -> dict[str, Json]:
    """What matches the search's cell and no other one of the suite."""
    trial = search.default
    found: dict[str, Json] = {"model": _entry(suite, "model", suite.axis("model").values[search.place], default_of)}
    if len(suite.axis("dataset")) > 1:
        found["dataset"] = _entry(suite, "dataset", trial.dataset, default_of)
    names = [axis.name for axis in suite.axes if len(axis) > 1 and (axis.name in ALONE or "." in axis.name)]
    return found | {name: _plain(trial.setting(name)) for name in names}


ALONE = ("batch_size", "device")


def _entry(suite: Suite, axis: str, own: Component, default_of: DefaultOf) -> Json:
    """A component as a rule matches it: its name, and where others of the axis are called so, what tells it apart."""
    others = [each for each in suite.axis(axis).values if each.name == own.name and each.canonical != own.canonical]
    if not others:
        return own.name
    names = dict.fromkeys([*own.settings, *(name for each in others for name in each.settings)])
    settings = {name: default_of(axis, own.name, name) for name in names if name not in own.settings}
    return {"name": own.name, **own.settings, **settings}


def _plain(value: Json) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _table(values: Mapping[str, Json]) -> str:
    return f"{{ {', '.join(f'{_key(key)} = {_toml(value)}' for key, value in values.items())} }}"


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _toml(value: Json) -> str:
    if isinstance(value, dict):
        return _table(value)
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list | tuple) else json.dumps(value)
