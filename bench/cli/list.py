"""`bench list`: what is registered, with settings, defaults, and whether it can be used here."""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError, nearest

if TYPE_CHECKING:
    from bench.suite.catalogue import Catalogue, ComponentInfo, DeviceInfo, Setting

LISTS = ("models", "datasets", "devices", "metrics", "suites")


def list_(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="models, datasets, devices, metrics or suites.")],
    plugin: opt.Plugin = None,
) -> int:
    """List models, data sets, devices, metrics or suites.

    With their settings, defaults, and whether they can be used here.

    \b
    Examples:
      python -m bench list models
      python -m bench list datasets
      python -m bench list models --plugin my/models.py
    """
    from bench.execute.ask_worker import absolute_plugins, ask_catalogue
    from bench.present.format import printable_lines

    if what not in LISTS:
        raise BenchError(f"list {what}: unknown{nearest(what, LISTS)} (there are: {', '.join(LISTS)})")
    if what == "suites":
        print(printable_lines(_suites(Path.cwd())))
        return EXIT_OK
    catalogue = ask_catalogue(absolute_plugins(plugin))
    print(printable_lines(_registered(what, catalogue)))
    for told in catalogue.plugins.values():
        if told.error:
            sys.stderr.write(f"{printable_lines(told.error)}\n")
    return EXIT_OK


def _registered(what: str, catalogue: "Catalogue") -> str:
    from bench.base.metrics import BUILT_IN

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


def _suites(folder: Path) -> str:
    """The suite files under ./suites, as paths; then those that come with bench, by the names that find them."""
    from bench.suite.shipped import shipped_suites

    own = sorted((folder / "suites").glob("*.toml"))
    there = {path.resolve() for path in own}
    rows = [(str(path.relative_to(folder)), _title(path)) for path in own]
    rows += [(path.stem, _title(path)) for path in shipped_suites() if path not in there]
    return _rows(rows) if rows else "no suites: neither ./suites/*.toml nor any that came with bench"


def _title(path: Path) -> str:
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8")).get("title", ""))
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}"


def _device(name: str, told: "DeviceInfo") -> str:
    return told.description if told.available else f"not here: {told.reason.removeprefix(f'{name}: ')}"


def _metric(unit: str, higher_is_better: bool, meaning: str) -> str:
    return f"[{unit or '-'}, {'higher' if higher_is_better else 'lower'} is better] {meaning}"


def _components(entries: "Mapping[str, ComponentInfo]") -> str:
    from bench.suite.mistakes import describe

    lines = []
    for name, entry in sorted(entries.items()):
        lines.append(f"{name}  {entry.summary}")
        lines.append(f"  from {entry.source}" if entry.source else "")
        for setting, told in entry.settings.items():
            lines.append(f"  {setting}: {describe(told.kind.schema)}, {_default(told)}")
    return "\n".join(line for line in lines if line)


def _default(setting: "Setting") -> str:
    from bench.base.records import canonical_json

    if setting.required:
        return "required"
    return "default none" if setting.default is None else f"default {canonical_json(setting.default)}"


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    from bench.present.columns import aligned

    return "\n".join(aligned(rows, left=(0, 1)))
