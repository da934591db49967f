"""`run --until-decided`: whole rounds, by turns, within a budget, from where another run was stopped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from bench.base.records import Component, MeasureSettings, Result, Trial
from bench.errors import BenchError
from bench.execute.budget import TimeLimit
from bench.execute.jobs import Group
from bench.execute.plan import Plan, Planned
from bench.execute.prepare import NOT_BY_SHARDS, Options, read
from bench.execute.until_decided import UntilDecided, round_text, rounds_of
from bench.results.decisions import Known, Rounds
from bench.suite.plan import Axis, Budget, Decide, Suite

ACCURACY = {"clear": 0.99, "near": 0.90, "nearer": 0.903}


def suite(*models: str, seeds: int = 3, turns: int = 0, most: int = 30) -> Suite:
    values: dict[str, Sequence[Any]] = {
        "dataset": [Component("digits")],
        "model": [Component(model) for model in models],
        "seed": range(seeds),
        "batch_size": [64],
        "device": ["cpu"],
    }
    axes = tuple(Axis(*each) for each in values.items())
    return Suite("mine", "mine", axes, measure=MeasureSettings(turns=turns), decide=Decide(most_seeds=most))


@dataclass
class Machine:
    """Runs the groups of an order on a clock of its own; each trial takes 2 s."""

    budget: float | None = None
    now: float = 3.0
    results: dict[str, Result] = field(default_factory=dict)
    ran: list[list[str]] = field(default_factory=list)  # model and seed, group by group
    told: list[str] = field(default_factory=list)
    fails: str = ""

    def known(self, trial: Trial) -> Known:
        return self.results.get(trial.trial_id, "to run")

    def order(self, of: Suite) -> UntilDecided:
        rounds, plan = Rounds(of, self.known), Plan(environments={"here"}, codes={"code"})
        trials = rounds.next_round() or [each for each in of.trials() if self.known(each) == "to run"]
        plan.to_run = list(map(planned, trials))
        limit = None
        if self.budget is not None:
            given = Budget(self.budget)
            limit = TimeLimit(given, results=self.results.values(), left_seconds=lambda: given.seconds - self.now)

        def begins(ahead: Sequence[Planned]) -> None:
            self.told.append(round_text(rounds, ahead))

        return UntilDecided(plan, rounds, planned=planned, begins=begins, limit=limit)

    def run(self, of: Suite, *, groups: int = 10**9) -> UntilDecided:
        order = self.order(of)
        for group, _ in zip(order.groups(), range(groups), strict=False):
            self.one(group, order)
        return order

    def one(self, group: Group, order: UntilDecided) -> None:
        trials = [each.trial for job in group for each in job]
        self.ran.append([f"{trial.model.name} {trial.seed}" for trial in trials])
        self.now += 2.0 * len(trials)
        found = [self.result(trial) for trial in trials]
        self.results |= {result.trial_id: result for result in found}
        order.tell(found)

    def result(self, trial: Trial) -> Result:
        draw = random.Random(f"{trial.model.name} {trial.seed}")
        metrics = {
            "total_seconds": 2.0,
            "fit_seconds": 1.0,
            "test_accuracy": ACCURACY[trial.model.name] + draw.gauss(0, 0.004),
        }
        if trial.model.name == self.fails:
            return Result(trial, trial.trial_id, "run", "here", "code", "failed", reason="it did not work")
        return Result(trial, trial.trial_id, "run", "here", "code", "ok", metrics=metrics)


def planned(trial: Trial) -> Planned:
    return Planned(trial, "here", "code", {})


def test_the_grid_first_then_a_seed_a_round_by_turns_for_those_that_are_open() -> None:
    machine = Machine()
    order = machine.run(suite("clear", "near", "nearer"))
    assert order.why == "settled"
    assert machine.ran[:4] == [[f"{name} {seed}" for name in ("clear", "near", "nearer")] for seed in range(4)]
    assert machine.ran[-1] == [f"near {len(machine.ran) - 1}", f"nearer {len(machine.ran) - 1}"]
    assert machine.told[0] == "0 of 3 pairs decided; another round: seed 3 for clear, near and nearer"
    assert machine.told[-1] == f"2 of 3 pairs decided; another round: seed {len(machine.ran) - 1} for near and nearer"


def test_a_round_of_trials_that_share_no_time_is_ended_before_the_next_one() -> None:
    """As executors with many nodes draw from it: nothing of a round before all of the last one is told."""
    machine = Machine()
    order = machine.order(suite("near", "nearer", seeds=1, turns=1))
    flying = list(order.groups())
    assert len(flying) == 2
    machine.one(flying[0], order)
    assert list(order.groups()) == []
    machine.one(flying[1], order)
    assert [len(group) for group in order.groups()] == [1, 1]
    assert machine.told == ["0 of 1 pair decided; another round: seed 1 for near and nearer"]


def test_a_model_that_fails_ends_it() -> None:
    machine = Machine(fails="near")
    order = machine.run(suite("near", "nearer", seeds=2))
    assert (order.why, len(machine.ran)) == ("settled", 2)
    assert [each.verdict for each in order.rounds.decisions()] == ["failed"]


@pytest.mark.parametrize("groups", [0, 1, 3, 5, 8])
def test_the_same_command_goes_on_where_it_was_stopped(groups: int) -> None:
    of, whole, machine = suite("clear", "near", "nearer"), Machine(), Machine()
    expected = whole.run(of).rounds
    stopped = machine.run(of, groups=groups)
    assert stopped.why == ""
    found = machine.run(of).rounds
    assert sorted(chain(*machine.ran)) == sorted(chain(*whole.ran))  # nothing twice
    assert (found.decisions(), found.more) == (expected.decisions(), expected.more)
    again = Machine(results=machine.results)
    assert again.run(of).why == "settled"
    assert again.ran == []


def test_a_budget_is_a_cap() -> None:
    of, machine = suite("clear", "near", "nearer"), Machine(budget=40.0)
    order = machine.run(of)
    assert order.why == "time"
    assert machine.now <= 40 - 6  # starting took 3 s: 6 are kept for the report
    assert machine.now + 6 > 40 - 6
    machine.budget, machine.now = 10_000.0, 3.0
    assert machine.run(of).why == "settled"


def test_what_a_budget_cuts_off_runs_again() -> None:
    machine = Machine(budget=20.0)
    order = machine.order(suite("near", "nearer"))
    group = next(iter(order.groups()))
    assert order.limit_seconds(group[0]) == pytest.approx(20 - 3 - 4 + 1)  # a fifth at most is kept for the report
    assert "the budget of 20 s was spent while it ran" in order.cut(group[0])
    trials = [each.trial for job in group for each in job]
    order.tell([Result(each, each.trial_id, "run", "here", "code", "interrupted", reason="cut") for each in trials])
    assert list(order.groups()) == []
    assert order.why == "time"


class Everything:
    """Stands for the identity of trials on a machine that can run them all."""

    def planned(self, trial: Trial) -> Planned:
        return planned(trial)


@pytest.mark.parametrize(
    ("status", "how", "more"),
    [
        ("ok", {}, 1),
        ("ok", {"retry": ["ok"]}, 1),  # it runs again, and learns the same
        ("ok", {"fresh": True}, 0),
        ("failed", {"retry": ["failed"]}, 0),
        ("interrupted", {}, 0),
    ],
)
def test_what_counts_as_there_begins_a_round(status: Any, how: dict[str, Any], more: int) -> None:
    of, machine = suite("near", "nearer"), Machine()
    results = [machine.result(trial) for trial in of.trials()]
    results[0] = replace(results[0], status=status, reason="" if status == "ok" else "no",
                         metrics=results[0].metrics if status == "ok" else {})  # fmt: skip
    options = {"fresh": False, "retry": []} | how
    rounds = rounds_of(of, Everything(), results=results, **options)  # type: ignore[arg-type]
    assert len(rounds.next_round()) == 2 * more
    assert set(rounds.more.values()) == ({1} if more else set())


def test_it_is_refused_with_a_shard(tmp_path: Path) -> None:
    options = Options(suite=tmp_path / "none.toml", shard="1/2", until_decided=True)
    with pytest.raises(BenchError) as raised:
        read(options)
    assert str(raised.value) == NOT_BY_SHARDS
    assert "\n" not in NOT_BY_SHARDS
