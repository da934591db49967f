"""The verdict of a gate on results made by hand: each reason for not deciding, keep, revert, and what is said of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.base.answers import Answers
from bench.base.records import Component, Environment, Result, Trial, digest
from bench.errors import BenchError
from bench.gate.as_json import gate_json
from bench.gate.judge import judge
from bench.gate.records import Asked, Gate, can_change
from bench.gate.text import gate_markdown, gate_text
from bench.pairing.sides import Folder, Side, of_duel, whole

SPEED = "train_samples_per_second"
ACCURACY = Asked(slower=None)
BOTH = Asked()
MODELS = ("linear", "mlp", "cnn")


def results(
    make: ModuleType,
    run: str,
    *,
    models: Sequence[str] = MODELS,
    seeds: Sequence[int] = range(5),
    less: float = 0.0,
    noise: float = 0.0,
    **more: Any,
) -> list[Result]:
    """The results of one run; `less`: how much less accurate it is, with `noise` of its own in each seed."""
    found = []
    for seed in seeds:
        for model in models:
            trial = Trial(Component("digits"), Component(model), seed, 64, "cpu")
            draw = random.Random(f"{run}{trial.trial_id}")
            result = make.result_of(trial, **more)
            changed = -less + (draw.gauss(0, noise) if noise else 0.0)
            metrics = dict(result.metrics)
            for name, factor in (("test_accuracy", 1.0), ("test_loss", -2.5), ("train_loss", -2.2)):
                metrics[name] += factor * changed
            found.append(replace(result, run_id=run, metrics=metrics))
    return found


def side(name: str, found: Sequence[Result], *, damaged: int = 0) -> Side:
    return whole(Folder(name, tuple(found), None, (), frozenset({4}), damaged))


def gated(before: Sequence[Result], after: Sequence[Result], *, asked: Asked = ACCURACY) -> Gate:
    return judge(side("before", before), side("after", after), asked=asked)


def codes(gate: Gate) -> set[str]:
    return {reason.code for cell in gate.cells for reason in cell.reasons} | {reason.code for reason in gate.only}


def only(found: Sequence[Result], change: Callable[[Result], Result], *, model: str = "mlp") -> list[Result]:
    """`found` with `change` made to the results of one model."""
    return [change(each) if each.trial.model.name == model else each for each in found]


def test_a_training_that_is_the_same_to_the_last_bit_is_kept(make: ModuleType) -> None:
    gate = gated(results(make, "one"), results(make, "two"))
    assert (gate.verdict, codes(gate), gate.family) == ("keep", set(), 3)
    assert all(test.identical for cell in gate.cells for test in cell.tests)
    few = gated(results(make, "one", seeds=[0, 1]), results(make, "two", seeds=[0, 1]))
    assert (few.verdict, codes(few)) == ("undecided", {"few_seeds"})


def test_equal_accuracies_with_other_losses_are_not_the_same_training(make: ModuleType) -> None:
    def other(result: Result) -> Result:
        return replace(result, metrics={**result.metrics, "test_loss": result.metrics["test_loss"] + 1e-6})

    for count, verdict in ((5, "undecided"), (6, "keep")):
        after = only(results(make, "two", seeds=range(count)), other)
        gate = gated(results(make, "one", seeds=range(count)), after)
        assert (gate.verdict, codes(gate)) == (verdict, {"few_seeds"} if verdict == "undecided" else set())


def test_a_loss_beyond_the_margin_is_reverted_and_one_within_it_is_not(make: ModuleType) -> None:
    before = results(make, "one", seeds=range(8))
    worse = gated(before, results(make, "two", seeds=range(8), less=0.02, noise=0.002))
    assert worse.verdict == "revert"
    assert {cell.told for cell in worse.cells} == {"worse"}
    small = results(make, "two", seeds=range(8), less=0.004, noise=0.0005)
    assert gated(before, small).verdict == "keep"
    assert gated(before, small, asked=Asked(within=0.003, slower=None)).verdict == "revert"
    assert gated(before, results(make, "two", seeds=range(8), less=-0.1, noise=0.002)).verdict == "keep"


def test_of_many_cells_one_that_is_worse_needs_a_smaller_p(make: ModuleType) -> None:
    names = [f"model{number}" for number in range(12)]

    def sides(less: float) -> tuple[list[Result], list[Result]]:
        after = results(make, "two", models=names, seeds=range(6), noise=0.003)
        worse = results(make, "two", models=names[:1], seeds=range(6), less=less, noise=0.003)
        kept = {each.trial_id: each for each in worse}
        return results(make, "one", models=names, seeds=range(6)), [kept.get(e.trial_id, e) for e in after]

    for less, alone, among in ((0.006, "revert", "undecided"), (0.03, "revert", "revert")):
        before, after = sides(less)
        first = [[each for each in found if each.trial.model.name == names[0]] for found in (before, after)]
        assert gated(*first).verdict == alone
        gate = gated(before, after)
        assert gate.verdict == among
        (test,) = gate.cells[0].tests
        assert test.p_worse is not None
        assert test.p_adjusted == pytest.approx(12 * test.p_worse)


def test_a_cell_that_cannot_be_judged_counts_among_the_tests_all_the_same(make: ModuleType) -> None:
    before = results(make, "one")
    gate = gated(before, results(make, "two", models=["linear"], less=0.01, noise=0.003))
    test = next(test for cell in gate.cells for test in cell.tests)
    assert gate.family == 3
    assert test.p_worse is not None
    assert test.p_adjusted == pytest.approx(3 * test.p_worse)


def test_the_same_answers_to_every_test_example_are_the_same_from_six_seeds_on(make: ModuleType) -> None:
    def other(result: Result) -> Result:
        return replace(result, metrics={**result.metrics, "test_loss": result.metrics["test_loss"] + 1e-6})

    for count, verdict in ((5, "undecided"), (6, "keep")):
        before, after = (make.answered(results(make, run, seeds=range(count))) for run in ("one", "two"))
        gate = gated(before, [other(each) for each in after])
        assert gate.verdict == verdict
        assert all(test.identical == (verdict == "keep") for cell in gate.cells for test in cell.tests)


def answering(make: ModuleType, run: str, wrong: Callable[[int], int], *, examples: int) -> list[Result]:
    """Eight seeds of one model that answer all but the first `wrong(seed)` examples right."""
    found = []
    for each in results(make, run, models=["mlp"], seeds=range(8)):
        right = np.arange(examples) >= wrong(each.trial.seed)
        answers = Answers.of(right, test_set="a" * 16, trained_on=1000)
        metrics = {**each.metrics, "test_accuracy": int(right.sum()) / examples, "test_loss": float(right.sum())}
        found.append(replace(each, answers=answers, metrics=metrics))
    return found


def test_where_the_seeds_have_decided_and_the_images_have_not_it_asks_for_more_test_data(make: ModuleType) -> None:
    for examples, verdict in ((40, "undecided"), (4000, "revert")):
        before = answering(make, "one", lambda seed: 0, examples=examples)
        after = answering(make, "two", lambda seed, few=examples // 40: (2 + seed % 2) * few, examples=examples)  # type: ignore[misc]
        gate = judge(side("before", before), side("after", after), asked=ACCURACY, live=True)
        assert gate.verdict == verdict
        assert codes(gate) == ({"test_data"} if verdict == "undecided" else set())
        assert not any(can_change(cell) for cell in gate.cells if verdict == "undecided")


def failing(status: str) -> Callable[[Result], Result]:
    return lambda each: replace(each, status=status, reason="no such luck", metrics={}, valid=None)  # type: ignore[arg-type]


def test_a_cell_of_which_every_seed_fails_after_the_change_is_reverted(make: ModuleType) -> None:
    before = results(make, "one")
    for status in ("failed", "diverged"):
        gate = gated(before, only(results(make, "two"), failing(status)))
        assert gate.verdict == "revert"
        assert "mlp, all 5 seeds of AFTER failed, and ended well in BEFORE" in " ".join(gate_text(gate).split())
    for status in ("crashed", "oom", "timeout"):  # which may be the machine's
        gate = gated(before, only(results(make, "two"), failing(status)))
        assert (gate.verdict, codes(gate)) == ("undecided", {"failed_seeds"})
    two = gated(results(make, "one", seeds=[0, 1]), only(results(make, "two", seeds=[0, 1]), failing("failed")))
    assert two.verdict == "undecided"


@pytest.mark.parametrize("which", ["before", "after"])
def test_a_seed_that_diverged_on_one_side_is_never_kept_and_named_first(make: ModuleType, which: str) -> None:
    bad = only(results(make, which), lambda e: failing("diverged")(e) if e.trial.seed == 3 else e)
    good = results(make, "other")
    gate = gated(bad, good) if which == "before" else gated(good, bad)
    assert (gate.verdict, codes(gate)) == ("undecided", {"failed_seeds"})
    first = " ".join(gate_text(gate).split()).partition(" BEFORE before")[0]
    assert f"Seed 3 of {which.upper()} ended as diverged: no such luck." in first
    less = results(make, "less", less=0.1, noise=0.002)  # what the other seeds show is worse all the same
    worse = [failing("diverged")(each) if each.trial.seed == 3 else each for each in less]
    assert gated(good, worse).verdict == "revert"


def test_a_seed_that_diverged_on_both_sides_is_left_out_and_said(make: ModuleType) -> None:
    sides = [
        only(results(make, run), lambda e: failing("diverged")(e) if e.trial.seed == 3 else e) for run in ("one", "two")
    ]
    gate = gated(*sides)
    assert gate.verdict == "keep"
    assert "mlp: seed 3 ended badly on both sides: left out" in gate_text(gate)
    every = [only(results(make, run), failing("failed")) for run in ("one", "two")]
    assert (gated(*every).verdict, codes(gated(*every))) == ("undecided", {"failed_seeds"})


OTHER = Environment({"os": "Linux", "kernel": "6.18", "cpu": "AMD EPYC", "cores": 64, "memory_bytes": 25 * 10**9,
                     "torch": "2.15.0", "blas": "mkl", "python": "3.11"})  # fmt: skip


def test_what_goes_wrong_between_two_folders_is_undecided_and_says_why(make: ModuleType) -> None:
    before = make.answered(results(make, "one"))

    def after(**more: Any) -> list[Result]:
        return make.answered(results(make, "two", **more))  # type: ignore[no-any-return]

    def tested_on(result: Result, **changes: Any) -> Result:
        assert result.answers is not None
        return replace(result, answers=replace(result.answers, **changes))

    unread = side("after", after(), damaged=1)
    cases = {
        "missing_cell": [gated(before, after(models=MODELS[:2])), gated(after(models=MODELS[:2]), before)],
        "unfinished_seeds": [
            gated(before, only(after(), lambda e: failing("interrupted")(e) if e.trial.seed == 1 else e)),
        ],
        "same_measurement": [gated(before, before), gated(before, [*before[:3], *after()[3:]])],
        "mixed_results": [gated(before, [replace(e, code_id="0" * 16) if e.trial.seed < 2 else e for e in after()])],
        "other_machine": [gated(before, after(environment=OTHER, environment_id="f" * 16))],
        "other_data": [
            gated(before, [tested_on(each, test_set="0" * 16) for each in after()]),
            gated(before, [tested_on(each, trained_on=99) for each in after()]),
            gated(
                *([replace(e, answers=None, code={"dataset": e.run_id}) for e in each] for each in (before, after()))
            ),
        ],
        "damaged_lines": [judge(side("before", before), unread, asked=ACCURACY)],
        "no_figure": [gated(before, only(after(), lambda e: replace(e, answers=None, metrics={SPEED: 1.0})))],
    }
    assert gated(before, after()).verdict == "keep"
    for code, gates in cases.items():
        for gate in gates:
            assert codes(gate) == {code}
            assert gate.verdict == "undecided", code
            text = gate_text(gate)
            assert text.startswith("undecided: ")
            assert "Why:" in text
            assert max(map(len, text.splitlines())) <= 80


def test_an_accuracy_of_another_machine_may_be_asked_for(make: ModuleType) -> None:
    after = results(make, "two", environment=OTHER, environment_id="f" * 16)
    gate = gated(results(make, "one"), after)
    assert "the two sides ran on different machines (cpu and cores)" in " ".join(gate_text(gate).split())
    assert gated(results(make, "one"), after, asked=Asked(slower=None, across_machines=True)).verdict == "keep"
    assert gated(results(make, "one"), after, asked=Asked(across_machines=True)).verdict == "undecided"


def test_an_edited_result_is_refused_in_one_line(make: ModuleType) -> None:
    after = [replace(each, trial_id="f" * 16) for each in results(make, "two")]
    with pytest.raises(BenchError, match=r"after: a result calls itself trial f{16} and is of trial .*edited"):
        gated(results(make, "one"), after)


def test_where_nothing_ran_there_is_nothing_to_judge(make: ModuleType) -> None:
    skipped = [make.skipped(each.trial) for each in results(make, "one")]
    with pytest.raises(BenchError, match="no trial has run on either side"):
        gated(skipped, skipped)


def test_cells_that_neither_side_could_run_are_no_matter(make: ModuleType) -> None:
    def both(run: str) -> list[Result]:
        cuda = [make.skipped(replace(each.trial, device="cuda")) for each in results(make, run)]
        return [*results(make, run), *cuda]

    gate = gated(both("one"), both("two"))
    assert (gate.verdict, len(gate.cells)) == ("keep", 3)


def test_a_setting_that_differs_is_what_is_judged_and_another_model_is_not(make: ModuleType) -> None:
    def with_rate(result: Result, rate: float) -> Result:
        trial = replace(result.trial, train=replace(result.trial.train, learning_rate=rate))
        return replace(result, trial=trial, trial_id=trial.trial_id)

    before = results(make, "one")
    gate = gated(before, [with_rate(each, 0.001) for each in results(make, "two", less=0.3, noise=0.01)])
    assert gate.verdict == "revert"
    assert "learning rate: 0.1 against 0.001" in gate_text(gate)
    other = gated([e for e in before if e.trial.model.name == "mlp"], results(make, "two", models=["cnn"]))
    assert (other.verdict, codes(other), len(other.cells)) == ("undecided", {"missing_cell"}, 2)


# --- speeds ---


def by_turns(make: ModuleType, factor: float = 1.0, *, seeds: int = 8, noise: float = 0.002) -> tuple[Side, Side]:
    """A duel: after is `factor` times as fast as before."""
    sides = []
    for name, times in (("before", 1.0), ("after", factor)):
        found = make.in_turns(results(make, "x", seeds=range(seeds)), rounds=8)
        own = []
        for each in found:
            draw = random.Random(f"{name}{each.trial_id}")
            share = times * (1 + draw.gauss(0, noise))
            samples = {**each.samples, "block_seconds": [0.02 / share] * 8}
            own.append(replace(each, run_id=f"run-{name}", samples=samples))
        sides.append(of_duel(Folder(name, tuple(own), None, (), frozenset({4}))))
    return sides[0], sides[1]


def test_speeds_of_separate_runs_are_undecided_whatever_they_are(make: ModuleType) -> None:
    slow = [replace(e, metrics={**e.metrics, SPEED: e.metrics[SPEED] / 3}) for e in results(make, "two")]
    gate = gated(results(make, "one"), slow, asked=BOTH)
    assert (gate.verdict, codes(gate)) == ("undecided", {"separate_runs"})


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "keep"), (0.99, "keep"), (1.3, "keep"), (0.98, "undecided"), (0.96, "revert")]
)
def test_speeds_of_a_duel_are_judged(make: ModuleType, factor: float, verdict: str) -> None:
    before, after = by_turns(make, factor)
    for live in (False, True):
        gate = judge(before, after, asked=BOTH, live=live)
        assert gate.verdict == verdict
        assert gate.family == 6
    speeds = [test for cell in gate.cells for test in cell.tests if test.kind == "ratio"]
    assert [test.mean for test in speeds] == pytest.approx([factor] * 3, rel=0.005)
    assert all(test.n == 8 and test.p_worse is None for test in speeds)


def test_three_pairs_are_needed(make: ModuleType) -> None:
    before, after = by_turns(make, 0.5, seeds=2)
    for live in (False, True):
        gate = judge(before, after, asked=BOTH, live=live)
        assert (gate.verdict, codes(gate)) == ("undecided", {"few_seeds"})


def spoilt(make: ModuleType, one: Side) -> Side:
    rows = tuple(replace(row, result=make.disturbed(row.result)) for row in one.rows)
    return replace(one, rows=rows)


def test_disturbed_speeds_are_undecided_and_the_accuracy_is_not(make: ModuleType) -> None:
    before, after = by_turns(make, 0.5)
    for one, other in ((spoilt(make, before), after), (before, spoilt(make, after))):
        gate = judge(one, other, asked=BOTH)
        assert (gate.verdict, codes(gate)) == ("undecided", {"disturbed_timings"})
        assert judge(one, other, asked=ACCURACY).verdict == "keep"


def test_trials_that_only_say_that_they_shared_the_time_did_not(make: ModuleType) -> None:
    before, after = by_turns(make, 0.5)
    later = tuple(
        replace(row, result=replace(row.result, started_at="2026-01-02T00:00:00Z", finished_at="2026-01-02T00:00:10Z"))
        for row in after.rows
        if row.result is not None
    )
    gate = judge(before, replace(after, rows=later), asked=BOTH)
    assert (gate.verdict, codes(gate)) == ("undecided", {"separate_runs"})
    groups = tuple(replace(row, result=replace(row.result, group_id=digest("x"))) for row in later if row.result)
    assert codes(judge(before, replace(after, rows=groups), asked=BOTH)) == {"separate_runs"}


def test_what_the_doctor_cannot_see_is_within_the_margin(make: ModuleType) -> None:
    from bench.results.doctor import Doctor, SelfComparison

    compared = SelfComparison("digits · mlp", "cpu", 1, [], [], 1.0, 0.9, 1.1, 0.02, 0.08)
    doctor = Doctor("f" * 16, "2026-01-01T00:00:00Z", 1, (), (compared,), {}, (), make.MACHINE)
    sides = [replace(one, folder=replace(one.folder, doctors=(doctor,))) for one in by_turns(make, 0.96)]
    gate = judge(sides[0], sides[1], asked=BOTH)
    assert gate.verdict == "keep"
    assert "8 % of speed" in gate_text(gate)


# --- forty pairs of identical results ---


def test_of_forty_pairs_of_equal_recipes_no_more_than_five_are_reverted_and_most_are_kept_where_margins_allow_it(
    make: ModuleType,
) -> None:
    verdicts: dict[float, list[str]] = {0.005: [], 0.05: []}
    for pair in range(40):
        before, after = (results(make, f"{run}{pair}", seeds=range(6), noise=0.01) for run in ("before", "after"))
        for within, said in verdicts.items():
            said.append(gated(before, after, asked=Asked(within=within, slower=None)).verdict)
    assert all(said.count("revert") <= 5 for said in verdicts.values())
    assert verdicts[0.05].count("keep") >= 36


# --- what is said ---


def test_the_json_says_everything_in_its_schema(make: ModuleType) -> None:
    gate = gated(results(make, "one"), results(make, "two", less=0.2, noise=0.01))
    found = gate_json(gate)
    assert found["schema"] == 1
    assert (found["verdict"], found["exit_code"], found["tests"]) == ("revert", 3, 3)
    assert found["margins"] == {"accuracy": 0.005, "speed": None}
    (cell, *_) = found["cells"]
    assert (cell["dataset"], cell["model"], cell["device"], cell["batch_size"]) == ("digits", "linear", "cpu", 64)
    (test,) = cell["tests"]
    assert (test["kind"], test["metric"], test["verdict"], test["n"]) == ("accuracy", "test_accuracy", "worse", 5)
    assert test["low"] < test["value"] < test["high"] < -0.1
    assert test["p_worse"] <= test["p_worse_adjusted"] <= 0.05
    exit_codes = [
        gate_json(gated(results(make, "one"), results(make, "two", seeds=s)))["exit_code"] for s in ([0], range(3))
    ]
    assert exit_codes == [4, 0]


def test_a_comment_of_a_pull_request_has_the_verdict_first_and_no_markup_of_names(make: ModuleType) -> None:
    odd = [Component("digits"), Component("mlp", {"hidden": "<b>|*x*"})]
    sides = []
    for run in ("one", "two"):
        trials = [Trial(odd[0], odd[1], seed, 64, "cpu") for seed in range(3)]
        sides.append([replace(make.result_of(trial), run_id=run) for trial in trials])
    text = gate_markdown(gated(*sides))
    assert text.startswith(
        "### ✅ keep: AFTER is no worse than BEFORE, to within 0.005 of accuracy.\n\n| digits, cpu |"
    )
    assert "<b>" not in text.replace("<details><summary>", "")
    lines = text.splitlines()
    assert lines[3] == "|---|---|--:|--:|---|"
    assert len({line.count("|") - line.count("\\|") for line in lines if line.startswith("|")}) == 1


def test_many_cells_are_cut_to_those_that_matter(make: ModuleType) -> None:
    names = [f"model{number}" for number in range(30)]
    after = only(results(make, "two", models=names), lambda e: failing("failed")(e), model="model29")
    text = gate_text(gated(results(make, "one", models=names), after))
    rows = [line for line in text.splitlines() if line.startswith("model")]
    assert len(rows) == 12
    assert rows[0].split() == ["model29", "ends", "well", "5", "fails"]
    assert "… and 18 more rows (--json has all)" in text
