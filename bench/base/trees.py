"""A folder of data as one thing: what lies in it, and one digest over the names and contents of all of it."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from bench.base import files
from bench.base.cache import file_sha256, remembered_sha256

DEPTH = 3  # part, class, image: what lies deeper is not looked at
MOST_ENTRIES = 2_000_000
LEFT_OUT = ("thumbs.db", "desktop.ini")  # as are names that begin with a dot: what systems put beside pictures


class Entry(NamedTuple):
    """`name`: relative, with `/`. A link is a link, wherever it points to."""

    name: str
    kind: Literal["file", "folder", "link", "special"]
    about: os.stat_result


def data_sha256(path: str | Path) -> str:
    """SHA-256 of a data file's content, or over the names and contents of a folder. Raises OSError."""
    path = Path(path).resolve()
    return folder_sha256(path) if path.is_dir() else file_sha256(path)


def entries(folder: Path) -> list[Entry]:
    """What lies in a folder, sorted by name, without what is hidden; no link is followed. Raises OSError."""
    found: list[Entry] = []
    for entry in _walk(folder, above="", depth=DEPTH):
        found.append(entry)
        if len(found) > MOST_ENTRIES:
            raise OSError(errno.EFBIG, f"holds more than {MOST_ENTRIES:,} files", str(folder))
    return sorted(found, key=lambda entry: entry.name)


def folder_sha256(folder: Path) -> str:
    """Over names and contents; remembered while no name, size, time of change or inode differs. Raises OSError."""
    found = entries(folder)
    facts = [(each.name, each.kind, each.about.st_size, each.about.st_mtime_ns, each.about.st_ino) for each in found]
    listing = hashlib.sha256(repr(facts).encode()).hexdigest()
    newest = max((each.about.st_mtime for each in found), default=0.0)
    return remembered_sha256(f"{folder}|{listing}", lambda: _digest(folder, found), changed=newest)


def _walk(folder: Path, *, above: str, depth: int) -> Iterator[Entry]:
    with os.scandir(folder) as listed:
        for each in listed:
            if each.name.startswith(".") or each.name.lower() in LEFT_OUT:
                continue
            entry = Entry(f"{above}{each.name}", _kind(about := each.stat(follow_symlinks=False)), about)
            yield entry
            if entry.kind == "folder" and depth > 1:
                yield from _walk(folder / each.name, above=f"{entry.name}/", depth=depth - 1)


def _kind(about: os.stat_result) -> Literal["file", "folder", "link", "special"]:
    if stat.S_ISREG(about.st_mode):
        return "file"
    if stat.S_ISDIR(about.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(about.st_mode) else "special"


def _digest(folder: Path, found: list[Entry]) -> str:
    whole = hashlib.sha256()
    for each in found:
        content = ""
        if each.kind == "file":
            with files.opened(folder / each.name, inside=folder) as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(os.fsencode(each.name) + f"\0{each.kind}\0{content}\0".encode())
    return whole.hexdigest()
