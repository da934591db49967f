"""What `bench plan` prints: 80 columns, units, and everything that limits the figures."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from bench.base.records import Component, Result, TrainSettings, Trial
from bench.planning.costs import Costs, RunEstimate, estimate, past_jobs
from bench.planning.text import ago, further_text, money_text, plan_text, seconds_text, to_decide_text
from bench.present.columns import WIDTH
from bench.report.decided import budget_sentences
from bench.results.frame import latest
from bench.statistics.forecast import Span
from bench.suite.plan import Budget, Decide, Decision


def trial(model: str, device: str = "cpu", seed: int = 0, **train: Any) -> Trial:
    return Trial(Component("digits", {"train_limit": 1000}), Component(model), seed, 64, device, TrainSettings(**train))


def ahead(*models: str, device: str = "cuda", prices: Any = (), **train: Any) -> RunEstimate:
    costs = Costs()
    for number, model in enumerate(models):
        of = trial(model, **train)
        metrics = {"total_seconds": 3000.0 + number, "fit_seconds": 2000.0, "host_peak_bytes": 5.5 * 2**20}
        costs.add(past_jobs([Result(of, of.trial_id, "run", "here", "code", "ok", metrics=metrics)]))
    trials = [trial(model, where, **train) for model in models for where in ("cpu", device)]
    counts = {"cpu": len(models), device: len(models)}
    return estimate([[each] for each in trials], costs, trials=counts, there={}, prices=dict(prices))


@pytest.mark.parametrize("pretty", [False, True])
def test_it_fits_a_terminal_and_tells_what_is_not_known(pretty: bool) -> None:
    found = ahead(*(f"a-model-with-a-very-long-name-of-its-own-{n}" for n in range(12)), prices={"cpu": 1234.5})
    text = plan_text(found, pretty=pretty)
    assert all(len(re.sub(r"\x1b\[[\d;]*m", "", line)) <= WIDTH for line in text.splitlines()), text
    for word in ("12", "h [", "5.5 MiB", "not known", "+?", "of 12 trials nothing is known", "… and 16 other kinds"):
        assert word in text, word


def test_cost_stands_there_only_where_there_is_a_price() -> None:
    assert "cost" not in plan_text(ahead("mlp"), pretty=False)
    priced = plan_text(ahead("mlp", prices={"cpu": 3.0}), pretty=False)
    assert "cost: time at the price of an hour" in priced
    assert "2.50 [" in priced


def test_early_stopping_is_said_to_shorten() -> None:
    text = "early stopping can only shorten it"
    assert text in plan_text(ahead("mlp", early_stopping_patience=3, validation_split=0.1), pretty=False)
    assert text not in plan_text(ahead("mlp"), pretty=False)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(0.4, 0.31, 0.52), "0.4 s [0.3, 0.5]"),
        (Span(31.4, 25.2, 38.9), "31 s [25, 39]"),
        (Span(144, 120, 172), "2.4 min [2.0, 2.9]"),
        (Span(86400, 80000, 92000), "24 h [22, 26]"),
    ],
)
def test_times_have_their_unit_and_their_ends(span: Span, text: str) -> None:
    assert seconds_text(span) == text


def test_money_and_ages() -> None:
    assert money_text(Span(0.104, 0.09, 0.118)) == "0.10 [0.09, 0.12]"
    assert money_text(Span(0.00123, 0.001, 0.0015)) == "0.0012 [0.0010, 0.0015]"
    assert [ago(seconds) for seconds in (0, 119, 120, 7200, 200_000)] == ["0 s", "119 s", "2 min", "2 h", "2 days"]


def test_what_a_budget_left_out_is_said_with_the_rule(make: Any) -> None:
    plan = make.Plan(seeds=(0, 1))
    done = [make.result_of(each) for each in plan.trials()][:4]
    rows = latest(done, plan)
    assert budget_sentences(plan, rows) == ""
    object.__setattr__(plan, "budget", Budget(1800.0, 1750.0, "time", 1))
    assert budget_sentences(plan, rows) == (
        "Left out by the budget of 30 min: 2 trials. Rule: every cell once, then the seeds that are expected to decide "
        "most pairs by test accuracy for their time. The run ended after 29 min 10 s: nothing that was left would have "
        "ended in time. Still open: 1 pair. Seeds were chosen by the results before them, so intervals are somewhat "
        "too narrow (optional stopping)."
    )
    never = budget_sentences(plan, latest(done[:2], plan))
    assert "4 trials, 1 cell of the grid did not run at all. Rule" in never
    object.__setattr__(plan, "budget", Budget(1800.0))
    assert "The run was stopped before its budget was spent." in budget_sentences(plan, rows)
    whole = [make.result_of(each) for each in plan.trials()]
    assert budget_sentences(plan, latest(whole, plan)) == ""


def test_how_many_seeds_it_is_going_to_take() -> None:
    short, long = Span(60.0, 50.0, 70.0), Span(600.0, 500.0, 700.0)
    assert further_text((4, 30), (3, 81), (short, long), known=False) == (
        "until it is decided: 4 to 30 seeds a model, no results say how many yet; 3 to 81 more trials, 60 s to 10 min"
    )
    assert further_text((4, 30), (3, 81), (None, None), known=False).endswith("3 to 81 more trials")
    assert further_text((9, 14), (20, 20), (short, short), known=True) == (
        "until it is decided: about 9 to 14 seeds a model, if their differences stay what they are (an even chance); "
        "20 more trials, 60 s"
    )
    assert further_text((9, 9), (0, 0), (None, None), known=True) == (
        "until it is decided: no seeds beyond these are expected"
    )


def test_a_status_says_what_its_numbers_do_not_where_seeds_go_on(make: Any) -> None:
    plan = make.Plan()
    assert to_decide_text(plan) == to_decide_text(replace(plan, decide=Decide(why="settled"))) == ""
    cells = [trial.cell_id for trial in plan.trials()][:3]
    pairs = (Decision(*cells[:2], "different", 4, 0.1), Decision(*cells[1:], "open", 4, 0.01))
    assert to_decide_text(replace(plan, decide=Decide(most_seeds=12), decisions=pairs)) == (
        "until it is decided: 1 of 2 pairs by now; rounds of seeds that are not planned yet are in no number here, at "
        "most 12 seeds a model"
    )
