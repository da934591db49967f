"""The suites that come with the project plan what their names say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.suite.catalogue import Catalogue
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
}


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
