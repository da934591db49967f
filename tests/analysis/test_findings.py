"""Sentences: they say a difference where the seeds show one, and that they do not where they do not."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from bench.analysis.findings import answer
from bench.analysis.models_table import models_table
from bench.analysis.sections import sections_of
from bench.base.records import Component, Result, Trial
from bench.results.frame import latest


def answer_of(plan: Any, results: list[Result]) -> str:
    return answer(sections_of(latest(results, plan).rows, plan)[0])


def accuracies(make: ModuleType, plan: Any, values: dict[str, tuple[float, ...]], **speeds: float) -> list[Result]:
    return [
        make.result_of(
            trial,
            metrics={
                "test_accuracy": values[trial.model.name][trial.seed],
                "train_samples_per_second": speeds.get(trial.model.name, 1000.0) * (1 + 0.01 * trial.seed),
            },
        )
        for trial in plan.trials()
    ]


def two(make: ModuleType, n: int, **more: Any) -> Any:
    return make.Plan(models=(Component("a"), Component("b")), seeds=range(n), baseline="", **more)


def scatter(trial: Trial) -> float:
    """What the seed adds: around 0.001, and not the same to every model."""
    return 0.001 * trial.seed + (0.0001 if (trial.seed, trial.model.name) == (0, "a") else 0)


def test_a_difference_that_the_seeds_show(make: ModuleType) -> None:
    plan = two(make, 3)
    text = answer_of(plan, accuracies(make, plan, {"a": (0.90, 0.92, 0.94), "b": (0.95, 0.96, 0.99)}, a=3000.0))
    # differences .05 .04 .05: mean .0467, sd .00577, half 4.303 * .00577 / sqrt(3) = .0143
    assert "b is the most accurate" in text
    assert "+0.047 over a (95 % interval 0.032 to 0.061, paired over 3 seeds)" in text
    assert "a trains 3.00 [" in text
    assert "times as fast as b" in text


def test_a_difference_that_they_do_not_show(make: ModuleType) -> None:
    plan = two(make, 3)
    text = answer_of(plan, accuracies(make, plan, {"a": (0.90, 0.92, 0.94), "b": (0.95, 0.91, 0.95)}))
    assert "b has the highest mean accuracy" in text
    assert "3 seeds cannot tell it from a" in text
    assert "better in 2 of 3 seeds" in text
    assert "most accurate" not in text


def test_pairs_show_what_the_spread_of_seeds_hides(make: ModuleType) -> None:
    plan = two(make, 4)
    a = (0.80, 0.85, 0.90, 0.95)
    b = tuple(value + 0.01 + 0.0001 * index for index, value in enumerate(a))
    assert "b is the most accurate" in answer_of(plan, accuracies(make, plan, {"a": a, "b": b}))


def test_one_seed_shows_nothing(make: ModuleType) -> None:
    plan = two(make, 1)
    text = answer_of(plan, accuracies(make, plan, {"a": (0.5,), "b": (0.9,)}, a=2000.0))
    assert "one seed cannot show whether that difference is real" in text
    assert "no interval from one seed" in text
    assert "most accurate" not in text


def test_equal_models_are_not_told_apart(make: ModuleType) -> None:
    plan = two(make, 5)
    same = (0.9, 0.91, 0.92, 0.93, 0.94)
    text = answer_of(plan, accuracies(make, plan, {"a": same, "b": same}))
    assert text.startswith("On digits (cpu), a and b have the same accuracy in every seed, 0.920 ± 0.020. In speed a ")


def test_only_shared_seeds_are_paired(make: ModuleType) -> None:
    plan = two(make, 5)
    results = accuracies(make, plan, {"a": (0.90, 0.92, 0.94, 0.91, 0.92), "b": (0.95, 0.971, 0.99, 0.96, 0.97)})
    results = [each for each in results if (each.trial.model.name, each.trial.seed) != ("b", 4)]
    assert "paired over 4 seeds" in answer_of(plan, results)


def test_other_batch_sizes_are_mentioned_not_chosen(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    text = answer_of(plan, make.run_of(plan))
    assert text.startswith("On digits (cpu, batch size 64), cnn is the most accurate")
    assert "With batch size 256 cnn has the highest mean too" in text


def test_one_model_over_batch_sizes(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), batch_sizes=(16, 4096))
    text = answer_of(plan, make.run_of(plan))
    assert "mlp reaches an accuracy of" in text
    assert "From batch size 16 to 4,096" in text


def test_nothing_measured_says_nothing(make: ModuleType) -> None:
    plan = make.Plan(devices=("cuda",))
    assert answer_of(plan, make.run_of(plan)) == ""


def test_failed_trials_do_not_move_the_answer(make: ModuleType) -> None:
    plan = two(make, 4)
    results = accuracies(make, plan, {"a": (0.90, 0.92, 0.94, 0.93), "b": (0.95, 0.96, 0.99, 0.98)})
    failed = replace(make.result_of(results[0].trial, status="failed"), metrics={"test_accuracy": 1.0})
    text = answer_of(plan, [failed, *results[1:]])
    assert "b is the most accurate" in text
    assert "paired over 3 seeds" in text


def test_another_winner_elsewhere_is_said(make: ModuleType) -> None:
    plan = two(make, 3, batch_sizes=(64, 256))
    level = {("a", 64): 0.9, ("b", 64): 0.8, ("a", 256): 0.7, ("b", 256): 0.75}
    results = [
        make.result_of(trial, metrics={"test_accuracy": level[trial.model.name, trial.batch_size] + scatter(trial)})
        for trial in plan.trials()
    ]
    text = answer_of(plan, results)
    assert "a is the most accurate" in text
    assert "With batch size 256 b has the highest mean accuracy." in text


def test_a_sweep_speaks_of_its_range_and_of_the_best_of_each_model(make: ModuleType) -> None:
    rates = (0.001, 0.1, 1.0)
    plan = two(make, 3, settings={"train.learning_rate": rates})
    level = {("a", 0.001): 0.2, ("a", 0.1): 0.9, ("a", 1.0): 0.85, ("b", 0.001): 0.3, ("b", 0.1): 0.8, ("b", 1.0): 0.82}
    results = [
        make.result_of(
            trial,
            metrics={"test_accuracy": level[trial.model.name, trial.train.learning_rate] + scatter(trial)},
        )
        for trial in plan.trials()
    ]
    text = answer_of(plan, results)
    where = "learning rate 0.1, the setting with the highest mean accuracy, chosen on the test set"
    assert text.startswith(f"On digits (cpu, {where}), a is the most accurate")
    assert "Over learning rate 0.001 to 1 mean accuracies lie between 0.201 and 0.901." in text
    assert "(chosen on the test set, so optimistic): a 0.901 ± 0.002 at learning rate 0.1; b 0.821 ± 0.002 at" in text
    assert "at learning rate 1." in text


def test_an_axis_of_words_goes_from_nowhere_to_nowhere(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), settings={"train.optimizer": ("sgd", "adam")})
    text = answer_of(plan, make.run_of(plan))
    assert "From" not in text
    assert "with optimizer adam." in text


def three(make: ModuleType, n: int, **more: Any) -> Any:
    return make.Plan(models=[Component(name) for name in "abc"], seeds=range(n), baseline="", **more)


SAME = (0.9, 0.91, 0.93)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((SAME, SAME, SAME), "a, b and c have the same accuracy in every seed, 0.91 ± 0.04."),
        ((SAME, (0.93, 0.9, 0.91), SAME), "a, b and c have the same mean accuracy, 0.91 ± 0.04."),
        (
            ((0.8, 0.82, 0.83), SAME, SAME),
            "b and c are the most accurate: 0.91 ± 0.04 (the same accuracy in every seed), +0.097 over a (95 % "
            "interval 0.082 to 0.111, paired over 3 seeds).",
        ),
        (
            (SAME, SAME, (0.89, 0.92, 0.92)),
            "a and b have the highest mean accuracy, 0.91 ± 0.04 (the same accuracy in every seed), but 3 seeds cannot "
            "tell them from c: +0.003 over c, 95 % interval −0.025 to 0.032; better in 2 of 3 seeds.",
        ),
        (((0.9,), (0.9,), (0.9,)), "a, b and c have the same accuracy, 0.900."),
        (
            ((0.9,), (0.9,), (0.8,)),
            "a and b have the highest accuracy, 0.900 (the same accuracy), +0.100 over c; one seed",
        ),
    ],
)
def test_models_that_are_equal_lead_together(
    make: ModuleType, values: tuple[tuple[float, ...], ...], says: str
) -> None:
    plan = three(make, len(values[0]))
    assert f"On digits (cpu), {says}" in answer_of(plan, accuracies(make, plan, dict(zip("abc", values, strict=True))))


def test_elsewhere_equal_models_lead_together_too(make: ModuleType) -> None:
    plan = two(make, 3, batch_sizes=(64, 256))
    equal = [make.result_of(trial, metrics={"test_accuracy": SAME[trial.seed]}) for trial in plan.trials()]
    assert "With batch size 256 a and b have the highest mean too." in answer_of(plan, equal)
    last = [
        replace(each, metrics={"test_accuracy": 0.95})
        if (each.trial.batch_size, each.trial.model.name) == (256, "b")
        else each
        for each in equal
    ]
    assert "With batch size 256 b has the highest mean accuracy." in answer_of(plan, last)


def test_a_sweep_says_where_settings_are_equal(make: ModuleType) -> None:
    plan = two(make, 2, settings={"train.learning_rate": (0.01, 0.1, 1.0)})
    equal = [make.result_of(trial, metrics={"test_accuracy": 0.9}) for trial in plan.trials()]
    text = answer_of(plan, equal)
    assert "one of the settings with the highest mean accuracy, chosen on the test set" in text
    assert "mean accuracies are all 0.900." in text
    assert "a 0.900 ± 0.000 at learning rate 0.01 and the same at 2 other settings; b" in text


@pytest.mark.parametrize("seeds", [2, 5])
def test_an_interval_without_width_over_few_seeds_decides_nothing(make: ModuleType, seeds: int) -> None:
    plan = two(make, seeds)
    text = answer_of(plan, accuracies(make, plan, {"a": (0.9,) * seeds, "b": (0.903,) * seeds}))
    assert "b has the highest mean accuracy, 0.903 ± 0.000, +0.003 over a" in text
    assert f"; but {seeds} seeds are too few to tell it apart" in text
    table = models_table(sections_of(latest(accuracies(make, plan, {
        "a": (0.9,) * seeds, "b": (0.903,) * seeds}), plan).rows, plan)[0], name="models")  # fmt: skip
    assert not any(cell.best for row in table.rows for cell in row)


def test_two_seeds_decide_nothing(make: ModuleType) -> None:
    plan = two(make, 2)
    text = answer_of(plan, accuracies(make, plan, {"a": (0.5, 0.52), "b": (0.9, 0.92000001)}))
    assert "over a; better in 2 of 2 seeds; but 2 seeds are too few to tell it apart" in text


def test_seeds_that_came_to_nothing_are_named_and_not_compared(make: ModuleType) -> None:
    """What is left of b are its best seeds: over those that both have, a is better."""
    plan = two(make, 5)
    values = {"a": (0.90, 0.92, 0.97, 0.90, 0.982), "b": (0.1, 0.1, 0.95, 0.1, 0.96)}
    results = [
        make.result_of(each.trial, status="diverged" if each.trial.seed else "failed", reason="loss is nan")
        if each.metrics["test_accuracy"] == 0.1
        else each
        for each in accuracies(make, plan, values)
    ]
    text = answer_of(plan, results)
    assert text.startswith(
        "On digits (cpu), a has the highest mean accuracy, 0.93 ± 0.05, +0.021 over b; better in 2 of 2 seeds; but 2 "
        "seeds are too few to tell it apart"
    )
    lost = "Of 5 seeds of b 2 diverged and 1 failed; models are compared over the seeds that both have."
    assert lost in text
    alone = [each for each in results if each.trial.model.name == "b"]
    plan = make.Plan(models=(Component("b"),), seeds=range(5), baseline="")
    assert "Of 5 seeds of b 2 diverged and 1 failed." in answer_of(plan, alone)


@pytest.mark.parametrize("count", [3, 4, 9, 40])
def test_of_many_models_that_lost_seeds_two_are_examples(make: ModuleType, count: int) -> None:
    names = [f"m{at}" for at in range(count)]
    plan = make.Plan(models=tuple(map(Component, ["whole", *names])), seeds=range(3), baseline="")
    results = [
        make.result_of(trial, status="timeout", reason="slow") if trial.seed and trial.model.name != "whole" else
        make.result_of(trial) for trial in plan.trials()
    ]  # fmt: skip
    text = answer_of(plan, results)
    each = [f"of 3 seeds of {name} 2 timed out" for name in names]
    said = (
        f"{count} models lost seeds, for example: {each[0]}; {each[1]}; models are compared"
        if count > 3
        else (f"O{each[0][1:]}, {each[1]} and {each[2]}; models are compared")
    )
    assert said in text
    assert text.count("timed out") == (2 if count > 3 else 3)


def test_a_model_without_any_seed_is_named_too(make: ModuleType) -> None:
    plan = three(make, 3)
    results = [
        make.result_of(each.trial, status="oom", reason="3 GiB") if each.trial.model.name == "c" else each
        for each in accuracies(make, plan, dict.fromkeys("abc", SAME))
    ]
    assert "Of 3 seeds of c 3 ran out of memory" in answer_of(plan, results)
