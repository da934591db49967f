"""CIFAR-10 as a folder, as .tar.gz and as .tar.xz; checked before anything is unpickled."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DataError, Unavailable
from bench.registry import DATASETS
from bench.worker.datasets import cifar10
from bench.worker.datasets.splits import Splits

ROWS = 20
MakeTar = Callable[..., Path]


@pytest.fixture
def contents(
    make_batch: Callable[[np.ndarray, list[int]], bytes], fresh_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """Small members, with their digests pinned."""
    rng = np.random.default_rng(0)
    found = {"batches.meta": pickle.dumps({"label_names": []}, 2)}
    for name in cifar10.MEMBERS:
        if name != "batches.meta":
            images = rng.integers(0, 256, (ROWS, 3 * 32 * 32), dtype=np.uint8)
            found[name] = make_batch(images, rng.integers(0, 10, ROWS).tolist())
    pin(found, monkeypatch)
    monkeypatch.setattr(cifar10, "ROWS", ROWS)
    return found


def pin(contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    members = {
        name: cifar10.Member(len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    }
    monkeypatch.setattr(cifar10, "MEMBERS", {name: members[name] for name in cifar10.MEMBERS})


def write_folder(root: Path, contents: dict[str, bytes]) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def write_tar(name: str, contents: dict[str, bytes], make_tar: MakeTar, root: Path) -> Path:
    root.mkdir(exist_ok=True)
    path = make_tar(name, [(f"cifar-10-batches-py/{member}", content) for member, content in contents.items()])
    return Path(shutil.move(path, root / name))


def load(root: Path) -> Splits:
    splits: Splits = DATASETS.get("cifar10").build(root)
    return splits


def test_folder_and_archives_hold_the_same(contents: dict[str, bytes], make_tar: MakeTar, tmp_path: Path) -> None:
    write_folder(tmp_path / "a", contents)
    write_tar("cifar-10-python.tar.gz", contents, make_tar, tmp_path / "b")
    write_tar("cifar-10-python.tar.xz", contents, make_tar, tmp_path / "c")
    folder, *archives = (load(tmp_path / name) for name in "abc")
    assert folder.train_images.shape == (5 * ROWS, 3, 32, 32)
    assert folder.test_images.shape == (ROWS, 3, 32, 32)
    first = np.frombuffer(contents["data_batch_1"], np.uint8)
    assert folder.train_images[0].tobytes() in first.tobytes()
    assert folder.train_images[ROWS].tobytes() in contents["data_batch_2"]
    for other in archives:
        assert np.array_equal(folder.train_images, other.train_images)
        assert np.array_equal(folder.train_labels, other.train_labels)
        assert np.array_equal(folder.test_images, other.test_images)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["cifar-10-python.tar.gz"]


@pytest.mark.parametrize("form", ["folder", "cifar-10-python.tar.gz", "cifar-10-python.tar.xz"])
@pytest.mark.parametrize("cached", [False, True], ids=["at the first load", "after a good load"])
def test_a_malicious_member_is_refused_by_name_and_never_unpickled(
    form: str, cached: bool, contents: dict[str, bytes], make_tar: MakeTar, tmp_path: Path
) -> None:
    marker, root = tmp_path / "marker", tmp_path / "data"
    write: Callable[[dict[str, bytes]], object] = (
        (lambda members: write_folder(root, members))
        if form == "folder"
        else (lambda members: write_tar(form, members, make_tar, root))
    )
    if cached:
        write(contents)
        load(root)
        shutil.rmtree(root)
    write(contents | {"data_batch_2": f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()})
    with pytest.raises(DataError, match=r"data_batch_2: found .*needs"):
        load(root)
    assert not marker.exists()


def test_even_with_the_right_checksum_nothing_is_called(
    contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    contents["data_batch_2"] = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    pin(contents, monkeypatch)
    write_folder(tmp_path / "data", contents)
    with pytest.raises(DataError, match=r"data_batch_2: found a pickle that asks for .*system"):
        load(tmp_path / "data")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [([1, 2], "something else"), ({b"data": b"x", b"labels": [1]}, "asks for _codecs.encode"), ({}, "something else")],
)
def test_a_pickle_of_something_else_is_refused(
    value: object, message: str, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents["test_batch"] = pickle.dumps(value, 2)
    pin(contents, monkeypatch)
    write_folder(tmp_path / "data", contents)
    with pytest.raises(DataError, match=f"test_batch: found a pickle (of|that) {message}"):
        load(tmp_path / "data")


@pytest.mark.parametrize("labels", [[10] * ROWS, [1] * (ROWS - 1)])
def test_labels_that_do_not_fit_are_refused(
    labels: list[int],
    contents: dict[str, bytes],
    make_batch: Callable[[np.ndarray, list[int]], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contents["test_batch"] = make_batch(np.zeros((ROWS, 3072), dtype=np.uint8), labels)
    pin(contents, monkeypatch)
    write_folder(tmp_path / "data", contents)
    with pytest.raises(DataError, match=r"test_batch: found .*labels"):
        load(tmp_path / "data")


def test_a_folder_that_is_not_whole_gives_way_to_the_archive(
    contents: dict[str, bytes], make_tar: MakeTar, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "data", contents)
    (folder / "data_batch_3").unlink()
    with pytest.raises(Unavailable, match=r"CIFAR-10 is not under .*bench fetch cifar10"):
        load(tmp_path / "data")
    write_tar("cifar-10-python.tar.gz", contents, make_tar, tmp_path / "data")
    assert len(load(tmp_path / "data").train_images) == 5 * ROWS


def test_an_archive_cut_in_the_middle_is_refused(contents: dict[str, bytes], make_tar: MakeTar, tmp_path: Path) -> None:
    path = write_tar("cifar-10-python.tar.xz", contents, make_tar, tmp_path / "data")
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"cifar-10-python.tar.xz: found a damaged or truncated archive"):
        load(tmp_path / "data")
