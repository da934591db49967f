"""`bench fetch`: download a data set into the data root. A process of its own, since it asks torchvision for mirrors.

    python -m bench.worker.datasets.fetch

The request: name, data_root. The answer: {"done": bytes, "total": bytes, "file": name} under way, {"message": text} at
the end.

Mirrors and checksums are torchvision's. Its download function writes under the final name, has no timeout, and extracts
the archive: here a file is written aside, checked, and renamed.
"""

import hashlib
import http.client
import importlib
import pkgutil
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import bench.worker.datasets
from bench.base.records import Json
from bench.errors import BenchError, DataError, Unavailable
from bench.registry import DATASETS
from bench.worker.common.answer import Say, answer
from bench.worker.datasets.files import DOWNLOADS, Download, replacing, shown

TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 1 << 16
REPORT_SECONDS = 0.2


def fetch(name: str, *, root: Path, report: Say) -> None:
    """Download the data set `name` into the data root; what is there and right is left alone.

    Raises BenchError on an unknown name, a root that cannot be written, or a file that no mirror gave.
    """
    for module in pkgutil.iter_modules(bench.worker.datasets.__path__):
        importlib.import_module(f"bench.worker.datasets.{module.name}")
    build = DATASETS.get(name).build
    if name not in DOWNLOADS:
        report({"message": f"{name}: nothing to fetch"})
        return
    with suppress(Unavailable, DataError):
        build(root)  # it can be used as it lies there: in another form than the download's, too
        report({"message": f"{name}: there already, in {shown(root)}"})
        return
    files = DOWNLOADS[name]()
    for file in files:
        _fetch_file(file, root=root, report=report)
    report({"message": f"{name}: {', '.join(file.path.name for file in files)} in {shown(root)}"})


def _fetch_file(file: Download, *, root: Path, report: Say) -> None:
    target = root / file.path
    if target.is_file() and _is_right(target, file.checksum):
        report({"done": file.size_bytes, "total": file.size_bytes, "file": target.name})
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as aside:
            _from_any_mirror(file, aside, target=target, report=report)
    except OSError as error:
        raise BenchError(f"{shown(target.parent)}: cannot write there: {error.strerror}; set --data-root") from error


def _from_any_mirror(file: Download, temporary: Path, *, target: Path, report: Say) -> None:
    errors = []
    for url in file.urls:
        host = urlsplit(url).netloc or url
        try:
            _retrieve(url, temporary, file=file, report=report)
            if _is_right(temporary, file.checksum):
                return
            errors.append(f"{host}: the checksum is not the published one")
        except (OSError, http.client.HTTPException, ValueError) as error:
            errors.append(f"{host}: {error}")
    raise BenchError(
        f"{target.name}: could not be downloaded ({'; '.join(errors)}): "
        f"try again with a network, or put the file at {shown(target)} by hand"
    )


def _retrieve(url: str, path: Path, *, file: Download, report: Say) -> None:
    """Raises OSError, HTTPException, or ValueError where more comes than the file is long."""
    done, reported = 0, 0.0
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, path.open("wb") as aside:  # noqa: S310  # the addresses are ours
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


def work(request: dict[str, Json], say: Say) -> None:
    """Fetch what the request names."""
    fetch(request["name"], root=Path(request["data_root"]), report=say)


if __name__ == "__main__":
    sys.exit(answer(work))
