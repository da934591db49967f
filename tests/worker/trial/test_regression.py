"""A regression, and a classification of features: trained as scikit-learn would, on every engine, judged alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from bench.base.records import Component, SearchRole
from bench.registry import DATASETS, METRICS, metric
from bench.worker.common.messages import TrialOutcome
from bench.worker.datasets.splits import Splits

Run = Callable[..., TrialOutcome]
OWN = {"licence": "CC0", "source": "here"}
LEAST_SQUARES = {"optimizer": "lbfgs", "learning_rate": 1.0, "epochs": 8}  # quadratic: a few steps are exact


def features(count: int, *, seed: int = 0) -> np.ndarray:
    """Columns of very unlike size."""
    return np.random.default_rng(seed).normal([3, -40, 0.5], [2, 300, 0.01], (count, 3)).astype(np.float32)


def values(inputs: np.ndarray, *, noise: float = 5.0) -> np.ndarray:
    rng = np.random.default_rng(7)
    found: np.ndarray = 1000 + inputs @ [3.0, 0.2, 400.0] + noise * rng.normal(size=len(inputs))
    return found


def prices(root: Path) -> Splits:
    inputs = features(240)
    targets = values(inputs)
    return Splits(train_inputs=inputs[:180], train_targets=targets[:180], test_inputs=inputs[180:],
                  test_targets=targets[180:], task="regression", target_names=["price"], **OWN)  # fmt: skip


def drawn(root: Path) -> Splits:
    inputs = features(240)
    return Splits(train_inputs=inputs, train_targets=values(inputs), test_inputs=inputs[:0], test_targets=np.zeros(0),
                  task="regression", test_fraction=0.25, **OWN)  # fmt: skip


def pairs(root: Path) -> Splits:
    inputs = features(240)
    targets = np.stack([values(inputs), -inputs[:, 0] / 1000], 1)
    return Splits(train_inputs=inputs[:180], train_targets=targets[:180], test_inputs=inputs[180:],
                  test_targets=targets[180:], task="regression", **OWN)  # fmt: skip


def kinds(root: Path) -> Splits:
    inputs = features(240)
    labels = (values(inputs, noise=0.6) > 1190).astype(int)
    return Splits(train_inputs=inputs[:180], train_targets=labels[:180], test_inputs=inputs[180:],
                  test_targets=labels[180:], class_names=["cheap", "dear"], **OWN)  # fmt: skip


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    for build in (prices, drawn, pairs, kinds):
        DATASETS.register(build.__name__)(build)
    yield
    for build in (prices, drawn, pairs, kinds):
        DATASETS._entries.pop(build.__name__)


def of(name: str, **settings: Any) -> Component:
    return Component(name, settings)


def scores(estimator: Any, splits: Splits) -> dict[str, float]:
    answers = estimator.fit(splits.train_inputs, splits.train_targets).predict(splits.test_inputs)
    found = {"r2": r2_score, "mae": mean_absolute_error, "rmse": root_mean_squared_error}
    return {name: float(score(splits.test_targets, answers)) for name, score in found.items()}


@pytest.mark.parametrize("scaling", ["unit", "standard", "symmetric"])
def test_a_linear_model_is_that_of_least_squares(run_trial: Run, scaling: str) -> None:
    found = run_trial(dataset=of("prices", scaling=scaling), train=LEAST_SQUARES, batch_size=180)
    wanted = scores(LinearRegression(), prices(Path()))
    assert found.status == "ok", found.reason
    assert wanted["r2"] > 0.9
    assert {name: found.metrics[name] for name in wanted} == pytest.approx(wanted, rel=1e-3)
    assert "test_accuracy" not in found.metrics
    assert found.answers is None
    residuals = (prices(Path()).test_targets.std() / prices(Path()).train_targets.std()) ** 2
    assert found.metrics["test_loss"] == pytest.approx((1 - wanted["r2"]) * residuals, rel=1e-3)


def test_several_targets_are_scored_as_scikit_learn_averages_them(run_trial: Run) -> None:
    found = run_trial(dataset=of("pairs"), train=LEAST_SQUARES, batch_size=180)
    wanted = scores(LinearRegression(), pairs(Path()))
    assert {name: found.metrics[name] for name in wanted} == pytest.approx(wanted, rel=1e-3)


def test_features_are_classified_as_logistic_regression_does(run_trial: Run) -> None:
    train = {"optimizer": "lbfgs", "learning_rate": 1.0, "epochs": 12}
    found = run_trial(dataset=of("kinds", scaling="standard"), train=train, batch_size=180)
    splits = kinds(Path())
    scale = splits.train_inputs.std(0)
    other = LogisticRegression(C=np.inf, max_iter=1000).fit(splits.train_inputs / scale, splits.train_targets)
    wanted = other.score(splits.test_inputs / scale, splits.test_targets)
    assert wanted > 0.8
    assert found.metrics["test_accuracy"] == pytest.approx(wanted, abs=2 / 60)


@pytest.mark.parametrize("loss", ["mse", "l1", "huber"])
def test_each_loss_trains_on_either_loader(run_trial: Run, loss: str) -> None:
    found = []
    for train in ({}, {"loader": "dataloader"}):
        train = {"epochs": 60, "learning_rate": 0.02, "loss": loss, **train}
        outcome = run_trial("mlp", dataset=of("prices", scaling="standard"), train=train, batch_size=16)
        assert outcome.status == "ok", outcome.reason
        assert outcome.metrics["r2"] > 0.85
        found.append(outcome.curves["train_loss"])
    assert found[0] == found[1]


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("name", ["prices", "pairs", "kinds", "drawn"])
def test_all_seeds_at_once_are_each_seed_alone(run_trial: Run, name: str, share: float, tmp_path: Path) -> None:
    """Also where each seed scales by a training part of its own: of what it drew, or is left of a validation part."""
    train: dict[str, Any] = {"epochs": 3, "validation_split": share}
    alone = [run_trial("mlp", dataset=of(name), seed=seed, train=train) for seed in (0, 1)]
    train |= {"engine": "vectorized"}
    first = run_trial("mlp", dataset=of(name), train=train, artifact=tmp_path / "0", others={1: tmp_path / "1"})
    for mine, other in zip((first, *first.others), alone, strict=True):
        assert mine.status == "ok", mine.reason
        for curve in ("train_loss", "test_loss", "test_accuracy" if name == "kinds" else "test_r2"):
            np.testing.assert_allclose(mine.curves[curve], other.curves[curve], rtol=2e-4, atol=1e-5)
        for figure in ("mae", "rmse") if name != "kinds" else ("test_macro_f1",):
            assert mine.metrics[figure] == pytest.approx(other.metrics[figure], rel=2e-4)


def test_the_test_part_is_in_no_scaling(run_trial: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test samples and targets a thousand times as large change nothing that is trained."""
    from bench.worker.datasets.prepare import TEST_DRAW, draw

    first = run_trial("mlp", dataset=of("drawn"), train={"epochs": 2}, seed=3)
    plain = drawn(Path())
    tested = draw(np.zeros(240, dtype=np.int64), 0.25, seed=3, purpose=TEST_DRAW)
    inputs, targets = plain.train_inputs.copy(), plain.train_targets.copy()
    inputs[tested] *= 1000
    targets[tested] *= 1000
    DATASETS._entries.pop("drawn")
    DATASETS.register("drawn")(lambda root: Splits(
        train_inputs=inputs, train_targets=targets, test_inputs=inputs[:0], test_targets=np.zeros(0),
        task="regression", test_fraction=0.25, **OWN))  # fmt: skip
    other = run_trial("mlp", dataset=of("drawn"), train={"epochs": 2}, seed=3)
    assert first.curves["train_loss"] == other.curves["train_loss"]
    assert first.metrics["rmse"] != other.metrics["rmse"]


@pytest.mark.parametrize(
    ("dataset", "model", "train", "said"),
    [
        ("prices", "linear", {"loss": "cross_entropy"}, "train.loss = 'cross_entropy': the data set is a regression; "),
        ("prices", "linear", {"loss": "focal"}, "it has mse, l1, huber"),
        ("kinds", "linear", {"loss": "huber"}, "the data set is a classification; it has cross_entropy, focal, mse"),
        ("prices", "linear", {"label_smoothing": 0.1}, "train.label_smoothing: the data set is a regression"),
        ("kinds", "linear", {"augment_flip": True}, "train.augment_flip is of images"),
        ("kinds", "linear", {"memory_format": "channels_last"}, "train.memory_format is of images"),
        ("kinds", "torchvision:resnet18", {}, "takes images (C, H, W), and a sample here is (3,)"),
        ("kinds", "cnn", {}, r"cnn: it takes images (C, H, W); a sample of this data set has the shape (3,)"),
    ],
)
def test_what_is_not_of_the_task_is_skipped(
    run_trial: Run, dataset: str, model: str, train: dict[str, Any], said: str
) -> None:
    found = run_trial(model, dataset=of(dataset), train=train)
    assert found.status == "skipped"
    assert said in found.reason


def test_smoothed_labels_are_of_the_cross_entropy(run_trial: Run) -> None:
    found = run_trial(dataset=of("kinds"), train={"loss": "focal", "label_smoothing": 0.1})
    assert (found.status, found.reason) == (
        "failed",
        "loss 'focal' has no smoothed labels: leave train.label_smoothing out",
    )


@pytest.mark.parametrize("loss", ["focal", "mse"])
def test_losses_of_a_classification_learn(run_trial: Run, loss: str) -> None:
    train = {"loss": loss, "epochs": 40, "learning_rate": 0.5}
    found = run_trial(dataset=of("kinds", scaling="standard"), train=train, batch_size=16)
    assert found.metrics["test_accuracy"] >= 0.85
    assert found.metrics["test_loss"] == found.curves["test_loss"][-1]


def test_metrics_of_plugins_get_predictions_and_targets(run_trial: Run) -> None:
    seen: dict[str, Any] = {}

    @metric("worst_error", task="regression")
    def worst_error(predictions: Any, targets: Any) -> float:
        seen[str(tuple(predictions.shape))] = targets
        return float((predictions - targets).abs().max())

    @metric("log_likelihood", task="classification")
    def log_likelihood(logits: Any, labels: Any) -> float:
        assert not labels.is_floating_point()
        return float(logits.log_softmax(1)[range(len(labels)), labels].mean())

    try:
        one, two, three = (run_trial(dataset=of(name)) for name in ("prices", "pairs", "kinds"))
    finally:
        for name in ("worst_error", "log_likelihood"):
            METRICS._entries.pop(name)
    assert set(seen) == {"(60,)", "(60, 2)"}
    assert seen["(60,)"].tolist() == prices(Path()).test_targets.tolist()  # in their own unit, to the bit
    assert one.metrics["worst_error"] >= one.metrics["mae"] > 0
    assert two.status == "ok"
    assert "log_likelihood" not in one.metrics
    assert three.metrics["log_likelihood"] == pytest.approx(-three.metrics["test_loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("measure", "is_reached"),
    [
        ({"target_value": 0.5}, True),
        ({"target_value": 0.9999}, False),
        ({"target_metric": "rmse", "target_value": 1e6}, True),
        ({"target_metric": "mae", "target_value": 1e-6}, False),
        ({"target_metric": "test_loss", "target_value": 0.5}, True),
        ({"target_accuracy": 0.5}, False),
        ({}, False),
    ],
)
def test_a_target_is_of_the_metric_that_it_names(run_trial: Run, measure: dict[str, Any], is_reached: bool) -> None:
    found = run_trial(dataset=of("prices"), train=LEAST_SQUARES, batch_size=180, measure=measure)
    assert (found.metrics["time_to_target_seconds"] is not None) == is_reached


def test_early_stopping_takes_the_weights_of_the_best_epoch(run_trial: Run) -> None:
    train = {"epochs": 30, "learning_rate": 0.05, "validation_split": 0.2, "early_stopping_patience": 2}
    found = run_trial("mlp", dataset=of("drawn"), train=train, batch_size=16)
    best = int(found.metrics["best_epoch"]) - 1
    assert found.curves["validation_loss"][best] == min(found.curves["validation_loss"])
    assert found.metrics["r2"] == found.curves["test_r2"][best]
    assert len(found.curves["validation_r2"]) == found.metrics["epochs_trained"]


def test_the_file_holds_predictions_in_the_unit_of_the_targets(run_trial: Run, tmp_path: Path) -> None:
    outcome = run_trial(dataset=of("prices"), train=LEAST_SQUARES, batch_size=180, artifact=tmp_path / "a.h5")
    assert outcome.notes == []
    with h5py.File(tmp_path / "a.h5") as file:
        predictions, targets = file["test/predictions"][:], file["test/targets"][:]
        assert file["test/predictions"].attrs["target_names"].tolist() == ["price"]
        assert "test/logits" not in file
        assert r2_score(targets, predictions) == pytest.approx(outcome.metrics["r2"], rel=1e-6)
        drawn_as = {name: file[f"diagnosis/residuals/{name}"][:] for name in file["diagnosis/residuals"]}
    assert targets[:, 0].tolist() == prices(Path()).test_targets.tolist()
    errors = predictions - targets
    assert drawn_as["counts"].sum() == 60
    assert drawn_as["worst"][0] == np.abs(errors[:, 0]).argmax()
    np.testing.assert_allclose(drawn_as["prediction"] - drawn_as["target"], errors)


@pytest.mark.parametrize("train", [{}, {"loader": "dataloader"}, {"engine": "vectorized"}], ids=str)
def test_what_drop_last_leaves_out_is_recorded(run_trial: Run, train: dict[str, Any]) -> None:
    train = {"epochs": 1, **train}
    others = {1: None} if "engine" in train else None
    for name, size, dropped in (("prices", 64, 52), ("kinds", 60, 0)):
        found = run_trial(dataset=of(name), train=train | {"drop_last": True}, batch_size=size, others=others)
        assert [each.samples["dropped_samples"] for each in (found, *found.others)] == [[dropped]] * (
            1 + len(found.others)
        )
    assert "dropped_samples" not in run_trial(dataset=of("prices"), train=train, others=others).samples


def test_a_search_judges_a_regression_by_its_r2_on_the_validation_part(run_trial: Run) -> None:
    train = {**LEAST_SQUARES, "validation_split": 0.2}
    ordinary = run_trial(dataset=Component("prices"), train=train)
    found = run_trial(dataset=Component("prices"), train=train, search=SearchRole(), measure={"evaluate": "accuracy"})
    assert found.status == "ok", found.traceback or found.reason
    assert found.metrics["validation_r2"] == ordinary.curves["validation_r2"][-1]
    assert found.samples["rung_accuracy"] == [ordinary.curves["validation_r2"][at] for at in (1, 3)]
    assert "validation_accuracy" not in found.metrics
