"""suite.json: the same plan again, without a worker; what is damaged or newer is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.suite.plan import Suite
from bench.suite.stored import suite_from_json, suite_to_json

REST = (
    'seed = { count = 4, start = 2 }\nbatch_size = [16, 64]\n"train.learning_rate" = [1, 0.01]\n'
    "[measure]\ntarget_accuracy = 0.9\n"
    '[[exclude]]\nmodel = "linear"\nseed = 3\n[[exclude]]\n"train.epochs" = 5\nbatch_size = 16\n'
    '[[override]]\nwhere = { model = "cnn" }\nset = { "train.epochs" = 5, "measure.timeout_seconds" = 3 }\n'
    '[report]\nbaseline = "mlp"\n'
)


def test_a_stored_suite_plans_the_same_trials(plan: Callable[..., Suite]) -> None:
    suite = plan(REST, only=["train.epochs=10,5", "seed=2,3,4"], shard="1/2")
    stored = json.loads(json.dumps(suite_to_json(suite), allow_nan=False))
    again = suite_from_json(stored)
    assert again == suite
    assert suite_to_json(again) == suite_to_json(suite)
    assert list(again.trials()) == list(suite.trials())
    assert again.count() == suite.count() > 0
    assert (again.only, again.shard, again.source) == (suite.only, "1/2", "mine.toml")


def test_a_range_of_seeds_is_stored_as_one(plan: Callable[..., Suite]) -> None:
    stored = suite_to_json(plan("seed = { count = 300000, start = 7 }\n"))
    assert stored["axes"][2] == {"name": "seed", "values": {"count": 300000, "start": 7}}
    assert suite_from_json(stored).axis("seed").values == range(7, 300007)


@pytest.mark.parametrize("value", [None, [], 3, {}, {"schema": "1"}, {"schema": True}, {"schema": 0}])
def test_refuses_what_is_no_stored_suite(value: Any) -> None:
    with pytest.raises(BenchError, match=r"suite.json in the folder of results holds no plan"):
        suite_from_json(value)


def test_refuses_a_newer_one() -> None:
    with pytest.raises(BenchError, match="has schema 2, this bench reads up to 1; install a newer one"):
        suite_from_json({"schema": 2})


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no axes": lambda v: v.pop("axes"),
    "a path for a name": lambda v: v.update(name="../x"),
    "an axis less": lambda v: v["axes"].pop(1),
    "an axis twice": lambda v: v["axes"].append(v["axes"][5]),
    "an empty axis": lambda v: v["axes"][1].update(values=[]),
    "an unknown setting": lambda v: v["axes"][5].update(name="train.lr"),
    "a bad value": lambda v: v["axes"][3].update(values=[0]),
    "a bad component": lambda v: v["axes"][0].update(values=["digits"]),
    "a bad setting": lambda v: v["train"].update(epochs=True),
    "a rule beyond its axis": lambda v: v["exclude"][0]["at"].update(model=[3]),
    "a rule of no axis": lambda v: v["exclude"][0]["at"].update(modle=[0]),
    "a rule that asks for no setting": lambda v: v["exclude"][1]["late"].update({"train.epoch": [1]}),
    "a bad shard": lambda v: v.update(shard="3/2"),
    "a device that is not resolved": lambda v: v["axes"][4].update(values=["auto"]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_refuses_damage(how: str, plan: Callable[..., Suite]) -> None:
    value = json.loads(json.dumps(suite_to_json(plan(REST))))
    DAMAGE[how](value)
    with pytest.raises(BenchError, match=r"suite.json\) is damaged") as caught:
        suite_from_json(value)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


KEYS = ("name", "title", "axes", "train", "measure", "exclude", "override", "keep", "shard", "only", "plugins")


@given(key=st.sampled_from(KEYS), value=JSON)
def test_whatever_is_stored_only_bench_errors(key: str, value: Any, plan: Callable[..., Suite]) -> None:
    stored = {**_stored(plan), key: value}
    try:
        suite = suite_from_json(stored)
        sum(1 for _ in suite.trials())
    except BenchError:
        pass


_KEPT: dict[str, Any] = {}


def _stored(plan: Callable[..., Suite]) -> dict[str, Any]:
    if not _KEPT:
        _KEPT.update(suite_to_json(plan(REST)))
    return _KEPT
