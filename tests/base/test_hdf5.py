"""HDF5 files of strangers: no array is read that lies elsewhere, or claims more than the file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from bench.analysis import artifacts
from bench.base import hdf5
from bench.base.records import Result
from bench.errors import BenchError, DataError
from bench.report.html.details import Details
from bench.results.store import Store
from bench.worker.datasets import hdf5_file
from bench.worker.evaluate.diagnosis import diagnose
from bench.worker.trial.artifacts import attributes_of

SECRET = np.frombuffer(b"the secret of another file, of 32", dtype=np.uint8)[:32].view(np.int64)


@pytest.fixture
def result(make: ModuleType) -> Result:
    found: Result = make.run_of(make.Plan(models=(make.Component("linear"),), seeds=(0,)))[0]
    return found


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The artifact of a trial on two classes, with all that a diagnosis has."""
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(40, 2)).astype(np.float32), np.arange(40) % 2
    with h5py.File(path, "w") as file:
        file["test/logits"], file["test/labels"] = logits, labels
        file["test/confusion_matrix"] = np.array([[12, 8], [9, 11]])
        file["test/confusion_matrix"].attrs["class_names"] = ["no", "yes"]
        for place, found in diagnose(logits, labels, images=rng.integers(0, 255, (40, 1, 4, 4), np.uint8)).items():
            file[f"diagnosis/{place}"] = found
        file["weights/0.weight"] = rng.normal(size=(2, 16)).astype(np.float32)
        file["weights/0.weight"].attrs.update(attributes_of(file["weights/0.weight"][()]))
        file["weights/steps"] = np.array(3)
    return path.read_bytes()


@pytest.fixture
def path(result: Result, tmp_path: Path, whole: bytes) -> Path:
    path = Store(tmp_path).artifact_path(result.run_id, result.trial_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(whole)
    return path


def put(path: Path, place: str, make: Callable[[h5py.File], Any]) -> None:
    with h5py.File(path, "r+") as file:
        kept = dict(file[place].attrs) if place in file else {}
        if place in file:
            del file[place]
        made = make(file)
        if made is not None:
            file[place] = made
        if isinstance(file.get(place, getlink=True), h5py.HardLink):
            for name, value in kept.items():
                file[place].attrs[name] = value


def external_storage(path: Path, place: str) -> None:
    SECRET.tofile(path.with_name("secret"))
    put(path, place, lambda file: file.create_dataset(
        place, (2, 2), "i8", external=[(str(path.with_name("secret")), 0, 32)]) and None)  # fmt: skip


def virtual(path: Path, place: str) -> None:
    layout = h5py.VirtualLayout((2, 2), "i8")
    layout[...] = h5py.VirtualSource(str(secret(path)), "x", (2, 2))
    put(path, place, lambda file: file.create_virtual_dataset(place, layout) and None)


def secret(path: Path) -> Path:
    other = path.with_name("secret.h5")
    with h5py.File(other, "w") as file:
        file["x"] = SECRET.reshape(2, 2)
        file["g/confusion_matrix"] = SECRET.reshape(2, 2)
        for name in ("x", "g/confusion_matrix"):
            file[name].attrs["class_names"] = ["no", "yes"]
    return other


def external_link(path: Path, place: str) -> None:
    put(path, place, lambda _: h5py.ExternalLink(str(secret(path)), "x"))


def soft_to_external(path: Path, place: str) -> None:
    put(path, "out", lambda _: h5py.ExternalLink(str(secret(path)), "x"))
    put(path, place, lambda _: h5py.SoftLink("/out"))


def external_group(path: Path, place: str) -> None:
    put(path, place.rpartition("/")[0], lambda _: h5py.ExternalLink(str(secret(path)), "g"))


ELSEWHERE = {each.__name__: each for each in (
    external_storage, virtual, external_link, soft_to_external, external_group)}  # fmt: skip


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_the_bytes_of_another_file_are_in_no_page(kind: str, path: Path, result: Result, tmp_path: Path) -> None:
    assert Details(tmp_path).arrays(result)["confusion"] == {"classes": 0, "counts": [[12, 8], [9, 11]]}
    ELSEWHERE[kind](path, "test/confusion_matrix")
    with h5py.File(path) as file:  # the attack works on who does not look
        assert (file["test/confusion_matrix"][()] == SECRET.reshape(2, 2)).all()
    assert Details(tmp_path).arrays(result) == {}
    with pytest.raises(BenchError, match=r"(found data that lies in another file|it is a link)"):
        artifacts.summary(path)


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_nor_in_a_data_set(kind: str, tmp_path: Path) -> None:
    path, keys = tmp_path / "data.h5", hdf5_file.Keys("data/images", "data/labels", None)
    with h5py.File(path, "w") as file:
        file["data/images"], file["data/labels"] = np.zeros((2, 4, 4), np.uint8), np.array([0, 1])
    assert hdf5_file.read(path, keys).labels.tolist() == [0, 1]
    ELSEWHERE[kind](path, "data/labels")
    with pytest.raises(DataError, match=r"data.h5: .*(found data that lies in another file|only)"):
        hdf5_file.read(path, keys)


def test_a_link_within_a_data_set_is_followed_and_a_circle_is_not(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["a/b/x"], file["a/y"], file["z"] = np.arange(3), h5py.SoftLink("b/x"), h5py.SoftLink("/a/y")
        file["g"], file["circle"] = h5py.SoftLink("/a/b"), h5py.SoftLink("/circle")
        for name in ("z", "a/y", "g/x", "/z/"):
            assert hdf5.dataset(file, name, soft_links=True)[()].tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match="a link"):
            hdf5.dataset(file, "circle", soft_links=True)


ODD: dict[str, Callable[[h5py.File, str], Any]] = {
    "10^15 elements": lambda file, at: file.create_dataset(at, (10**15,), "i8", chunks=(1024,)) and None,
    "much that was never written": lambda file, at: file.create_dataset(at, (6000, 6000), "i8", chunks=(8, 8)) and None,
    "elements of a gigabyte": lambda file, at: file.create_dataset(at, (2, 2), "S1000000000", chunks=(1, 1)) and None,
    "complex": lambda *_: np.full((2, 2), 1j),
    "bytes": lambda *_: np.array([[b"a", b"b"], [b"c", b"d"]]),
    "texts": lambda file, at: file.create_dataset(at, data=[["a", "b"]] * 2, dtype=h5py.string_dtype()) and None,
    "references": lambda file, at: file.create_dataset(at, data=[[file.ref] * 2] * 2, dtype=h5py.ref_dtype) and None,
    "records": lambda *_: np.zeros((2, 2), dtype=[("a", "i4")]),
    "nothing at all": lambda *_: h5py.Empty("i8"),
    "a group": lambda file, at: file.create_group(at) and None,
    "one value": lambda *_: 7,
    "another shape": lambda *_: np.zeros((3, 2), int),
    "below zero": lambda *_: np.array([[1, -1], [0, 0]]),
    "numbers with a point": lambda *_: np.full((2, 2), np.nan),
    "a type of HDF5": lambda file, at: file.__setitem__(at, np.dtype("f8")),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_confusion_matrix_costs_its_detail_only(
    kind: str, path: Path, result: Result, tmp_path: Path
) -> None:
    put(path, "test/confusion_matrix", lambda file: ODD[kind](file, "test/confusion_matrix"))
    assert Details(tmp_path).arrays(result) == {}
    for read in (artifacts.summary, artifacts.layers, lambda path: artifacts.read(result, path)):
        if read is not artifacts.layers:
            with pytest.raises(BenchError, match="no file of a trial"):
                read(path)


NAMES: dict[str, Any] = {
    "numbers": [1, 2],
    "one": ["no"],
    "three": ["a", "b", "c"],
    "bytes": np.array([b"a", b"b"]),
    "a scalar": 1.5,
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_classes_are_texts_as_many_as_there_are(kind: str, path: Path, result: Result, tmp_path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["test/confusion_matrix"].attrs["class_names"] = NAMES[kind]
    assert Details(tmp_path).arrays(result) == {}


def test_half_characters_of_a_name_are_spelled_out(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["test/confusion_matrix"].attrs["class_names"] = np.array([b"\xff", b"yes"], dtype=h5py.string_dtype())
    assert artifacts.summary(path)[0] == ["\\udcff", "yes"]


def test_bins_that_are_no_numbers_are_left_out(path: Path) -> None:
    _, _, bins = artifacts.summary(path)
    assert sum(count for count, _, _ in bins) == 40
    with h5py.File(path, "r+") as file:
        file["diagnosis/calibration/confidence"][...] = np.nan
    assert artifacts.summary(path)[2] == []


WRONG = ["test/logits", "test/labels", "diagnosis/errors/label", "diagnosis/errors/images", "diagnosis/top_k/accuracy",
         "diagnosis/calibration/edges", "diagnosis/confusions/answer", "diagnosis/per_class/support"]  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_a_diagnosis_fits_together_or_is_refused(place: str, path: Path, result: Result) -> None:
    assert artifacts.read(result, path)["calibration/edges"].shape == (16,)
    values: list[Callable[[h5py.File], Any]] = [
        lambda _: np.zeros((3, 3, 3)), lambda _: np.full(40, 1j), lambda _: np.array(b"x"), lambda _: -np.ones(40),
        lambda _: np.full((40, 2), np.inf), lambda _: 7, lambda file: file.create_group(place) and None,
        lambda _: np.arange(0),
    ]  # fmt: skip
    if place != "test/labels":
        values.append(lambda _: np.full(40, 2**62))
    for value in values:
        put(path, place, value)
        if place == "diagnosis/top_k/accuracy" and artifacts_fit(path):
            continue
        with pytest.raises(BenchError, match="no file of a trial"):
            artifacts.read(result, path)


def artifacts_fit(path: Path) -> bool:
    with h5py.File(path) as file:
        found = file["diagnosis/top_k/accuracy"]
        return isinstance(found, h5py.Dataset) and found.ndim == 1 and found.dtype.kind in "iuf"


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, 1j, b"x", "x", [1.0, 2.0], h5py.Empty("f8"), np.longdouble("1e400")], ids=repr
)
def test_statistics_of_weights_are_numbers(value: Any, path: Path) -> None:
    assert [layer.name for layer in artifacts.layers(path)] == ["0.weight"]
    with h5py.File(path, "r+") as file:
        file["weights/0.weight"].attrs["l2_norm"] = value
    with pytest.raises(BenchError, match="l2_norm of weights/0.weight is no number|found nothing in it"):
        artifacts.layers(path)
