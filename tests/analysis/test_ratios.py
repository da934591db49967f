"""Ratios of speeds where trials shared the time by turns, and where they did not: the figures, and what is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from scipy import stats

from bench.analysis.cells import Cell, Section
from bench.analysis.findings import answer
from bench.analysis.models_table import models_table
from bench.analysis.ratios import basis, ratio
from bench.analysis.sections import sections_of
from bench.base.records import Component, Result
from bench.present.tables import Table
from bench.report.terminal import terminal_summary
from bench.results.frame import latest
from bench.statistics.intervals import Ratio, log_ratio

SPEED = "train_samples_per_second"
APART = "not paired: the models ran one after the other"


def section_of(results: Sequence[Result], plan: Any) -> Section:
    (section,) = sections_of(latest(results, plan).rows, plan)
    return section


def cell_of(section: Section, model: str) -> Cell:
    return next(cell for cell in section.cells if cell.model == model)


def speeds(section: Section, a: str, b: str) -> Ratio:
    found = ratio(cell_of(section, a), cell_of(section, b), metric=SPEED)
    assert found is not None
    return found


def table(section: Section) -> Table:
    return models_table(section, name="models", baseline="linear")


def ratios(section: Section) -> list[str]:
    found = table(section)
    at = [column.key for column in found.columns].index("ratio")
    return [row[at].text for row in found.rows]


def changed(results: Sequence[Result], model: str, **fields: Any) -> list[Result]:
    return [replace(each, **fields) if each.trial.model.name == model else each for each in results]


def text_of(section: Section) -> str:
    found = answer(section)
    return found.text if found else ""


def with_blocks(results: Sequence[Result], which: Callable[[Result], bool], **blocks: Any) -> list[Result]:
    return [replace(each, samples={**each.samples, **blocks}) if which(each) else each for each in results]


def test_over_seeds_by_hand(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0, 1, 2, 3))
    results = make.in_turns(make.run_of(plan))
    found = speeds(section_of(results, plan), "linear", "mlp")
    logs: dict[int, dict[str, list[float]]] = {}
    for each in results:
        rates = zip(each.samples["block_samples"], each.samples["block_seconds"], strict=True)
        logs.setdefault(each.trial.seed, {})[each.trial.model.name] = [math.log(n / s) for n, s in rates]
    means = [math.fsum(a - b for a, b in zip(seed["linear"], seed["mlp"], strict=True)) / 12 for seed in logs.values()]
    reference = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert found.ratio == pytest.approx(math.exp(math.fsum(means) / 4))
    assert (found.low, found.high) == (pytest.approx(math.exp(reference.low)), pytest.approx(math.exp(reference.high)))
    assert (found.n, found.over) == (4, "seeds")


def test_several_blocks_of_a_round_are_one_speed(make: ModuleType) -> None:
    """The samples of a round over its seconds; not the mean of its blocks' speeds, and no block is a round."""
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=(0, 1, 2))
    results = make.in_turns(make.run_of(plan), rounds=3)
    results = with_blocks(
        results,
        lambda each: each.trial.model.name == "linear",
        block_round=[0.0, 0, 1, 2, 2],
        block_seconds=[1.0, 3.0, 2.0, 1.0, 1.0],
        block_samples=[100.0, 500.0, 300.0, 100.0, 200.0],
    )
    results = with_blocks(
        results,
        lambda each: each.trial.model.name == "mlp",
        block_round=[0.0, 1, 2],
        block_seconds=[1.0, 1.0, 1.0],
        block_samples=[50.0, 75.0, 75.0],
    )
    assert speeds(section_of(results, plan), "linear", "mlp").ratio == pytest.approx((3 * 2 * 2) ** (1 / 3))


def test_what_the_machine_did_for_some_rounds_is_not_in_it(make: ModuleType) -> None:
    """Speeds of seeds that scatter by half, alike for both models: in pairs the interval is a tenth as wide."""
    plan = make.Plan(models=(Component("linear"), Component("mlp")))
    results = [
        replace(each, metrics={**each.metrics, SPEED: each.metrics[SPEED] * (0.6, 1.6, 1.0, 0.7, 1.4)[each.trial.seed]})
        for each in make.run_of(plan)
    ]
    apart = speeds(section_of(results, plan), "linear", "mlp")
    paired = speeds(section_of(make.in_turns(results), plan), "linear", "mlp")
    assert (apart.over, paired.over) == ("processes", "seeds")
    assert not apart.excludes(1)
    assert paired.excludes(1)
    widths = [math.log(each.high / each.low) for each in (paired, apart) if each.low and each.high]
    assert widths[0] < widths[1] / 10


@pytest.mark.parametrize(
    "which",
    [
        pytest.param({}, id="one after the other"),
        pytest.param({"group_id": "0" * 16}, id="in another group"),
        pytest.param({"samples": {}}, id="without blocks"),
    ],
)
def test_what_shared_no_time_is_not_paired(make: ModuleType, which: dict[str, Any]) -> None:
    plan = make.Plan()
    results = make.run_of(plan) if not which else changed(make.in_turns(make.run_of(plan)), "linear", **which)
    section = section_of(results, plan)
    found = speeds(section, "linear", "mlp")
    both = [list(cell_of(section, model).by_seed(SPEED).values()) for model in ("linear", "mlp")]
    assert found == log_ratio(*both)
    assert basis(found) == APART
    assert not any("(" in text for text in ratios(section))  # all are alike: no mark
    assert any(note.endswith(f"taken on logarithms; {APART}.") for note in table(section).notes)


@pytest.mark.parametrize(
    ("blocks", "over"),
    [
        pytest.param({"block_round": [0.0] * 12}, "processes", id="one common round"),
        pytest.param({"block_round": [0.0, 1.0, *range(20, 30)]}, "processes", id="two common rounds"),
        pytest.param({"block_round": [0.0, 1.0, 2.0, *range(20, 29)]}, "seeds", id="three common rounds"),
        pytest.param({"block_round": [0.0, 1.0, 2.0]}, "processes", id="fewer rounds than blocks"),
        pytest.param({"block_round": []}, "processes", id="no rounds"),
        pytest.param({"block_seconds": [0.0] * 12}, "processes", id="blocks without time"),
        pytest.param({"block_samples": [-1.0] * 12}, "processes", id="blocks of less than nothing"),
    ],
)
def test_rounds_that_are_few_or_do_not_fit_pair_nothing(make: ModuleType, blocks: dict[str, Any], over: str) -> None:
    plan = make.Plan()
    results = make.in_turns(make.run_of(plan))
    found = with_blocks(results, lambda each: each.trial.model.name == "mlp", **blocks)
    assert speeds(section_of(found, plan), "linear", "mlp").over == over
    assert speeds(section_of(found, plan), "linear", "cnn").over == "seeds"


@pytest.mark.parametrize(
    ("paired", "over", "n"), [(5, "seeds", 5), (3, "seeds", 3), (2, "processes", 5), (1, "processes", 5)]
)
def test_seeds_that_shared_no_time_are_left_out_while_three_are_left(
    make: ModuleType, paired: int, over: str, n: int
) -> None:
    plan = make.Plan()
    results = [replace(each, group_id=each.group_id if each.trial.seed < paired else "")
               for each in make.in_turns(make.run_of(plan))]  # fmt: skip
    found = speeds(section_of(results, plan), "linear", "mlp")
    assert (found.over, found.n) == (over, n)


def test_two_seeds_are_pairs_and_decide_nothing(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0, 1))
    section = section_of(make.in_turns(make.run_of(plan)), plan)
    found = speeds(section, "linear", "cnn")
    assert (found.over, found.n, found.excludes(1)) == ("seeds", 2, False)
    assert found.ratio > 10
    assert "Fastest: not shown, linear trains at " in text_of(section)


def test_a_seed_that_failed_is_in_no_pair(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.in_turns(make.run_of(plan))
    results = [
        make.result_of(each.trial, status="diverged", reason="NaN", group_id=each.group_id)
        if (each.trial.model.name, each.trial.seed) == ("mlp", 4)
        else each
        for each in results
    ]
    assert speeds(section_of(results, plan), "linear", "mlp").n == 4
    assert any("paired: both trained by turns, in the same rounds, 4 to 5 seeds." in note
               for note in table(section_of(results, plan)).notes)  # fmt: skip


def test_the_headline_and_the_table_say_what_the_interval_is(make: ModuleType) -> None:
    plan = make.Plan()
    how = "paired: both trained by turns, in the same rounds, 5 seeds"
    for results, words in ((make.in_turns(make.run_of(plan)), how), (make.run_of(plan), APART)):
        section = section_of(results, plan)
        by = "by turns" if words == how else "one after the other"
        assert f"Speeds: measured {by}, " in text_of(section)
        assert f"95 % interval of the ratio of trained samples/s, taken on logarithms; {words}." in str(
            table(section).notes
        )
        assert f"Speeds: measured {by}, " in " ".join(terminal_summary(results, plan).split())


def test_one_seed_has_an_interval_over_its_rounds_and_is_named_so(make: ModuleType) -> None:
    plan = make.Plan(seeds=(0,))
    section = section_of(make.in_turns(make.run_of(plan)), plan)
    found = speeds(section, "linear", "cnn")
    assert (found.over, found.n, found.excludes(1)) == ("rounds", 12, True)
    how = "paired, over 12 rounds of one seed: both trained by turns; other seeds are not in it"
    assert "times cnn. Speeds: measured by turns, in the rounds of one seed, " in text_of(section)
    assert any(how in note for note in table(section).notes)
    assert not any(cell.best for row in table(section).rows for cell in row)
    alone = section_of(make.run_of(plan), plan)
    assert "times cnn, of one seed." in text_of(alone)
    assert not any("paired" in note for note in table(alone).notes)


def test_a_model_whose_baseline_was_in_another_group_says_so(make: ModuleType) -> None:
    plan = make.Plan()
    results = make.in_turns(make.run_of(plan))
    other = {each.trial_id: each.group_id for each in make.in_turns(make.run_of(plan), group="other")}
    results = [replace(each, group_id=other[each.trial_id]) if each.trial.model.name == "cnn" else each
               for each in results]  # fmt: skip
    section = section_of(results, plan)
    one, mlp, cnn = ratios(section)
    assert (one, mlp[-1], cnn.split()[-1]) == ("1.00", "]", "(a)")
    notes = table(section).notes
    assert f"(a) {APART}." in notes
    assert any(note.endswith("paired: both trained by turns, in the same rounds, 5 seeds.") for note in notes)
    assert f"×linear of cnn is {APART}" in terminal_summary(results, plan)
    assert "×linear of" not in terminal_summary(make.in_turns(results), plan)


def test_pairs_make_bold_what_can_be_told(make: ModuleType) -> None:
    """Two models of which one is 3 % faster, on a machine that is half as fast for some seeds."""
    plan = make.Plan(models=(Component("linear"), Component("mlp")))
    level = {"linear": 1.03e5, "mlp": 1e5}
    results = [
        replace(each, metrics={**each.metrics, SPEED: level[each.trial.model.name] / (1 + each.trial.seed % 2)})
        for each in make.run_of(plan)
    ]
    bold = []
    for found in (results, make.in_turns(results)):
        shown = table(section_of(found, plan))
        at = [column.key for column in shown.columns].index(SPEED)
        bold.append([row[at].best for row in shown.rows])
    assert bold == [[False, False], [True, False]]


def test_other_timings_are_not_paired(make: ModuleType) -> None:
    plan = make.Plan()
    section = section_of(make.in_turns(make.run_of(plan)), plan)
    found = ratio(cell_of(section, "linear"), cell_of(section, "mlp"), metric="fit_seconds")
    assert found is not None
    assert found.over == "processes"


def test_a_cell_is_no_pair_with_itself(make: ModuleType) -> None:
    plan = make.Plan()
    cell = cell_of(section_of(make.in_turns(make.run_of(plan)), plan), "mlp")
    found = ratio(cell, cell, metric=SPEED)
    assert found is not None
    assert (found.ratio, found.over) == (1.0, "processes")


def test_along_an_axis_it_is_said_too(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), batch_sizes=(64, 256), baseline="")
    results = make.run_of(plan)
    assert "times (not paired: one ran after the other)." in text_of(section_of(results, plan))
    assert "times (paired: both trained by turns, in the same rounds, 5 seeds)." in text_of(
        section_of(make.in_turns(results), plan)
    )
