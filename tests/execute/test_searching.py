"""The order of a run while it searches: what can begin, within a budget, and what is still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bench.base.records import Component, Result, Trial
from bench.execute.budget import TimeLimit
from bench.execute.plan import Plan, Planned
from bench.execute.searching import Searching, ahead_of, searches_as_known
from bench.suite.plan import Axis, Budget, Suite
from bench.suite.tune import Range, Tune
from bench.tune.search import Searches

RATE = Range("train.learning_rate", low=1e-3, high=1.0, log=True)


def suite(**tune: Any) -> Suite:
    values: dict[str, Sequence[Any]] = {
        "dataset": [Component("digits")],
        "model": [Component("a"), Component("b")],
        "seed": range(3),
        "batch_size": [64],
        "device": ["cpu"],
    }
    return Suite("mine", "mine", tuple(Axis(*each) for each in values.items()), tune=Tune((RATE,), **tune))


def planned(trial: Trial) -> Planned:
    return Planned(trial, "here", "code", {})


@dataclass
class Machine:
    """Runs the groups of an order on a clock of its own; each training takes 2 s."""

    budget: float | None = None
    now: float = 3.0
    results: dict[str, Result] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)

    def order(self, of: Suite) -> tuple[Searching, Searches]:
        searches = Searches(of, lambda trial: self.results.get(trial.trial_id))
        plan = Plan(search=[planned(trial) for trial in searches.next()])
        limit = None
        if self.budget is not None:
            given = Budget(self.budget)
            limit = TimeLimit(given, results=self.results.values(), left_seconds=lambda: given.seconds - self.now)
        begins = lambda ahead: self.begun.append(len(ahead))  # noqa: E731
        return Searching(plan, searches, planned=planned, begins=begins, limit=limit), searches

    def run(self, of: Suite) -> tuple[Searching, Searches]:
        order, searches = self.order(of)
        for group in order.groups():
            ((each,),) = group
            self.now += 2.0
            metrics = {"validation_accuracy": each.trial.train.learning_rate / 2, "total_seconds": 2.0}
            found = Result(each.trial, each.trial.trial_id, "run", "here", "code", "ok", metrics=metrics)
            self.results[found.trial_id] = found
            order.tell([found])
        return order, searches


def test_each_is_a_group_by_itself_and_a_batch_follows_when_all_of_one_are_told() -> None:
    machine = Machine()
    order, searches = machine.run(suite(trials=9))
    assert searches.ended
    assert len(machine.results) == 18
    assert machine.begun == [0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]
    assert order.why == ""


def test_nothing_of_a_batch_begins_before_the_one_before_is_told() -> None:
    order, _ = Machine().order(suite(trials=9))
    flying = list(order.groups())
    assert [len(group) for group in flying] == [1] * 8
    assert list(order.groups()) == []


def test_a_budget_ends_it_in_the_middle_and_another_run_goes_on_to_the_same_choices() -> None:
    whole = Machine().run(suite(trials=9))[1].states()
    machine = Machine(budget=20.0)
    order, searches = machine.run(suite(trials=9))
    assert (order.why, searches.ended) == ("time", False)
    assert 4 <= len(machine.results) <= 8
    assert machine.now <= 20.0
    machine.budget, before = None, set(machine.results)
    _, searches = machine.run(suite(trials=9))
    assert searches.states() == whole
    assert len(machine.results) == 18
    assert before < set(machine.results)


def test_what_is_cut_off_is_not_taken_up() -> None:
    order, searches = Machine().order(suite(trials=9))
    trials = [job[0].trial for group in order.groups() for job in group]
    order.tell([Result(each, each.trial_id, "run", "here", "code", "interrupted", "it was spent") for each in trials])
    assert list(order.groups()) == []
    assert [len(search.wanted) for search in searches.cells] == [4, 4]
    assert not any(each.results for search in searches.cells for each in search.tried)


class Here:
    """Completes the identity of trials on one machine."""

    def planned(self, trial: Trial) -> Planned:
        return planned(trial) if trial.model.name == "a" else Planned(trial, "here", "code", {}, skip="no such device")


@pytest.mark.parametrize(
    ("fresh", "retry", "batches"), [(False, (), 3), (True, (), 1), (False, ("failed",), 1), (False, ("oom",), 3)]
)
def test_what_is_on_file_counts_but_for_what_is_to_run_again(fresh: bool, retry: tuple[str, ...], batches: int) -> None:
    machine = Machine()
    machine.run(suite(trials=9))
    default = next(each for each in machine.results.values() if each.trial.train.learning_rate == 0.1)
    failed = replace(default, status="failed", reason="it did not work", metrics={"total_seconds": 1.0})
    results = [*machine.results.values(), replace(failed, finished_at="later")]
    found = searches_as_known(suite(trials=9), Here(), results=results, fresh=fresh, retry=retry)  # type: ignore[arg-type]
    wanted = found.next()
    assert [search.default.model.name for search in found.cells] == ["a"]
    assert -(-len(found.cells[0].tried) // 4) == batches
    assert [trial.train.learning_rate for trial in wanted] == (
        [0.1]
        if retry == ("failed",)
        else [each.settings["train.learning_rate"] for each in found.cells[0].tried]
        if fresh
        else []
    )


def test_what_is_to_come_is_counted_before_it_is_planned() -> None:
    _, searches = Machine().order(suite(trials=9))
    assert len(ahead_of(searches, after=True)) == 2 * 9 + 2 * 3
    assert len(ahead_of(searches, after=False)) == 2 * 9
    assert ahead_of(Machine().run(suite(trials=9))[1], after=True) == []
    _, searches = Machine().order(suite(seconds=10.0))
    assert len(ahead_of(searches, after=True)) == 2 * 4 + 2 * 3  # as far as it is planned
