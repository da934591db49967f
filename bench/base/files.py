"""Opens and writes the files of results folders and beside documents, which others made, who may mean harm.

A file is a plain one, never a pipe or a device, and lies in the folder that the user named, here called `inside`: that
one may be a link, nothing below it is. Where a caller names no such folder, the user named the file itself, or `folder`
was asked before. What is refused is an OSError with one line, as the system's own are.
"""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 1 << 30  # of a file that is read whole
ANY_BYTES = 1 << 62
MOST_LINE_BYTES = 64 << 20  # of a line; one of ours has thousands
ASIDE = r"\.[^/]+\.[0-9]+(\.[0-9a-f]{16})?"  # what a file is called while it is written; the older form had no digits
# What Windows takes for a device, whatever its ending is: nothing that is copied there may be called so.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL)
_NOFOLLOW, _NONBLOCK, _CLOEXEC = (getattr(os, f"O_{name}", 0) for name in ("NOFOLLOW", "NONBLOCK", "CLOEXEC"))


def is_device_name(name: str) -> bool:
    """Whether Windows takes `name` for a device: `con`, `aux.txt`, `COM1`."""
    return _DEVICE.fullmatch(name) is not None


def why(error: BaseException) -> str:
    """What an error of the disk says, for a message that says what to do: no number, no name of a file."""
    if isinstance(error, OSError) and error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file stands where a folder is needed"
    return str(getattr(error, "strerror", None) or error)


def refuse_links(path: Path, *, inside: Path) -> None:
    """Raises OSError where `path` is not below the folder `inside`, or a part of it there is a link."""
    parts = path.relative_to(inside).parts if path.is_relative_to(inside) else ("..",)
    if ".." in parts:
        raise OSError(errno.EPERM, f"is not in {inside.name or inside}", str(path))
    for each in [path, *path.parents][: len(parts)]:
        if each.is_symlink():
            raise OSError(errno.ELOOP, "is a link, which is not followed here", str(each))


def descriptor(path: Path, flags: int, *, inside: Path | None = None, mode: int = 0o666) -> int:
    """A plain file as os.open gives it. Without `inside` a link is followed to be read, and never to be written."""
    if inside is not None:
        refuse_links(path, inside=inside)
    writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
    unlinked = _NOFOLLOW if writes or inside is not None else 0
    try:
        found = os.open(path, flags | unlinked | _NONBLOCK | _CLOEXEC, mode)  # a pipe would be waited for
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO) and (path.is_symlink() or path.exists()):
            raise OSError(error.errno, "is a link or a pipe, not a plain file", str(path)) from None
        raise
    about = os.fstat(found)
    why = "" if stat.S_ISREG(about.st_mode) else "is not a plain file"
    if writes and about.st_nlink > 1:  # what is written here would change the other one
        why = "has a second name elsewhere: copy it, and put the copy in its place"
    if why:
        os.close(found)
        raise OSError(errno.EINVAL, why, str(path))
    return found


def opened(path: Path, *, inside: Path | None = None) -> BufferedReader:
    """A plain file to read from."""
    return os.fdopen(descriptor(path, os.O_RDONLY, inside=inside), "rb")


def read(path: Path, *, inside: Path | None = None, most_bytes: int = MOST_BYTES) -> bytes:
    """The content of a plain file. A file may claim a length that no memory has."""
    with opened(path, inside=inside) as file:
        if os.fstat(file.fileno()).st_size > most_bytes:
            raise OSError(errno.EFBIG, f"has more than {most_bytes:,} bytes", str(path))
        return file.read()


def is_plain(path: Path, *, inside: Path) -> bool:
    """Whether `opened` would open it, rights aside."""
    try:
        refuse_links(path, inside=inside)
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def plain_files(folder: Path, pattern: str, *, inside: Path) -> list[Path]:
    """The plain files in a folder, by name; none where it, or a folder above it, is a link."""
    return [path for path in sorted(folder.glob(pattern)) if is_plain(path, inside=inside)]


def folder(path: Path, *, inside: Path) -> Path:
    """The folder `path`, made where it is not there."""
    refuse_links(path, inside=inside)
    path.mkdir(parents=True, exist_ok=True)
    return path


def appended(path: Path, *, inside: Path) -> BinaryIO:
    """A plain file to write to at its end, made where it is not there."""
    return os.fdopen(descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, inside=inside), "ab")


def changed(path: Path, *, inside: Path) -> BinaryIO:
    """A plain file to be written to in its place."""
    return os.fdopen(descriptor(path, os.O_RDWR, inside=inside), "r+b")


def created(path: Path, *, buffering: int = -1) -> BinaryIO:
    """A new file to write to; what had its name, a link too, is gone."""
    path.unlink(missing_ok=True)
    return os.fdopen(descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb", buffering)


@contextmanager
def replacing(path: Path, *, inside: Path | None = None, sync: bool = True) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end: whole or not at all. A link there is replaced, not
    followed. Waits for the disk where `sync`. Permissions stay those of an older file."""
    folder(path.parent, inside=path.parent if inside is None else inside)
    about = path.lstat() if path.is_symlink() or path.exists() else None
    if about is not None and not (stat.S_ISREG(about.st_mode) or stat.S_ISLNK(about.st_mode)):
        raise OSError(errno.EINVAL, "is not a plain file", str(path))
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    try:
        with created(aside) as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if about is not None and stat.S_ISREG(about.st_mode):
            aside.chmod(stat.S_IMODE(about.st_mode))
        aside.replace(path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def write(path: Path, content: str | bytes, *, inside: Path | None = None, sync: bool = False) -> None:
    """Write a file whole or not at all, as `replacing` does; of a text, half characters are spelled out."""
    with replacing(path, inside=inside, sync=sync) as file:
        file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)


def copy(source: Path, target: Path, *, inside: Path) -> None:
    """Copy a plain file whole or not at all."""
    with opened(source) as old, replacing(target, inside=inside) as new:
        shutil.copyfileobj(old, new)
