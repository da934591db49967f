"""`--set KEY=VALUE`: a dotted key and a TOML value, put into the tables of a suite before they are checked."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.suite.document import SECTIONS, SETTINGS, TUNE_KEYS
from bench.suite.mistakes import Key, Mistake, key_text, published_path, shorten, show
from bench.suite.toml_text import TOO_LONG, parse, too_large, whole_range

_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,3}")
_BARE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NUMBER = re.compile(r"[+-]?\.?[0-9][\w.+-]*")
_WITH_COMMAS = re.compile(r"[+-]?[0-9][0-9.eE+-]*(,[0-9.eE+-]+)+")
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>[^"']*)(?P=quote)""")
_INSTEAD = {"steps": "epochs", "epochs": "steps"}


def flatten(tables: dict[str, Any]) -> Iterator[Mistake]:
    """Write `[grid.train] x = …` as `"train.x" = …`, in place; also where trials are matched. Gives the mistakes."""
    yield from _flatten(tables.get("grid"), ("grid",))
    for index, table in enumerate(_list(tables.get("exclude"))):
        yield from _flatten(table, ("exclude", index))
    for index, table in enumerate(_list(tables.get("override"))):
        for part in ("where", "set"):
            yield from _flatten(table.get(part) if isinstance(table, dict) else None, ("override", index, part))
    yield from _flatten_tune(tables.get("tune"))
    report = tables.get("report")
    for index, table in enumerate(_list(report.get("published")) if isinstance(report, dict) else []):
        where = table.get("where") if isinstance(table, dict) else None
        yield from _flatten(where, ("report", "published", index, "where"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _flatten(table: object, key: Key) -> Iterator[Mistake]:
    if not isinstance(table, dict):
        return
    for section in SECTIONS:
        inner = table.get(section)
        if isinstance(inner, dict):
            # `seed` is an axis too: { count = 30 } stays, whatever else stands beside it.
            own = [name for name in inner if section != "seed" or f"{section}.{name}" in SETTINGS]
            left = {name: value for name, value in inner.items() if name not in own}
            table.pop(section)
            table |= {section: left} if left or not own else {}
            for name in own:
                dotted = f"{section}.{name}"
                if dotted in table:
                    yield Mistake((*key, dotted), "given twice, as a dotted key and in a table; keep one")
                table[dotted] = inner[name]


def _flatten_tune(tune: object) -> Iterator[Mistake]:
    """Write `train.learning_rate = …` of [tune], or `mlp.hidden = …`, as one dotted key, in place."""
    if not isinstance(tune, dict):
        return
    for section, inner in list(tune.items()):
        if isinstance(inner, dict) and "." not in section and section not in TUNE_KEYS:
            tune.pop(section)
            for name, value in inner.items():
                dotted = f"{section}.{name}"
                if dotted in tune:
                    yield Mistake(("tune", dotted), "given twice, as a dotted key and in a table; keep one")
                tune[dotted] = value


def apply_sets(tables: dict[str, Any], sets: Sequence[str]) -> dict[Key, str]:
    """Put each KEY=VALUE into the (flattened) tables, in place; gives the place of each. Raises BenchError."""
    origins: dict[Key, str] = {}
    for text in sets:
        origin = f"--set {shorten(text)}"
        key, value = parse_set(text)
        holder = tables
        for part in key[:-1]:
            holder = holder.setdefault(part, {})
            if not isinstance(holder, dict):
                raise BenchError(f"{origin}: {part} is not a table")
        holder[str(key[-1])] = value
        origins[key] = origin
    _replace_duration(tables, origins)
    _check_effect(tables, origins)
    return origins


def parse_set(text: str) -> tuple[tuple[str, ...], Any]:
    """Key, in its parts, and value of one KEY=VALUE. Raises BenchError."""
    origin = f"--set {shorten(text)}"
    name, equals, value = text.partition("=")
    name = name.strip().replace('"', "")
    if not equals or not _KEY.fullmatch(name):
        raise BenchError(f"{origin}: expected KEY=VALUE with a dotted key, as in --set train.epochs=2")
    parts = tuple(name.split("."))
    if parts[0] in ("grid", "tune") and len(parts) == 3:
        parts = (parts[0], f"{parts[1]}.{parts[2]}")
    if _BARE_WORD.fullmatch(value) and value not in ("true", "false", "nan", "inf"):
        return parts, value
    tables: dict[str, Any] = {}
    try:
        tables = parse(f"x = {value}")
    except Mistake as found:
        if found.text.endswith(TOO_LONG):
            raise BenchError(f"{origin}: {TOO_LONG}; expected {whole_range(parts)}") from None
    if list(tables) != ["x"]:
        raise BenchError(f"{origin}: {_no_value(name, value)}")
    for large in too_large(tables, under=parts):
        raise BenchError(f"{origin}: {key_text((*parts, *large.key[1:]))}: {large.text}")
    return parts, tables["x"]


def _no_value(name: str, value: str) -> str:
    """What is wrong with a value that is none of TOML, and what to write."""
    if not value.strip():
        return f"nothing stands behind the =; write a value, as in {name}=VALUE, or leave the option out"
    if _WITH_COMMAS.fullmatch(value):
        decimal = f"a number as {value.replace(',', '.')}, " if value.count(",") == 1 and "." not in value else ""
        several = f"several values as '{name}=[{', '.join(value.split(','))}]'"
        return f"{show(value)} is not a TOML value; write {decimal}{several}; no commas inside a number"
    how = "a number as 10, 0.5 or 1e-3" if _NUMBER.fullmatch(value) else f"a string as '{name}=\"text\"'"
    return f"{show(value)} is not a TOML value; write {how}"


def published_set(text: str) -> str:
    """A KEY=VALUE as it was written; of a path outside the working folder only the file's name."""

    def shown(found: re.Match[str]) -> str:
        inner = found["text"]
        return f"{found['quote']}{published_path(Path(inner)) if '/' in inner else inner}{found['quote']}"

    return _QUOTED.sub(shown, text)


def _replace_duration(tables: dict[str, Any], origins: dict[Key, str]) -> None:
    """`--set train.steps=100` replaces the file's `epochs`: both would be refused, and nothing else can be meant."""
    given = {name: origins.get(("train", name)) or origins.get(("grid", f"train.{name}")) or "" for name in _INSTEAD}
    if all(given.values()):
        raise BenchError(f"{', '.join(given.values())}: give train.epochs or train.steps, not both")
    for name, other in _INSTEAD.items():
        if given[name]:
            _drop(other, tables, origins)


def _drop(name: str, tables: dict[str, Any], origins: dict[Key, str]) -> None:
    """Remove epochs or steps from the file's tables. A whole table given by --set stays, and is refused later."""
    dotted = f"train.{name}"
    for part, key in (("train", name), ("grid", dotted)):
        if (part,) not in origins and isinstance(tables.get(part), dict):
            tables[part].pop(key, None)

    def stays(override: object) -> bool:
        own = override.get("set") if isinstance(override, dict) else None
        return not (isinstance(own, dict) and own.pop(dotted, None) is not None and not own)

    if ("override",) not in origins and isinstance(tables.get("override"), list):
        tables["override"] = [override for override in tables["override"] if stays(override)]


def _check_effect(tables: dict[str, Any], origins: dict[Key, str]) -> None:
    grid = tables.get("grid")
    for key, origin in origins.items():
        dotted = ".".join(map(str, key))
        if key[0] in SECTIONS and isinstance(grid, dict) and dotted in grid:
            raise BenchError(f"{origin}: no effect: the grid has an axis {dotted}; use --set 'grid.{dotted}=[…]'")
