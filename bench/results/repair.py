"""Moving damaged lines aside: the one repair that cannot lose anything."""

from __future__ import annotations

import os
from pathlib import Path

from bench.results.check import lines_of, read_line
from bench.results.migrate import Newer


def move_damaged_lines(folder: Path) -> int:
    """Copy every damaged line of trials/*.jsonl to trials/<name>.damaged, then blank it where it stood; how many.

    Good lines, and those of a newer bench, stay as and where they are: only bytes of damaged ones become spaces.
    OSError: something cannot be read or written; nothing is blanked then that was not copied before.
    """
    return sum(_repair(path) for path in sorted((folder / "trials").glob("*.jsonl")) if not path.is_symlink())


def _repair(path: Path) -> int:
    damaged = [(offset, line) for _, offset, line in lines_of(path.read_bytes()) if _is_damaged(line)]
    if damaged:
        _add(path.with_name(f"{path.name}.damaged"), b"".join(line + b"\n" for _, line in damaged))
        _blank(path, damaged)
    return len(damaged)


def _is_damaged(line: bytes) -> bool:
    try:
        return read_line(line)[0] is None
    except Newer:
        return False


def _add(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _blank(path: Path, damaged: list[tuple[int, bytes]]) -> None:
    with path.open("r+b") as file:
        for offset, line in damaged:
            file.seek(offset)
            file.write(b" " * len(line))
        file.flush()
        os.fsync(file.fileno())
