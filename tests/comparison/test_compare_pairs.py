"""What compare says of trials that shared the time, and of runs that did not; the mean over cells is no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import pytest

from bench.base.records import Component, Result
from bench.comparison.draw import forest
from bench.comparison.pairs import Comparison, compare_sides
from bench.comparison.rank import rank
from bench.comparison.rank_text import ranking_text
from bench.comparison.tables import cells_frame, cells_table
from bench.comparison.text import comparison_text
from bench.pairing.sides import Folder, split, whole
from bench.present.format import times

SPEED = "train_samples_per_second"
DRIFT = "drift between the two runs is not in it"


def folder(name: str, results: Sequence[Result]) -> Folder:
    return Folder(name, tuple(results), None, (), frozenset({4}))


def flat(comparison: Comparison) -> str:
    return " ".join(comparison_text(comparison).split())


def run(
    make: ModuleType, *, run_id: str = "20260101T000000Z-00000000", speed: float = 1.0, turns: bool = True
) -> list[Result]:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), batch_sizes=(64, 256), baseline="")
    results = [
        replace(each, run_id=run_id, metrics={**each.metrics, SPEED: speed * each.metrics[SPEED]})
        for each in make.run_of(plan)
    ]
    return list(make.in_turns(results, group=run_id)) if turns else results


def by(results: Sequence[Result], axis: str, *, metric: str = SPEED) -> Comparison:
    return compare_sides(*split(folder("all", results), axis), metric=metric)


@pytest.mark.parametrize("axis", ["model", "batch_size"])
def test_sides_of_one_group_are_compared_in_pairs(make: ModuleType, axis: str) -> None:
    found = by(run(make), axis)
    assert [(cell.ratio.over, cell.ratio.n) for cell in found.compared if cell.ratio] == [("seeds", 5)] * 2
    assert all(cell.detectable is not None and 1 < cell.detectable < 1.1 for cell in found.cells)
    text = flat(found)
    assert "The intervals of the ratios: paired: both trained by turns, in the same rounds, 5 seeds." in text
    assert DRIFT not in text
    assert "not paired" not in text
    assert cells_frame(found)["interval_over"].tolist() == ["seeds", "seeds"]
    assert "taken on logarithms; paired: both trained by turns" in cells_table(found).notes[0]


def test_two_runs_are_not_paired_and_drift_is_not_in_it(make: ModuleType) -> None:
    one, other = run(make, run_id="a"), run(make, run_id="b", speed=1.1)
    found = compare_sides(whole(folder("a", one)), whole(folder("b", other)))
    assert {cell.ratio.over for cell in found.compared if cell.ratio} == {"processes"}
    words = f"not paired: the two sides ran one after the other (Welch); {DRIFT}."
    assert f"The intervals of the ratios: {words}" in flat(found)
    assert words in cells_table(found).notes[0]
    assert any(words.rstrip(".") in text.get_text() for text in forest(found).texts)


def test_one_after_the_other_in_one_run(make: ModuleType) -> None:
    text = flat(by(run(make, turns=False), "model"))
    assert "not paired: the two sides ran one after the other (Welch)." in text
    assert DRIFT not in text


def test_a_cell_that_is_not_paired_is_marked_among_those_that_are(make: ModuleType) -> None:
    results = [replace(each, group_id="") if each.trial.batch_size == 256 else each for each in run(make)]
    found = by(results, "model")
    table = cells_table(found)
    at = [column.key for column in table.columns].index("ratio")
    assert [row[at].text.endswith("] ‡") for row in table.rows] == [False, True]
    assert "in the same rounds, 5 seeds; ‡ not paired: the two sides ran one after the other (Welch)." in flat(found)
    assert cells_frame(found)["interval_over"].tolist() == ["seeds", "processes"]


def test_one_seed_is_named(make: ModuleType) -> None:
    found = by([each for each in run(make) if each.trial.seed == 0], "model")
    assert {cell.ratio.over for cell in found.compared if cell.ratio} == {"rounds"}
    text = flat(found)
    assert "paired, over 12 rounds of one seed: both trained by turns; other seeds are not in it." in text
    assert "n = 1: one process has no interval" not in text


def test_two_seeds_could_show_nothing(make: ModuleType) -> None:
    found = by([each for each in run(make) if each.trial.seed < 2], "model")
    assert {cell.verdict for cell in found.compared} == {"ambiguous"}
    assert [cell.detectable for cell in found.compared] == [None, None]
    assert "n = 2: two processes cannot show any difference; run more seeds." in flat(found)


def test_the_same_results_on_both_sides_are_no_pairs(make: ModuleType) -> None:
    results = run(make)
    found = compare_sides(whole(folder("a", results)), whole(folder("b", results)))
    assert [(cell.ratio.ratio, cell.ratio.over) for cell in found.compared if cell.ratio] == [(1.0, "processes")] * 4
    assert {cell.verdict for cell in found.compared} == {"ambiguous"}


def test_what_is_learnt_says_nothing_of_turns(make: ModuleType) -> None:
    text = flat(by(run(make), "model", metric="test_accuracy"))
    assert "paired: both" not in text
    assert "no test" not in text


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_the_mean_over_cells_is_no_verdict(make: ModuleType, speed: float) -> None:
    one, other = run(make, run_id="a"), run(make, run_id="b", speed=speed)
    found = compare_sides(whole(folder("a", one)), whole(folder("b", other)))
    assert found.overall is not None
    assert (found.overall.ratio, found.overall.low, found.overall.high) == (pytest.approx(speed, rel=0.03), None, None)
    word = "faster" if speed > 1 else "slower"
    assert found.verdict == word  # what every cell says
    text = flat(found)
    mean = "2.00" if speed > 1 else "0.500"
    assert f"All 4 cells are {word}. Geometric mean of the ratios: {mean} (it" in text
    assert "no test, because cells share what changed between the two sides." in text
    assert f"B is {word} than A" not in text


def test_cells_that_do_not_agree_have_no_verdict_together(make: ModuleType) -> None:
    """Every cell three per cent faster, in one of them it shows: what the mean of cells once called faster."""
    one = run(make, run_id="a", turns=False)
    other = [
        replace(
            each,
            run_id="b",
            metrics={**each.metrics, SPEED: each.metrics[SPEED] * (1.3 if each.trial.batch_size == 64 else 1.01)},
        )
        for each in one
    ]
    found = compare_sides(whole(folder("a", one)), whole(folder("b", other)))
    assert sorted(cell.verdict for cell in found.compared) == ["ambiguous", "ambiguous", "faster", "faster"]
    assert found.verdict == "ambiguous"
    text = flat(found)
    assert "Of 4 cells 2 are faster and 2 are ambiguous. Geometric mean of the ratios: 1.1" in text
    assert "[" not in text.partition("Geometric mean of the ratios:")[2].partition(".")[0]


def test_the_forest_has_the_mean_without_a_verdict(make: ModuleType) -> None:
    one, other = run(make, run_id="a"), run(make, run_id="b", speed=2.0)
    figure = forest(compare_sides(whole(folder("a", one)), whole(folder("b", other))))
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    (mean,) = [text for text in texts if "(no test)" in text]
    assert "[" not in mean
    assert "faster" not in mean


@pytest.mark.parametrize(
    ("turns", "how"),
    [
        (True, "paired: both trained by turns, in the same rounds, 5 seeds."),
        (False, "not paired: the models ran one after the other."),
    ],
)
def test_a_ranking_by_speed_has_ratios(make: ModuleType, turns: bool, how: str) -> None:
    ranking = rank(folder("all", run(make, turns=turns)), metric=SPEED)
    text = " ".join(ranking_text(ranking).split())
    assert f"Ratio: first over second, with its 95 % interval, taken on logarithms, each pair alone; {how}" in text
    (pair,) = ranking.ratios
    assert f"linear / mlp {times(pair.ratio.ratio, pair.ratio.low, pair.ratio.high)}" in text
    learnt = " ".join(ranking_text(rank(folder("all", run(make, turns=turns)))).split())
    assert "Differences are paired by seed" in learnt
    assert "Ratio" not in learnt
