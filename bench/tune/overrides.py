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
    """The blocks, in TOML, in the order of the plan. Where the default won there is none.

    A default that is None cannot be written in TOML. Where that would tell two entries of the grid apart, the block of
    the one matches the other too; then each search has a block, and what matches less comes later, so that it wins.
    """
    ended = [search for search in searches if search.chosen is not None]
    wheres = [_where(suite, search, default_of) for search in ended]
    blocks = list(zip(ended, wheres, strict=True))
    if _loose(wheres):
        blocks.sort(key=lambda block: _given(block[1]))
    else:
        blocks = [(search, where) for search, where in blocks if search.tuned.trial_id != search.default.trial_id]
    for search, where in blocks:
        written = {axis: _without_none(value) for axis, value in where.items()}
        assert search.chosen is not None
        yield f"[[override]]\nwhere = {_table(written)}\nset = {_table(search.chosen.settings)}"


def _loose(wheres: Iterable[Mapping[str, Json]]) -> bool:
    return any(None in value.values() for where in wheres for value in where.values() if isinstance(value, dict))


def _given(where: Mapping[str, Json]) -> int:
    """How many settings of components a rule gives."""
    return sum(len(_without_none(value)) for value in where.values() if isinstance(value, dict))


def _without_none(value: Json) -> Json:
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


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
