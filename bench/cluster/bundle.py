"""The code that travels to the nodes of a cluster: bench, its models and the plugins of the suite, by content.

One zip archive, the same bytes for the same code. What runs on a node is this copy, whatever is installed there, so
that a result's `code_id` is that of the code that ran: an edit during the run reaches no node.
"""

import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from bench.base.records import digest
from bench.errors import BenchError

PACKAGE = Path(__file__).resolve().parents[1]
# Of one plugin's folder: more is no plugin, but a folder in which one happens to lie.
MOST_FILES, MOST_BYTES = 2_000, 20_000_000
NOT_CODE = frozenset({"__pycache__", "site-packages", "node_modules", "venv", "build", "dist"})
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive knows: times are no content


@dataclass(frozen=True, slots=True)
class Bundle:
    """The archive, its SHA-256 in hex, and where plugins lie in it: spec of a plugin file → path in the archive."""

    content: bytes
    sha256: str
    plugins: Mapping[str, str]


def make_bundle(plugins: Sequence[str] = ()) -> Bundle:
    """Pack what a trial of a suite with these plugins (absolute paths or modules) needs. BenchError: too much of it."""
    files = dict(_own())
    places: dict[str, str] = {}
    for spec in plugins:
        if spec.endswith(".py"):
            path = Path(spec).resolve()
            folder = f"plugins/{digest(str(path.parent))}"
            files |= {f"{folder}/{name}": file for name, file in _sources(path.parent, of=spec)}
            places[spec] = f"{folder}/{path.name}"
        elif (found := _own_code(spec)) is not None and found.is_dir():
            files |= {f"{found.name}/{name}": file for name, file in _sources(found, of=spec)}
        elif found is not None:
            files[found.name] = found
    content = _zipped(files)
    return Bundle(content, hashlib.sha256(content).hexdigest(), places)


def _own() -> Iterator[tuple[str, Path]]:
    """The package as an installed one lies: the models inside it."""
    for path in PACKAGE.rglob("*"):
        name = path.relative_to(PACKAGE)
        if path.is_file() and path.suffix != ".pyc" and not NOT_CODE & set(name.parts):
            yield f"bench/{name.as_posix()}", path
    beside = PACKAGE.parent / "models"
    if not (PACKAGE / "_models").is_dir() and beside.is_dir():
        for path in beside.glob("*.py"):
            yield f"bench/_models/{path.name}", path


def _sources(folder: Path, *, of: str) -> Iterator[tuple[str, Path]]:
    """The Python files in and under `folder`, without hidden folders and environments."""
    count = size = 0
    waiting = [folder]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.name.startswith(".") or path.name in NOT_CODE or (path / "pyvenv.cfg").exists():
                continue
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            elif path.suffix == ".py" and path.is_file():
                count, size = count + 1, size + path.stat().st_size
                if count > MOST_FILES or size > MOST_BYTES:
                    raise BenchError(
                        f"plugin {Path(of).name}: over {MOST_FILES:,} Python files or {MOST_BYTES // 10**6} MB lie in "
                        "and under its folder, and all of them travel to the cluster; give it a folder of its own"
                    )
                yield path.relative_to(folder).as_posix(), path


def _own_code(module: str) -> Path | None:
    """The folder of a package, or the file of a module, that no installer put there: what is installed has to be on the
    nodes already."""
    found = PathFinder.find_spec(module.partition(".")[0], [*sys.path, str(Path.cwd())])
    place = next(iter(found.submodule_search_locations or ()), found.origin) if found else None
    if place is None or not (Path(place).is_dir() or place.endswith(".py")):
        return None
    installed = {"site-packages", "dist-packages"} & set(Path(place).parts) or place.startswith(sys.base_prefix)
    return None if installed else Path(place).resolve()


def _zipped(files: Mapping[str, Path]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(member, files[name].read_bytes())
    return memory.getvalue()
