"""Registered things as JSON for the parent: models, data sets, devices and metrics, with settings and defaults."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base.records import COMMON_DATASET_SETTINGS, Json
from bench.errors import BenchError
from bench.registry import DATASETS, DEVICES, METRICS, MODELS
from bench.worker.catalogue.kept import PACKAGE, files_digest, sha256

if TYPE_CHECKING:
    from bench.worker.devices.base import Device

KINDS = ("models", "datasets", "devices", "metrics")
TOLD_OF_DEVICES = ("rank", "is_host", "fork_is_safe", "ray_gpus", "peak_rows", "depends_on")


def registered() -> dict[str, dict[str, Any]]:
    """The entries of every kind, by name."""
    registries: tuple[Any, ...] = (MODELS, DATASETS, DEVICES, METRICS)
    return {kind: {entry.name: entry for entry in registry} for kind, registry in zip(KINDS, registries, strict=True)}


def told(kind: str, entry: Any) -> dict[str, Json]:
    """Returns what the parent is told of an entry. Raises BenchError where its settings cannot be told."""
    tell = {"models": component, "datasets": data_set, "devices": device, "metrics": metric}
    return tell[kind](entry)


def component(entry: Any) -> dict[str, Json]:
    """Summary, settings and source of a registered builder."""
    return {"summary": entry.summary, "settings": settings_of(entry.build), "plugin": ""} | _source(entry.source)


def data_set(entry: Any) -> dict[str, Json]:
    """The same for a data set, with the settings that every one takes."""
    limit: dict[str, Json] = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    schemas: dict[str, Json] = {
        "train_limit": limit,
        "test_limit": limit,
        "scaling": {"type": "string", "enum": ["unit", "standard", "symmetric"]},
    }
    common = {
        name: {"schema": schemas[name], "default": default, "required": False, "file": False}
        for name, default in COMMON_DATASET_SETTINGS.items()
    }
    told = component(entry)
    return told | {"settings": told["settings"] | common}


def device(entry: Any) -> dict[str, Json]:
    """Whether a device can be used here; if not, why. And what the parent has to know of it."""
    found: Device = entry.build()
    reason = found.unavailable()
    of_itself: dict[str, Json] = {name: getattr(found, name) for name in TOLD_OF_DEVICES}
    if not reason:
        of_itself |= {"description": found.describe(), "label": found.label(), "facts": dict(found.facts())}
    return {"available": not reason, "reason": reason, "plugin": ""} | of_itself | _source(entry.source)


def metric(entry: Any) -> dict[str, Json]:
    """Unit and direction of a metric that a plugin adds."""
    return {
        "unit": entry.unit,
        "higher_is_better": entry.higher_is_better,
        "summary": entry.summary,
        "plugin": "",
    }


def _source(path: Path | None) -> dict[str, Json]:
    if path is None:
        return {"source": "", "source_sha256": ""}
    root = PACKAGE.parent
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else path.name
    beside = imported_beside(path)
    return {"source": shown, "source_sha256": files_digest([path, *beside]) if beside else sha256(path)}


def imported_beside(path: Path) -> set[Path]:
    """The files beside `path` that it imports by relative imports (`from ._initialisation import …`), and they too.

    What a builder shares with others is a part of what its results come from.
    """
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop().read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                files = {path.with_name(f"{name}.py") for name in names}
                new = [file for file in files - found - {path} if file.is_file()]
                waiting += new
                found |= set(new)
    return found


def settings_of(build: Callable[..., Any]) -> dict[str, Json]:
    """Keyword-only parameters of a builder: JSON schema of the annotation, default, whether it names a file.

    Raises BenchError for an annotation that no JSON value fits.
    """
    import inspect
    import typing

    from pydantic import TypeAdapter

    try:
        hints = typing.get_type_hints(build, include_extras=True)
    except Exception as error:
        raise BenchError(f"{build.__name__}: its annotations cannot be read: {error}") from error
    found = {}
    for name, parameter in inspect.signature(build).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        required = parameter.default is inspect.Parameter.empty
        default = None if required else as_json(parameter.default)
        kind = hints.get(name, type(default) if default is not None else Any)
        try:
            schema = TypeAdapter(kind).json_schema()
        except Exception as error:
            raise BenchError(f"{build.__name__}: setting {name!r}: no JSON value fits its type {kind}") from error
        is_file = '"format": "path"' in json.dumps(schema)
        found[name] = {"schema": schema, "default": default, "required": required, "file": is_file}
    return found


def as_json(value: Any) -> Json:
    """A default as JSON holds it: tuples become lists, paths text."""
    if isinstance(value, tuple | list):
        return [as_json(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
