"""What a builder returns is checked where it is built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import BenchError, DataError
from bench.worker.datasets.scaling import mean_and_sd, scaled_targets, scaling, target_scaling
from bench.worker.datasets.splits import Splits


def made(**changes: Any) -> Splits:
    rng = np.random.default_rng(0)
    facts: dict[str, Any] = {
        "train_images": rng.integers(0, 256, (12, 2, 4, 3), dtype=np.uint8),
        "train_labels": np.arange(12) % 3,
        "test_images": rng.integers(0, 256, (6, 2, 4, 3), dtype=np.uint8),
        "test_labels": np.arange(6) % 3,
        "class_names": ["a", "b", "c"],
        "maximum": 255,
        "licence": "MIT",
        "source": "this test",
    }
    return Splits(**(facts | changes))


NOTHING = np.zeros((0, 2, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((12, 2, 4, 3))}, "train images: found float64 of .*needs uint8 or float32"),
        (
            {"train_images": np.zeros((12, 8), dtype=np.uint8)},
            r"test images: found uint8 of \(2, 4, 3\); needs .* \(8,\)",
        ),
        ({"train_images": np.zeros(12, dtype=np.uint8)}, r"train inputs: found uint8 of \(12,\)"),
        ({"train_images": None}, "train_inputs: found neither of train_inputs and train_images"),
        ({"train_inputs": np.zeros((12, 8), dtype=np.uint8)}, "train_inputs: found both of"),
        ({"task": "ranking"}, "task: found 'ranking'; needs classification or regression"),
        ({"target_names": ["a"]}, "target_names: found 1 in a classification"),
        ({"train_groups": np.arange(11)}, r"train_groups: found int64 of \(11,\); needs integers of \(12,\)"),
        ({"maximum": None, "mean": [0.5, 0.5]}, "mean and sd: found without maximum"),
        ({"train_images": np.zeros((11, 2, 4, 3), dtype=np.uint8)}, "found 11 images and 12 labels"),
        ({"train_images": np.zeros((12, 2, 0, 3), dtype=np.uint8)}, "needs at least one image with pixels"),
        ({"test_images": np.zeros((6, 2, 4, 4), dtype=np.uint8)}, "test images: .*as in the training part"),
        ({"test_images": np.zeros((6, 2, 4, 3), dtype=np.float32)}, "test images: found float32"),
        ({"test_images": NOTHING, "test_labels": []}, "test labels: found float64"),
        ({"test_images": NOTHING, "test_labels": np.arange(0)}, "test part: found 0 images and test_fraction None"),
        ({"test_fraction": 0.2}, "test part: found 6 images and test_fraction 0.2"),
        ({"train_labels": np.arange(12)}, "train labels: found 0 to 11; needs 0 to 2"),
        ({"train_labels": np.arange(12) % 3 - 1}, "found -1 to 1"),
        ({"train_labels": np.zeros(12)}, r"needs integers of \(N,\), as labels.astype\('int64'\)$"),
        ({"train_labels": np.zeros((12, 1), dtype=int)}, r"needs integers of \(N,\), as labels.reshape\(-1\)$"),
        ({"train_labels": np.eye(3)[np.arange(12) % 3]}, r"needs integers of \(N,\), as labels.argmax\(1\)$"),
        ({"train_labels": np.array(list("abc") * 4)}, r"found <U1 .*, as numpy.unique\(labels, return_inverse=True\)"),
        ({"maximum": 0}, "maximum: found 0"),
        ({"maximum": float("nan")}, "maximum: found nan"),
        ({"mean": [0.5]}, "mean: found .*needs 2 finite numbers"),
        ({"sd": [0.5, float("inf")]}, "sd: found"),
        ({"sd": [0.5, 0.0]}, "sd: found 0.0"),
        ({"licence": ""}, "licence and source"),
        ({"source": ""}, "licence and source"),
    ],
)
def test_refuses_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        made(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan")])
def test_refuses_a_test_fraction_that_leaves_nothing(fraction: float) -> None:
    with pytest.raises(DataError, match="test_fraction: found"):
        made(test_images=NOTHING, test_labels=np.arange(0), test_fraction=fraction)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_floats_that_are_not_finite(bad: float) -> None:
    images = np.zeros((12, 2, 4, 3), dtype=np.float32)
    images[11, 1, 3, 2] = bad
    with pytest.raises(DataError, match="train images: found NaN or infinity"):
        made(train_images=images, test_images=images[:6])


def test_takes_tensors_and_other_integers() -> None:
    plain = made()
    splits = made(
        train_images=torch.from_numpy(plain.train_images),
        train_labels=torch.from_numpy(plain.train_labels).to(torch.int32),
        test_labels=plain.test_labels.astype(np.uint8),
        class_names=[1, 2, 3],
    )
    assert isinstance(splits.train_images, np.ndarray)
    assert np.shares_memory(splits.train_images, plain.train_images)
    assert splits.train_labels.dtype == splits.test_labels.dtype == np.int64
    assert splits.class_names == ("1", "2", "3")


def test_makes_images_contiguous_and_copies_no_others() -> None:
    images = np.zeros((12, 4, 3, 2), dtype=np.uint8).transpose(0, 3, 1, 2)
    assert made(train_images=images).train_images.flags.c_contiguous
    read_only = np.zeros((12, 2, 4, 3), dtype=np.uint8)
    read_only.flags.writeable = False
    splits = made(train_images=read_only)
    assert np.shares_memory(splits.train_images, read_only)
    assert not splits.train_images.flags.writeable


def scaled(splits: Splits, name: Any) -> np.ndarray:
    how = scaling(splits, name)
    shift, scale = (np.array(part, dtype=np.float32)[:, None, None] for part in (how.shift, how.scale))
    return (splits.train_images.astype(np.float32) - shift) * scale


def test_scalings_are_their_formulas() -> None:
    splits = made(mean=[0.4, 0.6], sd=[0.2, 0.3])
    unit = splits.train_images / np.float32(255)
    np.testing.assert_allclose(scaled(splits, "unit"), unit, rtol=1e-6)
    np.testing.assert_allclose(scaled(splits, "symmetric"), 2 * unit - 1, atol=1e-6)
    mean, sd = np.array([0.4, 0.6])[:, None, None], np.array([0.2, 0.3])[:, None, None]
    np.testing.assert_allclose(scaled(splits, "standard"), (unit - mean) / sd, atol=1e-5)


def test_standard_computes_what_the_set_does_not_say() -> None:
    values = scaled(made(), "standard")
    np.testing.assert_allclose(values.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(values.std(axis=(0, 2, 3)), 1, atol=1e-6)


def test_mean_and_sd_in_pieces_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    images = made().train_images
    monkeypatch.setattr("bench.worker.datasets.splits.CHUNK_BYTES", 600)
    mean, sd = mean_and_sd(images, 255)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(sd, (images / 255).std(axis=(0, 2, 3)))


def test_a_constant_channel_scales_to_zero() -> None:
    images = made().train_images.copy()
    images[:, 1] = 7
    assert np.abs(scaled(made(train_images=images), "standard")[:, 1]).max() < 1e-5


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(BenchError, match="'whiten'; needs unit, standard or symmetric"):
        scaled(made(), "whiten")


def test_false_and_true_are_classes_0_and_1() -> None:
    splits = made(train_labels=np.arange(12) % 2 == 1)
    assert splits.train_labels.dtype == np.int64
    assert splits.train_labels.tolist() == [0, 1] * 6


def measured(**changes: Any) -> Splits:
    """A regression of features."""
    rng = np.random.default_rng(1)
    facts: dict[str, Any] = {
        "train_inputs": rng.normal(5, 3, (20, 4)).astype(np.float32),
        "train_targets": rng.normal(100, 20, 20),
        "test_inputs": rng.normal(5, 3, (7, 4)).astype(np.float32),
        "test_targets": rng.integers(0, 9, 7),
        "licence": "MIT",
        "source": "this test",
        "task": "regression",
    }
    return Splits(**(facts | changes))


def test_a_regression_has_float_targets_of_one_or_several_numbers() -> None:
    one, two = measured(), measured(train_targets=np.ones((20, 2)), test_targets=np.ones((7, 2)))
    assert (one.train_targets.dtype, one.test_targets.dtype) == (np.float32, np.float32)
    assert (one.num_outputs, one.target_names, one.input_shape) == (1, ("target",), (4,))
    assert (two.num_outputs, two.target_names) == (2, ("target 1", "target 2"))
    assert made().num_outputs == 3
    assert one.train_inputs is one.train_images
    assert one.test_targets is one.test_labels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ["a"]}, "class_names: found 1 in a regression; needs none"),
        ({"train_targets": np.full(20, np.nan)}, "train targets: found 20 NaN or infinite in float32"),
        ({"train_targets": np.full(20, 1e300)}, "train targets: found 20 NaN or infinite in float32"),
        ({"train_targets": np.array(list("ab") * 10)}, r"train targets: found <U1 of \(20,\); needs numbers of \(N,\)"),
        ({"train_targets": np.ones((20, 0))}, r"found float64 of \(20, 0\)"),
        ({"train_targets": np.ones((20, 2))}, "test targets: found 1 a sample; needs 2 as in the training part"),
        ({"train_targets": np.ones(19)}, "train: found 20 inputs and 19 targets"),
        ({"target_names": ["a", "b"]}, "target_names: found 2; needs 1"),
    ],
)
def test_refuses_a_regression_that_is_none(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        measured(**changes)


def test_without_a_maximum_each_feature_is_scaled_by_the_training_part() -> None:
    inputs = np.array([[0, 5, -2], [10, 5, 2], [5, 5, 0]], dtype=np.float32)
    splits = measured(train_inputs=inputs, train_targets=[1, 2, 3], test_inputs=inputs[:1], test_targets=[1])
    for name, wanted in (
        ("unit", [[0, 0, 0], [1, 0, 1], [0.5, 0, 0.5]]),
        ("symmetric", [[-1, 0, -1], [1, 0, 1], [0, 0, 0]]),
        ("standard", (inputs - inputs.mean(0)) / np.where(inputs.std(0) > 0, inputs.std(0), 1)),
    ):
        how = scaling(splits, name)  # type: ignore[arg-type]
        np.testing.assert_allclose((inputs - np.array(how.shift)) * np.array(how.scale), wanted, atol=1e-6)
    half = scaling(splits, "unit", part=inputs[[0, 2]])
    assert half.scale[0] == pytest.approx(1 / 5)


def test_targets_are_scaled_to_mean_0_and_deviation_1() -> None:
    targets = np.array([[1, 7], [3, 7], [8, 7]], dtype=np.float32)
    found = scaled_targets(targets, target_scaling(targets))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.c_[(targets[:, 0] - 4) / targets[:, 0].std(), np.zeros(3)], atol=1e-6)
    assert scaled_targets(targets[:, 0], target_scaling(targets[:, 0])).shape == (3, 1)
