"""The ladder: models in order, every pair judged by one procedure, and the words for what is known of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.findings import Answer, answer
from bench.analysis.ladder import ALPHA, MARGIN, Ladder, confidence_of, judged, ladder, odd_seed, seeds_to_decide
from bench.analysis.ladder_text import ladder_lines
from bench.analysis.ladder_words import headline, rung, verdict
from bench.analysis.models_table import models_table
from bench.analysis.pair_tables import matrix
from bench.analysis.plots import plots_of
from bench.analysis.sections import sections_of
from bench.base.metrics import ACCURACY
from bench.base.records import Component, MeasureSettings, Result
from bench.comparison.rank import rank
from bench.pairing.sides import Folder
from bench.results.frame import latest
from bench.statistics.evidence import evidence_of
from bench.statistics.tests import holm
from bench.suite.plan import Decision

# What each seed adds, not the same to every model: sd of the differences about 0.001.
SCATTER = (0.0, 0.001, -0.001, 0.0005, -0.0005, 0.0007, -0.0007, 0.0002, -0.0002, 0.0004)
AGAIN = "python -m bench run mine.toml"


def plan_of(make: ModuleType, names: Sequence[str], seeds: Sequence[int], **more: Any) -> Any:
    return make.Plan(models=[Component(name) for name in names], seeds=tuple(seeds), baseline="", **more)


def results_of(make: ModuleType, plan: Any, levels: dict[str, float | tuple[float, ...]]) -> list[Result]:
    """A level with a scatter, or the values themselves."""
    found = []
    for trial in plan.trials():
        level = levels[trial.model.name]
        turn = (trial.seed + 3 * list(levels).index(trial.model.name)) % len(SCATTER)
        value = level[trial.seed] if isinstance(level, tuple) else level + SCATTER[turn]
        speed = 1000.0 * (1 + list(levels).index(trial.model.name))
        metrics = {"test_accuracy": value, "train_samples_per_second": speed * (1 + 0.01 * (trial.seed % 3))}
        found.append(make.result_of(trial, metrics=metrics))
    return found


def answer_of(plan: Any, results: Sequence[Result]) -> Answer:
    found = answer(sections_of(latest(results, plan).rows, plan)[0], again=AGAIN)
    assert found is not None
    return found


def ladder_of(make: ModuleType, levels: dict[str, Any], *, seeds: int = 5) -> Ladder:
    plan = plan_of(make, list(levels), range(seeds))
    found = answer_of(plan, results_of(make, plan, levels)).ladder
    assert found is not None
    return found


def bold(found: Ladder) -> list[str]:
    """The models whose accuracy is bold in the table of models."""
    table = models_table(found.section, name="models")
    (at,) = (index for index, column in enumerate(table.columns) if column.key == ACCURACY)
    return [row[0].text for row in table.rows if row[at].best]


FOUR: dict[str, Any] = {"low": 0.80, "best": 0.90, "second": 0.8995, "third": 0.85}


def test_of_four_models_the_two_in_between_are_told_apart_from_the_others(make: ModuleType) -> None:
    """The best cannot be told from the second, and says so; that third and low are behind is not hidden by it."""
    found = ladder_of(make, FOUR)
    assert [cell.model for cell in found.cells] == ["best", "second", "third", "low"]
    verdicts = {(pair.upper.model, pair.lower.model): pair.verdict for pair in found.pairs}
    assert verdicts["best", "second"] in ("open", "alike")
    del verdicts["best", "second"]
    assert set(verdicts.values()) == {"yes"}
    assert rung(found, 2).startswith("behind best: yes; behind second: yes, by 4.9 points [")
    assert rung(found, 3).startswith("behind best: yes; behind third: yes, by 5.0 points [")
    assert headline(found).startswith("not decided. best")
    assert "third" not in headline(found)
    assert not found.decided


def test_all_pairs_are_one_family(make: ModuleType) -> None:
    """Holm over all pairs, brackets at 1 - .05 / pairs: a pair that alone would be shown is not shown among six."""
    differences = (0.002, 0.004, 0.006, 0.001, 0.002)  # p = 0.032 alone
    base = (0.9, 0.91, 0.92, 0.93, 0.94)
    pair = {"a": base, "b": tuple(map(math.fsum, zip(base, differences, strict=True)))}
    (alone,) = ladder_of(make, pair).pairs
    assert alone.verdict == "yes"
    assert alone.p == pytest.approx(evidence_of(differences).p_value())
    four = ladder_of(make, pair | {"c": 0.5, "d": 0.4})
    found = four.pair(0, 1)
    assert (found.upper.model, found.lower.model, found.verdict) == ("b", "a", "open")
    assert found.bracket == pytest.approx(evidence_of(differences).interval(confidence_of(6)))
    assert confidence_of(6) == pytest.approx(1 - ALPHA / 6)
    plain = [each.evidence.p_value() if each.evidence else 1.0 for each in four.pairs]
    assert [each.p for each in four.pairs] == holm(plain)
    assert len(four.pairs) == 6


def test_the_order_is_over_the_seeds_that_all_have(make: ModuleType) -> None:
    """b lost its bad seeds: what is left of it would be the best."""
    plan = plan_of(make, "ab", range(5))
    values = {"a": (0.90, 0.92, 0.97, 0.90, 0.982), "b": (0.1, 0.1, 0.95, 0.1, 0.96)}
    results = [
        make.result_of(each.trial, status="diverged" if each.trial.seed else "failed", reason="loss is nan")
        if each.metrics["test_accuracy"] == 0.1
        else each
        for each in results_of(make, plan, values)
    ]
    found = answer_of(plan, results)
    assert found.ladder is not None
    assert [cell.model for cell in found.ladder.cells] == ["a", "b"]
    assert rung(found.ladder, 1) == (
        "behind a: not shown, two seeds decide nothing; 2 of 5 seeds diverged and 1 failed"
    )
    assert "Compared over the seeds that both have: 2." in found.text


def test_a_diverged_seed_is_named_and_a_model_without_any_too(make: ModuleType) -> None:
    plan = plan_of(make, "abc", range(5))
    results = [
        make.result_of(each.trial, status="diverged", reason="nan")
        if each.trial.model.name == "c" or (each.trial.model.name, each.trial.seed) == ("b", 3)
        else each
        for each in results_of(make, plan, {"a": 0.9, "b": 0.8, "c": 0.7})
    ]
    found = answer_of(plan, results)
    assert found.ladder is not None
    assert rung(found.ladder, 1).endswith("; 1 of 5 seeds diverged")
    assert "Not in it: c, 5 of 5 seeds diverged." in found.text
    assert "Compared over the seeds that both have: 4." in found.text


def test_an_odd_seed_is_named_and_stays_in_the_mean(make: ModuleType) -> None:
    values = {"a": 0.8, "b": (0.74, 0.75, 0.44, 0.75, 0.745)}
    found = ladder_of(make, values)
    assert rung(found, 1).endswith("; one seed reached 0.44 only")
    assert found.levels[1] == pytest.approx(math.fsum(values["b"]) / 5)  # type: ignore[arg-type]
    for ordinary in ((0.70, 0.75, 0.72, 0.74, 0.71), (0.745, 0.76, 0.75, 0.755, 0.75), (0.44, 0.75, 0.75)):
        cells = ladder_of(make, {"a": 0.9, "b": ordinary}, seeds=len(ordinary)).cells
        assert odd_seed(cells[1]) is None


@pytest.mark.parametrize(
    ("first", "second", "known", "says"),
    [
        ((0.9, 0.91, 0.93), (0.9, 0.91, 0.93), "beside a: the same in every seed",
         "not decided, a and b have the same accuracy in every seed."),
        ((0.9, 0.91, 0.93), (0.93, 0.9, 0.91), None, "not decided, a and b have the same mean accuracy."),
        ((0.9,), (0.9,), "beside a: the same, of one seed", "not decided, a and b have the same accuracy."),
    ],
)  # fmt: skip
def test_ties_are_ties(make: ModuleType, first: Any, second: Any, known: str | None, says: str) -> None:
    found = ladder_of(make, {"a": first, "b": second}, seeds=len(first))
    assert found.places == (1, 1)
    assert known is None or rung(found, 1) == known
    assert headline(found) == says
    assert found.pairs[0].verdict != "yes"


def test_equal_leaders_are_told_from_the_rest(make: ModuleType) -> None:
    same = (0.9, 0.91, 0.93)
    found = ladder_of(make, {"a": same, "b": same, "c": (0.6, 0.612, 0.629)}, seeds=3)
    assert found.places == (1, 1, 3)
    assert headline(found) == ("not decided, a and b have the same accuracy in every seed, and the others are behind.")


def test_of_models_that_are_the_same_none_is_behind(make: ModuleType) -> None:
    same = (0.9, 0.91, 0.93)
    found = ladder_of(make, {"a": same, "b": same, "c": same}, seeds=3)
    assert rung(found, 2) == "beside a and b: the same in every seed"


def test_all_that_take_least_memory_are_named(make: ModuleType) -> None:
    plan = plan_of(make, "abc", range(2))
    takes = {"a": 8 << 20, "b": 1 << 20, "c": 1 << 20}
    results = [
        make.result_of(trial, metrics={
            "test_accuracy": 0.9 if trial.model.name == "a" else 0.5, "host_peak_bytes": takes[trial.model.name],
        })
        for trial in plan.trials()
    ]  # fmt: skip
    assert "Memory: a 8.00 MiB, least b and c 1.00 MiB." in answer_of(plan, results).sentences


def test_one_seed_decides_nothing_and_says_so(make: ModuleType) -> None:
    found = answer_of(plan := plan_of(make, "ab", [0]), results_of(make, plan, {"a": (0.5,), "b": (0.9,)}))
    assert found.ladder is not None
    assert rung(found.ladder, 1) == "behind b: not shown, one seed decides nothing"
    assert found.headline == "Best: not decided, one seed decides nothing. b has the highest accuracy."
    assert found.how == ""
    assert found.command == f"{AGAIN} --until-decided"
    assert "Four seeds or more can decide" in found.text


@pytest.mark.parametrize("seeds", [2, 5])
def test_a_difference_without_spread_over_few_seeds_decides_nothing(make: ModuleType, seeds: int) -> None:
    plan = plan_of(make, "ab", range(seeds))
    results = results_of(make, plan, {"a": (0.9,) * seeds, "b": (0.93,) * seeds})
    found = answer_of(plan, results).ladder
    assert found is not None
    (pair,) = found.pairs
    assert (pair.verdict, pair.p) == ("few", 1.0)
    assert pair.seeds == 6
    assert bold(found) == []
    (narrow,) = ladder_of(make, {"a": (0.9,) * seeds, "b": (0.9001,) * seeds}, seeds=seeds).pairs
    assert narrow.verdict == "few"  # not alike either


def test_six_equal_differences_decide(make: ModuleType) -> None:
    assert ladder_of(make, {"a": (0.9,) * 6, "b": (0.93,) * 6}, seeds=6).decided


def test_what_lies_within_half_a_point_is_alike(make: ModuleType) -> None:
    near = {"a": 0.9, "b": tuple(0.9005 + SCATTER[(seed + 5) % 10] for seed in range(10))}
    (pair,) = ladder_of(make, near, seeds=10).pairs
    assert pair.bracket is not None
    assert -MARGIN < pair.bracket[0] < 0 < pair.bracket[1] < MARGIN
    assert pair.verdict == "alike"
    assert verdict(pair).startswith("alike within 0.5 points [−0.")
    assert pair.seeds is None


def test_how_many_seeds_would_tell_is_what_the_same_procedure_needs(make: ModuleType) -> None:
    differences = (0.02, -0.01, 0.015, 0.005, 0.02)
    found = evidence_of(differences)
    level = confidence_of(3)
    seeds = seeds_to_decide(found, confidence=level, margin=MARGIN)
    assert seeds is not None
    shown, before = (found.with_seeds(n).interval(level) for n in (seeds, seeds - 1))
    assert shown is not None
    assert before is not None
    assert shown[0] > 0 >= before[0]
    # A mean of nothing cannot be shown to differ, but to lie within the margin.
    alike = seeds_to_decide(evidence_of((0.004, -0.004, 0.003, -0.003)), confidence=level, margin=MARGIN)
    assert alike is not None
    assert seeds_to_decide(evidence_of((0.004, -0.004, 0.003, -0.003)), confidence=level, margin=0.0) is None


def test_where_seeds_share_the_images_it_is_said_that_more_of_them_will_not_tell(make: ModuleType) -> None:
    """200 images: two models that differ on a few of them, more or less the same ones for every seed."""
    uneven = (0.915, 0.91, 0.905, 0.92, 0.91)
    plan = plan_of(make, "ab", range(5))
    results = make.answered(results_of(make, plan, {"a": 0.90, "b": uneven}), examples=200)
    (pair,) = answer_of(plan, results).ladder.pairs  # type: ignore[union-attr]
    assert (pair.verdict, pair.lacks, pair.seeds) == ("open", "images", None)
    found = answer_of(plan, results)
    assert "more seeds will not tell (more test images would)" in found.text
    assert found.command == ""
    split = make.answered(results_of(make, plan, {"a": 0.90, "b": 0.9001}), examples=800, trained_on=1000, split=True)
    assert answer_of(plan, split).ladder.pairs[0].evidence.over == "split"  # type: ignore[union-attr]


def test_the_command_goes_on_until_it_is_decided(make: ModuleType) -> None:
    base = (0.9, 0.91, 0.92, 0.93, 0.94)
    plan = plan_of(make, "ab", range(5))

    def found(*leads: float) -> Answer:
        return answer_of(plan, results_of(make, plan, {"a": base, "b": tuple(map(sum, zip(base, leads, strict=True)))}))

    near = found(0.02, 0.003, 0.02, -0.001, 0.01)
    assert near.decides == "About 1 more seed would decide the open pair"
    assert near.command == f"{AGAIN} --until-decided"
    far = found(0.04, -0.02, 0.03, -0.02, 0.01)
    assert far.ladder is not None
    assert far.ladder.pairs[0].seeds is not None
    assert far.command == f"{AGAIN} --until-decided --set decide.most_seeds={2 * far.ladder.pairs[0].seeds}"
    assert found(0.04, 0.041, 0.042, 0.041, 0.04).command == ""


def test_where_seeds_were_chosen_by_results_a_yes_needs_the_run_s_own_decision(make: ModuleType) -> None:
    plan = plan_of(make, "abc", range(5))
    results = results_of(make, plan, {"a": 0.9, "b": 0.85, "c": 0.8})
    ids = {each.trial.model.name: each.trial.cell_id for each in results}
    said = {("a", "b"): "open", ("a", "c"): "different", ("b", "c"): "more_data"}
    decisions = tuple(Decision(ids[one], ids[other], verdict, 5) for (one, other), verdict in said.items())  # type: ignore[arg-type]
    found = answer_of(replace(plan, decisions=decisions), results)
    assert found.ladder is not None
    assert [pair.verdict for pair in found.ladder.pairs] == ["open", "yes", "open"]
    assert "not shown by the test that is looked at after each seed (" in found.text
    assert 'a "yes" also needs the test' in found.how
    assert bold(found.ladder) == []
    assert [pair.verdict for pair in answer_of(plan, results).ladder.pairs] == ["yes"] * 3  # type: ignore[union-attr]


def test_other_settings_have_a_line_each(make: ModuleType) -> None:
    plan = plan_of(make, "ab", range(5), batch_sizes=(64, 256))
    results = [
        make.result_of(each.trial, metrics={ACCURACY: 1 - each.metrics[ACCURACY]})
        if each.trial.batch_size == 256
        else each
        for each in results_of(make, plan, {"a": 0.9, "b": 0.8})
    ]
    found = answer_of(plan, results)
    assert found.title == "Which model is best?  digits · cpu · batch size 64 · 5 seeds"
    assert found.headline.startswith("Best: a, by 10.00 points [")
    (line,) = found.others
    assert line.startswith("Best at batch size 256: b, by 10.00 points [")


def test_of_many_models_a_terminal_shows_the_first(make: ModuleType) -> None:
    levels = {f"model_{index:02}": 0.9 - 0.02 * index for index in range(12)}
    found = ladder_of(make, levels)
    lines = list(ladder_lines(found))
    assert lines[-1] == "…  and 7 more models: see the report"
    assert max(map(len, lines)) <= 80
    assert sum(line.lstrip()[0].isdigit() for line in lines) == 5
    assert len(matrix(found, most=7)) == 6


def test_the_matrix_has_every_pair_from_three_models_on(make: ModuleType) -> None:
    found = ladder_of(make, FOUR)
    rows = matrix(found, most=7)
    assert [[cell is not None for cell in row] for row in rows] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]
    cell = rows[2][0]
    assert cell is not None
    assert (cell.verdict, cell.word, cell.difference) == ("yes", "yes", "+10.0")
    assert matrix(ladder_of(make, {"a": 0.9, "b": 0.8}), most=7) == []
    plan = plan_of(make, list(FOUR), range(5))
    sections = sections_of(latest(results_of(make, plan, FOUR), plan).rows, plan)
    assert [plot.name for _, plot in plots_of(sections) if plot.kind == "pairs"] == ["pairs-digits-cpu"]


def test_a_comparison_by_model_has_the_verdicts_of_the_ladder(make: ModuleType) -> None:
    plan = plan_of(make, list(FOUR), range(5))
    results = results_of(make, plan, FOUR)
    ranking = rank(Folder("mine", tuple(results), plan, (), frozenset({4})))
    found = ladder_of(make, FOUR)

    def known(pairs: Any) -> list[Any]:
        return [(p.upper.model, p.lower.model, p.verdict, p.p, p.bracket, p.evidence, p.seeds) for p in pairs]

    assert known(pair for _, pair in ranking.pairs) == known(found.pairs)


def test_what_is_bold_is_shown_against_every_other(make: ModuleType) -> None:
    assert bold(ladder_of(make, {"a": 0.9, "b": 0.85, "c": 0.8})) == ["a"]
    assert bold(ladder_of(make, FOUR)) == []
    base = (0.9, 0.91, 0.92, 0.93, 0.94)
    near = {"a": base, "b": tuple(map(math.fsum, zip(base, (0.002, 0.004, 0.006, 0.001, 0.002), strict=True)))}
    assert bold(ladder_of(make, near)) == ["b"]  # one pair
    assert bold(ladder_of(make, near | {"c": 0.5, "d": 0.4})) == []  # one of six


def test_costs_are_said_below_in_short(make: ModuleType) -> None:
    plan = plan_of(make, ("slow", "fast"), range(5), measure=MeasureSettings(target_accuracy=0.85))
    results = make.in_turns(results_of(make, plan, {"slow": 0.9, "fast": 0.8}))
    for each in results:
        if each.trial.model.name == "slow" or each.trial.seed < 3:
            each.metrics["time_to_target_seconds"] = 2.0 + 0.01 * each.trial.seed  # type: ignore[index]
    text = answer_of(plan, results).text
    assert "fast trains fastest: 2.00 [" in text
    assert "] times slow. Speeds: measured by turns, " in text
    assert "Time to an accuracy of 0.85: slow 2.020 s; reached by 3 of 5 seeds of fast." in text
    disturbed = [make.disturbed(each) for each in results]
    text = answer_of(plan, disturbed).text
    assert "Speed: nothing is said, most timings of slow were disturbed." in text
    assert "times" not in text


def test_nothing_measured_has_no_ladder(make: ModuleType) -> None:
    plan = make.Plan(devices=("cuda",))
    (section,) = sections_of(latest(make.run_of(plan), plan).rows, plan)
    assert answer(section) is None
    assert ladder(section, ()) is None
    assert judged(()) == ()
