"""Images in a folder a class: what is read, and what is refused in one line before anything is trained."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from bench.base.trees import data_sha256
from bench.errors import BenchError, Unavailable
from bench.worker.datasets.folder import folder

pytestmark = pytest.mark.usefixtures("fresh_cache")

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
COLOUR = np.stack([GREY, GREY + 50, GREY + 100], axis=2)


def made(root: Path, *, parts: tuple[str, ...] = ("",), image: Any = GREY) -> Path:
    for part in parts:
        for name in ("ant", "bee"):
            (root / "own" / part / name).mkdir(parents=True)
            for number in range(3):
                Image.fromarray(image + number).save(root / "own" / part / name / f"{number}.png")
    return root / "own"


def test_reads_both_parts_and_sorted_names(tmp_path: Path) -> None:
    splits = folder(tmp_path, path=made(tmp_path, parts=("train", "test"), image=COLOUR))
    assert (splits.train_images.shape, splits.test_images.shape) == ((6, 3, 6, 8), (6, 3, 6, 8))
    assert np.array_equal(splits.train_images[1], (COLOUR + 1).transpose(2, 0, 1))
    assert (list(splits.class_names), splits.test_labels.tolist()) == (["ant", "bee"], [0, 0, 0, 1, 1, 1])
    assert (splits.maximum, splits.test_fraction) == (255, None)


def test_one_part_is_split_by_the_seed_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    path = made(tmp_path)
    before = data_sha256(path)
    for name in (".DS_Store", "ant/.DS_Store", "bee/Thumbs.db"):
        (path / name).write_text("no image")
    splits = folder(tmp_path, path=path, test_fraction=0.3)
    assert (splits.train_images.shape, len(splits.test_images), splits.test_fraction) == ((6, 1, 6, 8), 0, 0.3)
    assert data_sha256(path) == before


def test_a_set_that_mixes_grey_and_colour_is_colour(tmp_path: Path) -> None:
    path = made(tmp_path)
    Image.fromarray(COLOUR).save(path / "bee/3.tiff")
    images = folder(tmp_path, path=path).train_images
    assert np.array_equal(images[0], np.stack([GREY] * 3))
    assert np.array_equal(images[6], COLOUR.transpose(2, 0, 1))


def one(folder_: Path, image: Image.Image, name: str = "0.png", **saved: Any) -> Any:
    """The first image of a set, after it was put there."""
    path = made(folder_)
    image.save(path / "ant" / name, **saved)
    if name != "0.png":
        (path / "ant/0.png").unlink()
    return folder(folder_, path=path, image_size=8, resize="stretch").train_images[0]


SQUARE = np.arange(64, dtype=np.uint8).reshape(8, 8)


def test_formats_and_kinds_of_pixels(tmp_path: Path) -> None:
    flat = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    clear = Image.fromarray(np.dstack([SQUARE] * 3 + [np.zeros_like(SQUARE)]))
    deep = Image.fromarray(SQUARE.astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6  # seen turned by 90° clockwise
    grey = Image.fromarray(SQUARE)
    assert np.array_equal(one(tmp_path / "deep", deep)[0], SQUARE)
    assert np.array_equal(one(tmp_path / "exif", grey, exif=turned)[0], np.rot90(SQUARE, -1))
    assert (one(tmp_path / "clear", clear) == 255).all()
    assert one(tmp_path / "cmyk", flat, "0.jpg").shape == (3, 8, 8)
    assert np.array_equal(one(tmp_path / "webp", grey.convert("RGB"), "0.webp", lossless=True)[0], SQUARE)
    assert one(tmp_path / "palette", grey.convert("P")).shape == (3, 8, 8)


def test_ways_to_resize(tmp_path: Path) -> None:
    path = made(tmp_path, image=np.full((4, 8), 200, dtype=np.uint8))
    crop, pad = (folder(tmp_path, path=path, image_size=8, resize=how).train_images[0, 0] for how in ("crop", "pad"))
    assert (crop == 200).all()
    assert ((pad[2:6] == 200).all(), (pad[:2] == 0).all(), (pad[6:] == 0).all()) == (True, True, True)


def test_the_digest_depends_on_names_and_contents(tmp_path: Path) -> None:
    path = made(tmp_path)
    found = [data_sha256(path)]
    (path / "ant/0.png").rename(path / "ant/7.png")
    found.append(data_sha256(path))
    Image.fromarray(GREY + 9).save(path / "ant/7.png")
    found.append(data_sha256(path))
    assert len(set(found)) == 3
    path.rename(tmp_path / "elsewhere")
    assert data_sha256(tmp_path / "elsewhere") == found[-1]


def bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def large(path: Path) -> None:
    Image.new("1", (8200, 8200)).save(path / "ant/x.png")


def emptied(path: Path, name: str) -> None:
    for file in (path / name).iterdir():
        file.unlink()


def truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path / "ant/0.png")
    (path / "ant/0.png").write_bytes((path / "ant/0.png").read_bytes()[:100])


def animated(path: Path) -> None:
    frames = [Image.fromarray(GREY + 60 * number) for number in range(3)]
    frames[0].save(path / "ant/x.webp", save_all=True, lossless=True, append_images=frames[1:])


def class_in_test(path: Path) -> None:
    for part in ("train", "test"):
        made(path / part)
        (path / part / "own/ant").rename(path / part / "ant")
        (path / part / "own/bee").rename(path / part / ("bee" if part == "train" else "cow"))
        (path / part / "own").rmdir()
    for name in ("ant", "bee"):
        emptied(path, name)
        (path / name).rmdir()


def gone(path: Path, *names: str) -> None:
    for name in names:
        emptied(path, name)
        (path / name).rmdir()


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "missing": (lambda path: path.rename(path.with_name("other")), "no folder that is there"),
    "no class": (lambda path: gone(path, "ant", "bee"), "found no class"),
    "one class": (lambda path: gone(path, "bee"), "found one class, 'ant'"),
    "empty class": (lambda path: emptied(path, "bee"), "own/bee: found no image"),
    "class in test only": (class_in_test, "own/test/cow: found a class that train/ has not"),
    "train without test": (lambda path: (path / "train/ant").mkdir(parents=True), "train/ without test/"),
    "truncated": (truncated, "own/ant/0.png: found a damaged image"),
    "bomb": (lambda path: (path / "ant/x.png").write_bytes(bomb()), "more pixels than Pillow takes"),
    "large": (large, "found 8200×8200 pixels; needs"),
    "link": (lambda path: (path / "ant/x.png").symlink_to("/etc/hostname"), "own/ant/x.png: is a link"),
    "linked class": (lambda path: (path / "cow").symlink_to("/etc"), "own/cow: is a link"),
    "pipe": (lambda path: os.mkfifo(path / "ant/x.png"), "own/ant/x.png: is a pipe"),
    "animated": (animated, "found 3 pictures in one file"),
    "sizes": (lambda path: Image.new("L", (9, 7)).save(path / "bee/x.png"), "0.png is 8×6, bee/x.png is 9×7; set"),
    "file beside": (lambda path: (path / "notes.txt").write_text("mine"), "own/notes.txt: found a file beside"),
    "twins": (lambda path: (path / "ANT").mkdir(), "the classes 'ANT' and 'ant'"),
    "no image": (lambda path: (path / "ant/x.csv").write_text("1,2"), "own/ant/x.csv: found no PNG"),
    "empty file": (lambda path: (path / "ant/x.png").write_bytes(b""), "own/ant/x.png: found no PNG"),
    "folder in a class": (lambda path: (path / "ant/more").mkdir(), "own/ant/more: found a folder in a class"),
    "line in a name": (lambda path: (path / "a\nb").mkdir(), "rename the folder"),
    "32 bits": (lambda path: Image.new("F", (8, 6)).save(path / "ant/x.tiff"), "pixels of 32 bits"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_bad_is_told_in_one_line(kind: str, tmp_path: Path) -> None:
    spoil, message = BAD[kind]
    path = made(tmp_path)
    spoil(path)
    with pytest.raises((BenchError, Unavailable), match=message) as caught:
        folder(tmp_path, path=path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_too_many_for_the_memory_is_said_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()._replace(available=100)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(BenchError, match="6 images of 8×6, 288 bytes; needs to fit half of the 100"):
        folder(tmp_path, path=made(tmp_path))


def test_resize_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="set image_size too"):
        folder(tmp_path, path=made(tmp_path), resize="pad")


def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """Fuzzed: $BENCH_FUZZ_ROUNDS more rounds by hand."""
    path = made(tmp_path)
    for seed in range(int(os.environ.get("BENCH_FUZZ_ROUNDS", "40"))):
        rng = np.random.default_rng(seed)
        name = ("x.png", "x.jpg", "x.webp", "x.tiff")[seed % 4]
        Image.fromarray(COLOUR).save(path / "ant" / name)
        content = (path / "ant" / name).read_bytes()
        damaged = bytearray(content[: rng.integers(1, len(content) + 1)] if rng.random() < 0.2 else content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 9)):
            damaged[place] = rng.integers(0, 256)
        (path / "ant" / name).write_bytes(damaged)
        with suppress(BenchError):  # anything else is a bug
            folder(tmp_path, path=path)
        (path / "ant" / name).unlink()
