"""Wherever the interval of an accuracy is shown, it is the same one, and what it is for stands beside it in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.cells import Cell
from bench.analysis.differences import paired_difference
from bench.analysis.findings import answer
from bench.analysis.interval_words import FOR, SHORT
from bench.analysis.models_table import models_table
from bench.analysis.plots import plots_of
from bench.analysis.sections import sections_of
from bench.base.metrics import ACCURACY, BUILT_IN
from bench.base.records import Component, Result
from bench.comparison.pairs import Comparison, compare_sides
from bench.comparison.rank import rank
from bench.comparison.rank_tables import costs_table, table_of_pairs
from bench.comparison.tables import cells_frame, cells_table
from bench.comparison.text import comparison_text
from bench.history.steps import trends_of
from bench.history.write import history_table
from bench.pairing.sides import Folder, split
from bench.report.terminal import terminal_summary
from bench.results.accuracy_intervals import accuracy
from bench.results.frame import latest
from bench.statistics.intervals import Meaning

KINDS: tuple[Meaning, ...] = ("recipe", "split", "seeds_alone")
EACH = pytest.mark.parametrize("over", KINDS)


def results_of(make: ModuleType, over: Meaning, *, seeds: Sequence[int] = range(5)) -> tuple[Any, list[Result]]:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=tuple(seeds), baseline="")
    found = make.run_of(plan)
    return plan, found if over == "seeds_alone" else make.answered(found, split=over == "split")


def cells_of(plan: Any, results: Sequence[Result]) -> list[Cell]:
    (section,) = sections_of(latest(results, plan).rows, plan)
    return list(section.cells)


def words(text: str) -> str:
    return " ".join(text.split())


@EACH
def test_a_cell_says_what_its_interval_is_for(make: ModuleType, over: Meaning) -> None:
    linear, mlp = cells_of(*results_of(make, over))
    found, pair = linear.estimate(ACCURACY), paired_difference(mlp, linear, metric=ACCURACY)
    assert found == accuracy([each.metrics[ACCURACY] for each in linear.ok], [each.answers for each in linear.ok])
    assert found.over == over
    assert pair is not None
    assert pair.over == over
    speed = linear.estimate("train_samples_per_second")
    assert speed is not None
    assert speed.over == "seeds"


@EACH
def test_a_table_says_it_below(make: ModuleType, over: Meaning) -> None:
    plan, results = results_of(make, over)
    (section,) = sections_of(latest(results, plan).rows, plan)
    table = models_table(section, name="models")
    (found,) = (cell for cell, column in zip(table.rows[0], table.columns, strict=True) if column.key == ACCURACY)
    linear = section.cells[0].estimate(ACCURACY)
    assert linear is not None
    assert (found.low, found.high) == linear.ends
    note = next(note for note in table.notes if note.startswith("±"))
    assert f"of accuracies the 95 % interval for {FOR[over]}; of the rest the 95 % interval of the mean over" in note
    assert not any(FOR[other] in " ".join(table.notes) for other in KINDS if other != over)


def test_a_cell_that_is_not_as_the_others_has_a_footnote(make: ModuleType) -> None:
    plan, results = results_of(make, "recipe")
    old = [replace(each, answers=None) if each.trial.model.name == "mlp" else each for each in results]
    (section,) = sections_of(latest(old, plan).rows, plan)
    table = models_table(section, name="models")
    marked = [cell.text for row in table.rows for cell in row if cell.text.endswith("(a)")]
    assert len(marked) == 1
    assert f"(a) 95 % interval for {FOR['seeds_alone']}." in table.notes


@EACH
def test_a_terminal_says_it(make: ModuleType, over: Meaning) -> None:
    plan, results = results_of(make, over)
    text = terminal_summary(results, plan)
    assert f"± 95 % ({SHORT[over]})" in text
    assert f"Accuracies: 95 % interval for {FOR[over]}." in words(text)
    assert max(map(len, text.splitlines())) <= 80


def test_a_terminal_names_those_that_are_not_as_the_title_says(make: ModuleType) -> None:
    plan, results = results_of(make, "recipe")
    old = [replace(each, answers=None) if each.trial.model.name == "mlp" else each for each in results]
    assert f"± of mlp: 95 % interval for {FOR['seeds_alone']}" in words(terminal_summary(old, plan))


@EACH
def test_the_answer_says_what_its_brackets_are_for(make: ModuleType, over: Meaning) -> None:
    plan, results = results_of(make, over)
    (section,) = sections_of(latest(results, plan).rows, plan)
    found = answer(section)
    assert found is not None
    assert f"Brackets of accuracies: 95 % interval for {FOR[over]}." in found.text


@EACH
def test_a_plot_says_it(make: ModuleType, over: Meaning) -> None:
    plan, results = results_of(make, over)
    plots = [
        plot
        for _, plot in plots_of(sections_of(latest(results, plan).rows, plan))
        if plot.metric.name == ACCURACY and plot.kind != "curves"
    ]
    assert plots
    assert all(any(f"95 % interval ({SHORT[over]})" in note for note in plot.notes) for plot in plots)


def test_one_seed_has_the_interval_of_its_examples_and_decides_nothing(make: ModuleType) -> None:
    plan, results = results_of(make, "recipe", seeds=[0])
    text = words(terminal_summary(results, plan))
    assert "n = 1 seed, ± 95 % (new images)" in text
    assert "one seed decides nothing" in text
    assert FOR["examples"] in text


def compared(results: Sequence[Result], *, metric: str) -> Comparison:
    return compare_sides(*split(Folder("all", tuple(results), None, (), frozenset({4})), "model"), metric=metric)


@EACH
def test_a_comparison_of_accuracies_is_paired(make: ModuleType, over: Meaning) -> None:
    plan, results = results_of(make, over)
    linear, mlp = cells_of(plan, results)
    expected = paired_difference(mlp, linear, metric=ACCURACY)
    assert expected is not None
    assert expected.low is not None
    for metric in (ACCURACY, "train_samples_per_second"):
        comparison = compared(results, metric=metric)
        (row,) = cells_frame(comparison).to_dict("records")
        assert (row["accuracy_difference_low"], row["accuracy_difference_high"]) == expected.ends
        assert row["accuracy_interval_over"] == over
        assert f"Accuracy B − A: paired by seed, 95 % interval for {FOR[over]}." in words(comparison_text(comparison))
        assert any(FOR[over] in note for note in cells_table(comparison).notes)
    comparison = compared(results, metric=ACCURACY)
    (cell,) = comparison.cells
    level = linear.estimate(ACCURACY)
    assert level is not None
    assert cell.ratio is not None
    assert cell.ratio.low == pytest.approx(1 + expected.low / level.mean)
    assert cell.verdict == ("faster" if expected.excludes(0) else "ambiguous")


def test_more_than_the_seeds_show_is_not_decided(make: ModuleType) -> None:
    """All seeds agree that one is a little better, of 300 images too few to tell."""
    _, results = results_of(make, "seeds_alone")
    metrics = {"linear": 0.900, "mlp": 0.904}
    close = [
        replace(each, metrics={**each.metrics, ACCURACY: metrics[each.trial.model.name] + 0.0005 * each.trial.seed})
        for each in results
    ]
    # 5 seeds alone: +0.004 each, which has no spread at all; so that it has some, one differs.
    close[0] = replace(close[0], metrics={**close[0].metrics, ACCURACY: 0.9005})
    (alone,) = compared(close, metric=ACCURACY).cells
    (both,) = compared(make.answered(close, examples=10_000), metric=ACCURACY).cells
    (few,) = compared(make.answered(close, examples=2000), metric=ACCURACY).cells
    assert alone.verdict == "faster"
    assert both.accuracy is not None
    assert few.accuracy is not None
    assert few.accuracy.over == both.accuracy.over == "recipe"
    assert few.verdict == "ambiguous"
    assert few.training == "alike"


def test_seeds_that_no_side_shares_are_not_compared(make: ModuleType) -> None:
    _, results = results_of(make, "recipe")
    apart = [each for each in results if (each.trial.seed < 2) == (each.trial.model.name == "mlp")]
    (cell,) = compared(apart, metric=ACCURACY).cells
    assert (cell.ratio, cell.why) == (None, "the two sides have no seed in common")


@EACH
def test_a_ranking_says_it(make: ModuleType, over: Meaning) -> None:
    plan, results = results_of(make, over)
    ranking = rank(Folder("all", tuple(results), plan, (), frozenset({4})), metric=ACCURACY)
    ((_, pair),) = ranking.pairs
    linear, mlp = cells_of(plan, results)
    known = paired_difference(mlp, linear, metric=ACCURACY)
    assert known is not None
    assert pair.bracket == pytest.approx(known.ends)
    table = table_of_pairs(ranking)
    assert table is not None
    assert table.notes[1] == f"Differences are paired by seed. Brackets: 95 %, for {FOR[over]}."
    assert any(FOR[over] in note for note in costs_table(ranking).notes)


@EACH
def test_a_history_says_it(make: ModuleType, over: Meaning) -> None:
    _, before = results_of(make, over)
    after = [
        replace(each, run_id="20260102T000000Z-00000000", finished_at="2026-01-02T00:00:10Z", metrics=other.metrics,
                answers=other.answers)
        for each, other in zip(before, before[2:] + before[:2], strict=True)
        if each.trial.model.name == "mlp"
    ]  # fmt: skip
    own = [each for each in before if each.trial.model.name == "mlp"]
    (trend,) = trends_of([*own, *after], BUILT_IN[ACCURACY])
    first, second = trend.runs
    assert first.mean == accuracy([each.metrics[ACCURACY] for each in own], [each.answers for each in own])
    assert second.step is not None
    if over != "split":  # the test sets of a seed are others here, so that they are no pair
        assert second.step.over == over
    notes = history_table([trend], BUILT_IN[ACCURACY], title="all").notes
    assert f"Means: 95 % interval for {FOR[over]}." in notes
    assert any("with its 95 % interval for" in note for note in notes)
