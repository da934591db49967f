"""A user's own HDF5 files: every layout that is taken, and every mismatch in one line."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.errors import DataError, Unavailable
from bench.worker.datasets import hdf5_file
from bench.worker.datasets.hdf5 import hdf5
from bench.worker.datasets.hdf5_file import layout
from bench.worker.datasets.splits import Splits

COUNT = 20
NCHW = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 6, 5), dtype=np.uint8)
LABELS = np.arange(COUNT) % 4


@pytest.fixture(autouse=True)
def _fresh(fresh_cache: Path) -> None:
    """Each file is decoded, none found in the cache."""


def write(
    path: Path, images: Any = NCHW, labels: Any = LABELS, *, names: tuple[str, str] = ("images", "labels")
) -> Path:
    with h5py.File(path, "w") as file:
        file[names[0]], file[names[1]] = images, labels
    return path


def load(path: Path, **settings: Any) -> Splits:
    splits: Splits = hdf5(path.parent, path=path, **settings)
    return splits


@pytest.mark.parametrize(
    ("images", "settings", "expected"),
    [
        (NCHW, {}, NCHW),
        (NCHW.transpose(0, 2, 3, 1), {}, NCHW),
        (NCHW[:, 0], {}, NCHW[:, :1]),
        (NCHW[:, :1], {}, NCHW[:, :1]),
        (NCHW.reshape(COUNT, -1), {"image_shape": [3, 6, 5]}, NCHW),
        (NCHW[:, 0], {"image_shape": (1, 6, 5)}, NCHW[:, :1]),
        (NCHW.transpose(0, 2, 3, 1), {"image_shape": [3, 6, 5]}, NCHW),
        (NCHW[:, :2], {}, NCHW[:, :2]),
        (NCHW[:, :2].transpose(0, 2, 3, 1), {}, NCHW[:, :2]),
        (NCHW.transpose(0, 2, 3, 1).reshape(COUNT, -1), {"image_shape": [3, 6, 5], "layout": "channels_last"}, NCHW),
        (NCHW[:, :, :4, :4], {"layout": "channels_first"}, NCHW[:, :, :4, :4]),
        (NCHW.transpose(0, 2, 3, 1)[:, :4], {"layout": "channels_last"}, NCHW[:, :, :4]),
        (NCHW[:, :, :3, :3].transpose(0, 2, 3, 1), {"layout": "channels_last"}, NCHW[:, :, :3, :3]),
        (NCHW[:, 0], {"layout": "channels_last"}, NCHW[:, :1]),
    ],
    ids=[
        "NCHW",
        "NHWC",
        "NHW",
        "N1HW",
        "ND",
        "NHW with shape",
        "NHWC with shape",
        "N2HW",
        "NHW2",
        "ND, C last",
        "N344",
        "N453",
        "N333, C last",
        "NHW, C last",
    ],
)
def test_every_layout_gives_the_same_images(
    images: np.ndarray, settings: dict[str, Any], expected: np.ndarray, tmp_path: Path
) -> None:
    splits = load(write(tmp_path / "x.h5", images), **settings)
    assert splits.train_images.dtype == np.uint8
    assert np.array_equal(splits.train_images, expected)
    assert splits.train_labels.tolist() == LABELS.tolist()
    assert (splits.maximum, splits.test_fraction, len(splits.class_names)) == (255, 0.2, 4)


@pytest.mark.parametrize(
    ("shape", "image_shape", "expected"),
    [
        ((9, 3, 32, 32), None, ((3, 32, 32), False)),
        ((9, 32, 32, 3), None, ((3, 32, 32), True)),
        ((9, 1, 5, 5), None, ((1, 5, 5), False)),
        ((9, 5, 5, 1), None, ((1, 5, 5), True)),
        ((9, 4, 8, 4), (4, 4, 8), ((4, 4, 8), True)),
        ((9, 4, 8, 4), (4, 8, 4), ((4, 8, 4), False)),
        ((9, 16, 8, 8), (16, 8, 8), ((16, 8, 8), False)),
        ((9, 8, 8, 16), (16, 8, 8), ((16, 8, 8), True)),
        ((9, 2, 28, 28), None, ((2, 28, 28), False)),
    ],
)
def test_where_the_channels_are(shape: tuple[int, ...], image_shape: tuple[int, ...] | None, expected: object) -> None:
    assert layout(shape, image_shape=image_shape, order=None, label="f") == expected


@pytest.mark.parametrize(
    "inner", [(4, 100, 3), (3, 3, 3), (1, 28, 1), (3, 32, 3), (4, 4, 1), (1, 1, 3), (16, 8, 8), (64, 64, 5)]
)
def test_the_place_of_the_channels_is_asked_for_where_it_is_not_certain(inner: tuple[int, int, int]) -> None:
    shape = re.escape(str((9, *inner)))
    with pytest.raises(
        DataError,
        match=f'^f: found the shape {shape}, C first or last\\? Set layout = "channels_first" or "channels_last"$',
    ):
        layout((9, *inner), image_shape=None, order=None, label="f")
    first, middle, last = inner
    assert layout((9, *inner), image_shape=None, order="channels_first", label="f") == (inner, False)
    assert layout((9, *inner), image_shape=None, order="channels_last", label="f") == ((last, first, middle), True)


def test_a_shape_of_three_equal_lengths_does_not_say_where_the_channels_are() -> None:
    with pytest.raises(DataError, match="C first or last"):
        layout((9, 3, 3, 3), image_shape=(3, 3, 3), order=None, label="f")
    with pytest.raises(DataError, match=r'needs another, with layout = "channels_last"$'):
        layout((9, 3, 8, 8), image_shape=(3, 8, 8), order="channels_last", label="f")


@pytest.mark.parametrize(
    ("images", "maximum"),
    [
        (NCHW / 255, 1),
        ((NCHW / 255).astype(np.float16), 1),
        (NCHW.astype(np.float32), 255),
        (NCHW / 127.5 - 1, 1),
        (NCHW * -2.0, 510),
        (NCHW * 0.0, 1),
    ],
)
def test_floats_become_float32_and_say_their_maximum(images: np.ndarray, maximum: float, tmp_path: Path) -> None:
    splits = load(write(tmp_path / "x.h5", images))
    assert splits.train_images.dtype == np.float32
    np.testing.assert_array_equal(splits.train_images, images.astype(np.float32))
    assert splits.maximum == pytest.approx(maximum)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, bool])
def test_one_hot_labels_are_the_numbers(dtype: type, tmp_path: Path) -> None:
    splits = load(write(tmp_path / "x.h5", labels=np.eye(6)[LABELS].astype(dtype)))
    assert splits.train_labels.tolist() == LABELS.tolist()
    assert len(splits.class_names) == 6


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, ">i4"])
def test_labels_of_any_integers(dtype: Any, tmp_path: Path) -> None:
    splits = load(write(tmp_path / "x.h5", labels=LABELS.astype(dtype)[:, np.newaxis]))
    assert splits.train_labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f8"])
def test_whole_floats_are_class_numbers(dtype: Any, tmp_path: Path) -> None:
    splits = load(write(tmp_path / "x.h5", labels=LABELS.astype(dtype)))
    assert splits.train_labels.tolist() == LABELS.tolist()
    assert splits.train_labels.dtype == np.int64
    assert len(splits.class_names) == 4


def test_false_and_true_are_classes_0_and_1(tmp_path: Path) -> None:
    for labels in (LABELS > 1, (LABELS > 1)[:, np.newaxis]):
        splits = load(write(tmp_path / "x.h5", labels=labels))
        assert splits.train_labels.tolist() == (LABELS > 1).astype(int).tolist()
        assert splits.class_names == ("0", "1")


def test_numbers_that_count_something_else_are_no_classes(tmp_path: Path) -> None:
    """60,001 classes would take 29 GB for their confusion matrix, after the training."""
    path = write(tmp_path / "x.h5", labels=LABELS * 20_000)
    with pytest.raises(DataError) as caught:
        load(path)
    said = "x.h5: labels: found 60,001 classes in 20 images; number those that it has from 0 on, without gaps"
    assert str(caught.value) == said
    assert len(load(write(path, labels=LABELS * 333)).class_names) == 1000


def test_names_groups_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("train/x", data=NCHW, chunks=(7, 3, 6, 5), compression="gzip")
        file.create_dataset("train/y", data=LABELS)
        file["soft"] = h5py.SoftLink("/train/y")
    assert np.array_equal(load(path, images="train/x", labels="soft").train_images, NCHW)


def test_a_test_file_is_the_test_part(tmp_path: Path) -> None:
    path, test_path = write(tmp_path / "x.h5"), write(tmp_path / "y.h5", NCHW[:5].transpose(0, 2, 3, 1), LABELS[:5] % 2)
    for _ in range(2):  # decoded, then from the cache
        splits = load(path, test_path=test_path, test_fraction=0.5)
        assert np.array_equal(splits.test_images, NCHW[:5])
        assert splits.test_labels.tolist() == (LABELS[:5] % 2).tolist()
        assert splits.test_fraction is None
        assert splits.source == "x.h5 and y.h5"


def course(path: Path, *, part: str, count: int = COUNT) -> Path:
    """A file as the most used courses give it: the names say the part."""
    with h5py.File(path, "w") as file:
        file[f"{part}_set_x"], file[f"{part}_set_y"] = NCHW[:count], LABELS[:count]
        file["list_classes"] = np.array([b"a", b"b"])
    return path


def test_the_test_file_may_call_its_arrays_otherwise(tmp_path: Path) -> None:
    path, test_path = course(tmp_path / "x.h5", part="train"), course(tmp_path / "y.h5", part="test", count=5)
    names = {"images": "train_set_x", "labels": "train_set_y"}
    splits = load(path, test_path=test_path, test_images="test_set_x", test_labels="test_set_y", **names)
    assert np.array_equal(splits.test_images, NCHW[:5])
    assert (splits.test_labels.tolist(), splits.test_fraction) == (LABELS[:5].tolist(), None)
    assert splits.source == "x.h5 and y.h5"


def test_one_name_of_the_test_file_may_be_another(tmp_path: Path) -> None:
    path, test_path = (
        write(tmp_path / "x.h5"),
        write(tmp_path / "y.h5", NCHW[3:5], LABELS[3:5], names=("new", "labels")),
    )
    assert np.array_equal(load(path, test_path=test_path, test_images="new").test_images, NCHW[3:5])


def test_one_file_may_hold_both_parts(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x_train"], file["y_train"], file["x_test"], file["y_test"] = NCHW, LABELS, NCHW[:4], LABELS[:4]
        file["test/x"], file["test/y"] = NCHW[7:9].transpose(0, 2, 3, 1), np.eye(4)[LABELS[7:9]]
    names = {"images": "x_train", "labels": "y_train"}
    splits = load(path, test_images="x_test", test_labels="y_test", **names)
    assert (len(splits.train_labels), splits.test_labels.tolist(), splits.test_fraction) == (20, [0, 1, 2, 3], None)
    assert splits.source == "x.h5"
    again = load(path, test_images="test/x", test_labels="test/y", **names)  # not what the cache has of the other names
    assert np.array_equal(again.test_images, NCHW[7:9])
    assert again.test_labels.tolist() == LABELS[7:9].tolist()
    for name in ("test_images", "test_labels"):
        with pytest.raises(
            DataError, match=r"^hdf5: found one of test_images and test_labels; set both, the test arrays of x.h5$"
        ):
            load(path, **{name: "x_test"}, **names)


def test_a_name_that_only_one_file_has_can_be_followed(tmp_path: Path) -> None:
    path, test_path = course(tmp_path / "x.h5", part="train"), course(tmp_path / "y.h5", part="test")
    with pytest.raises(DataError) as caught:
        load(path, test_path=test_path, images="train_set_x", labels="train_set_y")
    assert str(caught.value) == (
        "y.h5: found no array 'train_set_x', only list_classes, test_set_x, test_set_y; set `test_images` and "
        "`test_labels` to names that are there (x.h5 has list_classes, train_set_x, train_set_y)"
    )
    with pytest.raises(DataError) as caught:
        load(path, test_path=test_path)
    assert str(caught.value) == (
        "x.h5: found no array 'images', only list_classes, train_set_x, train_set_y; set `images` and `labels` to "
        "names that are there (y.h5 has list_classes, test_set_x, test_set_y)"
    )
    with pytest.raises(DataError) as caught:
        load(path, images="train_set_x", labels="train_set_y", test_images="x_test", test_labels="y_test")
    assert str(caught.value) == (
        "x.h5: found no array 'x_test', only list_classes, train_set_x, train_set_y; set `test_images` and "
        "`test_labels` to names that are there"
    )


@pytest.mark.parametrize("names", [{}, {"images": "train_x"}, {"labels": "l", "test_images": "x", "test_labels": "y"}])
def test_where_both_parts_are_in_one_file_all_four_settings_are_named(tmp_path: Path, names: dict[str, str]) -> None:
    path = write(tmp_path / "x.h5", names=("x", "y"))
    with pytest.raises(DataError) as caught:
        load(path, test_path=path, **names)
    assert "only x, y; set `images`, `labels`, `test_images` and `test_labels` to names that are there" in (
        str(caught.value)
    )
    assert "(x.h5 has" not in str(caught.value)
    with pytest.raises(DataError, match=r"'no', only x, y; set `test_images` and `test_labels` to names"):
        load(path, test_path=path, images="x", labels="y", test_images="no")


def test_a_damaged_array_beside_others_ends_the_list_of_names(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", names=("a", "b"))
    with h5py.File(path, "r+") as file:
        file["c"] = np.zeros((11, 13), dtype=np.uint8)
    whole = struct.pack("<4Q", 11, 13, 11, 13)  # its size, and the most that it may have
    assert whole in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(whole, struct.pack("<4Q", 512, 13, 11, 13)))
    with pytest.raises(DataError, match="only a, b; set"):
        load(path)


def test_names_in_groups_are_listed_too(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5", names=("train/x", "train/y"))
    with pytest.raises(DataError, match="only train/x, train/y; set"):
        load(path)
    with h5py.File(path, "w") as file:
        file.create_group("empty")
    with pytest.raises(DataError, match="only nothing; set"):
        load(path)


def test_reads_in_pieces_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.worker.datasets.splits.CHUNK_BYTES", 600)
    assert np.array_equal(load(write(tmp_path / "x.h5", NCHW.transpose(0, 2, 3, 1))).train_images, NCHW)


def test_an_edited_file_is_read_again_and_another_setting_too(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5")
    load(path)
    write(path, NCHW[:, :, ::-1], 3 - LABELS)
    assert load(path).train_labels.tolist() == (3 - LABELS).tolist()
    write(path, NCHW.reshape(COUNT, -1))
    shapes = [load(path, image_shape=shape).input_shape for shape in ([3, 6, 5], [5, 6, 3])]
    assert shapes == [(3, 6, 5), (5, 6, 3)]


def test_what_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"hdf5: .*none.h5 is not there"):
        load(tmp_path / "none.h5")
    with pytest.raises(Unavailable, match=r"hdf5: .*none.h5 is not there"):
        load(write(tmp_path / "x.h5"), test_path=tmp_path / "none.h5")


def test_no_reason_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons are published with the results."""
    x, y, odd, directory = (tmp_path / f"{name}.h5" for name in ("x", "y", "odd", "dir"))
    write(x), write(y, NCHW[:, :1]), write(odd, names=("a", "b"))
    (tmp_path / "text.h5").write_text("no HDF5")
    directory.mkdir()
    cases: list[tuple[Path, Path | None]] = [
        (tmp_path / "none.h5", None), (directory, None), (tmp_path / "text.h5", None), (odd, None), (x, y),
        (x, tmp_path / "none.h5"),
    ]  # fmt: skip
    for path, test_path in cases:
        with pytest.raises((DataError, Unavailable)) as caught:
            load(path, test_path=test_path)
        assert (test_path or path).name in str(caught.value)
        assert "/" not in str(caught.value)
    monkeypatch.setattr("bench.worker.datasets.hdf5.file_sha256", _refused)
    with pytest.raises(DataError, match=r"^x.h5: cannot be read: Permission denied$"):
        load(x)
    monkeypatch.undo()
    monkeypatch.setattr(h5py, "File", _unable)
    with pytest.raises(DataError, match=r"^x.h5: cannot be read as HDF5: unable to open file \(name = 'x.h5'\)$"):
        hdf5_file.read(x, hdf5_file.Keys("images", "labels", None))


def _refused(path: Path) -> str:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def _unable(path: Path, *args: str, **kwargs: str) -> None:
    raise OSError(f"unable to open file (name = '{path}')")  # as h5py says it


def test_no_hdf5_and_a_cut_one_are_one_line(tmp_path: Path) -> None:
    path = write(tmp_path / "x.h5")
    whole = path.read_bytes()
    for length in [0, 1, 100, *range(512, len(whole), 997)]:
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"x.h5: cannot be read as HDF5"):
            load(path)


def test_a_damaged_chunk_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=NCHW, chunks=NCHW.shape, compression="gzip", fletcher32=True)
        file["labels"] = LABELS
        offset = file["images"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 50] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x.h5: cannot be read as HDF5"):
        load(path)


def test_data_that_lies_in_another_file_is_refused(tmp_path: Path) -> None:
    """The digest of the file would not cover it: the same trial_id for other data."""
    other, raw = write(tmp_path / "other.h5"), tmp_path / "raw.bin"
    raw.write_bytes(NCHW.tobytes())
    virtual = h5py.VirtualLayout(shape=NCHW.shape, dtype=np.uint8)
    virtual[:] = h5py.VirtualSource(other, "images", shape=NCHW.shape)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["labels"] = LABELS
        file["link"] = h5py.ExternalLink("other.h5", "/images")
        file["group"] = h5py.ExternalLink("other.h5", "/")
        file.create_virtual_dataset("virtual", virtual)
        file.create_dataset("raw", NCHW.shape, dtype=np.uint8, external=[(str(raw), 0, NCHW.nbytes)])
    for name in ("link", "group/images", "virtual", "raw"):
        with pytest.raises(DataError, match=f"x.h5: {name}: found data that lies in another file"):
            load(path, images=name)
