"""`bench fetch`: download a data set into the data root. A process of its own, since it asks torchvision for mirrors.

    python -m bench.worker.datasets.fetch NAME --data-root DIR

Each line on stdout is a JSON object: {"done": bytes, "total": bytes, "file": name} under way, {"message": text} at
the end, {"error": text} where it went wrong (exit code 2).

Mirrors and checksums are torchvision's; its download function is not used: it writes under the final name, has no
timeout, and extracts the archive. Here a file is written aside, checked, and renamed.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import importlib
import json
import pkgutil
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeAlias
from urllib.parse import urlsplit

import bench.worker.datasets
from bench.errors import EXIT_OK, EXIT_USAGE, BenchError, DataError, Unavailable
from bench.registry import DATASETS
from bench.worker.datasets.downloads import DOWNLOADS, Download
from bench.worker.datasets.files import shown

Report: TypeAlias = Callable[[Mapping[str, int | str]], None]

TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 16
REPORT_SECONDS = 0.2


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.worker.datasets.fetch")
    parser.add_argument("name")
    parser.add_argument("--data-root", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        fetch(options.name, root=options.data_root.expanduser(), report=_print)
    except BenchError as error:
        _print({"error": str(error)})
        return EXIT_USAGE
    return EXIT_OK


def fetch(name: str, *, root: Path, report: Report) -> None:
    """Download the data set `name` into the data root; what is there and right is left alone.

    Raises BenchError on an unknown name, a root that cannot be written, or a file that no mirror gave.
    """
    for module in pkgutil.iter_modules(bench.worker.datasets.__path__):
        importlib.import_module(f"bench.worker.datasets.{module.name}")
    build = DATASETS.get(name).build
    if name not in DOWNLOADS:
        report({"message": f"{name}: nothing to fetch"})
        return
    if _is_there(build, root):
        report({"message": f"{name}: there already, in {shown(root)}"})
        return
    files = DOWNLOADS[name]()
    for file in files:
        _fetch_file(file, root=root, report=report)
    report({"message": f"{name}: {', '.join(file.path.name for file in files)} in {shown(root)}"})


def _is_there(build: Callable[[Path], object], root: Path) -> bool:
    """Whether the set can be used as it lies there: in another form than the download's, too."""
    try:
        build(root)
    except (Unavailable, DataError):
        return False
    return True


def _fetch_file(file: Download, *, root: Path, report: Report) -> None:
    target = root / file.path
    if target.is_file() and _is_right(target, file.checksum):
        report({"done": file.size_bytes, "total": file.size_bytes, "file": target.name})
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as aside:
            temporary = Path(aside.name)
    except OSError as error:
        raise BenchError(f"{shown(target.parent)}: cannot write there: {error.strerror}; set --data-root") from error
    try:
        _from_any_mirror(file, temporary, target=target, report=report)
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _from_any_mirror(file: Download, temporary: Path, *, target: Path, report: Report) -> None:
    errors = []
    for url in file.urls:
        try:
            _retrieve(url, temporary, file=file, report=report)
            if _is_right(temporary, file.checksum):
                return
            errors.append(f"{_host(url)}: the checksum is not the published one")
        except (OSError, http.client.HTTPException, ValueError) as error:
            errors.append(f"{_host(url)}: {error}")
    raise BenchError(
        f"{target.name}: could not be downloaded ({'; '.join(errors)}): "
        f"try again with a network, or put the file at {shown(target)} by hand"
    )


def _retrieve(url: str, path: Path, *, file: Download, report: Report) -> None:
    """Raises OSError, HTTPException, or ValueError where more comes than the file is long."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, path.open("wb") as aside:  # noqa: S310  # the addresses are ours
        _copy(response, aside, file=file, report=report)


def _copy(response: IO[bytes], aside: IO[bytes], *, file: Download, report: Report) -> None:
    done, reported = 0, 0.0
    while chunk := response.read(CHUNK_BYTES):
        aside.write(chunk)
        done += len(chunk)
        if done > file.size_bytes:
            raise ValueError(f"sent more than the {file.size_bytes} bytes of the file")
        if time.monotonic() - reported > REPORT_SECONDS or done == file.size_bytes:
            reported = time.monotonic()
            report({"done": done, "total": file.size_bytes, "file": file.path.name})


def _is_right(path: Path, checksum: str) -> bool:
    algorithm, _, needed = checksum.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest() == needed


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def _print(line: Mapping[str, int | str]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
