"""What a report says of a run that chose its seeds: every verdict in words, the end, the cost, the guarantee."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.report.decided import GUARANTEE, NO_GUARANTEE, budget_sentences, decided_sentences, seeds_sentences
from bench.results.frame import latest
from bench.suite.plan import Budget, Decide, Decision, Suite, Verdict


def decided(make: Any, *found: tuple[int, int, Verdict, int, float | None], why: str = "settled", **more: Any) -> Suite:
    """A plan of five seeds, two seeds more for mlp and cnn, and decisions about the places of two models each."""
    plan = make.Plan(**more)
    cells = list(dict.fromkeys(trial.cell_id for trial in plan.trials()))
    decisions = tuple(Decision(cells[a], cells[b], *rest) for a, b, *rest in found)
    return replace(plan, decide=Decide(more=dict.fromkeys(cells[1:3], 2), why=why), decisions=decisions)


def said(make: Any, suite: Suite) -> str:
    return decided_sentences(suite, latest([make.result_of(each) for each in suite.trials()], suite))


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        ("different", "mlp is better than linear, by 0.044 after 5 seeds."),
        ("alike", "mlp and linear are alike: less than 0.005 apart on this test data, after 5 seeds."),
        ("equal", "mlp and linear are equal: the same answers to every test example, by 5 seeds."),
        ("more_data", "more seeds will not tell, more test data would."),
        ("failed", "mlp and linear: not decided, one of them has no accuracy or too many seeds that fail."),
        ("open", "mlp and linear: not decided after 5 seeds."),
    ],
)
def test_each_verdict_in_words(make: Any, verdict: Verdict, text: str) -> None:
    assert text in said(make, decided(make, (0, 1, verdict, 5, -0.044)))


def test_count_cost_and_guarantee(make: Any) -> None:
    suite = decided(make, (0, 1, "different", 5, -0.044), (0, 2, "different", 5, -0.066), (1, 2, "alike", 7, -0.001))
    results = [make.result_of(each) for each in suite.trials()]
    text = decided_sentences(suite, latest(results, suite))
    assert text.startswith(
        "Decided by accuracy: 3 of 3 pairs (2 told apart and 1 alike). mlp is better than linear, by"
    )
    seconds = round(sum(result.metrics["total_seconds"] for result in results))
    assert f"It took 5 to 7 seeds: 19 trials, 4 of them beyond the grid, {seconds} s." in text
    assert text.endswith(GUARANTEE)
    assert "at most 5 %" in GUARANTEE


def test_the_end_is_said_where_something_is_open(make: Any) -> None:
    pair = (0, 1, "open", 30, -0.001)
    assert "It ended at 30 seeds, the most that it may take." in said(make, decided(make, pair))
    assert "The run was stopped before its end; the same command goes on." in said(make, decided(make, pair, why=""))
    late = replace(decided(make, pair, why="time"), budget=Budget(60.0, 58.0, "time", 1))
    assert "stopped before its end" not in said(make, late)
    rows = latest([make.result_of(each) for each in late.trials()][:4], late)
    first, second = seeds_sentences(late, rows)
    assert first.startswith("Decided by accuracy: 0 of 1 pair.")
    assert second.startswith("Left out by the budget of 1 min: ")
    assert "Still open: 1 pair." in second
    assert GUARANTEE not in second  # once is enough


def test_of_many_pairs_those_that_are_not_decided_are_named_with_their_place(make: Any) -> None:
    suite = make.Plan(batch_sizes=(64, 256, 1024))
    cells = list(dict.fromkeys(trial.cell_id for trial in suite.trials()))
    assert len(cells) == 9
    ladders = [[cell for trial, cell in zip(suite.trials(), cells, strict=False) if trial.batch_size == size]
               for size in (64, 256, 1024)]  # fmt: skip
    pairs = [(own[a], own[b]) for own in ladders for a, b in ((0, 1), (0, 2), (1, 2))]
    decisions = [Decision(*pair, "different", 4, 0.1) for pair in pairs[:-1]] + [Decision(*pairs[-1], "open", 30, 0.0)]
    suite = replace(suite, decide=Decide(why="settled"), decisions=tuple(decisions))
    text = said(make, suite)
    assert "Decided by accuracy: 8 of 9 pairs (8 told apart). batch size 1024: mlp and cnn: not decided" in text
    assert "better than" not in text


def test_a_plain_run_says_nothing(make: Any) -> None:
    plan = make.Plan()
    rows = latest([make.result_of(each) for each in plan.trials()], plan)
    assert list(seeds_sentences(plan, rows)) == list(seeds_sentences(None, rows)) == []


def test_a_budget_says_what_it_decided_with_the_guarantee(make: Any) -> None:
    plan = make.Plan(seeds=(0, 1))
    rows = latest([make.result_of(each) for each in plan.trials()][:4], plan)
    spent = replace(plan, budget=Budget(1800.0, 1750.0, "time", 1))
    assert budget_sentences(spent, rows).endswith(NO_GUARANTEE)
    cells = [trial.cell_id for trial in plan.trials()][:2]
    text = budget_sentences(replace(spent, decisions=(Decision(*cells, "different", 4, 0.1),)), rows)
    assert text.endswith(
        "Still open: 1 pair. Decided by accuracy: 1 of 1 pair (1 told apart). linear is better than mlp, by 0.100 "
        f"after 4 seeds. {GUARANTEE}"
    )
