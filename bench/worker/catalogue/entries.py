"""Registered things as JSON for the parent: models, data sets, devices and metrics, with settings and defaults."""

import ast
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.base.records import COMMON_DATASET_SETTINGS, Json
from bench.errors import BenchError
from bench.registry import DATASETS, DEVICES, METRICS, MODELS
from bench.worker.catalogue.kept import PACKAGE, files_digest, sha256
from bench.worker.named import library_of

if TYPE_CHECKING:
    from bench.worker.devices.base import Device

TOLD_OF_DEVICES = ("rank", "is_host", "fork_is_safe", "ray_gpus", "peak_rows", "depends_on", "numbered")


def registered(*, without: Mapping[str, Collection[str]], plugin: str = "") -> dict[str, dict[str, Json]]:
    """Returns what the parent is told of all entries but those in `without`, by kind and name.

    Raises BenchError where the settings of one cannot be told.
    """
    found: dict[str, dict[str, Json]] = {}
    for kind, (registry, describe) in KINDS.items():
        new = [entry for entry in registry if entry.name not in without.get(kind, ())]
        found[kind] = {entry.name: describe(entry) | {"plugin": plugin} for entry in new}
    for entry in DEVICES:
        if entry.name in found["devices"]:
            found["devices"] |= {name: told | {"plugin": plugin} for name, told in numbered(entry)}
    return found


def names() -> dict[str, set[str]]:
    """The names that are registered, by kind."""
    return {kind: {entry.name for entry in registry} for kind, (registry, _) in KINDS.items()}


def component(entry: Any) -> dict[str, Json]:
    """Summary, settings and source of a registered builder."""
    return {"summary": entry.summary, "settings": settings_of(entry.build)} | _source(entry.source)


def named_component(entry: Any) -> dict[str, Json]:
    """The same of a model by its name: of a library its version counts too, and our file that asks it."""
    found, module = component(entry), library_of(entry.name)
    if module is not None:
        texts = [module.version(), found["source_sha256"], files_digest(module.OWN_FILES)]
        found |= {"source": module.version(), "source_sha256": hashlib.sha256("\0".join(texts).encode()).hexdigest()}
    return found


def data_set(entry: Any) -> dict[str, Json]:
    """The same of a data set, with the settings that all of them take."""
    limit: dict[str, Json] = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    scaling: dict[str, Json] = {"type": "string", "enum": ["unit", "standard", "symmetric"]}
    found = component(entry)
    for name, default in COMMON_DATASET_SETTINGS.items():
        schema = scaling if name == "scaling" else limit
        found["settings"][name] = {"schema": schema, "default": default, "required": False, "file": False}
    return found


def device(entry: Any) -> dict[str, Json]:
    """Whether a device can be used here, if not why, and what the parent has to know of it."""
    return _device(entry.build(), entry)


def _device(found: "Device", entry: Any) -> dict[str, Json]:
    reason = found.unavailable()
    facts: dict[str, Json] = {name: getattr(found, name) for name in TOLD_OF_DEVICES}
    if not reason:
        facts |= {"description": found.describe(), "label": found.label(), "facts": dict(found.facts())}
    return {"available": not reason, "reason": reason} | facts | _source(entry.source)


def numbered(entry: Any) -> Iterator[tuple[str, dict[str, Json]]]:
    """Those that are there of a device that is chosen by a number: `cuda:0`, `cuda:1`. `auto` takes none of them."""
    for number in range(entry.build().count()):
        found: Device = entry.build()
        found.take(number)
        yield found.name, _device(found, entry) | {"rank": 0, "numbered": False}


def metric(entry: Any) -> dict[str, Json]:
    """Unit and direction of a metric that a plugin adds."""
    return {"unit": entry.unit, "higher_is_better": entry.higher_is_better, "summary": entry.summary}


KINDS: dict[str, tuple[Any, Callable[[Any], dict[str, Json]]]] = {
    "models": (MODELS, component),
    "datasets": (DATASETS, data_set),
    "devices": (DEVICES, device),
    "metrics": (METRICS, metric),
}


def _source(path: Path | None) -> dict[str, Json]:
    if path is None:
        return {"source": "", "source_sha256": ""}
    root = PACKAGE.parent
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else path.name
    beside = imported_beside(path)
    return {"source": shown, "source_sha256": files_digest([path, *beside]) if beside else sha256(path)}


def imported_beside(path: Path) -> set[Path]:
    """The files beside `path` that it, or one of them, imports by `from .name import …`.

    The results of a builder depend on them too.
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

    Raises BenchError where no JSON value fits an annotation.
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
