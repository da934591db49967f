"""Texts of `bench list`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.base.metrics import BUILT_IN
from bench.base.records import canonical_json
from bench.suite.catalogue import Catalogue, Described, DeviceInfo, Setting
from bench.suite.mistakes import describe

LISTS = ("models", "datasets", "devices", "metrics", "suites")
WIDTH = 80
INSTALLED_SUITES = Path(__file__).resolve().parents[1] / "_suites"


def registered(what: str, catalogue: Catalogue) -> str:
    """Models, data sets, devices or metrics, each with what it takes and whether it can be used here."""
    match what:
        case "models":
            return _components(catalogue.models)
        case "datasets":
            return _components(catalogue.datasets)
        case "devices":
            return _rows([(name, _device(name, told)) for name, told in catalogue.devices.items()])
        case _:
            rows = [(m.name, _metric(m.unit, m.higher_is_better, m.meaning)) for m in BUILT_IN.values()]
            for name, told in catalogue.metrics.items():
                rows.append((name, _metric(told["unit"], told["higher_is_better"], told["summary"])))
            return _rows(rows)


def suites(folder: Path) -> str:
    """The suite files under ./suites, else those that came with bench."""
    own = sorted((folder / "suites").glob("*.toml"))
    rows = [(str(path.relative_to(folder)), _title(path)) for path in own]
    rows = rows or [(str(path), _title(path)) for path in sorted(INSTALLED_SUITES.glob("*.toml"))]
    return _rows(rows) if rows else "no suites: neither ./suites/*.toml nor any that came with bench"


def _title(path: Path) -> str:
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"


def _device(name: str, told: DeviceInfo) -> str:
    return told.description if told.available else f"not here: {told.reason.removeprefix(f'{name}: ')}"


def _metric(unit: str, higher_is_better: bool, meaning: str) -> str:
    return f"[{unit or '-'}, {'higher' if higher_is_better else 'lower'} is better] {meaning}"


def _components(entries: Mapping[str, Described]) -> str:
    lines = []
    for name, entry in sorted(entries.items()):
        lines.append(f"{name}  {entry.summary}")
        lines.append(f"  from {entry.source}" if entry.source else "")
        for setting, told in entry.settings.items():
            lines.append(f"  {setting}: {describe(told.kind.schema)}, {_default(told)}")
    return "\n".join(line for line in lines if line)


def _default(setting: Setting) -> str:
    if setting.required:
        return "required"
    return "default none" if setting.default is None else f"default {canonical_json(setting.default)}"


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)
