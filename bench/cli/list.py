"""`bench list`: what is registered, with settings, defaults, and whether it can be used here."""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options as opt
from bench.errors import EXIT_OK, BenchError, nearest

if TYPE_CHECKING:
    from bench.suite.catalogue import Catalogue, ComponentInfo, DeviceInfo, Setting

NOTHING = "nothing has this in its name"
BY_NAME = """torchvision:NAME, timm:NAME  the models of these libraries, without weights
  search them: bench list models --match resnet
package.module:Class  a model of your own, by the place that Python imports it from"""
LISTS = ("models", "datasets", "devices", "metrics", "suites")


def list_(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="models, datasets, devices, metrics or suites.")],
    match: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only what has TEXT in its name; models of libraries too.")
    ] = None,
    plugin: opt.Plugin = None,
) -> int:
    """List models, data sets, devices, metrics or suites.

    With their settings, defaults, and whether they can be used here.

    \b
    Examples:
      python -m bench list models
      python -m bench list datasets
      python -m bench list models --plugin my/models.py
      python -m bench list models --match resnet
    """
    from bench.execute.ask_worker import absolute_plugins, ask_catalogue, ask_names
    from bench.present.format import printable_lines

    if what not in LISTS:
        raise BenchError(f"list {what}: unknown{nearest(what, LISTS)} (there are: {', '.join(LISTS)})")
    if what == "suites":
        print(printable_lines(_suites(Path.cwd(), match or "")))
        return EXIT_OK
    catalogue = ask_catalogue(absolute_plugins(plugin))
    names = ask_names() if what == "models" and match else []
    print(printable_lines(_registered(what, catalogue, match=match or "", names=names)))
    for told in catalogue.plugins.values():
        if told.error:
            sys.stderr.write(f"{printable_lines(told.error)}\n")
    return EXIT_OK


def _registered(what: str, catalogue: "Catalogue", *, match: str, names: Sequence[str]) -> str:
    """What is registered and has `match` in its name, then those of `names` that have."""
    from bench.base.metrics import BUILT_IN

    def kept(entries: Mapping[str, Any]) -> dict[str, Any]:
        return {name: told for name, told in entries.items() if match.lower() in name.lower()}

    match what:
        case "models":
            found = [_components(kept(catalogue.models)), *(name for name in names if match.lower() in name.lower())]
            return "\n".join(filter(None, found)) + ("" if match else f"\n{BY_NAME}") or NOTHING
        case "datasets":
            return _components(kept(catalogue.datasets)) or NOTHING
        case "devices":
            return _rows([(name, _device(name, told)) for name, told in kept(catalogue.devices).items()]) or NOTHING
        case _:
            known = {m.name: _metric(m.unit, m.higher_is_better, m.meaning) for m in BUILT_IN.values()}
            for name, told in catalogue.metrics.items():
                known[name] = _metric(told["unit"], told["higher_is_better"], told["summary"])
            return _rows(list(kept(known).items())) or NOTHING


def _suites(folder: Path, match: str) -> str:
    """The suite files under ./suites, as paths; then those that come with bench, by the names that find them."""
    from bench.suite.shipped import shipped_suites

    own = sorted((folder / "suites").glob("*.toml"))
    there = {path.resolve() for path in own}
    rows = [(str(path.relative_to(folder)), _title(path)) for path in own]
    rows += [(path.stem, _title(path)) for path in shipped_suites() if path not in there]
    if rows and match:
        rows = [row for row in rows if match.lower() in row[0].lower()]
        return _rows(rows) or NOTHING
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
