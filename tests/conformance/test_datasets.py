"""The contract of every registered data set. A new one is tested without a line here, unless it needs a setting."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import h5py
import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from bench.base.records import Scaling
from bench.errors import Unavailable
from bench.registry import DATASETS
from bench.worker.common.discover import load_builtin
from bench.worker.datasets.files import DOWNLOADS
from bench.worker.datasets.prepare import prepare
from bench.worker.datasets.scaling import mean_and_sd, scaling
from bench.worker.datasets.splits import Splits

load_builtin()

NAMES = [entry.name for entry in DATASETS]
FETCHED = sorted(DOWNLOADS)


def hdf5_settings(folder: Path) -> dict[str, Any]:
    with h5py.File(folder / "made.h5", "w") as file:
        file["images"] = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
        file["labels"] = np.arange(50) % 7
    return {"path": folder / "made.h5"}


def npz_settings(folder: Path) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
    np.savez(folder / "made.npz", images=images, labels=np.arange(50) % 7)
    return {"path": folder / "made.npz"}


def folder_settings(folder: Path) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        (folder / f"made/{number % 7}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"made/{number % 7}/{number}.png")
    return {"path": folder / "made"}


# Settings that have no default.
def table_settings(folder: Path) -> dict[str, Any]:
    rows = "".join(f"{row / 7:.3f},{'ab'[row % 2]},{row % 3}\n" for row in range(60))
    (folder / "made.csv").write_text(f"width,colour,kind\n{rows}")
    return {"path": folder / "made.csv", "target": "kind"}


REQUIRED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "hdf5": hdf5_settings,
    "npz": npz_settings,
    "table": table_settings,
    "folder": folder_settings,
}


def build(name: str, *, root: Path, folder: Path) -> Splits:
    settings = REQUIRED[name](folder) if name in REQUIRED else {}
    return DATASETS.get(name).build(root, **settings)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.data if name in FETCHED else ()) for name in NAMES])
def built(request: pytest.FixtureRequest, tmp_path: Path) -> Splits:
    root = request.getfixturevalue("data_root") if request.param in FETCHED else tmp_path / "no-root"
    return build(request.param, root=root, folder=tmp_path)


def test_keeps_the_contract(built: Splits) -> None:
    is_regression = built.task == "regression"
    for inputs, targets in ((built.train_inputs, built.train_targets), (built.test_inputs, built.test_targets)):
        assert inputs.dtype in (np.uint8, np.float32)
        assert inputs.ndim in (2, 4)
        assert inputs.shape[1:] == built.input_shape
        assert inputs.flags.c_contiguous
        assert targets.dtype == (np.float32 if is_regression else np.int64)
        assert targets.shape == (len(inputs),)
    assert len(built.train_inputs) > 0
    assert (len(built.test_inputs) == 0) == (built.test_fraction is not None)
    if is_regression:
        assert built.class_names == ()
    else:
        assert set(built.train_labels.tolist()) == set(range(len(built.class_names)))
        assert len(set(built.class_names)) == len(built.class_names) >= 2
    if built.maximum is not None:
        assert float(built.train_inputs.max()) <= built.maximum
    assert built.licence
    assert built.source


def test_scales_as_the_names_say(built: Splits) -> None:
    for name in get_args(Scaling):
        how = scaling(built, name)
        one_a_channel = (-1, *(1 for _ in built.input_shape[1:]))
        shift, scale = (np.array(part, dtype=np.float32).reshape(one_a_channel) for part in (how.shift, how.scale))
        values = (built.train_images[:20_000].astype(np.float32) - shift) * scale
        if name == "unit":
            assert values.min() >= (0 if built.train_images.dtype == np.uint8 else -1)
            assert values.max() <= 1 + 1e-6
        if name == "symmetric" and built.train_images.dtype == np.uint8:
            assert -1 - 1e-6 <= values.min() < values.max() <= 1 + 1e-6
        if name == "standard":
            rest = tuple(axis for axis in range(values.ndim) if axis != 1)
            assert np.abs(values.mean(axis=rest)).max() < 0.05
            assert np.abs(values.std(axis=rest) - 1).max() < 0.05


def test_prepares_without_changing_what_it_was_given(built: Splits) -> None:
    before = built.train_images[:100].copy()
    ready = prepare(built, seed=3, train_limit=None, test_limit=None, validation_split=0.25)
    total = len(built.train_labels) + len(built.test_labels)
    assert sum(len(part.labels) for part in (ready.train, ready.validation, ready.test)) == total
    assert ready.input_shape == built.input_shape
    assert ready.num_outputs == (1 if built.task == "regression" else len(built.class_names))
    assert np.array_equal(built.train_images[:100], before)


@pytest.mark.parametrize("name", FETCHED)
def test_says_how_to_get_what_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(Unavailable, match=f"is not under ~/data: run `bench fetch {name}`") as caught:
        build(name, root=tmp_path / "data", folder=tmp_path)
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", NAMES)
def test_settings_can_be_described_and_their_defaults_are_valid(name: str) -> None:
    builder = DATASETS.get(name).build
    hints = get_type_hints(builder, include_extras=True)
    for setting, parameter in list(inspect.signature(builder).parameters.items())[1:]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        adapter: TypeAdapter[Any] = TypeAdapter(hints[setting])
        assert adapter.json_schema()
        if parameter.default is not inspect.Parameter.empty:
            adapter.validate_python(parameter.default)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "train", "test", "shape"),
    [
        ("mnist", 60_000, 10_000, (1, 28, 28)),
        ("fashion_mnist", 60_000, 10_000, (1, 28, 28)),
        ("cifar10", 50_000, 10_000, (3, 32, 32)),
        ("optdigits", 5_620, 0, (1, 8, 8)),
    ],
)
def test_the_real_set_is_as_published(
    name: str, train: int, test: int, shape: tuple[int, int, int], data_root: Path, tmp_path: Path
) -> None:
    splits = build(name, root=data_root, folder=tmp_path)
    assert (len(splits.train_images), len(splits.test_images), splits.input_shape) == (train, test, shape)
    if splits.mean is not None:
        assert not splits.train_images.flags.writeable
        mean, sd = mean_and_sd(splits.train_images, splits.maximum)
        assert splits.mean == pytest.approx(mean, abs=1e-12)
        assert splits.sd == pytest.approx(sd, abs=1e-12)


@pytest.mark.data
def test_digits_are_the_test_part_of_optdigits(data_root: Path, tmp_path: Path) -> None:
    digits = DATASETS.get("digits").build(tmp_path)
    optdigits = DATASETS.get("optdigits").build(data_root, split="writers")
    assert np.array_equal(digits.train_images, optdigits.test_images)
    assert np.array_equal(digits.train_labels, optdigits.test_labels)
    assert len(optdigits.train_labels) == 3_823
