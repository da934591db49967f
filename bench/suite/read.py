"""A suite file -> SuiteFile: every check that needs no catalogue of what is registered."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.base.records import Json
from bench.errors import BenchError, nearest
from bench.suite.document import BY_CLASS, LIMIT_TRIALS, Document, document_schema
from bench.suite.mistakes import Key, Mistake, axis_text, key_text, published_path, show
from bench.suite.set_option import apply_sets, flatten, published_set
from bench.suite.setting_types import mistake, positive_zero
from bench.suite.toml_text import load_tables

AXES = ("dataset", "model", "seed", "batch_size", "device")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class SuiteFile:
    """A suite as it was written, in its declared types; `resolve` makes a Suite of it.

    `plugins` are absolute paths or modules, as a worker needs them; `plugins_written` is what may be published of them.
    `sets` are the keys that --set gave; `sets_written` and `plugins_added`: what may be published of the command line.
    """

    path: Path
    name: str
    title: str
    plugins: tuple[str, ...]
    plugins_written: tuple[str, ...]
    grid: Mapping[str, Sequence[Json]]  # axis -> its values; seeds may be a range
    exclude: Sequence[Mapping[str, Json]] = ()
    override: Sequence[Mapping[str, Mapping[str, Json]]] = ()
    train: Mapping[str, Json] = field(default_factory=dict)
    measure: Mapping[str, Json] = field(default_factory=dict)
    baseline: str = ""
    sinks: tuple[str, ...] = ()
    weights: bool = False
    published: Sequence[Mapping[str, Json]] = ()
    sets: Mapping[Key, str] = field(default_factory=dict)
    sets_written: tuple[str, ...] = ()
    plugins_added: tuple[str, ...] = ()


def read_suite(path: Path, *, sets: Sequence[str] = (), plugins: Sequence[str] = ()) -> SuiteFile:
    """Read and check a suite file; `plugins` are those of the command line. Raises BenchError: one line."""
    tables = load_tables(path)
    origins: dict[Key, str] = {}
    try:
        flatten(tables)
        origins = apply_sets(tables, sets)
        document = _checked(tables)
        report = document.pop("report", {})
        _check_durations(document)
        _check_grid(document["grid"])
        _check_rules(document)
        baseline = _baseline(report, document["grid"]["model"])
        _check_published(report.get("published", []))
        written = document.pop("plugins", [])
        found = [_plugin(text, beside=path.parent, key=("plugins", index)) for index, text in enumerate(written)]
    except Mistake as error:
        raise refusal(path, origins, error) from None
    for text in plugins:
        try:
            found.append(_plugin(text, beside=Path(), key=()))
        except Mistake as error:
            raise BenchError(f"--plugin {show(text)}: {error.text}") from None
    everything = dict(found)
    return SuiteFile(
        path=path,
        **{"title": document["name"], **document},
        **report | {"baseline": baseline, "sinks": tuple(dict.fromkeys(report.get("sinks", [])))},
        plugins=tuple(everything),
        plugins_written=tuple(everything.values()),
        sets=origins,
        sets_written=tuple(map(published_set, sets)),
        plugins_added=tuple(published_path(Path(text)) if _is_file(text) else text for text in plugins),
    )


def check_installed(sinks: Iterable[str]) -> None:
    """Raise BenchError where the package of a sink, which is called like it, is not installed."""
    for name in sinks:
        if find_spec(name) is None:
            raise BenchError(
                f"report.sinks: {name} is not installed: python -m pip install 'bench-models[{name}]', or take it out "
                "of the suite (--set 'report.sinks=[]')"
            )


def refusal(path: Path, origins: Mapping[Key, str], found: Mistake) -> BenchError:
    """The one line that names the file (or the --set), the key and the mistake."""
    here = next((text for key, text in origins.items() if found.key[: len(key)] == key), str(path))
    return BenchError(": ".join(part for part in (here, key_text(found.key), found.text) if part))


def _checked(tables: dict[str, Any]) -> dict[str, Any]:
    """The tables in their declared types, with the defaults of the grid filled in; else as written."""
    try:
        document = Document.model_validate(tables)
    except ValidationError as error:
        raise Mistake(*mistake(error, tables, document_schema())) from None
    plain: dict[str, Any] = positive_zero(document.model_dump(by_alias=True, exclude_unset=True))
    grid = {"seed": [0], "batch_size": [64], "device": ["auto"]} | plain["grid"]
    if isinstance(grid["seed"], dict):
        start = grid["seed"].get("start", 0)
        grid["seed"] = range(start, start + grid["seed"]["count"])
    plain["grid"] = {key: grid[key] for key in (*AXES, *(key for key in plain["grid"] if key not in AXES))}
    return plain


def _check_grid(grid: Mapping[str, Sequence[Json]]) -> None:
    seeds = grid["seed"]
    # len() of a range of 2**63 or more raises OverflowError; its ends say the same.
    sizes = {key: seeds.stop - seeds.start if isinstance(seeds, range) and key == "seed" else len(values)
             for key, values in grid.items()}  # fmt: skip
    count = math.prod(sizes.values())
    if count > LIMIT_TRIALS:
        axes = " × ".join(axis_text(key, size) for key, size in sizes.items())
        raise Mistake(("grid",), f"{count:,} trials ({axes}); at most {LIMIT_TRIALS:,}")
    if isinstance(seeds, range) and seeds.stop > 2**63:
        raise Mistake(("grid", "seed"), f"seeds up to {seeds.stop - 1}; the last one is at most {2**63 - 1}")


def _check_durations(document: Mapping[str, Any]) -> None:
    """Refuse epochs and steps together: which of them counts would be a guess. An axis replaces what [train] says."""
    outer = {f"train.{key}" for key in document.get("train", {})} | set(document["grid"])
    places = [(("train",), outer), *((("override", index, "set"), outer | set(override["set"]))
              for index, override in enumerate(document.get("override", [])))]  # fmt: skip
    for key, given in places:
        if {"train.epochs", "train.steps"} <= given:
            raise Mistake(key, "give train.epochs or train.steps, not both")


def _check_rules(document: Mapping[str, Any]) -> None:
    for index, match in enumerate(document.get("exclude", [])):
        if not match:
            raise Mistake(("exclude", index), "an empty table would exclude every trial; give at least one key")
    for index, override in enumerate(document.get("override", [])):
        if empty := [part for part in ("where", "set") if not override[part]]:
            raise Mistake(("override", index, empty[0]), "an empty table; give at least one key")


def _check_published(figures: Sequence[Mapping[str, Json]]) -> None:
    for index, figure in enumerate(figures):
        key: Key = ("report", "published", index)
        if ("value" in figure) == ("range" in figure):
            raise Mistake(key, "give value or range, one of the two")
        low, high = figure.get("range", (0, 0))
        if low > high:
            raise Mistake((*key, "range"), f"expected [low, high], found [{low:g}, {high:g}]")
        if "seed" in (figure.get("where") or {}):
            raise Mistake((*key, "where", "seed"), "the figure stands beside the mean over all seeds; leave it out")
        if "class" in figure and figure.get("metric") not in BY_CLASS:
            raise Mistake((*key, "metric"), f"the metric of a class is one of {', '.join(BY_CLASS)}")


def _baseline(report: Mapping[str, Any], models: Sequence[Json]) -> str:
    wanted = str(report.get("baseline", ""))
    names = [entry if isinstance(entry, str) else entry["name"] for entry in models]
    if wanted and wanted not in names:
        near, choices = nearest(wanted, names), ", ".join(dict.fromkeys(names))
        raise Mistake(("report", "baseline"), f"expected a model of the grid ({choices}), found {show(wanted)}{near}")
    return wanted


def _plugin(text: str, *, beside: Path, key: Key) -> tuple[str, str]:
    """(absolute path or module, the same as it may be published: without folders of this machine)."""
    if not _is_file(text):
        if not _MODULE.fullmatch(text):
            raise Mistake(key, f"expected a file (*.py) or a module, found {show(text)}")
        return text, text
    try:
        file = (beside / Path(text).expanduser()).resolve()
        there = file.is_file()
    except (OSError, ValueError, RuntimeError):  # a NUL, a name that is too long, a loop of links, no home
        there = False
    if not there:
        raise Mistake(key, f"no such file: {show(text)} (relative to {show(str(beside))})")
    return str(file), file.name if Path(text).is_absolute() or text.startswith("~") else text


def _is_file(plugin: str) -> bool:
    return plugin.endswith(".py") or "/" in plugin
