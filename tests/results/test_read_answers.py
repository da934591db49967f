"""What a line, or a trial's process, says of its test examples is checked before it is used."""

import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.base.answers import Answers
from bench.base.records import Result, canonical_json
from bench.execute.executors.messages import TrialMessages
from bench.results.store import Store
from bench.results.validate import DAMAGED, migrate, read_result

ANSWERS = Answers.of(np.arange(10) < 9, test_set="0" * 16, trained_on=40)
WRONG = [
    7,
    "gYA=",
    [],
    {},
    {"right": "/4A=", "examples": 10.0},
    {"examples": True},
    {"right": "/8A=", "examples": 10},  # all ten right, where the accuracy is 0.9
    {"examples": 9},
    {"test_set": None},
    {"trained_on": "40"},
]


def result(make: ModuleType, **changes: Any) -> Result:
    [trial] = make.Plan(models=[make.Component("mlp")], seeds=[0]).trials()
    whole = make.metrics_of(random.Random(0), trial) | {"test_accuracy": 0.9}
    found: Result = make.result_of(trial, **({"metrics": whole, "answers": ANSWERS} | changes))
    return found


def wrong(value: Any) -> Any:
    assert ANSWERS is not None
    return ANSWERS.to_json() | value if isinstance(value, dict) and value else value


def test_it_comes_back_as_it_was_written(make: ModuleType, tmp_path: Path) -> None:
    for run, answers in (("a", ANSWERS), ("b", None)):
        writer = Store(tmp_path).writer(run)
        writer.append(result(make, answers=answers, run_id=run))
        writer.close()
    assert [each.answers for each in sorted(Store(tmp_path).refresh(), key=lambda each: each.run_id)] == [ANSWERS, None]


@pytest.mark.parametrize("value", WRONG)
def test_anything_else_is_a_damaged_line(make: ModuleType, value: Any) -> None:
    line = json.loads(canonical_json(result(make).to_json()))
    assert read_result(line).answers == ANSWERS
    with pytest.raises(DAMAGED):
        read_result(line | {"answers": wrong(value)})


def test_without_an_accuracy_there_is_nothing_that_was_right(make: ModuleType) -> None:
    line = json.loads(canonical_json(result(make).to_json()))
    with pytest.raises(DAMAGED):
        read_result(line | {"metrics": {}})


@pytest.mark.parametrize("value", WRONG)
def test_a_trial_that_says_it_is_not_believed(value: Any) -> None:
    assert ANSWERS is not None
    said = {"status": "ok", "metrics": {"total_seconds": 1.0, "test_accuracy": 0.9}, "answers": ANSWERS.to_json()}
    good, bad = TrialMessages(), TrialMessages()
    good.take([{"outcome": said}])
    bad.take([{"outcome": said | {"others": [said | {"answers": wrong(value)}]}}])
    assert (good.wrong, good.outcome) == ("", said)
    assert bad.wrong
    assert bad.outcome is None


def test_results_of_before_have_none(make: ModuleType) -> None:
    line = json.loads(canonical_json(result(make, answers=None).to_json())) | {"schema": 3}
    del line["answers"], line["group_id"]
    assert migrate(line)["answers"] is None
    assert read_result(line).answers is None
