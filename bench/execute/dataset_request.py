"""A data set that the command line names (`bench convert`, `bench inspect dataset`), as a worker is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.base.records import Json
from bench.errors import BenchError
from bench.execute.ask_worker import absolute_plugins, ask_catalogue
from bench.execute.prepare import data_root as root_of
from bench.suite.components import Builder, ResolvedComponent
from bench.suite.mistakes import Mistake
from bench.suite.set_option import parse_set


def dataset_request(
    name: str, sets: Sequence[str], *, data_root: Path | None, plugins: Sequence[str]
) -> tuple[ResolvedComponent, dict[str, Json]]:
    """The data set with its settings, and what a worker is told to build it: see bench.worker.datasets.prepare.

    Settings are checked as those of a suite are. Raises Mistake of a name or a setting, BenchError of all else.
    """
    root, specs = root_of(data_root), absolute_plugins(plugins)
    builder = Builder(ask_catalogue(specs), folders=(Path.cwd(), root.resolve()))
    try:
        built = builder.build("dataset", {"name": name, **_settings(sets)}, key=())
    except Mistake as found:
        raise Mistake(tuple(part for part in found.key if part != "name"), found.text) from None
    if charged := builder.unknown.get(f"dataset:{name}"):
        raise BenchError(charged)
    request = {
        "name": name,
        "settings": dict(built.component.settings),
        "locations": {key: str(path) for key, path in built.files.items()},
        "plugins": specs,
        "data_root": str(root),
    }
    return built, request


def _settings(sets: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in sets:
        keys, value = parse_set(text)
        if len(keys) != 1:
            raise BenchError(f"--set {text}: expected a setting of the data set, as in --set train_limit=1000")
        found[keys[0]] = value
    return found
