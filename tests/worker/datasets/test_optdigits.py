"""optdigits: two text files of UCI's, by pinned digest; split at random or by writers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DataError, Unavailable
from bench.registry import DATASETS
from bench.worker.datasets import optdigits
from bench.worker.datasets.optdigits import TextFile, parse


def table(rows: int, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    values = np.hstack([rng.integers(0, 17, (rows, 64)), (np.arange(rows) % 10)[:, np.newaxis]])
    return "".join(",".join(map(str, row)) + "\n" for row in values.tolist()).encode()


@pytest.fixture
def root(tmp_path: Path, fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "optdigits"
    folder.mkdir()
    files = []
    for name, rows in (("optdigits.tra", 40), ("optdigits.tes", 20)):
        content = table(rows, rows)
        (folder / name).write_bytes(content)
        files.append(TextFile(name, rows, len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.setattr(optdigits, "FILES", tuple(files))
    return tmp_path


def test_random_holds_everything_and_writers_are_apart(root: Path) -> None:
    everything = DATASETS.get("optdigits").build(root)
    writers = DATASETS.get("optdigits").build(root, split="writers")
    assert everything.test_fraction == 0.2
    assert len(everything.train_labels) == 60
    assert (len(writers.train_labels), len(writers.test_labels), writers.test_fraction) == (40, 20, None)
    assert np.array_equal(np.concatenate([writers.train_images, writers.test_images]), everything.train_images)
    assert writers.test_images[0, 0].ravel().tolist() == [int(v) for v in table(20, 20).split()[0].split(b",")[:64]]


def test_a_file_that_is_another_one_is_refused_by_name(root: Path) -> None:
    (root / "optdigits/optdigits.tes").write_bytes(table(20, 1))
    with pytest.raises(DataError, match=r"optdigits.tes: found SHA-256 .*bench fetch optdigits"):
        DATASETS.get("optdigits").build(root)


def test_one_file_alone_is_unavailable(root: Path) -> None:
    (root / "optdigits/optdigits.tes").unlink()
    with pytest.raises(Unavailable, match=r"bench fetch optdigits.*optdigits/optdigits.tes is missing"):
        DATASETS.get("optdigits").build(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found a table of"),
        (table(3, 0), r"found a table of \(3, 65\); needs \(2, 65\)"),
        (table(2, 0)[:-3], "found a line that is not"),
        (table(2, 0).replace(b",", b";"), "found a line that is not"),
        (b"x" + table(2, 0), "found a line that is not"),
        (b",".join([b"17"] * 64 + [b"0"]) + b"\n" + table(1, 0), "out of range"),
        (b",".join([b"-1"] * 64 + [b"0"]) + b"\n" + table(1, 0), "out of range"),
        (b",".join([b"1"] * 64 + [b"10"]) + b"\n" + table(1, 0), "out of range"),
        (b",".join([b"1"] * 64 + [b"9" * 5000]) + b"\n" + table(1, 0), "found a line that is not"),
    ],
)
def test_a_table_of_something_else_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=f"f: {message}|f: found values {message}"):
        parse(content, rows=2, label="f")
