"""`[decide]`: what it may say, that it is in no trial's id, and what is kept of it beside the plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.results.merge import combine
from bench.suite.plan import Decide, Decision, Rule, Suite
from bench.suite.stored import suite_from_json, suite_to_json

GOLDEN = Path(__file__).parents[1] / "results/golden/suite-1.json"


def stored() -> Suite:
    return suite_from_json(json.loads(GOLDEN.read_text()))


def with_more(*counts: int, **more: object) -> Suite:
    """The stored suite with seeds beyond its grid for its cells, in order."""
    cells = list(dict.fromkeys(trial.cell_id for trial in stored().trials()))
    return replace(stored(), decide=Decide(more=dict(zip(cells, counts, strict=False)), **more))  # type: ignore[arg-type]


def test_the_table_and_its_defaults(plan: Callable[..., Suite]) -> None:
    grid = '[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n'
    assert plan(text=grid).decide is None
    assert plan(text=grid + "[decide]\n").decide == Decide(0.005, 30)
    assert plan(text=grid + "[decide]\nwithin = 0.01\nmost_seeds = 12\n").decide == Decide(0.01, 12)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("withn = 0.01", r"decide\.withn: unknown key.*within"),
        ("within = 1", r"decide\.within: expected a number of at least 0 and under 1, found 1"),
        ("within = -0.1", r"decide\.within: expected"),
        ('within = "0.01"', r"decide\.within: expected"),
        ("most_seeds = 3", r"decide\.most_seeds: expected an integer from 4 to 1000, found 3"),
        ("most_seeds = 10.5", r"decide\.most_seeds: expected an integer"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(plan: Callable[..., Suite], table: str, said: str) -> None:
    with pytest.raises(BenchError, match=said) as raised:
        plan(text=f'[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n[decide]\n{table}\n')
    assert "\n" not in str(raised.value)


def test_it_is_in_no_id(plan: Callable[..., Suite]) -> None:
    grid = '[grid]\ndataset = ["digits"]\nmodel = ["mlp"]\n'
    ids = [[trial.trial_id for trial in plan(text=grid + more).trials()] for more in ("", "[decide]\nwithin = 0.1\n")]
    assert ids[0] == ids[1]


def test_seeds_beyond_the_grid_are_planned_for_the_cells_that_have_some() -> None:
    suite = with_more(2, 0, 1)
    names = [(trial.model.name, trial.seed) for trial in suite.trials()]
    grid = [(trial.model.name, trial.seed) for trial in stored().trials()]
    assert names == [*grid, ("linear", 2), ("cnn", 2), ("linear", 3)]
    assert suite.count() == len(names)
    assert len({trial.cell_id for trial in suite.trials()}) == 3


def test_no_rule_asks_for_seeds_beyond_the_grid() -> None:
    rule = Rule({"seed": frozenset({0, 1})})
    suite = replace(with_more(1, 1, 1), exclude=(rule,))
    assert [trial.seed for trial in suite.trials()] == [2, 2, 2]
    assert suite.count() == 3


def test_what_was_decided_lies_beside_the_plan() -> None:
    cells = list(with_more(2, 0, 1).decide.more)  # type: ignore[union-attr]
    decisions = (Decision(cells[0], cells[1], "different", 4, 0.03), Decision(cells[0], cells[2], "open", 4, None))
    suite = replace(with_more(2, 0, 1, within=0.01, why="settled"), decisions=decisions)
    again = suite_from_json(json.loads(json.dumps(suite_to_json(suite))))
    assert (again.decide, again.decisions) == (suite.decide, decisions)
    assert [trial.trial_id for trial in again.trials()] == [trial.trial_id for trial in suite.trials()]


def test_a_plan_that_decides_nothing_is_stored_as_ever() -> None:
    assert suite_to_json(stored()) == json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("damage", [{"decide": {"within": 2.0}}, {"decisions": [{"first": "a"}]}])
def test_a_damaged_one_is_found_out(damage: dict[str, object]) -> None:
    with pytest.raises(BenchError, match=r"suite\.json\) is damaged"):
        suite_from_json(suite_to_json(stored()) | damage)


def test_folders_of_one_plan_that_went_on_differently_are_one_plan() -> None:
    a, b = with_more(2, 0, 1, why="settled"), with_more(1, 3, 1)
    for plans in ({"a": a, "b": b}, {"b": b, "a": a}):
        found, _ = combine(plans)
        assert found.decide is not None
        assert list(found.decide.more.values()) == [2, 3, 1]
        assert found.decisions == ()  # of all the results together nothing is decided yet
    assert combine({"a": stored(), "b": a})[0].decide == replace(a.decide, why="settled")  # type: ignore[type-var]
