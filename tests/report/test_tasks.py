"""A suite of a classification and a regression: each is judged by its own metric, and no table mixes them."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench.analysis.curves import kind_text
from bench.analysis.findings import answer
from bench.analysis.ladder import ladder
from bench.analysis.models_table import models_table
from bench.analysis.plots import page_plots, plots_of
from bench.analysis.sections import sections_of
from bench.base.metrics import BUILT_IN, main_metric
from bench.base.records import Component, MeasureSettings, Result
from bench.comparison.pairs import compare_sides
from bench.comparison.rank import rank
from bench.comparison.rank_text import ranking_text
from bench.comparison.tables import cells_frame, cells_table
from bench.comparison.text import comparison_text
from bench.execute.progress import describe_ending
from bench.gate.judge import judge
from bench.gate.records import Asked
from bench.pairing.sides import Folder, whole
from bench.plots.draw import draw
from bench.present.colours import styles_of
from bench.report.html.answers import answers_of
from bench.report.render import part_of
from bench.report.terminal import terminal_summary
from bench.results.decisions import score
from bench.results.frame import latest

LEVELS = {"linear": 0.41, "mlp": 0.62, "cnn": -0.3}


def of_regression(result: Result) -> Result:
    """What a regression leaves behind in place of a classification."""
    draws = np.random.default_rng(int(result.trial_id, 16) % 2**32)
    r2 = LEVELS[result.trial.model.name] + float(draws.normal(0, 0.01)) - abs(result.trial.train.learning_rate - 0.1)
    own = {name: value for name, value in result.metrics.items() if name != "test_accuracy"}
    own |= {"r2": r2, "rmse": 50 * (1 - r2) ** 0.5, "mae": 40 * (1 - r2) ** 0.5, "test_loss": 1 - r2}
    curves = {name.replace("accuracy", "r2"): values for name, values in result.curves.items()}
    return replace(result, metrics=own, curves=curves, answers=None)


def run(make: ModuleType, **changes: Any) -> tuple[Any, list[Result]]:
    plan = make.Plan(datasets=(Component("digits"), Component("houses")), **changes)
    results = [each if each.trial.dataset.name == "digits" else of_regression(each) for each in make.run_of(plan)]
    return plan, results


def sections(make: ModuleType, **changes: Any) -> dict[str, Any]:
    plan, results = run(make, **changes)
    return {each.dataset: each for each in sections_of(latest(results, plan).rows, plan)}


def test_the_main_metric_follows_from_what_was_measured() -> None:
    assert main_metric({"test_accuracy", "test_loss"}).name == "test_accuracy"
    assert main_metric({"rmse", "mae"}).name == "r2"  # where R² is not defined it is no classification for that
    assert main_metric(()).name == "test_accuracy"
    assert [BUILT_IN[name].higher_is_better for name in ("r2", "mae", "rmse")] == [True, False, False]


def test_a_ladder_is_of_the_main_metric(make: ModuleType) -> None:
    found = sections(make)
    houses = ladder(found["houses"], found["houses"].focus)
    digits = ladder(found["digits"], found["digits"].focus)
    assert houses is not None
    assert digits is not None
    assert [cell.model for cell in houses.cells] == ["mlp", "linear", "cnn"]
    assert [cell.model for cell in digits.cells] == ["cnn", "mlp", "linear"]
    assert {pair.metric for pair in houses.pairs} == {"r2"}
    assert all(pair.verdict == "yes" for pair in houses.pairs)
    assert houses.levels == pytest.approx([0.62, 0.41, -0.3], abs=0.02)


def test_its_words_say_no_accuracy_and_no_points(make: ModuleType) -> None:
    told = answer(sections(make)["houses"], again="python -m bench run baseline.toml")
    assert told is not None
    assert told.headline.startswith("Best: mlp, by 0.2")
    assert "accurac" not in told.text
    assert "points" not in told.text
    assert "--until-decided" not in told.text
    assert "Brackets of R²: 95 % interval for other seeds (Student's t)." in told.text
    alone = answer(sections(make, models=(Component("mlp"),))["houses"])
    assert alone is not None
    assert "mlp reaches R² of 0.6" in alone.text


def test_the_terminal_has_a_table_a_task(make: ModuleType) -> None:
    plan, results = run(make)
    lines = terminal_summary(results, plan).splitlines()
    heads = [line.split()[:4] for line in lines if line.startswith("model ")]
    assert heads == [["model", "parameters", "accuracy", "samples/s"], ["model", "parameters", "R²", "samples/s"]]
    assert max(map(len, lines)) <= 80
    assert describe_ending(results[-1]).startswith("R² ")
    assert describe_ending(replace(results[-1], metrics={"rmse": 1.0, "total_seconds": 1.0})) == "R² undefined in 1.0 s"


def test_no_table_has_columns_of_the_other_task(make: ModuleType) -> None:
    found = {name: models_table(each, name="models") for name, each in sections(make).items()}
    keys = {name: {column.key for column in table.columns} for name, table in found.items()}
    assert {"r2", "mae", "rmse", "n"} <= keys["houses"]
    assert "test_accuracy" not in keys["houses"]
    assert {"test_accuracy", "n"} <= keys["digits"]
    assert not {"r2", "mae", "rmse"} & keys["digits"]


def test_a_sweep_is_shown_where_the_main_metric_is_best(make: ModuleType) -> None:
    plan, results = run(make, settings={"train.learning_rate": (0.5, 0.1, 0.01)})
    rows = latest(list(map(make.with_validation, results)), plan).rows
    section = next(each for each in sections_of(rows, plan) if each.dataset == "houses")
    assert section.focus[section.axes.index("train.learning_rate")] == 0.1
    told = answer(section)
    assert told is not None
    assert "the setting with the highest mean validation R²" in told.text


def test_plots_are_of_the_main_metric_and_a_loss_without_unit(make: ModuleType) -> None:
    found = sections(make)
    plots = {plot.name: plot for _, plot in plots_of([found["houses"]])}
    assert {"r2-houses-cpu", "r2-parameters-houses-cpu", "r2-time-houses-cpu"} <= plots.keys()
    assert plots["pairs-houses-cpu"].title.startswith("Pairs of models on houses: the R² by which the column is ahead")
    curves = plots["learning-epochs-houses-cpu"]
    assert {kind for _, kind, _, _ in curves.curves} == {"r2", "loss"}
    labels = [ax.get_ylabel() for ax in draw(curves, styles_of(["linear", "mlp", "cnn"])).axes]
    assert [text for text in labels if text] == ["R²", "loss"]
    assert kind_text("loss", found["digits"].measured) == "loss (nats)"


def test_the_page_draws_each_task_by_its_own_metric(make: ModuleType) -> None:
    parts = [
        part_of(each, models_table(each, name="m"), (), slug=name, again="") for name, each in sections(make).items()
    ]
    assert [(each["level"], each["unit"]) for each in answers_of(parts)] == [("accuracy", "in points"), ("R²", "in R²")]
    measured = [BUILT_IN[name] for name in ("test_accuracy", "r2", "rmse", "fit_seconds")]
    first = page_plots(measured, [], [])[0]
    assert (first["title"], first["choices"]) == ("Accuracy or R² by cost", {"cost": ["fit_seconds"]})
    assert page_plots([BUILT_IN["r2"], BUILT_IN["fit_seconds"]], [], [])[0]["title"] == "R² by cost"


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ({"target_value": 0.4}, "Time to R² of 0.4: "),
        ({"target_metric": "rmse", "target_value": 60.0}, "Time to RMSE of 60: "),
        ({"target_accuracy": 0.5}, "Time to an accuracy of 0.5: "),
    ],
)
def test_a_target_is_called_by_its_metric(make: ModuleType, measure: dict[str, Any], said: str) -> None:
    plan, results = run(make, measure=MeasureSettings(**measure), models=(Component("linear"), Component("mlp")))
    results = [replace(each, metrics={**each.metrics, "time_to_target_seconds": 0.5}) for each in results]
    (section,) = (each for each in sections_of(latest(results, plan).rows, plan) if each.dataset == "houses")
    told = answer(section)
    assert told is not None
    assert said in told.text


def test_seeds_of_a_regression_are_not_chosen_by_an_accuracy(make: ModuleType) -> None:
    _, results = run(make)
    assert score(results[0]) is not None
    assert score(results[-1]) is None


def test_a_comparison_has_a_column_a_task(make: ModuleType) -> None:
    plan, results = run(make)
    sides = [
        whole(Folder(name, tuple(each), plan, (), frozenset({4}))) for name, each in (("a", results), ("b", results))
    ]
    found = compare_sides(*sides)
    keys = [column.key for column in cells_table(found).columns]
    assert keys[-2:] == ["accuracy_difference", "r2_difference"]
    assert {cell.training for cell in found.cells} == {"identical"}
    frame = cells_frame(found).set_index("dataset")
    assert frame.loc["houses", "r2_difference"].eq(0).all()
    assert frame.loc["houses", "accuracy_difference"].isna().all()
    assert frame.loc["digits", "accuracy_difference"].eq(0).all()
    text = " ".join(comparison_text(found).split())
    assert "Accuracy B − A: paired by seed" in text
    assert "R² B − A: paired by seed, 95 % interval for other seeds (Student's t)." in text


def test_a_ranking_is_of_one_task_and_names_what_it_leaves_out(make: ModuleType) -> None:
    plan, results = run(make)
    folder = Folder("all", tuple(results), plan, (), frozenset({4}))
    found = rank(folder)
    assert (found.metric.name, found.datasets, found.left_out) == ("test_accuracy", ["digits"], ["houses"])
    assert "Left out: houses, of another task" in " ".join(ranking_text(found).split())
    other = rank(folder, metric="r2")
    assert (other.datasets, other.left_out, other.cost_name) == (["houses"], ["digits"], "1 − R²")
    only = [each for each in results if each.trial.dataset.name == "houses"]
    assert rank(Folder("all", tuple(only), plan, (), frozenset({4}))).metric.name == "r2"


def test_a_gate_says_that_it_judges_no_regression(make: ModuleType) -> None:
    _, results = run(make)
    (before, after) = (
        whole(Folder(name, tuple(replace(each, run_id=f"2026010{day}T000000Z-00000000") for each in results), None, (),
                     frozenset({4})))
        for day, name in ((1, "a"), (2, "b"))
    )  # fmt: skip
    found = judge(before, after, asked=Asked(within=0.005, slower=None))
    whys = {cell.dataset: {reason.text for reason in cell.reasons} for cell in found.cells}
    assert whys["houses"] == {"it is a regression, which has no accuracy: a gate judges none yet"}
    assert whys["digits"] == set()
    assert found.verdict == "undecided"
