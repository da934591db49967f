"""The sentences of a section beside its ladder: one model alone, sweeps, other settings."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from bench.analysis.findings import answer
from bench.analysis.sections import sections_of
from bench.base.records import Component, Result, Trial
from bench.results.frame import latest


def text_of(plan: Any, results: list[Result]) -> str:
    found = answer(sections_of(latest(results, plan).rows, plan)[0])
    return found.text if found else ""


def two(make: ModuleType, n: int, **more: Any) -> Any:
    return make.Plan(models=(Component("a"), Component("b")), seeds=range(n), baseline="", **more)


def scatter(trial: Trial) -> float:
    """What the seed adds: around 0.001, and not the same to every model."""
    return 0.001 * trial.seed + (0.0001 if (trial.seed, trial.model.name) == (0, "a") else 0)


def test_the_first_setting_has_the_ladder_and_the_others_a_line(make: ModuleType) -> None:
    plan = make.Plan(batch_sizes=(64, 256))
    text = text_of(plan, make.run_of(plan))
    assert text.startswith("Which model is best?  digits · cpu · batch size 64 · 5 seeds\n1 cnn 0.9")
    assert "\nBest at batch size 256: cnn, by " in text


def test_one_model_over_batch_sizes(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), batch_sizes=(16, 4096))
    text = text_of(plan, make.run_of(plan))
    assert text.startswith("On digits · cpu, batch size 16, mlp reaches an accuracy of")
    assert "From batch size 16 to 4,096" in text


def test_one_model_that_lost_seeds_says_so(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("b"),), seeds=range(5), baseline="")
    results = [
        make.result_of(trial, status="diverged" if trial.seed > 2 else "failed", reason="loss is nan")
        if trial.seed > 1
        else make.result_of(trial)
        for trial in plan.trials()
    ]
    assert "2 of 5 seeds diverged and 1 failed." in text_of(plan, results)


def test_nothing_measured_says_nothing(make: ModuleType) -> None:
    plan = make.Plan(devices=("cuda",))
    assert text_of(plan, make.run_of(plan)) == ""


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
    text = text_of(plan, results)
    assert text.startswith("Which model is best?  digits · cpu · learning rate 0.001 · 3 seeds\n1 b 0.301")
    assert "At learning rate 0.001: the first of 3 settings." in text
    assert "Over learning rate 0.001 to 1 mean accuracies lie between 0.201 and 0.901." in text
    assert "Which of these settings is best is not said: it would be chosen on the test set." in text
    assert "Best setting" not in text
    # On the validation part a is best at 1, whatever the test set says.
    order = {("a", 0.1): 0.5, ("a", 1.0): 0.9, ("b", 1.0): 0.8}
    validated = [
        make.with_validation(each, order.get((each.trial.model.name, each.trial.train.learning_rate), 0.3))
        for each in results
    ]
    text = text_of(plan, validated)
    assert text.startswith("Which model is best?  digits · cpu · learning rate 1 · 3 seeds\n1 a 0.851")
    assert "At learning rate 1: the setting with the highest mean validation accuracy." in text
    assert "Best setting of each model by validation accuracy: a 0.851 ± 0.002 at learning rate 1; b 0.821" in text
    assert "test set" not in text.partition("Over learning rate")[2].partition("All")[0]


def test_a_sweep_says_where_settings_are_equal(make: ModuleType) -> None:
    plan = two(make, 2, settings={"train.learning_rate": (0.01, 0.1, 1.0)})
    equal = [make.result_of(trial, metrics={"test_accuracy": 0.9}) for trial in plan.trials()]
    text = text_of(plan, list(map(make.with_validation, equal)))
    assert "one of the settings with the highest mean validation accuracy" in text
    assert "mean accuracies are all 0.900." in text
    assert "a 0.900 ± 0.000 at learning rate 0.01 and the same at 2 other settings; b" in text


def test_an_axis_of_words_goes_from_nowhere_to_nowhere(make: ModuleType) -> None:
    plan = make.Plan(models=(Component("mlp"),), settings={"train.optimizer": ("sgd", "adam")})
    text = text_of(plan, make.run_of(plan))
    assert "From" not in text
    assert "with optimizer adam." in text


def test_of_many_settings_the_first_have_a_line(make: ModuleType) -> None:
    plan = two(make, 2, batch_sizes=tuple(range(1, 31)))
    found = answer(sections_of(latest(make.run_of(plan), plan).rows, plan)[0])
    assert found is not None
    assert len(found.others) == 25
    assert found.others[-1] == "… and 5 other settings: see the table."
