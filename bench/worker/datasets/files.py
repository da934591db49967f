"""Files of data sets: what `bench fetch` downloads, how a file is checked, read to a cap, and written whole."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from bench.base.cache import file_sha256
from bench.errors import BenchError, DataError, Unavailable


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


def shown(path: Path) -> str:
    """The path as it may be published: the home folder as `~`."""
    home = Path("~").expanduser()
    try:
        return f"~/{path.relative_to(home)}" if path != home else "~"
    except ValueError:
        return str(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write into: it takes that name at the end, and is gone where anything was raised."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        aside = Path(file.name)
    try:
        yield aside
        aside.chmod(0o644)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def not_there(title: str, *, name: str, root: Path, missing: str) -> Unavailable:
    """The reason of a trial whose data set is not under the data root; names the command that gets it."""
    return Unavailable(
        f"{title} is not under {shown(root)}: run `bench fetch {name}` (or set --data-root); {missing} is missing"
    )


def check_pinned(path: Path, sha256: str, *, name: str) -> None:
    """Raise DataError where a file cannot be read, or its digest is not the published one. Cheap for a file that has
    not changed since the last time."""
    try:
        found = file_sha256(path)
    except OSError as error:
        raise unreadable(path, error) from error
    _compare(found, sha256, label=shown(path), name=name)


def check_content(content: bytes, sha256: str, *, label: str, name: str) -> None:
    """Raise DataError where the digest of what was read of `label` is not the published one."""
    _compare(hashlib.sha256(content).hexdigest(), sha256, label=label, name=name)


def read_pinned(path: Path, sha256: str, *, limit_bytes: int, name: str) -> bytes:
    """The content of a file whose digest is the published one: the very bytes that were checked. Raises DataError
    where the digest differs, the file is longer than the limit, or unreadable."""
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > limit_bytes:
        raise DataError(f"{shown(path)}: found more than {limit_bytes} bytes; no published file of {name} is so long")
    check_content(content, sha256, label=shown(path), name=name)
    return content


def unreadable(path: Path, error: OSError) -> DataError:
    """The one line for a file that the system does not let us read."""
    return DataError(f"{shown(path)}: cannot be read: {error.strerror or type(error).__name__}")


def digest_of_own(path: Path, *, name: str) -> str:
    """SHA-256 of a user's own file, the `path` of the data set `name`. Raises Unavailable where there is none,
    DataError where it cannot be read. Reasons are published: they have no folder of this machine."""
    if not path.is_file():
        raise Unavailable(f"{name}: {path.name} is not there: put it where the suite says, or set `path` right")
    try:
        return file_sha256(path)
    except OSError as error:
        raise unreadable(Path(path.name), error) from error


def _compare(found: str, needed: str, *, label: str, name: str) -> None:
    if found != needed:
        raise DataError(
            f"{label}: found SHA-256 {found[:16]}…, needs {needed[:16]}…: it is damaged or another file; "
            f"remove it and run `bench fetch {name}`"
        )
