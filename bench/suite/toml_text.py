"""The text of a suite file -> its tables. Any bytes give either a dict or one BenchError."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.base.records import SEED_LIMIT
from bench.errors import BenchError, escaped, nearest
from bench.suite.mistakes import Key, Mistake, show
from bench.suite.shipped import shipped_suites

LIMIT_BYTES = 1 << 20
_LIMIT_DEPTH = 12
TOO_LONG = "a number that is too long"
SEEDS = f"an integer of at least 0 and under {SEED_LIMIT}"  # as a schema says it
_LIMIT_DIGITS = 4300  # what Python converts; tomllib passes its ValueError on
_INT64 = range(-(2**63), 2**63)
# tomllib's time for a dotted key grows with the square of its parts: 32,000 of them took 18 s.
_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){65}""")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def load_tables(path: Path) -> dict[str, Any]:
    """The tables of a suite file. Raises BenchError: not there, too large, not UTF-8, not TOML."""
    raw = _read(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = _position(raw[: error.start].decode("utf-8", "replace"))
        what = f"not UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8"
        raise BenchError(f"{path}: {where}: {what}") from None
    try:
        return parse(text)
    except Mistake as found:
        raise BenchError(f"{path}: {found.text}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        near = nearest(path.name, [each.stem for each in shipped_suites()])
        how = "; give the path of a suite file (*.toml), or a name of `bench list suites`"
        raise BenchError(f"{path}: no such file{near or how}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{path}: cannot be read: {reason}; give a suite file (*.toml)") from None
    if len(raw) > LIMIT_BYTES:
        raise BenchError(f"{path}: larger than {LIMIT_BYTES:,} bytes; a suite file is smaller than that")
    return raw


def parse(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises Mistake, whose text names line and column."""
    if long := _LONG_KEY.search(text):
        raise Mistake((), f"{_position(text[: long.start()])}: a key of more than 64 parts")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        what = str(error)[: place.start()] if place else str(error)
        where = f"line {place[1]}, column {place[2]}" if place and place[1] else _position(text)
        raise Mistake((), f"{where}: {escaped(what[:120])}") from None
    except RecursionError:
        raise Mistake((), f"{_deepest(text)}: nested too deeply; at most {_LIMIT_DEPTH} levels") from None
    except (ValueError, OverflowError):
        digits = re.search(rf"[0-9_]{{{_LIMIT_DIGITS},}}", text)
        raise Mistake((), f"{_position(text[: digits.start() if digits else 0])}: {TOO_LONG}") from None
    if any(len(key) > _LIMIT_DEPTH for key, _ in _values(tables)):
        raise Mistake((), f"{_deepest(text)}: nested too deeply; at most {_LIMIT_DEPTH} levels")
    return tables


def _position(before: str) -> str:
    """Line and column of what stands after `before`."""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _deepest(text: str) -> str:
    """About where the nesting gets too deep, for a message. Brackets in strings count, too."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "[{") - (character in "]}")
        if depth > _LIMIT_DEPTH:
            return _position(text[:index])
    return "line 1, column 1"


def whole_range(key: Key) -> str:
    """What integers there can be at `key` of a suite."""
    return SEEDS if "seed" in key else "an integer from -2^63 to 2^63 - 1"


def too_large(tables: dict[str, Any], *, under: Key = ()) -> Iterator[Mistake]:
    """The integers of more than 64 bits (the limit of TOML) in tables that stand under a key of a suite."""
    for key, value in _values(tables):
        if isinstance(value, int) and value not in _INT64:
            yield Mistake(key, f"expected {whole_range((*under, *key))}, found {show(value)}")


def _values(tables: dict[str, Any]) -> Iterator[tuple[Key, Any]]:
    left: list[tuple[Key, Any]] = [((), tables)]
    while left:
        key, value = left.pop()
        yield key, value
        if isinstance(value, dict):
            left += [((*key, name), item) for name, item in value.items()]
        elif isinstance(value, list):
            left += [((*key, index), item) for index, item in enumerate(value)]
