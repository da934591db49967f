"""The kept catalogue: what was found once lies in the cache folder, keyed by the files that it came from."""

import glob
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from bench.base import cache, files
from bench.base.records import Json, canonical_json, digest
from bench.errors import BenchError
from bench.worker.common import discover

PACKAGE = Path(__file__).resolve().parents[2]
NO_TRIAL = (
    "common/answer.py",
    "datasets/convert.py",
    "datasets/fetch.py",
    "export_model.py",
    "inspection.py",
    "measure/instruments.py",
    "trial/range_test.py",
)


def kept(name: str, key: str) -> dict[str, Json]:
    """Returns what was kept under `key`; empty where nothing was, or where what it depends on has changed since."""
    try:
        depends_on: list[str] = json.loads(_path(name, key).read_bytes())
        found: dict[str, Json] = json.loads(_path(name, key, depends_on).read_bytes())
        unchanged = all(sha256(Path(path)) == known for path, known in found.get("files", {}).items())
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return found if unchanged else {}


def keep(name: str, key: str, found: dict[str, Json]) -> None:
    """Keep what was found, by what its devices depend on. A folder that cannot be written costs time only."""
    if found.get("error"):  # what failed may work in a moment: a package gets installed, a server answers
        return
    depends_on = sorted({each for device in found["devices"].values() for each in device["depends_on"]})
    with suppress(OSError):
        files.write(_path(name, key, depends_on), canonical_json(found))
        files.write(_path(name, key), canonical_json(depends_on))


def _path(name: str, key: str, depends_on: Iterable[str] | None = None) -> Path:
    """The file of what was found while what it depends on was as it is now; without `depends_on` the list of that."""
    now = "" if depends_on is None else f"-{digest(canonical_json({each: as_it_is(each) for each in depends_on}))}"
    return cache.cache_folder() / "catalogue" / f"{name}-{key}{now}.json"


def as_it_is(what: str) -> str:
    """Returns what a device depends on (see `Device.depends_on`) as it is now: a variable, names of files, a file."""
    if what.startswith("$"):
        return os.environ.get(what[1:], "unset")
    if "*" in what:
        return str(sorted(glob.glob(what)))  # noqa: PTH207  # an absolute pattern
    path = Path(what)
    return path.read_text(errors="replace") if path.is_file() else ""


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's content, in hex. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def worker_digest() -> str:
    """Returns the SHA-256 of the worker's training and measuring code: of all that is a part of every trial.

    Files of one data set or device stand apart. The doctor's instruments, the range test, and what fetches, converts,
    exports and inspects are in no trial of a suite.
    """
    own = PACKAGE / "worker"
    apart = {own / name for name in NO_TRIAL}
    apart |= {path for kind in ("datasets", "devices") for path in (own / kind).glob("*.py") if _registers(path)}
    return files_digest(path for path in own.rglob("*.py") if path not in apart)


def _registers(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "\n@dataset(" in text or "\n@device(" in text


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents, in the order of the names."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def builtin_key() -> str:
    """The key of the built-in catalogue: our files and torch's build."""
    try:
        torch_files = (metadata.distribution("torch").read_text("RECORD") or "").encode()
    except metadata.PackageNotFoundError as missing:
        raise BenchError("torch is not installed: pip install torch torchvision") from missing
    parts = [
        files_digest([*PACKAGE.rglob("*.py"), *discover.models_folder().glob("*.py")]),
        hashlib.sha256(torch_files).hexdigest(),
        sys.version,
        sys.executable,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def plugin_key(spec: str) -> str:
    """The key of a plugin's catalogue, without its own files, which are known once it is imported."""
    key = hashlib.sha256(f"{spec}\0{files_digest(PACKAGE.rglob('*.py'))}\0{sys.version}".encode()).hexdigest()[:16]
    if spec.endswith(".py"):
        return key
    # An edit of an installed package changes its version.
    names = sorted(f"{each.name} {each.version}" for each in metadata.distributions())
    return key + "-" + hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
