"""Fault 12, a corrupt download or file: its checksum refuses it by name, and it is never trained on."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError, DataError
from bench.registry import DATASETS
from bench.worker.datasets.fetch import fetch

TRA = b"0," * 64 + b"1\n"  # optdigits.tra, as `served` serves it


@pytest.mark.parametrize("before", [True, False], ids=["after a good load", "at the first load"])
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
def test_a_changed_byte_is_refused_by_name(small_mnist: Path, packed: bool, before: bool) -> None:
    path = small_mnist / "MNIST/raw/t10k-labels-idx1-ubyte.gz"
    if not packed:
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
        path = path.with_suffix("")
    if before:
        DATASETS.get("mnist").build(small_mnist)
    broken = bytearray(path.read_bytes())
    broken[-3] ^= 1
    path.write_bytes(broken)
    for _ in range(2):
        with pytest.raises(DataError, match=rf"{path.name}: found SHA-256 .*bench fetch mnist"):
            DATASETS.get("mnist").build(small_mnist)


def test_a_file_cut_anywhere_is_refused_by_name(small_mnist: Path) -> None:
    path = small_mnist / "MNIST/raw/t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        os.truncate(path, 0)
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=path.name):
            DATASETS.get("mnist").build(small_mnist)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"x" * len(TRA), "the checksum is not the published one"),
        (TRA[:50], "the checksum is not the published one"),
        (TRA * 10_000, "sent more than the 130 bytes"),
        (None, "HTTP Error 404"),
    ],
)
def test_what_is_not_the_published_file_is_not_kept(
    sent: bytes | None, message: str, served: Any, tmp_path: Path
) -> None:
    (served.folder / "optdigits.tra").unlink()
    if sent is not None:
        (served.folder / "optdigits.tra").write_bytes(sent)
    with pytest.raises(
        BenchError, match=rf"optdigits.tra: could not be downloaded \(127.*{message}.*by hand"
    ) as caught:
        fetch("optdigits", root=tmp_path / "root", report=lambda line: None)
    assert "\n" not in str(caught.value)
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_a_trial_is_never_trained_on_it(project: Any, data_root: Path) -> None:
    """Through the ordinary command: the real files with one of them changed by a byte."""
    root = project.folder / "data"
    (root / "optdigits").mkdir(parents=True)
    for name in ("optdigits.tra", "optdigits.tes"):
        (root / "optdigits" / name).write_bytes((data_root / "optdigits" / name).read_bytes())
    changed = root / "optdigits/optdigits.tra"
    changed.write_bytes(changed.read_bytes()[:-2] + b"1\n")
    suite = project.suite("good")
    suite.write_text(suite.read_text().replace('{ name = "synthetic", train = 256, test = 64 }', '"optdigits"'))
    done = project.run(suite, "--data-root", root)
    (row,) = project.rows()
    assert done.code == 1
    assert row["status"] == "failed"
    assert "optdigits.tra: found SHA-256" in row["reason"]
    assert "bench fetch optdigits" in row["reason"]
    assert row["test_accuracy"] == row["train_loss"] == ""
