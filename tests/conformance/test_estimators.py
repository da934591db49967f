"""On scikit-learn's own sets, linear and mlp reach what scikit-learn's estimators do, trained on the same splits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.base.records import Component, MeasureSettings, TrainSettings, Trial
from bench.registry import DATASETS
from bench.results.accuracy_intervals import difference
from bench.statistics.intervals import paired_t_interval
from bench.worker.common import discover
from bench.worker.common.messages import Request
from bench.worker.datasets.prepare import prepare
from bench.worker.datasets.scaling import scaling
from bench.worker.datasets.splits import Splits
from bench.worker.trial import trial

SEEDS = range(4)
TASKS = {
    "iris": "classification",
    "wine": "classification",
    "breast_cancer": "classification",
    "diabetes": "regression",
}


class Silent:
    def progress(self, **what: Any) -> None:
        """Nobody listens."""


def built(name: str) -> Splits:
    found = getattr(datasets, f"load_{name}")()
    inputs, of_classes = found.data.astype(np.float32), TASKS[name] == "classification"
    return Splits(
        train_inputs=inputs, train_targets=found.target, test_inputs=inputs[:0], test_targets=found.target[:0],
        class_names=list(found.target_names) if of_classes else (), task=TASKS[name], test_fraction=0.25,  # type: ignore[arg-type]
        licence="open", source="scikit-learn",
    )  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    discover.load_builtin()
    for name in TASKS:
        DATASETS.register(f"own_{name}")(lambda root, name=name: built(name))
    yield
    for name in TASKS:
        DATASETS._entries.pop(f"own_{name}")


def ours(name: str, model: str, seed: int, train: dict[str, Any], folder: Path) -> Any:
    """The outcome of a trial on the split of a seed."""
    asked = Trial(
        Component(f"own_{name}", {"scaling": "standard"}), Component(model), seed, train.pop("batch_size", 512), "cpu",
        TrainSettings(threads=1, **train), MeasureSettings(timing_seconds=0, warmup_steps=0, evaluate="accuracy"),
    )  # fmt: skip
    found = trial.run(Request(asked, folder, {}, (), None, {}), Silent(), started_ns=0)  # type: ignore[arg-type]
    assert found.status == "ok", found.reason
    return found


def theirs(name: str, estimator: Any, seed: int) -> float:
    """What a scikit-learn estimator reaches on the split of a seed, with the same scaling."""
    splits = built(name)
    parts = prepare(splits, seed=seed, train_limit=None, test_limit=None, validation_split=0.0)
    how = scaling(splits, "standard", part=parts.train.images)
    train, test = ((each.images - np.array(how.shift)) * np.array(how.scale) for each in (parts.train, parts.test))
    if splits.task == "regression":
        mean, sd = parts.train.labels.mean(), parts.train.labels.std()
        answers = estimator.fit(train, (parts.train.labels - mean) / sd).predict(test) * sd + mean
        return float(r2_score(parts.test.labels, answers))
    return float(accuracy_score(parts.test.labels, estimator.fit(train, parts.train.labels).predict(test)))


CLASSIFIED: dict[str, Callable[[int], Any]] = {
    "linear": lambda seed: LogisticRegression(C=np.inf, max_iter=60),
    "mlp": lambda seed: MLPClassifier((100,), solver="lbfgs", alpha=0.0, max_iter=30, random_state=seed),
}
REGRESSED: dict[str, Callable[[int], Any]] = {
    "linear": lambda seed: LinearRegression(),
    "mlp": lambda seed: MLPRegressor(
        hidden_layer_sizes=(100,), solver="adam", alpha=0.0, max_iter=30, batch_size=64, random_state=seed
    ),
}


@pytest.mark.parametrize("model", ["linear", "mlp"])
@pytest.mark.parametrize("name", TASKS)
def test_a_model_reaches_what_scikit_learn_does(name: str, model: str, tmp_path: Path) -> None:
    regression = TASKS[name] == "regression"
    make = (REGRESSED if regression else CLASSIFIED)[model]
    train: dict[str, Any] = {"optimizer": "lbfgs", "learning_rate": 1.0, "epochs": 6}
    if regression and model == "mlp":
        train = {"optimizer": "adam", "learning_rate": 1e-3, "epochs": 30, "batch_size": 64}
    metric = "r2" if regression else "test_accuracy"
    mine, other, answers = [], [], []
    for seed in SEEDS:
        found = ours(name, model, seed, dict(train), tmp_path)
        mine.append(found.metrics[metric])
        answers.append(found.answers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            other.append(theirs(name, make(seed), seed))
    if regression and model == "linear":  # one solution, and both find it
        assert mine == pytest.approx(other, abs=2e-4)
    apart = paired_t_interval(mine, other) if regression else difference(mine, other, answers, [None] * len(SEEDS))
    assert apart.low is not None
    assert apart.low <= 0 <= (apart.high or 0)
    assert np.mean(mine) > (0.3 if regression else 0.9)
    assert abs(apart.mean) < 0.05
