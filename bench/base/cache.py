"""The cache folder of this machine, and the content digests of data files that are kept in it."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.base import files

_KEPT_DIGESTS = 1000
_SETTLED_SECONDS = 2.0


def cache_folder() -> Path:
    """$BENCH_CACHE, else $XDG_CACHE_HOME/bench-cache, else ~/.cache/bench-cache; mode 0700, made where it is not there.
    Where that cannot be written to: a folder of the user's own under the system's folder for temporary files."""
    if own := os.environ.get("BENCH_CACHE"):
        wanted = Path(own)
    elif xdg := os.environ.get("XDG_CACHE_HOME"):
        wanted = Path(xdg) / "bench-cache"
    else:
        wanted = Path(os.path.expanduser("~")) / ".cache" / "bench-cache"  # noqa: PTH111  # Path.home() can raise
    if _usable(wanted):
        return wanted
    spare = Path(tempfile.gettempdir()) / f"bench-cache-{os.getuid()}"
    # In a folder that everybody writes to, another user may have made ours first: it is not to be trusted then.
    if _usable(spare) and spare.lstat().st_uid == os.getuid() and not spare.is_symlink():
        return spare
    return Path(tempfile.mkdtemp(prefix="bench-cache-"))


def _usable(folder: Path) -> bool:
    """Whether the folder is there, made where it was not, and takes files."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's content in hex; remembered by path, size, time of change and inode. Raises OSError."""
    path = Path(path).resolve()
    stat = path.stat()
    key = f"{path}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ino}"

    def digest() -> str:
        with files.opened(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return remembered_sha256(key, digest, changed=stat.st_mtime)


def remembered_sha256(key: str, digest: Callable[[], str], *, changed: float) -> str:
    """What `digest` gives, kept under `key`, which says everything it depends on. `changed`: the newest time stamp."""
    memory = cache_folder() / "digests.json"
    known = _remembered(memory)
    if key in known:
        return known[key]
    found = digest()
    # A file changed a moment ago may change again within the resolution of its time stamp: not remembered yet.
    if time.time() - changed > _SETTLED_SECONDS:
        with suppress(OSError):  # a cache that cannot be is none
            files.write(memory, json.dumps(dict([*known.items(), (key, found)][-_KEPT_DIGESTS:])))
    return found


def _remembered(memory: Path) -> dict[str, str]:
    """The digests in the file; none where it is not there or damaged: they can be made again."""
    try:
        found = json.loads(files.read(memory))
        return {key: value for key, value in found.items() if isinstance(value, str) and len(value) == 64}
    except (OSError, ValueError, RecursionError, AttributeError):
        return {}
