"""`--budget`: times as people write them, and what is kept of it beside the plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.results.merge import combine
from bench.suite.plan import Budget, Suite, parse_budget, time_text
from bench.suite.stored import suite_from_json, suite_to_json

GOLDEN = Path(__file__).parents[1] / "results/golden/suite-1.json"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1.5h", 5400), ("1h 1m 1s", 3661), ("0.5s", 0.5)],
)
def test_times_that_people_write(text: str, seconds: float) -> None:
    assert parse_budget(text) == Budget(seconds)


@pytest.mark.parametrize("text", ["", "30", "0s", "-5m", "5 parsecs", "30m1h", "1e3s", "infs", "m"])
def test_what_is_no_time_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BenchError, match=r"^--budget.*: expected a time over 0 with its unit, as in 90s, 30m, 2h"):
        parse_budget(text)


def test_no_budget_is_none() -> None:
    assert parse_budget(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "90 s"), (1800, "30 min"), (5400, "1 h 30 min"), (3661, "1 h 1 min 1 s"), (60, "1 min"), (12.5, "12.5 s")],
)
def test_times_are_told_as_they_were_given(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def stored() -> Suite:
    return suite_from_json(json.loads(GOLDEN.read_text()))


def test_what_became_of_a_budget_lies_beside_the_plan() -> None:
    suite = replace(stored(), budget=Budget(60.0, 58.2, "time", 3))
    again = suite_from_json(json.loads(json.dumps(suite_to_json(suite))))
    assert again.budget == suite.budget
    assert [trial.trial_id for trial in again.trials()] == [trial.trial_id for trial in stored().trials()]


def test_a_plan_without_a_budget_is_stored_as_ever() -> None:
    assert "budget" not in suite_to_json(stored())
    assert suite_to_json(stored()) == json.loads(GOLDEN.read_text())


def test_a_damaged_budget_is_found_out() -> None:
    with pytest.raises(BenchError, match=r"suite\.json\) is damaged"):
        suite_from_json(suite_to_json(stored()) | {"budget": {"seconds": -1.0}})


def test_parts_of_a_plan_with_a_budget_are_one_plan() -> None:
    part, other = replace(stored(), budget=Budget(60.0)), stored()
    for plans in ({"a": part, "b": other}, {"b": other, "a": part}):
        assert combine(plans)[0].budget == Budget(60.0)
