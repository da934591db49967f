"""What a report says of tuning: default and tuned models side by side, every setting tried, the ends of ranges."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis.tuning import Tuning, _at_end, at_edge, edge_sentences, sentences, tuning_of
from bench.analysis.tuning_plots import tuning_plots
from bench.analysis.tuning_tables import tuned_table, tuning_lines
from bench.base.records import Result, Trial
from bench.publish.blocks import content
from bench.publish.markup import MARKUPS
from bench.publish.request import Request
from bench.publish.source import BlockError, Source
from bench.report.render import render
from bench.statistics.expected_best import expected_best
from bench.suite.plan import Suite
from bench.suite.tune import Range
from tests.tune.test_search import HIDDEN, RATE, Trainer, ended, planted, suite, told

OWN = "0" * 16


def final(trial: Trial) -> Result:
    """A final training: a little above what the search saw, another value for each seed."""
    accuracy = planted(trial) + 0.01 + 0.001 * trial.seed
    metrics = {"test_accuracy": accuracy, "parameters": 10.0, "train_samples_per_second": 1e5, "fit_seconds": 0.1}
    return ended(trial, metrics=metrics, finished_at="1")


def searched(of: Suite) -> tuple[Suite, list[Result], list[Result]]:
    trainer = Trainer()
    of = told(of, trainer, trainer.run(of))
    trials = {trial.trial_id: trial for plan in (of, of.before_tuning()) for trial in plan.trials()}
    return of, [final(trial) for trial in trials.values()], list(trainer.results.values())


def tuning(of: Suite) -> Tuning:
    of, results, searches = searched(of)
    found = tuning_of(of, results, searches)
    assert found is not None
    return found


def texts(of: Tuning) -> dict[str, list[str]]:
    table = tuned_table(of)
    return {column.key: [row[place].text for row in table.rows] for place, column in enumerate(table.columns)}


def test_default_and_tuned_stand_side_by_side_with_what_the_search_cost() -> None:
    found = tuning(suite("mlp", "linear", trials=12))
    mlp = found.searched[0]
    shown = texts(found)
    assert shown["model"] == ["mlp", "linear"]
    assert mlp.gain is not None
    assert mlp.gain.mean == pytest.approx(planted(mlp.search.tuned) - planted(mlp.search.default))
    assert mlp.gain.mean > 0
    given_up = sum(each.status == "given up" for each in mlp.search.tried)
    assert given_up
    assert shown["tried"][0] == f"12 ({given_up} given up)"
    assert float(shown["seconds"][0]) == pytest.approx(sum(each.seconds for each in mlp.search.tried), abs=0.06)
    assert "learning rate" in shown["settings"][0]
    assert "hidden" in shown["settings"][0]
    assert "hidden" not in shown["settings"][1]
    lines = [line for part in tuning_lines(found, width=80) for line in part]
    assert max(map(len, lines)) <= 80
    assert any("The test set took no part" in line for line in lines)


def test_where_the_default_won_there_is_no_gain_and_it_is_said() -> None:
    best = replace(RATE, low=0.9, high=1.0)
    found = tuning(suite("linear", trials=4, ranges=(best,)))
    (only,) = found.searched
    assert only.search.chosen is not None
    assert only.search.chosen.is_default
    assert only.gain is None
    assert texts(found)["settings"] == ["default (learning rate 0.1)"]
    assert texts(found)["gain"] == ["–"]


def test_a_search_that_is_not_at_its_end_says_so_and_shows_no_tuned_figure() -> None:
    of, trainer = suite("linear", trials=12), Trainer()
    of = told(of, trainer, trainer.run(of, most=3))
    results = [final(trial) for trial in of.before_tuning().trials()]
    found = tuning_of(of, results, list(trainer.results.values()))
    assert found is not None
    assert "The search is not at its end for linear" in sentences(found)[0]
    assert texts(found)["tuned_score"] == ["–"]
    assert texts(found)["settings"] == ["not chosen yet"]


@pytest.mark.parametrize(
    ("value", "allowed", "end"),
    [
        (1.0, RATE, "largest"),
        (1e-3, RATE, "smallest"),
        (0.03, RATE, ""),
        (0.95, RATE, "largest"),  # within a hundredth of the range, on logarithms
        (0.5, RATE, ""),
        (8, HIDDEN, "smallest"),
        (0.0, Range("train.momentum", values=(0.0, 0.9)), ""),  # it can be no smaller
        (0.9, Range("train.momentum", values=(0.0, 0.9)), "largest"),
        ("adam", Range("train.optimizer", values=("sgd", "adam")), ""),
        (0.1, Range("train.momentum", values=(0.1,)), ""),
    ],
)
def test_a_setting_at_the_end_of_its_range_is_named(value: object, allowed: Range, end: str) -> None:
    assert at_edge(value, allowed) == end


def test_the_sentence_says_how_close_to_the_end() -> None:
    assert _at_end("train.momentum", 0.9, "largest", (0.0, 0.9)) == "momentum 0.9 is the largest allowed"
    assert _at_end("train.learning_rate", 0.963, "largest", (1e-3, 1.0)) == (
        "learning rate 0.963 is close to the largest allowed (1)"
    )


def test_the_sentence_says_which_end_of_which_model() -> None:
    upwards = Range("train.learning_rate", values=(0.1, 0.5, 1.0))  # planted: the smaller the better
    assert list(edge_sentences(tuning(suite("linear", trials=3, ranges=(upwards,))))) == [
        "linear: learning rate 0.1 is the smallest allowed; a better one may lie beyond it."
    ]
    around = Range("train.learning_rate", values=(0.001, 0.03, 1.0))
    assert list(edge_sentences(tuning(suite("linear", trials=4, ranges=(around,))))) == []


def test_the_curve_counts_what_was_given_up_by_what_it_had_reached() -> None:
    (mlp,) = tuning(suite("mlp", trials=12)).searched
    values = [each.reached for each in mlp.search.tried]
    assert None not in values
    assert mlp.bests[-1] == max(each for each in values if each is not None)
    assert mlp.bests[4] == pytest.approx(expected_best([each for each in values if each is not None], 5))


def test_two_settings_are_a_map_and_any_other_number_a_panel_each() -> None:
    assert [plot.kind for plot in tuning_plots(tuning(suite("mlp", trials=8)))] == ["best", "heat"]
    assert [plot.kind for plot in tuning_plots(tuning(suite("mlp", trials=8, ranges=(RATE,))))] == ["best", "effect"]


def test_the_report_has_the_table_every_setting_and_the_pictures(tmp_path: Path) -> None:
    of, results, searches = searched(suite("mlp", "linear", trials=8))
    render(tmp_path, suite=of, results=results, searches=searches)
    report = tmp_path / "report"
    page = (report / "report.md").read_text()
    assert "Default and tuned" in page
    assert "(tables/tuning.csv)" in page
    with (report / "tables/tuning.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    assert sum(row["chosen"] == "true" for row in rows) == 2
    assert {row["number"] for row in rows if row["default"] == "true"} == {"0"}
    for name in ("tuning", "tuning-heat-mlp"):
        assert (report / f"plots/{name}.png").stat().st_size > 5000
        assert f"plots/{name}.png" in page


def test_a_block_publishes_the_table_and_how_it_was_tuned(tmp_path: Path) -> None:
    of, results, searches = searched(suite("mlp", "linear", trials=8))
    source = Source(tmp_path, of, results, searches=searches)
    text = content("tuning", Request({"results": "x", "link": "none"}, source, MARKUPS["md"], tmp_path, check=True))
    assert "| mlp " in text
    assert "chosen settings" in text
    assert "The test set took no part in any choice." in text
    with pytest.raises(BlockError, match=r"its suite has no \[tune\]"):
        content(
            "tuning",
            Request(
                {"results": "x"}, Source(tmp_path, of.before_tuning(), results), MARKUPS["md"], tmp_path, check=True
            ),
        )
