"""The suites that come with the project plan what their names say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.suite.catalogue import Catalogue, Setting
from bench.suite.plan import Suite
from bench.suite.read import read_suite
from bench.suite.resolve import resolve

SUITES = Path(__file__).resolve().parents[2] / "suites"
COUNTS = {
    "baseline": 90,
    "mnist": 9,
    "vision": 27,
    "batch_size": 45,
    "devices": 36,
    "smoke": 6,
    "digits_linear": 5,
    "case_study": 9,
    "logistic_regression": 5,
    "regularization": 18,
    "cifar10": 12,
    "hdf5": 18,
    "sources": 129,
    "tuned": 15,
    "tuned_fashion": 15,
}


@pytest.fixture
def catalogue(catalogue: Catalogue) -> Catalogue:
    """With the setting of mlp that a shipped suite needs."""
    mlp = catalogue.models["mlp"]
    dropout = Setting({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, 0.0)
    models = {**catalogue.models, "mlp": replace(mlp, settings={**mlp.settings, "dropout": dropout})}
    return replace(catalogue, models=models)


def shipped(name: str, catalogue: Catalogue) -> Suite:
    return resolve(read_suite(SUITES / f"{name}.toml"), catalogue)


def test_all_are_counted_here() -> None:
    assert {path.stem for path in SUITES.glob("*.toml")} == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_plans(name: str, catalogue: Catalogue) -> None:
    suite = shipped(name, catalogue)
    assert (suite.name, suite.count()) == (name, COUNTS[name])
    assert suite.title != name
    text = (SUITES / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("#:schema ./suite.schema.json\n# ")


def test_the_baseline_has_30_trials_on_each_device(catalogue: Catalogue) -> None:
    trials = list(shipped("baseline", catalogue).trials())
    assert Counter(trial.device for trial in trials) == {"cpu": 30, "cuda": 30, "mps": 30}
    assert {(t.train.epochs, t.train.optimizer, t.train.learning_rate) for t in trials} == {(10, "sgd", 0.1)}


def test_smoke_runs_on_one_thread(catalogue: Catalogue) -> None:
    assert {(t.train.threads, t.device) for t in shipped("smoke", catalogue).trials()} == {(1, "cpu")}


def test_published_figures_stand_beside_cells_that_are_there(catalogue: Catalogue) -> None:
    found = {}
    for name in COUNTS:
        suite = shipped(name, catalogue)
        for figure in suite.published:
            found.setdefault(name, []).append(figure.class_name or figure.metric)
            assert any(suite.has(figure.rule, trial) for trial in suite.trials())
    assert found == {
        "digits_linear": ["test_accuracy", "parameters"],
        "case_study": ["test_accuracy"] * 3,
        "logistic_regression": ["test_accuracy", "8", "1"],
    }


def test_regularization_tries_each_way_alone(catalogue: Catalogue) -> None:
    ways = {
        (t.train.l1 > 0, t.train.weight_decay > 0, t.model.settings.get("dropout", 0) > 0)
        for t in shipped("regularization", catalogue).trials()
    }
    assert ways == {(False, False, False), (True, False, False), (False, True, False), (False, False, True)}


def test_augmentation_crops_what_it_flips(catalogue: Catalogue) -> None:
    ways = {(t.train.augment_flip, t.train.augment_crop_padding) for t in shipped("cifar10", catalogue).trials()}
    assert ways == {(False, 0), (True, 4)}
