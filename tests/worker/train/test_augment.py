"""Augmentation: what torchvision.transforms.v2 does to one image, for each of a batch by chances of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as v2

from bench.base.records import TrainSettings
from bench.worker.evaluate.accuracy import Held
from bench.worker.train.augment import ANGLE, FLIP, LEFT, TOP, Augmentation
from bench.worker.train.loaders import Gather, Loaded, Resident, Scale, Source

CPU = torch.device("cpu")
ALL: dict[str, Any] = {"augment_flip": True, "augment_crop_padding": 2, "augment_rotation_degrees": 30.0}
SCALES = {"unit": (0.0, 1.0), "symmetric": (0.5, 2.0), "standard": (0.3, 3.1)}  # shift and scale of [0, 1]


def made(settings: dict[str, Any], *, scale: Scale | None = None, **more: Any) -> Augmentation:
    fill = scale.black if scale is not None else torch.zeros((1, 1, 1, 1))
    found = Augmentation.of(TrainSettings(**settings), fill=fill, seed=0, **more)
    assert found is not None
    return found


def by_torchvision(image: torch.Tensor, chances: list[float], *, settings: TrainSettings) -> torch.Tensor:
    """One raw image (C, H, W), by v2's functions with the draws that the chances stand for."""
    height, width = image.shape[1:]
    if padding := settings.augment_crop_padding:
        top, left = (int(chances[place] * (2 * padding + 1)) for place in (TOP, LEFT))
        image = v2.crop(v2.pad(image, [padding], fill=0.0), top, left, height, width)
    if settings.augment_flip and chances[FLIP] < 0.5:
        image = v2.horizontal_flip(image)
    if most := settings.augment_rotation_degrees:
        # With a fill, v2 pulls the outermost pixels towards it twice; without one what lies outside is 0 all the same.
        angle = (2 * chances[ANGLE] - 1) * most
        image = v2.rotate(image, angle, interpolation=InterpolationMode.BILINEAR, fill=None)
    return image


@pytest.mark.parametrize("scaling", SCALES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 6), (2, 5, 12)], ids=str)
@pytest.mark.parametrize(
    "asked",
    [
        {"augment_flip": True},
        {"augment_crop_padding": 3},
        {"augment_crop_padding": 20},
        {"augment_rotation_degrees": 25.0},
        {"augment_rotation_degrees": 180.0},
        {"augment_flip": True, "augment_crop_padding": 1},
        ALL,
    ],
    ids=str,
)
def test_each_image_is_what_torchvision_makes_of_it(asked: dict[str, Any], shape: Any, scaling: str) -> None:
    settings, (shift, factor) = TrainSettings(**asked), SCALES[scaling]
    scale = Scale.on(CPU, [shift + 0.01 * k for k in range(shape[0])], [factor + k for k in range(shape[0])])
    augmentation = made(asked, scale=scale)
    raw, chances = torch.rand((40, *shape)), augmentation.chances(40)
    wanted = scale(
        torch.stack(
            [by_torchvision(each, row.tolist(), settings=settings) for each, row in zip(raw, chances, strict=True)]
        )
    )
    found = augmentation(scale(raw), chances)
    if settings.augment_rotation_degrees:  # sines in another order: v2 has them of Python's floats
        torch.testing.assert_close(found, wanted, atol=2e-4, rtol=0)
    else:
        assert torch.equal(found, wanted)
    assert not torch.equal(found, scale(raw))


def test_crops_reach_every_place_as_often_and_half_are_mirrored() -> None:
    augmentation = made({"augment_crop_padding": 2})
    edges = torch.tensor([[0.0] * 4, [1 - 2**-24] * 4])
    assert augmentation._shift(edges[:, TOP]).flatten().tolist() == [-2, 2]
    shifts = augmentation._shift(augmentation.chances(50_000)[:, LEFT]).flatten()
    shares = torch.bincount(shifts + 2).double() / 50_000
    torch.testing.assert_close(shares, torch.full((5,), 0.2, dtype=torch.float64), atol=0.01, rtol=0)
    lopsided = torch.tensor([0.0, 1.0]).expand(10_000, 1, 1, 2)
    flip = made({"augment_flip": True})
    mirrored = flip(lopsided, flip.chances(10_000))[:, 0, 0, 0]
    assert mirrored.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("asked", [{"augment_rotation_degrees": 30.0}, ALL], ids=str)
def test_reduced_precision_of_a_step_moves_no_pixel(asked: dict[str, Any]) -> None:
    augmentation, images = made(asked), torch.rand(16, 1, 28, 28)
    chances = augmentation.chances(16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = augmentation(images, chances)
    assert torch.equal(inside, augmentation(images, chances))


@pytest.mark.parametrize("asked", [{"augment_flip": True}, {"augment_crop_padding": 2}, ALL], ids=str)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_images_are_left_alone_and_their_format_is_kept(asked: dict[str, Any], memory_format: Any) -> None:
    augmentation = made(asked, memory_format=memory_format)
    images = torch.rand(8, 3, 6, 6).contiguous(memory_format=memory_format)
    before = images.clone()
    found = augmentation(images, augmentation.chances(8))
    assert torch.equal(images, before)
    assert found.is_contiguous(memory_format=memory_format)
    assert found.data_ptr() != images.data_ptr()


IMAGES = np.random.default_rng(0).integers(0, 255, (50, 1, 8, 8), dtype=np.uint8)
LABELS = np.arange(50, dtype=np.int64)


def source(kind: str, settings: dict[str, Any], *, seed: int = 0, workers: int = 0) -> Source:
    scale = Scale.on(CPU, [0.0], [1 / 255])
    augmentation = Augmentation.of(TrainSettings(**settings), fill=scale.black, seed=seed)
    common: dict[str, Any] = {
        "device": CPU, "scale": scale, "batch_size": 16, "seed": seed, "augmentation": augmentation,
    }  # fmt: skip
    if kind == "resident":
        return Resident(IMAGES, LABELS, **common)
    return Loaded(IMAGES, LABELS, num_workers=workers, pin_memory=False, **common)


def batches(found: Source, *, epochs: int = 2, steps_per_chunk: int = 3) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for _ in range(epochs):
        for chunk in found.epoch(steps_per_chunk=steps_per_chunk):
            yield from (ready.fetch() for ready in chunk)


def same(a: Source, b: Source) -> bool:
    pairs = list(zip(batches(a), batches(b, steps_per_chunk=1), strict=True))
    return all(torch.equal(x[0], y[0]) and torch.equal(x[1], y[1]) for x, y in pairs)


def test_loaders_and_their_workers_give_the_same_batches() -> None:
    assert same(source("resident", ALL), source("dataloader", ALL))
    assert same(source("dataloader", ALL), source("dataloader", ALL, workers=2))
    assert not same(source("resident", ALL), source("resident", {}))


@pytest.mark.parametrize("kind", ["resident", "dataloader"])
def test_the_order_is_that_without_augmentation(kind: str) -> None:
    plain, moved = (torch.cat([labels for _, labels in batches(source(kind, settings))]) for settings in ({}, ALL))
    assert torch.equal(plain, moved)


def test_each_sample_and_each_epoch_has_draws_of_its_own() -> None:
    found = source("resident", {"augment_crop_padding": 3})
    first, second = (found.augmentation.chances(50) for _ in range(2))  # type: ignore[attr-defined]
    assert len(torch.unique(torch.cat([first, second]), dim=0)) == 100
    assert not same(source("resident", ALL, seed=1), source("resident", ALL, seed=2))


def test_what_one_transform_draws_does_not_hang_on_the_others() -> None:
    images, _ = next(batches(source("resident", {"augment_flip": True})))
    both, _ = next(batches(source("resident", {"augment_flip": True, "augment_rotation_degrees": 1e-4})))
    torch.testing.assert_close(images, both, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["resident", "dataloader"])
def test_the_state_of_the_generators_brings_the_same_epochs_again(kind: str) -> None:
    found = source(kind, ALL)
    assert "augment" in found.generators
    assert "augment" not in source(kind, {}).generators
    list(batches(found, epochs=1))
    states = {name: each.get_state() for name, each in found.generators.items()}
    wanted = list(batches(found, epochs=1))
    fresh = source(kind, ALL)
    for name, each in fresh.generators.items():
        each.set_state(states[name])
    again = list(batches(fresh, epochs=1))
    assert all(torch.equal(x[0], y[0]) for x, y in zip(wanted, again, strict=True))


def test_a_batch_that_is_asked_for_twice_is_the_same_twice() -> None:
    """LBFGS evaluates its closure several times a step."""
    for kind in ("resident", "dataloader"):
        ready = next(source(kind, ALL).epoch(steps_per_chunk=1))[0]
        assert torch.equal(ready.fetch()[0], ready.fetch()[0])


def chances_of(source: Source) -> list[torch.Tensor | None]:
    fetches = [ready.fetch for ready in next(source.epoch(steps_per_chunk=9))]
    return [fetch.chances for fetch in fetches if isinstance(fetch, Gather)]


def test_without_augmentation_a_step_gathers_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Augmentation.of(TrainSettings(), fill=torch.zeros(()), seed=0) is None
    plain, moved = source("resident", {}), source("resident", ALL)
    assert {chances is None for chances in chances_of(plain)} == {True}
    assert {chances is None for chances in chances_of(moved)} == {False}
    monkeypatch.delattr("bench.worker.train.loaders.moved_about")
    next(plain.epoch(steps_per_chunk=1))[0].fetch()
    with pytest.raises(NameError):
        next(moved.epoch(steps_per_chunk=1))[0].fetch()


def test_what_is_evaluated_is_not_moved() -> None:
    plain, moved = (source("resident", settings) for settings in ({}, ALL))
    assert isinstance(plain, Resident)
    assert isinstance(moved, Resident)
    list(batches(moved))
    assert torch.equal(Held.around(plain).batch(0, 50)[0], Held.around(moved).batch(0, 50)[0])


def weights(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with h5py.File(path) as file:
        return {name: file["weights"][name][()] for name in file["weights"]}


def trained(run_trial: Any, path: Path, train: dict[str, Any], **asked: Any) -> dict[str, np.ndarray[Any, Any]]:
    outcome = run_trial("mlp", artifact=path, train=train, **asked)
    assert outcome.status == "ok", outcome.traceback or outcome.reason
    return weights(path)


def test_a_trial_learns_from_moved_images_and_the_same_ones_each_time(run_trial: Any, tmp_path: Path) -> None:
    plain = trained(run_trial, tmp_path / "a.h5", {})
    moved = trained(run_trial, tmp_path / "b.h5", ALL)
    assert any(not np.array_equal(plain[name], moved[name]) for name in plain)
    for name, train, measure in (
        ("again", ALL, {}),
        ("loader", ALL | {"loader": "dataloader"}, {}),
        ("not warmed up", ALL, {"warmup_steps": 0}),
    ):
        again = trained(run_trial, tmp_path / "c.h5", train, measure=measure)
        assert all(np.array_equal(moved[key], again[key]) for key in moved), name


def test_the_warm_up_and_the_throwaway_step_move_images_too(
    run_trial: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the first real steps would be the ones that are cold; and the memory's baseline would lack those pages."""
    seen: list[int] = []
    call = Augmentation.__call__

    def counted(self: Augmentation, images: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return call(self, images, chances)

    monkeypatch.setattr(Augmentation, "__call__", counted)
    outcome = run_trial("linear", train=ALL | {"epochs": 1}, measure={"warmup_steps": 3}, batch_size=60)
    assert outcome.status == "ok"
    assert seen == [2, *[60] * 3, *[20] * 2, *[60] * 5, 20]  # 320 samples: the throwaway, the warm-up, one epoch


def test_flops_are_those_of_the_model(run_trial: Any) -> None:
    counts = {run_trial("cnn", train=train).metrics["flops_per_sample"] for train in ({"epochs": 1}, ALL)}
    assert len(counts) == 1
