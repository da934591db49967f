"""`seed.init`, `seed.order` and `seed.split` in a suite: axes, settings, what they are part of, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.base.records import SeedSettings, Trial
from bench.results.validate import read_trial
from bench.suite.plan import Suite
from bench.suite.stored import suite_from_json, suite_to_json

PlanOf = Callable[..., Suite]


def seeds_of(suite: Suite) -> list[tuple[int, int, int]]:
    """(init, order, split) of each trial of the first model."""
    first = next(suite.trials()).model
    return [(each.init_seed, each.order_seed, each.split_seed) for each in suite.trials() if each.model == first]


@pytest.mark.parametrize(
    "rest",
    [
        '"seed.init" = [0, 1, 2]\n',
        '"seed.init" = { count = 3 }\n',
        "seed.init = [0, 1, 2]\n",
        "seed = { count = 1, init = [0, 1, 2] }\n",
        "seed.init.count = 3\n",
    ],
)
def test_an_axis_in_every_way_to_write_it(plan: PlanOf, rest: str) -> None:
    suite = plan(rest)
    assert seeds_of(suite) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
    assert suite_from_json(json.loads(json.dumps(suite_to_json(suite)))) == suite


def test_what_is_not_set_follows_the_seed(plan: PlanOf) -> None:
    assert seeds_of(plan("seed = [4, 5]\n[seed]\norder = 7\n")) == [(4, 7, 4), (5, 7, 5)]
    suite = plan('seed = [4, 5]\n[[override]]\nwhere = { seed = 5 }\nset = { "seed.split" = 1 }\n')
    assert seeds_of(suite) == [(4, 4, 4), (5, 5, 1)]
    assert seeds_of(plan(sets=("seed.init=3",))) == [(3, 0, 0)]
    assert seeds_of(plan(sets=("grid.seed.init=[3,4]",))) == [(3, 0, 0), (4, 0, 0)]


def test_one_at_a_time_by_what_is_excluded(plan: PlanOf) -> None:
    axes = "".join(f'"seed.{each}" = {{ count = 3 }}\n' for each in ("init", "order", "split"))
    pairs = (("init", "order"), ("init", "split"), ("order", "split"))
    rules = "".join(f'[[exclude]]\n"seed.{a}" = [1, 2]\n"seed.{b}" = [1, 2]\n' for a, b in pairs)
    found = seeds_of(plan(axes + rules))
    assert sorted(found) == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 2, 0), (1, 0, 0), (2, 0, 0)]
    assert len(seeds_of(plan(axes + rules, only=["seed.split=1,2"]))) == 2


def test_a_seed_that_is_set_is_part_of_trial_and_cell(plan: PlanOf) -> None:
    (plain,) = [each for each in plan().trials() if each.model.name == "mlp"]
    suite = plan('"seed.init" = [0, 1]\n"seed.order" = [0, 1]\nseed = [0, 1]\n')
    trials = [plain, *(each for each in suite.trials() if each.model.name == "mlp")]
    # Also where it is that of the seed: a cell has one meaning, whatever the seeds of its trials.
    assert len({each.trial_id for each in trials}) == 9
    assert len({each.cell_id for each in trials}) == 5
    for each in trials:
        stored = json.loads(json.dumps(each.to_json()))
        assert Trial.from_json(stored) == read_trial(stored) == each
        assert ("seeds" in stored) == (each.seeds != SeedSettings())


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ("[seed]\ninit = -1\n", "mine.toml: seed.init: expected an integer of at least 0"),
        ("[seed]\ninitial = 1\n", "mine.toml: seed.initial: unknown key; did you mean seed.init?"),
        ('"seed.order" = []\n', "mine.toml: grid.seed.order: an empty list; give at least one value"),
        ('"seed.order" = [true]\n', "mine.toml: grid.seed.order[0]: expected an integer"),
        ('"seed.orders" = [1]\n', "mine.toml: grid.seed.orders: unknown key; did you mean grid.seed.order?"),
        ('"seed.init" = { count = 2, start = 9223372036854775807 }\n', "mine.toml: grid.seed.init: seeds up to"),
        ('"seed.init" = [1]\nseed.init = [2]\n', "mine.toml: grid.seed.init: given twice"),
    ],
)
def test_what_is_refused(refusal: Callable[..., str], rest: str, line: str) -> None:
    assert refusal(rest).startswith(line), refusal(rest)


def test_a_huge_range_is_counted_first(refusal: Callable[..., str]) -> None:
    found = refusal('"seed.init" = { count = 9000000000000000000 }\n')
    assert "at most 1,000,000" in found
    assert "9,000,000,000,000,000,000 seeds of the initialisation" in found


def test_a_fixed_seed_that_the_grid_replaces_is_told(refusal: Callable[..., str]) -> None:
    found: Any = refusal('"seed.init" = [1, 2]\n', sets=("seed.init=3",))
    assert "no effect: the grid has an axis seed.init" in found
