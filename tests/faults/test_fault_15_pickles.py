"""Fault 15, a data set as a pickle: its checksum first, then an unpickler of plain values and arrays of uint8 only."""

from __future__ import annotations

import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import DataError
from bench.worker.datasets.arrays import cached
from bench.worker.datasets.restricted_pickle import loads

MakeBatch = Callable[[np.ndarray, list[int]], bytes]
IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 4)


class Calls:
    """Pickles as a call of some function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def test_reads_what_python_2_wrote(make_batch: MakeBatch) -> None:
    found = loads(make_batch(IMAGES, [1, 2, 3]), label="f")
    assert isinstance(found, dict)
    assert found[b"labels"] == [1, 2, 3]
    assert np.array_equal(found[b"data"], IMAGES)
    # The same bytes as Python's own unpickler reads.
    theirs = pickle.loads(make_batch(IMAGES, [1, 2, 3]), encoding="bytes")
    assert np.array_equal(theirs[b"data"], IMAGES)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, eval, exec, open, getattr, __import__, Path.touch])
def test_nothing_is_called(function: Callable[..., object], protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    arguments = {os.system: (f"touch {marker}",), open: (str(marker), "w"), Path.touch: (marker,)}
    code = f"open({str(marker)!r}, 'w').close()"
    content = pickle.dumps({"data": [Calls(function, *arguments.get(function, (code,)))]}, protocol)
    with pytest.raises(DataError, match="f: found a pickle that asks for .*plain values and arrays of uint8 only"):
        loads(content, label="f")
    assert not marker.exists()


@pytest.mark.parametrize(
    "value",
    [np.arange(4), np.array([print], dtype=object), np.float64(1), Path("x"), {1, 2}, complex(1, 2), slice(1), print],
)
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(DataError, match=r"f: found a (damaged )?pickle"):
        if isinstance(loads(pickle.dumps({"data": value}, 2), label="f"), dict):
            pytest.fail("was read")


def test_arrays_of_another_kind_are_refused(make_batch: MakeBatch) -> None:
    good = make_batch(IMAGES, [1])
    for old, new in [
        (b"u1", b"O8"),  # objects
        (b"u1", b"i8"),
        (b"\x89T", b"\x88T"),  # Fortran order
        (b"M\x03\0M\x04\0", b"M\x03\0M\x05\0"),  # a shape of more than the bytes
        (b"M\x03\0M\x04\0", b"M\xff\xffM\xff\xff"),
        (b"T" + struct.pack("<I", 12) + IMAGES.tobytes(), b"]"),  # a list for the bytes
    ]:
        assert old in good
        with pytest.raises(DataError, match="f: found a pickle that asks for an array of another kind"):
            loads(good.replace(old, new, 1), label="f")


def test_cut_at_every_byte_is_one_typed_error(make_batch: MakeBatch) -> None:
    whole = make_batch(IMAGES, [1, 2, 3])
    for length in range(len(whole)):
        with pytest.raises(DataError, match="f: found a"):
            loads(whole[:length], label="f")


@pytest.mark.parametrize("form", ["folder", "cifar-10-python.tar.gz", "cifar-10-python.tar.xz"])
@pytest.mark.parametrize("cached", [False, True], ids=["at the first load", "after a good load"])
def test_a_malicious_member_is_refused_by_name_and_never_unpickled(
    form: str, cached: bool, small_cifar: Any, tmp_path: Path
) -> None:
    marker, root = tmp_path / "marker", tmp_path / "data"
    if cached:
        small_cifar.write(root, form)
        small_cifar.load(root)
        shutil.rmtree(root)
    small_cifar.write(root, form, data_batch_2=f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    with pytest.raises(DataError, match=r"data_batch_2: found .*needs"):
        small_cifar.load(root)
    assert not marker.exists()


def test_even_with_the_right_checksum_nothing_is_called(small_cifar: Any, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    small_cifar.contents["data_batch_2"] = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    small_cifar.pin()
    small_cifar.write(tmp_path / "data")
    with pytest.raises(DataError, match=r"data_batch_2: found a pickle that asks for .*system"):
        small_cifar.load(tmp_path / "data")
    assert not marker.exists()


def test_a_pickle_in_the_cache_is_not_loaded(fresh_cache: Path, tmp_path: Path) -> None:
    """Arrays of one object, whose pickle calls a function: they are decoded anew instead."""
    marker = tmp_path / "marker"
    right = {"images": np.arange(24, dtype=np.uint8)}
    cached("made", sources={"file": "digest"}, version=1, decode=lambda: right)
    (kept,) = (fresh_cache / "arrays").glob("*/images.npy")
    np.save(kept, np.array([Calls(os.system, f"touch {marker}")], dtype=object), allow_pickle=True)
    found = cached("made", sources={"file": "digest"}, version=1, decode=lambda: right)
    assert found["images"].tolist() == right["images"].tolist()
    assert not marker.exists()
