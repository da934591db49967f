"""The cache of decoded arrays: damaged, doubled, killed in the middle, not writable."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bench.worker.datasets.arrays import Arrays, cached

SOURCES = {"file": "digest"}


class Decoder:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"images": np.arange(24, dtype=np.uint8).reshape(2, 1, 3, 4), "labels": np.array([1, 0])}


@pytest.fixture
def decode() -> Decoder:
    return Decoder()


def load(decode: Decoder, *, sources: dict[str, str] = SOURCES, version: int = 1) -> Arrays:
    found = cached("made", sources=sources, version=version, decode=decode)
    expected = Decoder()()
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in expected.items()
    }
    return found


def folder(cache: Path) -> Path:
    (found,) = (cache / "arrays").iterdir()
    return found


def test_decodes_once_and_maps_read_only(decode: Decoder, fresh_cache: Path) -> None:
    for _ in range(3):
        found = load(decode)
        assert isinstance(found["images"], np.memmap)
        assert not found["images"].flags.writeable
    assert decode.calls == 1
    assert sorted(path.name for path in folder(fresh_cache).iterdir()) == ["arrays.json", "images.npy", "labels.npy"]


def test_other_sources_or_another_decoder_are_other_arrays(decode: Decoder, fresh_cache: Path) -> None:
    load(decode)
    load(decode, sources={"file": "another"})
    load(decode, version=2)
    assert decode.calls == 3


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: damage(kept / "images.npy"),
        lambda kept: damage(kept / "labels.npy"),
        lambda kept: (kept / "images.npy").write_bytes(b""),
        lambda kept: os.truncate(kept / "labels.npy", 100),
        lambda kept: (kept / "images.npy").unlink(),
        lambda kept: (kept / "arrays.json").unlink(),
        lambda kept: (kept / "arrays.json").write_text("{"),
        lambda kept: (kept / "arrays.json").write_text("[1]"),
        lambda kept: (kept / "arrays.json").write_text('{"images": 3}'),
        lambda kept: [path.unlink() for path in kept.iterdir()],
    ],
)
def test_what_is_damaged_is_decoded_anew(spoil: object, decode: Decoder, fresh_cache: Path) -> None:
    load(decode)
    assert callable(spoil)
    spoil(folder(fresh_cache))
    load(decode)
    load(decode)
    assert decode.calls == 2
    assert len(list((fresh_cache / "arrays").iterdir())) == 1


def test_what_was_only_touched_is_hashed_and_kept(decode: Decoder, fresh_cache: Path) -> None:
    load(decode)
    sidecar = folder(fresh_cache) / "arrays.json"
    before = sidecar.read_text()
    os.utime(folder(fresh_cache) / "images.npy", (1, 1))
    load(decode)
    assert decode.calls == 1
    assert sidecar.read_text() != before  # so that it is not hashed each time


def test_what_a_killed_process_left_behind_is_removed_in_the_end(decode: Decoder, fresh_cache: Path) -> None:
    old, young = (fresh_cache / "arrays" / f"made-0.aside-{name}" for name in ("old", "young"))
    for path in (old, young):
        path.mkdir(parents=True)
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    load(decode)
    assert not old.exists()
    assert young.exists()


def test_a_cache_that_cannot_be_written_costs_time_only(decode: Decoder, fresh_cache: Path) -> None:
    (fresh_cache / "arrays").write_text("a file where the folder should be")
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="not kept"):
            load(decode)
    assert decode.calls == 2


PROCESS = """
import sys, time, numpy as np
from bench.worker.datasets.arrays import cached
def decode():
    time.sleep(0.3)  # all of them are in here at once
    return {"images": np.full((100, 100), 7, dtype=np.uint8)}
for _ in range(2):
    found = cached("raced", sources={}, version=1, decode=decode)
    assert (found["images"] == 7).all()
"""


def test_processes_that_decode_at_once_leave_one_folder(fresh_cache: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-W", "error", "-c", PROCESS]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert len(list((fresh_cache / "arrays").iterdir())) == 1
