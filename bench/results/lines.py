"""Reads one line of a results file into a Result, and keeps in memory only what most commands use.

A line has 7 kB, most of them raw samples and curves. Those are left on disk, by their place in the file, and read when
somebody asks for them: 10^5 results take 0.4 GiB where they took more than 2. Parts that are written the same in many
lines (environment, code, the trial but for its seed) are parsed and checked once, and kept once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from bench.base.records import SCHEMA, Environment, Result, Trial
from bench.errors import BenchError
from bench.results.migrate import Newer, refuse_newer
from bench.results.validate import read_record, read_result, read_trial

# What stands before and after a part in a line that our writer wrote: keys sorted, no white space. Text in a string
# cannot look like it: its quotes are escaped. In the order of the line, so that each is looked for behind the last.
PARTS = {
    "code": (b',"code":', b',"code_id":"'),
    "curves": (b'","curves":', b',"environment":'),
    "environment": (b',"environment":', b',"environment_id":"'),
    "instruments": (b',"instruments":', b',"metrics":{'),
    "samples": (b'","samples":', b',"schema":'),
    "trial": (b',"trial":', b',"trial_id":"'),
}
NUMBERS = frozenset({"curves", "samples"})  # stay in the file; the other parts are shared between lines
PLACEHOLDER = 0  # of a part that was cut out of a line: no line of ours has it there
THIS_SCHEMA = f',"schema":{SCHEMA},"'.encode()  # older lines are read as a whole, by those who know them
SEED = re.compile(rb'(\{.*),"seed":(0|[1-9][0-9]{0,18})(,"train":\{[^{}]*\}\})', re.DOTALL)
# An object of lists of numbers by name. Possessive, so that it never goes back; of a number only its characters are
# looked at, which takes a quarter of the time: one that is none (`1..2`) is found when somebody asks for it.
_LIST = rb'"[a-z0-9_.]{1,64}+":\[[-+.e0-9,nul]*+\]'
OF_NUMBERS = re.compile(rb"\{" + _LIST + rb"(?:," + _LIST + rb")*+\}")


# What reading a damaged line raises.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, BenchError)


class InFile(Mapping[str, list[float]]):
    """Lists of numbers by name that were left in their file; read at each access, the last few remembered.

    BenchError where they are damaged, or the file has gone or changed since its line was read.
    """

    __slots__ = ("_length", "_path", "_start")

    def __init__(self, path: Path, start: int, length: int) -> None:
        self._path, self._start, self._length = path, start, length

    def _all(self) -> dict[str, list[float]]:
        return _read(self._path, self._start, self._length)

    def __getitem__(self, name: str) -> list[float]:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"InFile({self._path.name}, {self._start}, {self._length})"


@lru_cache(maxsize=64)
def _read(path: Path, start: int, length: int) -> dict[str, list[float]]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            found: dict[str, list[float]] = json.loads(file.read(length))
        if not all(number is None or math.isfinite(number) for numbers in found.values() for number in numbers):
            raise ValueError("a number that is none")
        return found
    except (OSError, ValueError, AttributeError, TypeError, OverflowError) as error:
        raise BenchError(
            f"{path}: a result at byte {start:,} has damaged samples, or the file has changed since it was read; "
            "run the command again, or remove that line"
        ) from error


def read_line(line: bytes, path: Path, *, at: int) -> Result:
    """The result on one line of `path` that starts `at` so many bytes.

    Raises Newer where a newer bench wrote it, and what bench.results.validate raises where it is damaged.
    """
    try:
        found = _read_quickly(line, path, at=at) if THIS_SCHEMA in line else None
    except Newer:
        raise
    except DAMAGED:
        found = None  # damaged, or written otherwise than our writer writes
    if found is not None:
        return found
    value = json.loads(line)
    refuse_newer(value, path)
    return read_result(value)


def _read_quickly(line: bytes, path: Path, *, at: int) -> Result | None:
    """The same for a line as our writer writes it; None for others. What this refuses may still be a result."""
    if not (parts := _parts(line)):
        return None
    value = from_json(_without(line, parts), allow_inf_nan=False)  # a third of the time of json.loads
    # What was cut may have stood in a key that we do not know, and of two keys that are the same the last one counts.
    if any(value[name] != PLACEHOLDER for name in parts):
        return None
    refuse_newer(value, path)
    known: dict[str, Any] = {}
    for name, part in parts.items():
        if name in NUMBERS:
            known[name] = InFile(path, at + part.start, len(part))
        else:
            text = line[part.start : part.stop]
            known[name] = _trial(text) if name == "trial" else _shared(name, text)
    return read_result(value, known=known)


def _parts(line: bytes) -> dict[str, range]:
    """The bytes of the parts that need not be parsed; empty where one of those that lines share is not found."""
    found, last = {}, 0
    for name, (before, after) in PARTS.items():
        part = _between(line, before, after, last)
        if part is None or (name in NUMBERS and not OF_NUMBERS.fullmatch(line, part.start, part.stop)):
            if name in NUMBERS:
                continue  # anything but lists of numbers by name is parsed at once
            return {}
        found[name], last = part, part.stop
    return found


def _between(line: bytes, before: bytes, after: bytes, last: int) -> range | None:
    """The object between two texts, where both are there in this order, behind the last one."""
    # A part may begin with the comma that ends the one before it.
    start = line.find(before, last) + len(before)
    end = line.find(after, start)
    found = start >= len(before) and end > start and line[start : start + 1] == b"{" and line[end - 1 : end] == b"}"
    return range(start, end) if found else None


def _without(line: bytes, parts: dict[str, range]) -> bytes:
    """The line with PLACEHOLDER in place of each part."""
    kept, last = [], 0
    for part in parts.values():
        kept += [line[last : part.start], b"%d" % PLACEHOLDER]
        last = part.stop
    return b"".join([*kept, line[last:]])


@lru_cache(maxsize=4096)
def _shared(name: str, text: bytes) -> Any:
    """A part that lines share, except for the trial, whose seed differs."""
    return read_record(Environment if name == "environment" else dict[str, str], json.loads(text))


def _trial(text: bytes) -> Trial:
    if not (found := SEED.fullmatch(text)):
        return read_trial(json.loads(text))
    return replace(_of_any_seed(found[1] + found[3]), seed=int(found[2]))


@lru_cache(maxsize=4096)
def _of_any_seed(text: bytes) -> Trial:
    return read_trial({**json.loads(text), "seed": 0})
