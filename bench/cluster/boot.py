"""What a Ray worker is told to run before it has our code: shipped by value, it imports nothing of ours.

It unpacks the bundle once a node, puts it before everything else on the path, and hands over to `node`, beside it.
"""

import hashlib
import importlib
import io
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

UNUSED_DAYS = 30  # after which an unpacked bundle is removed


def group(bundle: list[Any], sha256: str, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A Ray task with streaming returns: what happens to a group, as it happens. `bundle`: [reference to the zip]."""
    import ray

    yield {"on": ray.get_runtime_context().get_node_id()}
    yield from code(bundle, sha256).run_group(order)


def look(bundle: list[Any], sha256: str, plugins: list[str], places: dict[str, str]) -> dict[str, Any]:
    """A Ray task: what the node that it runs on has, without the settings of models and data sets."""
    found: dict[str, Any] = code(bundle, sha256).catalogue(plugins, places)
    return found


def code(bundle: list[Any], sha256: str) -> Any:
    """The module that does the work, out of the bundle."""
    folder = unpacked(bundle, sha256)
    if folder not in sys.path:
        sys.path.insert(0, folder)
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = folder + (os.pathsep + before if before else "")
    found = importlib.import_module("bench.cluster.node")
    if not str(found.__file__).startswith(folder):
        raise RuntimeError(f"another bench was imported in this Ray worker: {found.__file__}")
    return found


def unpacked(bundle: list[Any], sha256: str) -> str:
    """The folder of the bundle: in the cache of this node, by its digest; a folder for once where that takes none."""
    cache = os.environ.get("BENCH_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    folder = Path(cache) / "bench-code" / sha256
    if folder.is_dir():
        os.utime(folder)
        return str(folder)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    except OSError:
        folder = aside = Path(tempfile.mkdtemp(prefix="bench-code-"))
    unpack(bundle, sha256, str(aside))
    if aside != folder:
        try:
            aside.rename(folder)
        except OSError:  # another worker of this node was quicker
            shutil.rmtree(aside, ignore_errors=True)
        for entry in folder.parent.iterdir():
            if time.time() - entry.stat().st_mtime > UNUSED_DAYS * 86400:
                shutil.rmtree(entry, ignore_errors=True)
    return str(folder)


def unpack(bundle: list[Any], sha256: str, folder: str) -> None:
    """Fetch the zip, check that it is what was sent, and unpack it."""
    import ray

    content = ray.get(bundle[0])
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RuntimeError("the code that came over is not the code that was sent")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            path = (Path(folder) / name).resolve()
            if not path.is_relative_to(Path(folder).resolve()):
                raise RuntimeError(f"a file of the code would lie outside of it: {name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))
