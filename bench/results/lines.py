"""One line of a results file to a Result, and no more of it in memory than most commands look at.

A line has 7 kB, most of them raw samples and curves. Those are left on disk, by their place in the file, and read when
somebody asks for them: 10^5 results take 0.4 GiB where they took more than 2. What is the same from line to line
(environment, names of metrics) is kept once.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import BenchError
from bench.records import Environment, Json, Result
from bench.results.migrate import refuse_newer
from bench.results.strict import read_environment, read_result

# What stands before and after a part in a line that our writer wrote: keys sorted, no white space. Text in a string
# cannot look like it: its quotes are escaped.
LEFT = {"curves": (b'","curves":', b',"environment":'), "samples": (b'","samples":', b',"schema":')}
ENVIRONMENT = b',"environment":', b',"environment_id":"'
# An object of lists of numbers by name. Possessive, so that it never goes back; of a number only its characters are
# looked at, which takes a quarter of the time: one that is none (`1..2`) is found when somebody asks for it.
_LIST = rb'"[a-z0-9_.]{1,64}+":\[[-+.e0-9,nul]*+\]'
NUMBERS = re.compile(rb"\{" + _LIST + rb"(?:," + _LIST + rb")*+\}")


class Left(Mapping[str, list[float]]):
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
        return f"Left({self._path.name}, {self._start}, {self._length})"


@lru_cache(maxsize=64)
def _read(path: Path, start: int, length: int) -> dict[str, list[float]]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            found: dict[str, list[float]] = json.loads(file.read(length))
        if not all(number is None or math.isfinite(number) for numbers in found.values() for number in numbers):
            raise ValueError("a number that is none")
        return found
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BenchError(
            f"{path}: a result at byte {start:,} has damaged samples, or the file has changed since it was read; "
            "run the command again, or remove that line"
        ) from error


class Part(NamedTuple):
    """Where a part of a line starts and ends."""

    start: int
    end: int


def read_line(line: bytes, path: Path, *, at: int) -> Result:
    """The result on one line of `path` that starts `at` so many bytes.

    Raises Newer where a newer bench wrote it, and what bench.results.strict raises where it is damaged.
    """
    value, parts, environment = _loads(line)
    refuse_newer(value, path)
    left: dict[str, Any] = {name: Left(path, at + part.start, part.end - part.start) for name, part in parts.items()}
    if environment is not None:
        left["environment"] = environment
    return read_result(value, left=left)


def _loads(line: bytes) -> tuple[Json, dict[str, Part], Environment | None]:
    """What the line says without the parts that are left where they are; where those are; its environment."""
    left = {name: part for name, ends in LEFT.items() if (part := _numbers(line, *ends))}
    environment = _between(line, *ENVIRONMENT)
    kept, last = [], 0
    for part in sorted([*left.values(), *([environment] if environment else [])]):
        kept += [line[last : part.start], b'{"facts":{}}' if part is environment else b"{}"]
        last = part.end
    value = json.loads(b"".join([*kept, line[last:]]))
    return value, left, _environment(line[environment.start : environment.end]) if environment else None


def _between(line: bytes, before: bytes, after: bytes) -> Part | None:
    """The object between two texts, where both are there in this order."""
    start = line.find(before) + len(before)
    end = line.find(after, start)
    found = start >= len(before) and end > start and line[start : start + 1] == b"{" and line[end - 1 : end] == b"}"
    return Part(start, end) if found else None


def _numbers(line: bytes, before: bytes, after: bytes) -> Part | None:
    """The same, where it is whole: lists of numbers by name. Anything else is parsed at once."""
    part = _between(line, before, after)
    return part if part and NUMBERS.fullmatch(line, part.start, part.end) else None


@lru_cache(maxsize=256)
def _environment(text: bytes) -> Environment:
    return read_environment(json.loads(text))
