"""Small files of the kinds that the data sets read, and a server on this machine that gives them."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import shutil
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.registry import DATASETS
from bench.worker.datasets import cifar10, mnist, optdigits
from bench.worker.datasets.idx import IdxFile
from bench.worker.datasets.optdigits import TextFile


def old_pickle(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 wrote it in 2009, opcode by opcode: {'data': uint8 array, 'labels': list}."""
    rows, columns = images.shape
    shape = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    raw = images.tobytes()
    state = b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + state + b"U\x06labels" + numbers + b"u."


@pytest.fixture
def make_batch() -> Callable[[np.ndarray, list[int]], bytes]:
    return old_pickle


@pytest.fixture
def make_tar(tmp_path: Path) -> Callable[..., Path]:
    """(name, members) → path: an archive of (member name, content or a TarInfo that is no file)."""

    def make(name: str, members: list[tuple[str, bytes | tarfile.TarInfo]]) -> Path:
        path = tmp_path / name
        with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
            for member, content in members:
                if isinstance(content, tarfile.TarInfo):
                    archive.addfile(content)
                    continue
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return make


SHAPES = {"train_images": (30, 5, 4), "train_labels": (30,), "test_images": (10, 5, 4), "test_labels": (10,)}


def idx_content(shape: tuple[int, ...]) -> bytes:
    """An IDX file of that shape: noise for images, 0 to 9 in turn for labels."""
    rng = np.random.default_rng(len(shape))
    values = (
        rng.integers(0, 256, shape, dtype=np.uint8) if len(shape) == 3 else np.arange(shape[0], dtype=np.uint8) % 10
    )
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values.tobytes()


@pytest.fixture
def small_mnist(tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small MNIST under a data root, as .gz, with its digests pinned."""
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    table = {}
    for key, shape in SHAPES.items():
        plain, packed = idx_content(shape), gzip.compress(idx_content(shape), mtime=0)
        name = mnist.FILES[key].name
        (folder / f"{name}.gz").write_bytes(packed)
        digests = [hashlib.sha256(part).hexdigest() for part in (plain, packed)]
        table[key] = IdxFile(name, shape, digests[0], digests[1], len(packed))
    monkeypatch.setattr(mnist, "FILES", table)
    return tmp_path / "data"


ROWS = 20


@dataclass
class SmallCifar:
    """CIFAR-10 of 20 images a batch, its digests pinned, to be written under a data root."""

    contents: dict[str, bytes]
    make_tar: Callable[..., Path]
    monkeypatch: pytest.MonkeyPatch

    def pin(self) -> None:
        """What the contents are now is what is published."""
        members = {
            name: cifar10.Member(len(content), hashlib.sha256(content).hexdigest())
            for name, content in self.contents.items()
        }
        self.monkeypatch.setattr(cifar10, "MEMBERS", {name: members[name] for name in cifar10.MEMBERS})

    def write(self, root: Path, form: str = "folder", **changed: bytes) -> Path:
        """As a folder, or as the archive that `form` names; `changed` replaces members without their digests."""
        contents = self.contents | changed
        root.mkdir(exist_ok=True, parents=True)
        if form != "folder":
            members = [(f"cifar-10-batches-py/{member}", content) for member, content in contents.items()]
            return Path(shutil.move(self.make_tar(form, members), root / form))
        folder = root / "cifar-10-batches-py"
        folder.mkdir()
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        return folder

    @staticmethod
    def load(root: Path) -> Any:
        return DATASETS.get("cifar10").build(root)


@pytest.fixture
def small_cifar(
    make_batch: Callable[[np.ndarray, list[int]], bytes],
    make_tar: Callable[..., Path],
    fresh_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SmallCifar:
    rng = np.random.default_rng(0)
    found = {"batches.meta": pickle.dumps({"label_names": []}, 2)}
    for name in cifar10.MEMBERS:
        if name != "batches.meta":
            images = rng.integers(0, 256, (ROWS, 3 * 32 * 32), dtype=np.uint8)
            found[name] = make_batch(images, rng.integers(0, 10, ROWS).tolist())
    monkeypatch.setattr(cifar10, "ROWS", ROWS)
    small = SmallCifar(found, make_tar, monkeypatch)
    small.pin()
    return small


CONTENT = {"optdigits.tra": b"0," * 64 + b"1\n", "optdigits.tes": b"16," * 64 + b"0\n"}


class Quiet(SimpleHTTPRequestHandler):
    requests: list[str] = []  # noqa: RUF012  # the server makes a handler for each request

    def log_message(self, format: str, *args: object) -> None:
        self.requests.append(self.path)


@dataclass
class Server:
    url: str
    folder: Path
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "served"
    folder.mkdir()
    Quiet.requests = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield Server(f"http://127.0.0.1:{http.server_port}/", folder, Quiet.requests)
        http.shutdown()
        thread.join()


@pytest.fixture
def served(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A small optdigits on the server, with its digests pinned."""
    files = []
    for name, content in CONTENT.items():
        (server.folder / name).write_bytes(content)
        files.append(TextFile(name, 1, len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.setattr(optdigits, "FILES", tuple(files))
    monkeypatch.setattr(optdigits, "URL", server.url)
    return server
