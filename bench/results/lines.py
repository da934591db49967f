"""Reads one line of a results file into a Result, and keeps in memory only what most commands use.

A line has 7 kB, most of them raw samples and curves. Those stay on disk and are read when somebody asks for them: 10^5
results take 0.4 GiB where they took more than 2. Parts that many lines share (environment, code, the trial but for its
seed) are parsed, checked and kept once.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from bench.base import files
from bench.base.records import SCHEMA, Result, Trial
from bench.errors import BenchError
from bench.results.validate import (
    DAMAGED,
    LARGEST,
    Newer,
    parse,
    read_environment,
    read_record,
    read_result,
    read_trial,
    refuse_newer,
)

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
BEYOND = re.compile(rb"e[-+]?[0-9]{3,}[],}]")  # a number that may be too large or too small: the line is read whole
PLACEHOLDER = 0  # of a part that was cut out of a line: no line of ours has it there
THIS_SCHEMA = f',"schema":{SCHEMA},"'.encode()  # older lines are read as a whole, by those who know them
SEED = re.compile(rb'(\{.*),"seed":(0|[1-9][0-9]{0,18})(,"train":\{[^{}]*\}\})', re.DOTALL)
# An object of lists of numbers by name. Possessive, so that it never goes back; of a number only its characters are
# looked at, which takes a quarter of the time: one that is none (`1..2`) is found when somebody asks for it.
_LIST = rb'"[a-z0-9_.]{1,64}+":\[[-+.e0-9,nul]*+\]'
OF_NUMBERS = re.compile(rb"\{" + _LIST + rb"(?:," + _LIST + rb")*+\}")


class InFile(Mapping[str, list[float]]):
    """Lists of numbers by name that were left in their file; read at each access, the last few remembered. BenchError
    where they are damaged, or the file has gone or changed since its line was read."""

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
        with files.opened(path, inside=path.parents[1]) as file:  # of the folder of results
            file.seek(start)
            found: dict[str, list[float]] = json.loads(file.read(length))
        if not all(number is None or abs(number) < LARGEST for numbers in found.values() for number in numbers):
            raise ValueError("a number that is none")
        return found
    except (OSError, ValueError, AttributeError, TypeError, OverflowError) as error:
        what = f"a result at byte {start:,} has damaged samples, or the file has changed since it was read"
        raise BenchError(f"{path}: {what}; run the command again, or remove that line") from error


def read_line(line: bytes, path: Path, *, at: int) -> Result | None:
    """The result on the line of `path` that starts `at` so many bytes; None where it is damaged. Newer: a newer bench
    wrote it."""
    for read in (_read_quickly, _read_whole):
        try:
            if (found := read(line, path, at)) is not None:
                return found
        except Newer:
            raise
        except DAMAGED:
            continue
    return None


def _read_whole(line: bytes, path: Path, _at: int) -> Result:
    value = parse(line)
    refuse_newer(value, path)
    return read_result(value)


def _read_quickly(line: bytes, path: Path, at: int) -> Result | None:
    """The same for a line as our writer writes it; None for others. What this refuses may still be a result."""
    if THIS_SCHEMA not in line or BEYOND.search(line) or not (parts := _parts(line)):
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
        if name in NUMBERS and (part is None or not OF_NUMBERS.fullmatch(line, part.start, part.stop)):
            continue  # anything but lists of numbers by name is parsed at once
        if part is None:
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
    """A part that lines share, read once; of a trial, with any seed."""
    if name == "trial":
        return read_trial({**parse(text), "seed": 0})
    value = parse(text)
    return read_environment(value) if name == "environment" else read_record(dict[str, str], value)


def _trial(text: bytes) -> Trial:
    if not (found := SEED.fullmatch(text)):
        return read_trial(parse(text))
    trial: Trial = _shared("trial", found[1] + found[3])
    return replace(trial, seed=int(found[2]))
