"""Published figures beside ours, and the table of weights: in the report, in its tables, on the page and in words."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from bench.analysis.sections import sections_of
from bench.base.records import Component, Result
from bench.report.published_figures import figures_of, sentence, table_of_figures
from bench.report.render import render
from bench.report.terminal import terminal_summary
from bench.results.frame import latest
from bench.suite.plan import Axis, Published, Rule, Suite

VALUES = {"linear": [0.90, 0.92, 0.94], "mlp": [0.95, 0.95, 0.95]}  # linear: 0.92 ± 0.0497 (t, n = 3)
SEEDS = (0, 1, 2)
LINEAR, MLP = Rule({"model": frozenset({0})}), Rule({"model": frozenset({1})})


def suite_of(*published: Published, weights: bool = False) -> Suite:
    axes = (
        Axis("dataset", (Component("digits"),)),
        Axis("model", (Component("linear"), Component("mlp"))),
        Axis("seed", SEEDS),
        Axis("batch_size", (64,)),
        Axis("device", ("cpu",)),
    )
    return Suite("mine", "Mine", axes, published=published, weights=weights)


@pytest.fixture
def results(make: ModuleType) -> list[Result]:
    plan = make.Plan(models=(Component("linear"), Component("mlp")), seeds=SEEDS)
    found = []
    for result in make.run_of(plan):
        value = VALUES[result.trial.model.name][result.trial.seed]
        found.append(replace(result, metrics={**result.metrics, "test_accuracy": value}, curves={}))
    return found


def write_file(folder: Path, result: Result, *, f1: Sequence[float], weights: Any, near_zero: float) -> None:
    path = folder / "artifacts" / result.run_id / f"{result.trial_id}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["test/confusion_matrix"] = np.eye(2, dtype=np.int64)
        file["test/confusion_matrix"].attrs["class_names"] = ["cat", "dog"]
        file["diagnosis/per_class/f1"] = np.array(f1)
        for name, values in {"a.weight": weights, "a.bias": np.full(7, 100.0)}.items():
            file[f"weights/{name}"] = values
            said = {"l2_norm": np.linalg.norm(values), "near_zero": near_zero, "mean": 0.0, "sd": 1.0, "minimum": 0.0}
            said |= {"maximum": 1.0, "histogram_counts": np.array([4]), "histogram_edges": np.array([0.0, 1.0])}
            file[f"weights/{name}"].attrs.update(said)


def figures(results: Sequence[Result], suite: Suite, folder: Path) -> list[Any]:
    return figures_of(sections_of(latest(results, suite).rows, suite), suite, folder=folder)


def texts(table: Any) -> list[dict[str, str]]:
    return [dict(zip([c.key for c in table.columns], [cell.text for cell in row], strict=True)) for row in table.rows]


@pytest.mark.parametrize(
    ("low", "high", "difference", "inside"),
    [
        (0.92, 0.92, 0.0, True),
        (0.96, 0.96, -0.04, True),
        (0.98, 0.98, -0.06, False),
        (0.86, 0.86, 0.06, False),
        (0.90, 0.93, 0.0, True),
        (0.98, 0.99, -0.06, False),
        (0.96, 0.99, -0.04, True),  # a part of the range lies in the interval
        (0.80, 0.87, 0.05, False),
    ],
)
def test_difference_and_whether_it_lies_in_our_interval(
    low: float, high: float, difference: float, inside: bool, results: list[Result], tmp_path: Path
) -> None:
    suite = suite_of(Published(LINEAR, "test_accuracy", low, high, "a book"))
    (found,) = figures(results, suite, tmp_path)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.inside is inside
    (row,) = texts(table_of_figures([found]))
    assert row["inside"] == ("yes" if inside else "no")
    assert row["ours"] == "0.92 ± 0.05"
    assert row["n"] == "3"
    assert row["published"] == (f"{low:g} (a)" if low == high else f"{low:g} to {high:g} (a)")


def test_disturbed_timings_are_set_beside_nothing_and_accuracies_are(
    make: ModuleType, results: list[Result], tmp_path: Path
) -> None:
    suite = suite_of(Published(LINEAR, "test_accuracy", 0.9, 0.9, "x"), Published(LINEAR, "fit_seconds", 0, 9, "x"))
    assert [row["inside"] for row in texts(table_of_figures(figures(results, suite, tmp_path)))] == ["yes", "yes"]
    found = figures([make.disturbed(each) for each in results], suite, tmp_path)
    rows = texts(table_of_figures(found))
    assert [(row["inside"], row["ours"].endswith(" †")) for row in rows] == [("yes", False), ("–", True)]
    assert "fit" not in sentence(found)


def test_one_seed_has_no_interval_and_says_so(results: list[Result], tmp_path: Path) -> None:
    suite = suite_of(Published(LINEAR, "test_accuracy", 0.92, 0.92, "a book"))
    one = replace(suite, axes=tuple(Axis("seed", (0,)) if axis.name == "seed" else axis for axis in suite.axes))
    found = figures([result for result in results if result.trial.seed == 0], one, tmp_path)
    assert texts(table_of_figures(found))[0]["inside"] == "–"
    assert "it needs two seeds" in sentence(found)


def test_counts_that_every_seed_shares_are_compared_as_they_are(results: list[Result], tmp_path: Path) -> None:
    suite = suite_of(Published(MLP, "parameters", 7_510, 7_510, "x"), Published(MLP, "parameters", 7_500, 7_500, "x"))
    rows = texts(table_of_figures(figures(results, suite, tmp_path)))
    assert [(row["ours"], row["inside"], row["difference"]) for row in rows] == [
        ("7,510", "yes", "0"),
        ("7,510", "no", "+10"),
    ]


def test_a_figure_of_a_class_comes_from_the_files_of_the_trials(results: list[Result], tmp_path: Path) -> None:
    for result in results:
        f1 = [0.5, VALUES[result.trial.model.name][result.trial.seed]]
        write_file(tmp_path, result, f1=f1, weights=np.ones((2, 3)), near_zero=0.0)
    suite = suite_of(
        Published(LINEAR, "f1", 0.93, 0.93, "a book", "dog"), Published(LINEAR, "f1", 0.93, 0.93, "x", "cow")
    )
    dog, cow = texts(table_of_figures(figures(results, suite, tmp_path)))
    assert (dog["figure"], dog["ours"], dog["inside"]) == ("F1 of class dog", "0.92 ± 0.05", "yes")
    assert (cow["ours"], cow["inside"]) == ("– (a)", "–")


def test_without_the_files_the_place_says_why(results: list[Result], tmp_path: Path) -> None:
    suite = suite_of(Published(LINEAR, "f1", 0.93, 0.93, "a book", "dog"))
    table = table_of_figures(figures(results, suite, tmp_path))
    assert texts(table)[0]["ours"] == "– (a)"
    assert any("the trial's file is not there" in note and str(tmp_path) not in note for note in table.notes)


def test_the_sentence_names_those_outside_and_where_all_are_inside_the_furthest(
    results: list[Result], tmp_path: Path
) -> None:
    wide = [replace(each, metrics={**each.metrics, "test_loss": 1.0 + each.trial.seed}) for each in results]
    inside = Published(LINEAR, "test_loss", 1.0, 1.0, "x")  # 2 ± 2.5: a difference of 100 %
    outside = Published(LINEAR, "test_accuracy", 0.98, 0.98, "x")
    said = sentence(figures(wide, suite_of(inside, outside), tmp_path))
    assert said.startswith("1 of 2 published figures lie in our 95 % intervals. Outside: linear, test accuracy: ours")
    assert "test loss" not in said
    both = Published(LINEAR, "test_accuracy", 0.93, 0.93, "x")
    assert "Furthest apart: linear, test loss" in sentence(figures(wide, suite_of(both, inside), tmp_path))
    many = [Published(LINEAR, "test_accuracy", value, value, "x") for value in (0.98, 0.99, 0.5, 0.6, 0.7)]
    said = sentence(figures(wide, suite_of(*many), tmp_path))
    assert said.startswith("0 of 5") and "published 0.5; " in said  # noqa: PT018
    assert said.endswith("published 0.7; and 2 more.")


@pytest.mark.usefixtures("without_plots")
def test_it_stands_in_report_tables_page_and_terminal(results: list[Result], tmp_path: Path) -> None:
    suite = suite_of(
        Published(LINEAR, "test_accuracy", 0.98, 0.98, "a | book <b>"), Published(MLP, "test_accuracy", 0.95, 0.95, "x")
    )
    text = render(tmp_path, suite=suite, results=results).report_path.read_text(encoding="utf-8")
    assert text.index("## digits") < text.index("## Beside published figures") < text.index("## Conditions")
    said = "1 of 2 published figures lie in our 95 % intervals. Outside: linear, test accuracy: ours 0.92 ± 0.05"
    assert said in text
    assert "a &#124; book &lt;b&gt;" in text
    with (tmp_path / "report/tables/published.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert float(row["ours"]) == pytest.approx(0.92)
    assert float(row["ours_low"]) == pytest.approx(0.92 - 0.0497, abs=1e-4)
    assert (float(row["published"]), row["inside"]) == (0.98, "no")
    assert {path.suffix for path in tmp_path.glob("report/tables/published.*")} == {".md", ".csv", ".tex"}
    assert '<h2 id="extra-1">Beside published figures</h2>' in (tmp_path / "report/index.html").read_text("utf-8")
    printed = terminal_summary(results, suite, beside=sentence(figures(results, suite, tmp_path)))
    assert said in " ".join(printed.split())
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.usefixtures("without_plots")
def test_a_suite_without_any_has_no_such_section(results: list[Result], tmp_path: Path) -> None:
    text = render(tmp_path, suite=suite_of(), results=results).report_path.read_text(encoding="utf-8")
    assert "Beside published" not in text
    assert "## Weights" not in text


@pytest.mark.usefixtures("without_plots")
def test_weights_are_those_of_matrices_over_the_seeds(results: list[Result], tmp_path: Path) -> None:
    for result in results:
        size = 3.0 if result.trial.model.name == "linear" else 1.0 + result.trial.seed
        write_file(tmp_path, result, f1=[1, 1], weights=np.full((2, 2), size), near_zero=0.25)
    suite = suite_of(weights=True)
    render(tmp_path, suite=suite, results=results)
    with (tmp_path / "report/tables/weights.csv").open(encoding="utf-8") as file:
        linear, mlp = csv.DictReader(file)
    assert (float(linear["l2_norm"]), float(linear["l2_norm_low"])) == (6.0, 6.0)  # sqrt(4 · 3²); no bias in it
    assert float(mlp["l2_norm"]) == pytest.approx(4.0)  # of 2, 4, 6
    assert (float(mlp["near_zero"]), mlp["n"]) == (25.0, "3")


@pytest.mark.parametrize("ask", ["published", "weights"])
def test_what_is_not_measured_breaks_no_report(ask: str, make: ModuleType, tmp_path: Path) -> None:
    figure = Published(LINEAR, "test_accuracy", 0.9, 0.9, "x")
    suite = suite_of(figure) if ask == "published" else suite_of(weights=True)
    text = render(tmp_path, suite=suite, results=[]).report_path.read_text(encoding="utf-8")
    assert ("## Beside published figures" in text) is (ask == "published")
    assert "## Weights" not in text
