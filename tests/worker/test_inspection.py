"""What bench inspect finds in a data set: against numpy over all of it at once, and with copies that were put there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.worker import inspection
from bench.worker.catalogue.kept import worker_digest
from bench.worker.datasets import splits as splits_module
from bench.worker.datasets.prepare import Split, prepare
from bench.worker.datasets.splits import Splits
from bench.worker.inspection import copies, part_figures, spread

RNG = np.random.default_rng(0)


def part(count: int, *, shape: tuple[int, int, int] = (3, 5, 4), classes: int = 4, kind: type = np.uint8) -> Split:
    images = RNG.integers(0, 256, (count, *shape)).astype(kind)
    return Split(images, RNG.integers(0, classes, count).astype(np.int64))


@pytest.fixture(params=[None, 2000], ids=["at once", "in pieces"])
def _pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(splits_module, "CHUNK_BYTES", request.param)


@pytest.mark.usefixtures("_pieces")
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_figures_are_those_of_all_images_together(kind: type) -> None:
    given = part(101, kind=kind)
    found = part_figures(given, maximum=255.0, classes=5)
    unit = given.images.astype(np.float64) / 255
    flat = unit.reshape(101, -1)
    wanted: dict[str, Any] = {
        "counts": [int((given.labels == label).sum()) for label in range(5)],
        "range": [unit.min(), unit.max()],
        "mean_image": unit.mean(axis=0),
        "sd_image": unit.std(axis=0),
        "channel_mean": unit.mean(axis=(0, 2, 3)),
        "channel_sd": unit.std(axis=(0, 2, 3)),
        "pixel_mean": unit.mean(),
        "pixel_sd": unit.std(),
        "brightness/quantiles": np.quantile(flat.mean(axis=1), [0, 0.25, 0.5, 0.75, 1]),
        "contrast/quantiles": np.quantile(flat.std(axis=1), [0, 0.25, 0.5, 0.75, 1]),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12, err_msg=name)
    for label in range(4):
        np.testing.assert_allclose(found["class_means"][label], unit[given.labels == label].mean(axis=0))
    assert not found["class_means"][4].any()  # a class without an image
    darkest = found["brightness/extremes"][0]
    assert darkest == flat.mean(axis=1).argmin()
    assert np.array_equal(found["brightness/images"][0], given.images[darkest])


def test_the_pieces_are_smaller_than_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits_module, "CHUNK_BYTES", 2000)
    sizes = [len(piece) for _, piece in inspection.pieces(part(101).images, maximum=255.0)]
    assert sum(sizes) == 101
    assert max(sizes) * 3 * 5 * 4 * 8 <= 2000


def test_far_out_is_what_lies_three_quartile_ranges_beyond_the_quartiles() -> None:
    values = np.concatenate([np.linspace(0, 1, 101), [2.2, 2.6, -2.0]])
    found = spread(values)
    low, high = found["fences"]
    assert (low, high) == pytest.approx((0.2575 - 3 * 0.515, 0.7725 + 3 * 0.515), abs=0.02)
    assert found["far_out_places"].tolist() == [102, 103]
    assert int(found["far_out"]) == 2
    assert found["extremes"].tolist()[:1] == [103]
    assert found["extremes"].tolist()[4:6] == [102, 101]
    assert found["histogram_counts"].sum() == len(values)


def test_of_one_image_there_is_no_spread() -> None:
    found = spread(np.array([0.5]))
    assert found["extremes"].tolist() == [0, 0]
    assert int(found["far_out"]) == 0


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_copies_are_found_within_the_parts_and_between_them(kind: type) -> None:
    train, test = part(40, kind=kind), part(20, kind=kind)
    train.labels[:], test.labels[:] = 1, 1
    for place in (7, 30):
        train.images[place] = train.images[3]
    train.labels[30] = 2
    test.images[5] = test.images[4]
    test.images[9] = train.images[11]
    test.images[10] = train.images[3]
    test.labels[9] = 0
    found = copies(train, test)
    assert found["train_pairs"].tolist() == [[3, 7], [3, 30]]
    assert found["test_pairs"].tolist() == [[4, 5]]
    assert found["between_pairs"].tolist() == [[11, 9], [3, 10]]
    assert {kind: int(found[f"{kind}_conflicts"]) for kind in ("train", "test", "between")} == {
        "train": 1, "test": 0, "between": 2,
    }  # fmt: skip
    for one, other in found["between_images"]:
        assert np.array_equal(one, other)
    assert found["between_labels"].tolist() == [[1, 0], [1, 1]]


def test_zero_and_minus_zero_are_one_number() -> None:
    images = np.zeros((2, 1, 2, 2), dtype=np.float32)
    images[1, 0, 0, 0] = -0.0
    given = Split(images, np.zeros(2, dtype=np.int64))
    assert int(copies(given, part(1, shape=(1, 2, 2)))["train_count"]) == 1


@pytest.mark.parametrize("declared", [None, ([0.4] * 3, [0.2] * 3)])
def test_the_normalisation_is_the_one_that_standard_does(declared: Any) -> None:
    train, test = part(30), part(10)
    mean, sd = declared or (None, None)
    splits = Splits(
        train_images=train.images, train_labels=train.labels, test_images=test.images, test_labels=test.labels,
        class_names=list("abcd"), maximum=255, licence="none", source="here", mean=mean, sd=sd,
    )  # fmt: skip
    found = inspection.figures(splits, prepare(splits, seed=0, train_limit=None, test_limit=None, validation_split=0.0))
    wanted = declared or (found["train/channel_mean"], found["train/channel_sd"])
    np.testing.assert_allclose(found["about/standard_mean"], wanted[0])
    np.testing.assert_allclose(found["about/standard_sd"], wanted[1])
    assert found["about/declared"].tolist() == [declared is not None] * 2


def test_what_is_looked_at_here_makes_no_result_another_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.worker.catalogue import kept

    read: list[str] = []
    monkeypatch.setattr(kept, "files_digest", lambda paths: read.extend(map(str, paths)) or "")
    worker_digest()
    assert any(path.endswith("worker/trial/trial.py") for path in read)
    assert not [path for path in read if "inspection" in path]
