"""What there is: models, data sets, devices, metrics, with their settings and defaults, as JSON for the parent.

`python -m bench.worker.describe [PLUGIN …]` prints one JSON object. Importing torch takes seconds, so what was found
is kept in the cache folder, keyed by the content of every file that it came from; facts that can change while files
stay the same (processor, memory, container, driver) are read each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from bench import cache
from bench.errors import BenchError
from bench.records import COMMON_DATASET_SETTINGS, Json, canonical_json

PLUGIN_SECONDS = 30.0
PACKAGE = Path(__file__).resolve().parents[1]


def main(plugins: list[str]) -> None:
    """Print the catalogue."""
    from bench.worker import components
    from bench.worker.devices.processor import cpu_model
    from bench.worker.measure import environment

    builtin = remembered("builtin", _builtin_key(), _describe_builtin)
    parts = [(spec, _plugin(spec)) for spec in [*plugins, *components.installed_plugins()]]
    catalogue: dict[str, Json] = {kind: dict(builtin[kind]) for kind in ("models", "datasets", "devices", "metrics")}
    catalogue["plugins"] = {}
    for spec, part in parts:
        catalogue["plugins"][spec] = {"error": part["error"], "sha256": part["sha256"]}
        for kind in ("models", "datasets", "devices", "metrics"):
            catalogue[kind] |= part[kind]
    catalogue["best_device"] = next(n for n in ("cuda", "mps", "cpu") if catalogue["devices"][n]["available"])
    catalogue["physical_cores"] = environment.physical_cores()
    facts = environment.system_facts(cpu_model()) | builtin["torch"]
    catalogue["environment"] = {"facts": facts, "notes": environment.notes()}
    catalogue["worker_sha256"] = worker_digest()
    sys.stdout.write(canonical_json(catalogue) + "\n")


def worker_digest() -> str:
    """SHA-256 of the worker's own training and measuring code; the files of one data set or device stand apart.

    The doctor's instruments are in no trial of a suite: to edit them makes no result another one's.
    """
    own = PACKAGE / "worker"
    apart = {own / "measure" / "instruments.py"}
    apart |= {path for kind in ("datasets", "devices") for path in (own / kind).glob("*.py") if _registers(path)}
    return files_digest(path for path in own.rglob("*.py") if path not in apart)


def _registers(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "\n@dataset(" in text or "\n@device(" in text


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents, in the order of the names."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


# What is remembered


def remembered(name: str, key: str, find: Callable[[], dict[str, Json]]) -> dict[str, Json]:
    """`find()`, or what it gave when `key` was the same. A folder that cannot be written costs time only."""
    path = cache.cache_folder() / "catalogue" / f"{name}-{key}.json"
    try:
        kept: dict[str, Json] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        kept = {}
    if kept and _unchanged(kept.get("files", {})):
        return kept
    found = find()
    if found.get("error"):  # what failed may work in a moment: a package gets installed, a server answers
        return found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(canonical_json(found))
        aside.rename(path)
    except OSError:
        pass
    return found


def _unchanged(files: Mapping[str, str]) -> bool:
    try:
        return all(_sha256(Path(path)) == digest for path, digest in files.items())
    except OSError:
        return False


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _builtin_key() -> str:
    """What the built-in catalogue comes from: our files, torch's build, the driver, and what hides devices."""
    from bench.worker import components

    try:
        torch_files = (metadata.distribution("torch").read_text("RECORD") or "").encode()
    except metadata.PackageNotFoundError as missing:
        raise BenchError("torch is not installed: pip install torch torchvision") from missing
    driver = sorted(str(path) for path in Path("/dev").glob("nvidia*"))
    version = Path("/proc/driver/nvidia/version")
    parts = [
        files_digest([*PACKAGE.rglob("*.py"), *components.models_folder().glob("*.py")]),
        hashlib.sha256(torch_files).hexdigest(),
        sys.version,
        sys.executable,
        str(driver),
        version.read_text() if version.exists() else "",
        os.environ.get("CUDA_VISIBLE_DEVICES", "unset"),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


# What is found


def _describe_builtin() -> dict[str, Json]:
    from bench.registry import DATASETS, DEVICES, METRICS, MODELS
    from bench.worker import components
    from bench.worker.measure.environment import torch_facts

    components.load_builtin()
    return {
        "models": {entry.name: component(entry) for entry in MODELS},
        "datasets": {entry.name: data_set(entry) for entry in DATASETS},
        "devices": {entry.name: device(entry) for entry in DEVICES},
        "metrics": {entry.name: metric(entry) for entry in METRICS},
        "torch": torch_facts(),
        "files": {},
    }


def _plugin(spec: str) -> dict[str, Json]:
    """The entries of one plugin, imported in a child of its own: it may raise, hang or crash."""
    key = hashlib.sha256(f"{spec}\0{files_digest(PACKAGE.rglob('*.py'))}\0{sys.version}".encode()).hexdigest()[:16]
    if not spec.endswith(".py"):
        # A module's files are known once it is imported; what an edit of an installed package changes is its
        # version, so that is part of the key.
        key += _installed_key()
    return remembered("plugin", key, lambda: _import_apart(spec))


def _installed_key() -> str:
    names = sorted(f"{d.name} {d.version}" for d in metadata.distributions())
    return "-" + hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]


def _import_apart(spec: str) -> dict[str, Json]:
    """Fork, import the plugin there, read what it registered from a pipe; after 30 s it is killed."""
    from bench.worker import components

    components.load_builtin()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _describe_plugin_and_exit(spec, writing)
    os.close(writing)
    text, timed_out = _read_until(reading, deadline=time.monotonic() + PLUGIN_SECONDS)
    if timed_out:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if text:
        found: dict[str, Json] = json.loads(text)
        return found
    why = f"took longer than {PLUGIN_SECONDS:.0f} s" if timed_out else f"ended its process ({_ended(status)})"
    digest = _sha256(Path(spec)) if Path(spec).is_file() else ""
    return _nothing(error=f"{Path(spec).name}: failed to import: it {why}", sha256=digest)


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _nothing(*, error: str, sha256: str) -> dict[str, Json]:
    empty: dict[str, Json] = {kind: {} for kind in ("models", "datasets", "devices", "metrics")}
    return empty | {"error": error, "sha256": sha256}


def _read_until(descriptor: int, *, deadline: float) -> tuple[bytes, bool]:
    text = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            continue
        part = os.read(descriptor, 65536)
        if not part:
            return text, False
        text += part
    return b"", True


def _describe_plugin_and_exit(spec: str, writing: int) -> None:
    # Whatever the plugin prints must not get between the catalogue's lines.
    os.dup2(2, 1)
    try:
        found = canonical_json(_describe_plugin(spec)).encode()
        view = memoryview(found)
        while view:
            view = view[os.write(writing, view) :]
    finally:
        os._exit(0)


def _describe_plugin(spec: str) -> dict[str, Json]:
    from bench.registry import DATASETS, DEVICES, METRICS, MODELS
    from bench.worker import components

    registries: dict[str, tuple[Any, Callable[[Any], dict[str, Json]]]] = {
        "models": (MODELS, component),
        "datasets": (DATASETS, data_set),
        "devices": (DEVICES, device),
        "metrics": (METRICS, metric),
    }
    before = {kind: {entry.name for entry in registry} for kind, (registry, _) in registries.items()}
    digest = _sha256(Path(spec)) if Path(spec).is_file() else ""
    try:
        components.load_plugin(spec)
        found: dict[str, Json] = {
            kind: {entry.name: tell(entry) | {"plugin": spec} for entry in registry if entry.name not in before[kind]}
            for kind, (registry, tell) in registries.items()
        }
    except BenchError as error:
        return _nothing(error=str(error), sha256=digest)
    return found | {"error": "", "sha256": digest, "files": _local_files(spec)}


def _local_files(spec: str) -> dict[str, str]:
    """The plugin's own file and what it imported beside it: nothing of Python's, ours or an installed package's."""
    folder = Path(spec).resolve().parent if spec.endswith(".py") else None
    files = {Path(spec).resolve()} if folder else set()
    for module in list(sys.modules.values()):
        origin = getattr(module, "__file__", None)
        if folder and origin and Path(origin).resolve().is_relative_to(folder) and "site-packages" not in origin:
            files.add(Path(origin).resolve())
    return {str(path): _sha256(path) for path in files if path.is_file()}


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
    """Whether a device can be used here; if not, why."""
    found = entry.build()
    reason = found.unavailable()
    described = "" if reason else found.describe()
    return {"available": not reason, "reason": reason, "description": described, "plugin": ""} | _source(entry.source)


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
    return {"source": shown, "source_sha256": _sha256(path)}


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
        default = None if required else plain(parameter.default)
        kind = hints.get(name, type(default) if default is not None else Any)
        try:
            schema = TypeAdapter(kind).json_schema()
        except Exception as error:
            raise BenchError(f"{build.__name__}: setting {name!r}: no JSON value fits its type {kind}") from error
        is_file = '"format": "path"' in json.dumps(schema)
        found[name] = {"schema": schema, "default": default, "required": required, "file": is_file}
    return found


def plain(value: Any) -> Json:
    """A default as JSON holds it: tuples become lists, paths text."""
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
