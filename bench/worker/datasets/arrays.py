"""Decoded arrays, kept once per machine as .npy files that trials map into memory.

    <cache>/arrays/<name>-<key>/        key: digest of the digests of the sources and the version of the decoder
        train_images.npy  …
        arrays.json                     of each file: sha256, bytes, mtime_ns

A folder is written aside and renamed, so that it is whole or absent; of two processes that decode at once, one wins.
A file whose size or time is not what was written down is hashed again; a wrong one is decoded anew.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.base.cache import cache_folder
from bench.base.records import canonical_json, digest

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

SIDECAR = "arrays.json"
ASIDE = ".aside-"  # in the name of a folder that is being written, or was found bad
STALE_SECONDS = 3600


def cached(name: str, *, sources: Mapping[str, str], version: int, decode: Callable[[], Arrays]) -> Arrays:
    """The arrays that `decode` gives, read-only and mapped into memory from the second call on this machine on.

    sources: what the arrays are made of: any text → digest. version: raised by hand when `decode` changes.
    Where the cache cannot be written (a full disk), the decoded arrays themselves, with a warning.
    """
    key = digest(canonical_json({"sources": dict(sources), "version": version}))
    folder = cache_folder() / "arrays" / f"{name}-{key}"
    found = _load(folder)
    if found is not None:
        return found
    arrays = decode()
    try:
        _publish(folder, arrays)
    except OSError as error:
        warnings.warn(f"decoded arrays are not kept: {error.strerror or error}", RuntimeWarning, stacklevel=2)
        return arrays
    return _load(folder) or arrays


def _load(folder: Path) -> Arrays | None:
    """None where the folder is absent or not whole."""
    try:
        sidecar = json.loads((folder / SIDECAR).read_bytes())
        stats = ((folder / f"{name}.npy").stat() for name in sidecar)
        as_it_is = [(stat.st_size, stat.st_mtime_ns) for stat in stats]
        if as_it_is != [(facts["bytes"], facts["mtime_ns"]) for facts in sidecar.values()]:
            if not all(_hash(folder / f"{name}.npy") == facts["sha256"] for name, facts in sidecar.items()):
                return None
            with contextlib.suppress(OSError):  # a cache that we may only read is a good one
                _write_sidecar(folder, {name: facts["sha256"] for name, facts in sidecar.items()})
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in sidecar}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, EOFError):
        return None  # whatever is wrong with what lies there: it is decoded anew


def _publish(folder: Path, arrays: Arrays) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    aside = _aside(folder)
    try:
        aside.mkdir()
        for name, array in arrays.items():
            with (aside / f"{name}.npy").open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        _write_sidecar(aside, {name: _hash(aside / f"{name}.npy") for name in arrays})
        _put_in_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _put_in_place(aside: Path, folder: Path) -> None:
    """Rename; where another folder is in the way, a good one wins and a bad one makes room."""
    try:
        aside.rename(folder)
    except OSError:
        if _load(folder) is not None:
            return
        bad = _aside(folder)
        folder.rename(bad)
        aside.rename(folder)
        shutil.rmtree(bad, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{ASIDE}{secrets.token_hex(4)}")


def _sweep(parent: Path) -> None:
    """Remove what processes that were killed left behind."""
    for path in parent.glob(f"*{ASIDE}*"):
        with contextlib.suppress(OSError):  # its process is alive after all, and has just renamed it
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _write_sidecar(folder: Path, sha256: Mapping[str, str]) -> None:
    stats = {name: (folder / f"{name}.npy").stat() for name in sha256}
    facts = {
        name: {"sha256": sha256[name], "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        for name, stat in stats.items()
    }
    aside = folder / f"{SIDECAR}{ASIDE}{secrets.token_hex(4)}"
    aside.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    aside.replace(folder / SIDECAR)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
