"""`bench fetch`, from a server on this machine: checked, written aside, one line where it fails."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.registry import DATASETS
from bench.worker.datasets import mnist, optdigits
from bench.worker.datasets.fetch import fetch
from bench.worker.datasets.idx import IdxFile

CONTENT = {"optdigits.tra": b"0," * 64 + b"1\n", "optdigits.tes": b"16," * 64 + b"0\n"}


@dataclass
class Reports:
    lines: list[Mapping[str, int | str]] = field(default_factory=list)

    def __call__(self, line: Mapping[str, int | str]) -> None:
        self.lines.append(line)


def listing(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_downloads_reports_and_leaves_what_is_there_alone(served: Any, tmp_path: Path) -> None:
    root, reports = tmp_path / "root", Reports()
    fetch("optdigits", root=root, report=reports)
    for name, content in CONTENT.items():
        assert (root / "optdigits" / name).read_bytes() == content
        assert {"done": len(content), "total": len(content), "file": name} in reports.lines
    assert "message" in reports.lines[-1]
    assert listing(root) == sorted(CONTENT)
    assert len(DATASETS.get("optdigits").build(root).train_labels) == 2
    asked = len(served.requests)
    fetch("optdigits", root=root, report=reports)
    assert len(served.requests) == asked


def test_a_file_that_is_right_is_left_alone_where_another_is_missing(served: Any, tmp_path: Path) -> None:
    fetch("optdigits", root=tmp_path / "root", report=Reports())
    (tmp_path / "root" / "optdigits" / "optdigits.tes").unlink()
    served.requests.clear()
    fetch("optdigits", root=tmp_path / "root", report=Reports())
    assert served.requests == ["/optdigits.tes"]


def test_a_damaged_file_is_replaced(served: Any, tmp_path: Path) -> None:
    path = tmp_path / "root" / "optdigits" / "optdigits.tes"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    fetch("optdigits", root=tmp_path / "root", report=Reports())
    assert path.read_bytes() == CONTENT["optdigits.tes"]


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


def test_without_a_network_it_is_one_line(served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(optdigits, "URL", closed_port())
    with pytest.raises(BenchError, match=r"refused.*put the file at ~/root/optdigits/optdigits.tra by hand"):
        fetch("optdigits", root=tmp_path / "root", report=Reports())
    assert listing(tmp_path / "root") == []


def test_the_next_mirror_is_asked(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST with torchvision's class as the list of mirrors and checksums: the first is dead, the second lies."""
    import torchvision.datasets

    table, resources = {}, []
    for key, shape in {"train_labels": (12,), "test_labels": (3,)}.items():
        plain = struct.pack(">HBBI", 0, 8, 1, *shape) + bytes(shape[0])
        packed, name = gzip.compress(plain), mnist.FILES[key].name
        digests = [hashlib.sha256(part).hexdigest() for part in (plain, packed)]
        table[key] = IdxFile(name, shape, digests[0], digests[1], len(packed))
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
        for folder, content in (("lies", packed[:-1] + b"?"), ("good", packed)):
            (server.folder / folder).mkdir(exist_ok=True)
            (server.folder / folder / f"{name}.gz").write_bytes(content)
    monkeypatch.setattr(mnist, "FILES", table)
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    mirrors = [closed_port(), f"{server.url}lies/", f"{server.url}good/"]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", mirrors)
    fetch("mnist", root=tmp_path / "root", report=Reports())
    assert listing(tmp_path / "root" / "MNIST" / "raw") == sorted(name for name, _ in resources)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "optdigits"])
def test_lists_complete_files_under_the_root(name: str) -> None:
    from bench.worker.datasets.files import DOWNLOADS

    for file in DOWNLOADS[name]():
        assert not file.path.is_absolute()
        assert file.urls
        assert all(url.endswith(file.path.name) and url.startswith("http") for url in file.urls)
        assert file.checksum.startswith(("md5:", "sha256:"))
        assert file.size_bytes > 0


@pytest.mark.data
def test_what_the_real_root_holds_needs_no_network(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib.request.urlopen", None)
    for name in ("mnist", "fashion_mnist", "cifar10", "optdigits"):
        reports = Reports()
        fetch(name, root=data_root, report=reports)
        assert [str(line["message"]).split(",")[0] for line in reports.lines] == [f"{name}: there already"]


@pytest.mark.parametrize("name", ["digits", "synthetic", "hdf5"])
def test_what_needs_no_download_says_so(name: str, tmp_path: Path) -> None:
    reports = Reports()
    fetch(name, root=tmp_path / "root", report=reports)
    assert reports.lines == [{"message": f"{name}: nothing to fetch"}]
    assert not (tmp_path / "root").exists()


def test_an_unknown_name_and_a_root_that_is_a_file_are_one_line(tmp_path: Path, served: Any) -> None:
    with pytest.raises(BenchError, match="did you mean mnist"):
        fetch("mnits", root=tmp_path, report=Reports())
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write there"):
        fetch("optdigits", root=tmp_path / "file", report=Reports())


def test_runs_as_a_process(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "bench.worker.datasets.fetch"]
    request = json.dumps({"name": "digits", "data_root": str(tmp_path)})
    found = subprocess.run(command, input=request, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(found.stdout) == {"message": "digits: nothing to fetch"}
    assert found.stderr == ""
