"""Which interval an accuracy has: by what is stored of its test examples, in the summary as everywhere else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bench
from bench.base.answers import Answers
from bench.base.records import Component, Result
from bench.results.accuracy_intervals import accuracy, difference
from bench.results.frame import ANSWERS, trials_frame
from bench.results.store import Store
from bench.results.summary import summary_frame
from bench.statistics.accuracies import accuracy_difference, accuracy_interval
from bench.statistics.intervals import paired_t_interval, t_interval
from bench.suite.stored import suite_to_json

DRAW = np.random.default_rng(5)
TABLE = DRAW.random((4, 200)) < 0.9
OTHER = DRAW.random((4, 200)) < 0.85


def stored(table: np.ndarray, *, split: bool = False, trained_on: int = 800) -> list[Answers | None]:
    names = [f"{place if split else 0:016x}" for place in range(len(table))]
    return [Answers.of(row, test_set=name, trained_on=trained_on) for row, name in zip(table, names, strict=True)]


def shares(table: np.ndarray) -> list[float]:
    return [float(row.mean()) for row in table]


def test_one_test_set_is_over_seeds_and_examples() -> None:
    found = accuracy(shares(TABLE), stored(TABLE))
    assert (found.over, found.n) == ("recipe", 4)
    assert found.ends == accuracy_interval(TABLE).ends
    pair = difference(shares(TABLE), shares(OTHER), stored(TABLE), stored(OTHER))
    assert pair.over == "recipe"
    assert pair.ends == accuracy_difference(TABLE, OTHER).ends


def test_mean_and_sd_are_those_of_the_seeds() -> None:
    found, plain = accuracy(shares(TABLE), stored(TABLE)), t_interval(shares(TABLE))
    assert (found.mean, found.sd) == (plain.mean, plain.sd)


def test_one_seed_is_over_examples_alone() -> None:
    found = accuracy(shares(TABLE[:1]), stored(TABLE[:1]))
    reference = stats.binomtest(int(TABLE[0].sum()), 200).proportion_ci(method="wilson")
    assert found.over == "examples"
    assert found.ends == pytest.approx((reference.low, reference.high))


def test_one_pair_of_seeds_has_no_interval() -> None:
    found = difference(shares(TABLE[:1]), shares(OTHER[:1]), stored(TABLE[:1]), stored(OTHER[:1]))
    assert found.ends is None
    assert not found.excludes(0)


def test_seeds_that_draw_the_split_are_corrected_for_their_overlap() -> None:
    values = shares(TABLE)
    found = accuracy(values, stored(TABLE, split=True, trained_on=500))
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) * math.sqrt(1 / 4 + 200 / 500)
    assert found.over == "split"
    assert found.ends == pytest.approx((np.mean(values) - half, min(1.0, np.mean(values) + half)))
    pair = difference(values, shares(OTHER), stored(TABLE, split=True), stored(OTHER, split=True, trained_on=400))
    differences = np.subtract(values, shares(OTHER))
    half = stats.t.ppf(0.975, 3) * differences.std(ddof=1) * math.sqrt(1 / 4 + 200 / 400)  # the larger overlap
    assert pair.over == "split"
    assert pair.ends == pytest.approx((differences.mean() - half, differences.mean() + half))


@pytest.mark.parametrize("missing", [[0], [3], [0, 1, 2, 3]])
def test_without_the_answers_of_a_seed_it_is_over_seeds(missing: list[int]) -> None:
    known = [None if place in missing else each for place, each in enumerate(stored(TABLE))]
    found = accuracy(shares(TABLE), known)
    assert found.over == "seeds_alone"
    assert found.ends == t_interval(shares(TABLE)).ends
    for sides in ((known, stored(OTHER)), (stored(OTHER), known)):
        pair = difference(shares(TABLE), shares(OTHER), *sides)
        assert pair.over == "seeds_alone"
        assert pair.ends == paired_t_interval(shares(TABLE), shares(OTHER)).ends


def test_another_test_set_is_no_pair_by_examples() -> None:
    other = [replace(each, test_set="f" * 16) for each in stored(OTHER) if each]
    assert difference(shares(TABLE), shares(OTHER), stored(TABLE), other).over == "seeds_alone"


def test_one_name_for_two_sizes_is_not_believed() -> None:
    known = [*stored(TABLE)[:3], Answers.of(TABLE[3, :100], test_set="0" * 16, trained_on=800)]
    assert accuracy(shares(TABLE), known).over == "seeds_alone"


def run(make: ModuleType, *, split: bool = False) -> tuple[object, list[Result]]:
    plan = make.Plan(models=(Component("mlp"),), seeds=(0, 1, 2, 3))
    return plan, make.answered(make.run_of(plan), split=split)


@pytest.mark.parametrize("split", [False, True])
def test_the_summary_has_both(make: ModuleType, split: bool) -> None:
    plan, results = run(make, split=split)
    frame = trials_frame(results, plan)
    (row,) = summary_frame(frame).to_dict("records")
    values, answers = [each.metrics["test_accuracy"] for each in results], [each.answers for each in results]
    expected, plain = accuracy(values, answers), t_interval(values)
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == pytest.approx(expected.ends)
    assert (row["test_accuracy_seeds_low"], row["test_accuracy_seeds_high"]) == pytest.approx(plain.ends)
    assert row["test_accuracy_low"] < row["test_accuracy_seeds_low"]
    names = list(summary_frame(frame))
    at = names.index("test_accuracy_high")
    assert names[at + 1 : at + 3] == ["test_accuracy_seeds_low", "test_accuracy_seeds_high"]
    assert not [name for name in names if "seeds_" in name and not name.startswith("test_accuracy_seeds")]


def test_what_a_frame_says_of_answers_goes_into_json_and_back(make: ModuleType) -> None:
    """As Parquet keeps it."""
    plan, results = run(make)
    frame = trials_frame(results, plan)
    direct = summary_frame(frame)
    frame.attrs = json.loads(json.dumps(frame.attrs))
    pd.testing.assert_frame_equal(summary_frame(frame), direct)


def test_without_them_or_with_others_it_is_over_seeds(make: ModuleType) -> None:
    plan, results = run(make)
    for change in ("gone", "one is gone", "edited"):
        frame = trials_frame(results, plan)
        if change == "gone":
            frame.attrs = {}
        elif change == "one is gone":
            frame.attrs[ANSWERS] = dict(list(frame.attrs[ANSWERS].items())[1:])
        else:
            frame.loc[frame["seed"] == 0, "test_accuracy"] = 0.5
        (row,) = summary_frame(frame).to_dict("records")
        assert row["test_accuracy_low"] == row["test_accuracy_seeds_low"]
        assert row["test_accuracy_high"] == row["test_accuracy_seeds_high"]


def test_a_part_of_a_frame_has_the_intervals_of_its_seeds(make: ModuleType) -> None:
    plan, results = run(make)
    frame = trials_frame(results, plan)
    (row,) = summary_frame(frame[frame["seed"] < 2]).to_dict("records")
    expected = accuracy([each.metrics["test_accuracy"] for each in results[:2]], [each.answers for each in results[:2]])
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == pytest.approx(expected.ends)


def test_from_a_folder(make: ModuleType, tmp_path: Path) -> None:
    plan, results = run(make)
    writer = Store(tmp_path).writer("a")
    for result in results:
        writer.append(replace(result, run_id="a"))
    writer.close()
    (tmp_path / "suite.json").write_text(json.dumps(suite_to_json(plan)))  # type: ignore[arg-type]
    (row,) = bench.summarize(bench.load(tmp_path)).to_dict("records")
    values, answers = [each.metrics["test_accuracy"] for each in results], [each.answers for each in results]
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == pytest.approx(accuracy(values, answers).ends)
