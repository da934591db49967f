"""A suite file -> SuiteFile: every check that needs no catalogue of what is registered."""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from bench.base.files import is_device_name
from bench.base.records import Json
from bench.errors import BenchError, nearest, one_line
from bench.suite.document import BY_CLASS, LIMIT_TRIALS, Document, document_schema
from bench.suite.mistakes import Found, Key, Mistake, axis_text, key_text, published_path, show
from bench.suite.set_option import apply_sets, flatten, published_set
from bench.suite.setting_types import mistakes, positive_zero
from bench.suite.toml_text import load_tables
from bench.suite.toml_text import too_large as large_integers
from bench.suite.tune_checks import check_tune, unknown_keys

AXES = ("dataset", "model", "seed", "batch_size", "device")
MOST_LINES = 20
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
    seed: Mapping[str, Json] = field(default_factory=dict)
    decide: Mapping[str, Json] | None = None
    tune: Mapping[str, Json] | None = None
    baseline: str = ""
    sinks: tuple[str, ...] = ()
    weights: bool = False
    published: Sequence[Mapping[str, Json]] = ()
    sets: Mapping[Key, str] = field(default_factory=dict)
    sets_written: tuple[str, ...] = ()
    plugins_added: tuple[str, ...] = ()
    tables: Mapping[str, Any] = field(default_factory=dict, repr=False)  # as they stand in the file
    gone: frozenset[Key] = frozenset()  # what was left out of them, because it is wrong

    @property
    def asked(self) -> tuple[str, ...]:
        """What a worker is asked for beside what is registered: plugins, and models by a name with a colon."""
        return (*self.plugins, *self.named_models)

    @property
    def named_models(self) -> tuple[str, ...]:
        """The models by a name with a colon, of the grid and of the rules."""
        return tuple(dict.fromkeys(self._named_models()))

    def _named_models(self) -> Iterator[str]:
        rules = [*self.exclude, *(each["where"] for each in self.override)]
        rules += [each.get("where") or {} for each in self.published]
        for entries in (self.grid.get("model", ()), *(rule.get("model", ()) for rule in rules)):
            for entry in entries if isinstance(entries, Sequence) and not isinstance(entries, str) else [entries]:
                name = entry if isinstance(entry, str) else entry["name"]
                if ":" in name:
                    yield name


class Refused(BenchError):
    """Every mistake that was found in a suite, a line each, in the order of the file.

    `file`: what is right of it, for who can find more; None where that is too little, or where one is enough.
    """

    def __init__(
        self, path: Path, origins: Mapping[Key, str], found: Sequence[Mistake], file: SuiteFile | None
    ) -> None:
        lines = dict.fromkeys(_line(path, origins, each) for each in found)
        left = len(lines) - MOST_LINES
        more = [f"{path}: {left:,} more mistakes"] if left > 0 else []
        Exception.__init__(self, "\n".join(map(one_line, [*list(lines)[:MOST_LINES], *more])))
        self.found, self.file = found, file


def read_suite(path: Path, *, sets: Sequence[str] = (), plugins: Sequence[str] = ()) -> SuiteFile:
    """Read and check a suite file; `plugins` are those of the command line. Raises BenchError: one line, or Refused."""
    tables = load_tables(path)
    found = Found(flatten(tables))
    origins = apply_sets(tables, sets)
    given: list[tuple[str, str]] = []
    for text in plugins:
        try:
            given.append(_plugin(text, beside=Path(), key=()))
        except Mistake as error:
            raise BenchError(f"--plugin {show(text)}: {error.text}") from None
    early = [*large_integers(tables), *unknown_keys(tables)]
    found += early
    document, gone = _checked(tables, found, early=[each.key for each in early])
    if document is None:
        raise Refused(path, origins, in_order(found, tables), None)
    report, written, own = document.pop("report", {}), document.pop("plugins", []), []
    more, too_large = Found(), [*_check_grid(document["grid"])]
    if is_device_name(document["name"]):
        what = (
            f"{show(document['name'])} is a device on Windows, where the folder of its results could not be copied to"
        )
        more.append(Mistake(("name",), f"{what}; choose another name"))
    more += [
        *too_large,
        *_check_durations(document),
        *_check_rules(document),
        *check_tune(document, written=tables.get("tune")),
    ]
    if ("grid", "model") not in gone:
        more += _check_baseline(report, document["grid"]["model"])
    more += _check_published(report.get("published", []))
    for index, text in enumerate(written):
        with more.noting():
            own.append(_plugin(text, beside=path.parent, key=("plugins", index)))
    found += as_written(more, gone)
    everything = dict([*own, *given])
    file = SuiteFile(
        path=path,
        **{"title": document["name"], **document},
        **report | {"sinks": tuple(dict.fromkeys(report.get("sinks", [])))},
        plugins=tuple(everything),
        plugins_written=tuple(everything.values()),
        sets=origins,
        sets_written=tuple(map(published_set, sets)),
        plugins_added=tuple(published_path(Path(text)) if _is_file(text) else text for text in plugins),
        tables=tables,
        gone=gone,
    )
    if found:
        # What a plugin registers that is not there would be called unknown.
        whole = not too_large and len(own) == len(written)
        raise Refused(path, origins, in_order(found, tables), file if whole else None)
    return file


def in_order(found: Sequence[Mistake], tables: Mapping[str, Any]) -> list[Mistake]:
    """The mistakes in the order in which their keys stand in the file; what is missing comes last in its table."""

    def place(key: Key) -> list[int]:
        places, here = [], cast(Any, tables)
        for part in key:
            keys = list(here) if isinstance(here, Mapping) else list(range(len(here))) if isinstance(here, list) else []
            places.append(keys.index(part) if part in keys else len(keys))
            here = here[part] if part in keys else {}
        return places

    return sorted(found, key=lambda each: place(each.key))


def check_installed(sinks: Iterable[str]) -> None:
    """Raise BenchError where the package of a sink, which is called like it, is not installed."""
    for name in sinks:
        if find_spec(name) is None:
            raise BenchError(
                f"report.sinks: {name} is not installed: python -m pip install 'bench-models[{name}]', or take it out "
                "of the suite (--set 'report.sinks=[]')"
            )


def _line(path: Path, origins: Mapping[Key, str], found: Mistake) -> str:
    """The one line that names the file (or the --set), the key and the mistake."""
    here = next((text for key, text in origins.items() if found.key[: len(key)] == key), str(path))
    return ": ".join(part for part in (here, key_text(found.key), found.text) if part)


def _checked(
    tables: dict[str, Any], found: Found, *, early: Sequence[Key]
) -> tuple[dict[str, Any] | None, frozenset[Key]]:
    """What is right of the tables, in its declared types, with the defaults of the grid filled in, and what was left
    out of them; None where too little is right. What is wrong goes into `found`."""
    left, gone = _right(tables, early) if early else (tables, frozenset())
    try:
        document = Document.model_validate(left)
    except ValidationError as error:
        wrong = [*as_written(mistakes(error, left, document_schema()), gone)]
        found += wrong
        left, gone = _right(tables, [*early, *(each.key for each in wrong)])
        try:
            document = Document.model_validate(left)
        except ValidationError:
            return None, gone
    plain: dict[str, Any] = positive_zero(document.model_dump(by_alias=True, exclude_unset=True))
    grid = {"seed": [0], "batch_size": [64], "device": ["auto"]} | plain["grid"]
    for name, seeds in grid.items():
        if isinstance(seeds, dict):
            start = seeds.get("start", 0)
            grid[name] = range(start, start + seeds["count"])
    plain["grid"] = {key: grid[key] for key in (*AXES, *(key for key in plain["grid"] if key not in AXES))}
    return plain, gone


def _right(tables: dict[str, Any], wrong: Sequence[Key]) -> tuple[dict[str, Any], frozenset[Key]]:
    """A copy of the tables less what is wrong, and what that is. What a suite must have gets a value in its place, of
    which nobody is told."""
    gone = {_left_out(tables, key) for key in wrong}
    left = {"name": "unnamed"} | _without(tables, gone)
    if isinstance(left.get("grid"), dict):
        missing = [axis for axis in ("dataset", "model") if axis not in left["grid"]]
        left["grid"] |= {axis: ["none"] for axis in missing}
        gone |= {("grid", axis) for axis in missing}
    return left, frozenset(gone)


def _left_out(tables: Any, key: Key) -> Key:
    """What goes with a mistake: its entry of a list, else its key, else the table that lacks it (not the grid)."""
    for at, part in enumerate(key):
        if isinstance(part, int):
            return key[: at + 1]
        if not isinstance(tables, dict) or part not in tables:
            return key if key[:at] == ("grid",) else key[:-1]
        tables = tables[part]
    return key


def _without(value: Any, gone: Collection[Key], key: Key = ()) -> Any:
    """A copy less what stands at these keys, and less the lists that nothing is left of."""
    if isinstance(value, dict):
        left = {part: _without(item, gone, (*key, part)) for part, item in value.items() if (*key, part) not in gone}
        return {part: item for part, item in left.items() if item != [] or value[part] == []}
    if isinstance(value, list):
        return [_without(item, gone, (*key, i)) for i, item in enumerate(value) if (*key, i) not in gone]
    return value


def as_written(found: Iterable[Mistake], gone: Collection[Key]) -> Iterator[Mistake]:
    """The mistakes with the places that they have in the file: entries of lists that were left out count again."""
    for each in (each for each in found if each.key[:1] != ("grid",) or each.key[:2] not in gone):
        key: Key = ()
        for part in each.key:
            skipped = sorted(k[-1] for k in gone if k and k[:-1] == key and isinstance(k[-1], int))
            for at in skipped if isinstance(part, int) else ():
                part += at <= part  # type: ignore[operator]  # it is a number
            key = (*key, part)
        yield Mistake(key, each.text)


def _check_grid(grid: Mapping[str, Sequence[Json]]) -> Iterator[Mistake]:
    # len() of a range of 2**63 or more raises OverflowError; its ends say the same.
    sizes = {key: values.stop - values.start if isinstance(values, range) else len(values)
             for key, values in grid.items()}  # fmt: skip
    count = math.prod(sizes.values())
    if count > LIMIT_TRIALS:
        axes = " × ".join(axis_text(key, size) for key, size in sizes.items())
        yield Mistake(("grid",), f"{count:,} trials ({axes}); at most {LIMIT_TRIALS:,}")
        return
    for key, seeds in grid.items():
        if isinstance(seeds, range) and seeds.stop > 2**63:
            yield Mistake(("grid", key), f"seeds up to {seeds.stop - 1}; the last one is at most {2**63 - 1}")


def _check_durations(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Refuse epochs and steps together: which of them counts would be a guess. An axis replaces what [train] says."""
    outer = {f"train.{key}" for key in document.get("train", {})} | set(document["grid"])
    places = [(("train",), outer), *((("override", index, "set"), outer | set(override["set"]))
              for index, override in enumerate(document.get("override", [])))]  # fmt: skip
    for key, given in places:
        if {"train.epochs", "train.steps"} <= given:
            yield Mistake(key, "give train.epochs or train.steps, not both")
            return  # where the trials' own are two, the overrides' are too


def _check_rules(document: Mapping[str, Any]) -> Iterator[Mistake]:
    for index, match in enumerate(document.get("exclude", [])):
        if not match:
            yield Mistake(("exclude", index), "an empty table would exclude every trial; give at least one key")
    for index, override in enumerate(document.get("override", [])):
        for part in ("where", "set"):
            if not override[part]:
                yield Mistake(("override", index, part), "an empty table; give at least one key")


def _check_published(figures: Sequence[Mapping[str, Json]]) -> Iterator[Mistake]:
    for index, figure in enumerate(figures):
        key: Key = ("report", "published", index)
        if ("value" in figure) == ("range" in figure):
            yield Mistake(key, "give value or range, one of the two")
        low, high = figure.get("range", (0, 0))
        if low > high:
            yield Mistake((*key, "range"), f"expected [low, high], found [{low:g}, {high:g}]")
        if "seed" in (figure.get("where") or {}):
            yield Mistake(
                (*key, "where", "seed"), "a published figure is compared with the mean over all seeds; leave out seed"
            )
        if "class" in figure and figure.get("metric") not in BY_CLASS:
            yield Mistake((*key, "metric"), f"the metric of a class is one of {', '.join(BY_CLASS)}")


def _check_baseline(report: Mapping[str, Any], models: Sequence[Json]) -> Iterator[Mistake]:
    wanted = str(report.get("baseline", ""))
    names = [entry if isinstance(entry, str) else entry["name"] for entry in models]
    if wanted and wanted not in names:
        near, choices = nearest(wanted, names), ", ".join(dict.fromkeys(names))
        yield Mistake(("report", "baseline"), f"expected a model of the grid ({choices}), found {show(wanted)}{near}")


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
