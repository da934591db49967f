"""Members of a tar archive, read by name to a cap and never extracted: a name can escape, a size can lie (PEP 706)."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.errors import DataError
from bench.worker.datasets.files import shown

SLACK_BYTES = 1 << 20  # for headers, padding, and small members that nobody asked for


def read_members(path: Path, wanted: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each wanted member, in the archive's order; wanted: name → most bytes that it may have.

    path ends in .gz or .xz. No more is decompressed than all wanted members together justify.
    Raises DataError on a damaged archive, a missing, doubled or too long member, or one that is no plain file.
    """
    missing = dict(wanted)
    try:
        with (lzma.open if path.suffix == ".xz" else gzip.open)(path) as packed:
            stream = _Capped(packed, limit_bytes=sum(wanted.values()) + SLACK_BYTES, label=shown(path))
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    if member.name in wanted:
                        yield member.name, _content(archive, member, missing, label=f"{shown(path)}: {member.name}")
                    if not missing:
                        return
    except (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError) as error:
        raise DataError(f"{shown(path)}: found a damaged or truncated archive ({error}); needs a whole one") from error
    raise DataError(f"{shown(path)}: found no {', '.join(sorted(missing))}; needs all of them")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, missing: dict[str, int], *, label: str) -> bytes:
    limit = missing.pop(member.name, None)
    if limit is None:
        raise DataError(f"{label}: found it twice; needs it once")
    if not member.isreg() or member.size > limit:
        kind = f"{member.size} bytes of tar type {member.type!r}"
        raise DataError(f"{label}: found {kind}; needs a file of {limit} bytes")
    file = archive.extractfile(member)
    content = file.read() if file else b""
    if len(content) != member.size:
        raise DataError(f"{label}: found {len(content)} bytes; its header says {member.size}")
    return content


class _Capped(io.RawIOBase):
    """Reads no more than so many bytes of another stream. Raises DataError when asked for more."""

    def __init__(self, stream: io.BufferedIOBase, *, limit_bytes: int, label: str) -> None:
        self._stream = stream
        self._left = limit_bytes
        self._label = label

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(found)
        if self._left < 0:
            raise DataError(f"{self._label}: found more than its members justify when decompressed; refused")
        return found
