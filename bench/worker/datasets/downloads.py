"""What `bench fetch` can get: a data set says it in its own file, with a decorator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from bench.errors import BenchError


@dataclass(frozen=True, slots=True)
class Download:
    """One file: where it lies under the data root, its mirrors, its length in bytes, its digest `md5:…`, `sha256:…`."""

    path: PurePosixPath
    urls: tuple[str, ...]
    size_bytes: int
    checksum: str


Builder: TypeAlias = Callable[[], Sequence[Download]]

DOWNLOADS: dict[str, Builder] = {}


def downloads(name: str) -> Callable[[Builder], Builder]:
    """Decorator: the decorated function lists the files of the data set `name`. Called only when they are fetched."""

    def enter(build: Builder) -> Builder:
        if name in DOWNLOADS:
            raise BenchError(f"downloads of {name!r} are registered already")
        DOWNLOADS[name] = build
        return build

    return enter
