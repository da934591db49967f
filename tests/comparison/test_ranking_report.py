"""Models over data sets: ranked from six on, profiled below; pairs by seeds say what their number could show."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from bench.base.records import Component, Result, Trial
from bench.cli.compare import compare
from bench.comparison.pairs import compare_sides
from bench.comparison.rank import Ranking, costs_of, fronts, rank
from bench.comparison.rank_text import ranking_text
from bench.comparison.text import comparison_text
from bench.errors import EXIT_OK, BenchError
from bench.pairing.sides import Folder, split

MODELS = ("poor", "good", "best")
Level = Callable[[int, str], float]


def by_model(dataset: int, model: str) -> float:
    return 0.7 + 0.01 * dataset + 0.05 * MODELS.index(model)


def results(make: ModuleType, datasets: int, *, level: Level = by_model, seeds: int = 5,
            models: Sequence[str] = MODELS) -> list[Result]:  # fmt: skip
    draw, found = random.Random(3), []
    for dataset in range(datasets):
        for model in models:
            for seed in range(seeds):
                trial = Trial(Component(f"set{dataset}"), Component(model), seed, 64, "cpu")
                known = {
                    "test_accuracy": level(dataset, model) + draw.gauss(0, 0.004),
                    "fit_seconds": 1.0 + MODELS.index(model),
                    "parameters": {"poor": 100, "good": 900, "best": 500}[model],
                }
                found.append(make.result_of(trial, metrics=known))
    return found


def ranked(found: Sequence[Result], metric: str = "test_accuracy") -> Ranking:
    return rank(Folder("mine", tuple(found), None, (), frozenset({1})), metric=metric)


def flat(ranking: Ranking) -> str:
    return " ".join(ranking_text(ranking).split())


def test_seven_data_sets_are_enough_to_tell_three_models_apart(make: ModuleType) -> None:
    found = ranked(results(make, 7))
    assert found.ranks is not None
    assert found.ranks.names == ("best", "good", "poor")
    assert found.ranks.average_ranks == (1.0, 2.0, 3.0)
    assert found.ranks.groups == ()
    assert "It is better than every other model" in flat(found)


def test_six_are_not_and_it_is_said_what_it_takes(make: ModuleType) -> None:
    text = flat(ranked(results(make, 6)))
    assert "So few data sets cannot tell any two of 3 models apart: with Holm for 3 pairs it takes 7" in text


def test_below_six_no_rank_is_claimed(make: ModuleType) -> None:
    found = ranked(results(make, 5))
    assert found.ranks is None
    text = flat(found)
    assert "Models are not ranked over 5 data sets: that takes 6." in text
    assert "average rank" not in text
    assert found.profile is not None
    assert "best 1.00 1.00 1.00 1.00 1.00" in text  # within every factor of the best: it is the best


@pytest.mark.parametrize("metric", ["fit_seconds", "train_samples_per_second"])
def test_nothing_is_ranked_by_disturbed_timings_and_everything_by_accuracies(make: ModuleType, metric: str) -> None:
    whole = [
        replace(each, metrics={**each.metrics, "train_samples_per_second": 1e3 / each.metrics["fit_seconds"]})
        for each in results(make, 7)
    ]
    spoilt = [
        make.disturbed(each) if (each.trial.dataset.name, each.trial.model.name) == ("set2", "good") else each
        for each in whole
    ]
    assert ranked(whole, metric).ranks is not None
    found = ranked(spoilt, metric)
    assert (found.ranks, found.profile) == (None, None)
    assert flat(found).count("Doubtful: ") == 1
    assert "best average rank" not in flat(found)
    assert {pair.dataset: 0 for pair in found.ratios}.keys() == {f"set{index}" for index in range(7)}
    assert [{pair.first, pair.second} for pair in found.ratios if pair.dataset == "set2"] == [{"poor", "best"}]
    by_accuracy = ranked(spoilt)
    assert by_accuracy.ranks == ranked(whole).ranks
    costs = {cost.name: fronts(by_accuracy, cost) for cost in costs_of(by_accuracy)}
    assert "set2" not in costs["fit_seconds"]
    assert costs["parameters"].keys() == costs["fit_seconds"].keys() | {"set2"}


def test_alike_models_are_joined(make: ModuleType) -> None:
    draw = random.Random(1)

    def level(dataset: int, model: str) -> float:
        return 0.6 if model == "poor" else 0.8 + draw.gauss(0, 0.02)

    found = ranked(results(make, 9, level=level))
    assert found.ranks is not None
    assert [set(group) for group in found.ranks.groups] == [{"good", "best"}]
    assert "It is not shown to be better than" in flat(found)


def test_a_model_that_is_missing_somewhere_is_not_ranked_but_profiled(make: ModuleType) -> None:
    some = [each for each in results(make, 7) if (each.trial.model.name, each.trial.dataset.name) != ("good", "set3")]
    found = ranked(some)
    assert found.ranks is not None
    assert set(found.ranks.names) == {"poor", "best"}
    assert "Without good: not measured on every data set." in flat(found)
    assert found.profile is not None
    assert found.profile.shares[found.models.index("good")][-1] == pytest.approx(6 / 7)  # a failure is within no factor


def test_the_ladder_of_a_data_set_comes_first_and_its_pairs_are_a_table(make: ModuleType) -> None:
    found = ranked(results(make, 1))
    ((_, first), *_) = found.pairs
    assert (first.upper.model, first.lower.model, first.verdict) == ("best", "good", "yes")
    assert first.bracket is not None
    text = flat(found)
    assert text.index("Which model is best? set0 · cpu · 5 seeds 1 best 0.") < text.index("not ranked over")
    assert f"best − good 5 {first.mean * 100:+.1f} [" in text
    assert "judged together: yes where p, adjusted by Holm, is at most 0.05 and the bracket excludes 0" in text


def test_lower_is_better_turns_the_ranks(make: ModuleType) -> None:
    found = ranked(results(make, 7), metric="fit_seconds")
    assert found.ranks is not None
    assert found.ranks.names[0] == "poor"
    first = found.ratios[0]
    assert (first.first, first.second, first.ratio.ratio) == ("poor", "good", pytest.approx(0.5))
    losses = [replace(each, metrics={"test_loss": 1 - each.metrics["test_accuracy"]}) for each in results(make, 1)]
    ((_, pair), *_) = ranked(losses, metric="test_loss").pairs
    assert (pair.upper.model, pair.lower.model, pair.verdict) == ("best", "good", "yes")
    assert pair.mean < 0


def test_the_front_holds_what_nothing_beats(make: ModuleType) -> None:
    found = ranked(results(make, 1))
    by_name = {cost.name: fronts(found, cost)["set0"] for cost in costs_of(found)}
    assert by_name == {"fit_seconds": ["poor", "good", "best"], "parameters": ["poor", "best"]}
    assert "- parameters: poor, best" in ranking_text(found)


def test_files_and_terminal(make: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine/trials").mkdir(parents=True)
    lines = [json.dumps(replace(each, curves={}).to_json()) + "\n" for each in results(make, 7)]
    (tmp_path / "mine/trials/run.jsonl").write_text("".join(lines))
    out = tmp_path / "out"
    assert compare(tmp_path / "mine", by="model", output=out) == EXIT_OK
    assert max(map(len, capsys.readouterr().out.removesuffix(f"{out}/ranking.md\n").splitlines())) <= 80
    assert {"critical-difference.png", "profiles.svg", "accuracy-time-set0.png"} <= {
        p.name for p in out.glob("plots/*")
    }
    page = (out / "ranking.md").read_text(encoding="utf-8")
    links = [part.split(")")[0] for part in page.split("](")[1:]]
    assert not [link for link in links if not (out / link).exists()]
    with (out / "tables/costs.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row["front"] for row in csv.DictReader(file) if row["dataset"] == "set0"}
    assert rows == {"poor": "time, parameters", "good": "time", "best": "time, parameters"}
    svg = (out / "plots/critical-difference.svg").read_text(encoding="utf-8")
    assert "all can be told apart" in svg
    with pytest.raises(BenchError, match="choose two models with --values"):
        compare(tmp_path / "mine", by="model", fail_on="slower")


def test_two_models_by_cell_are_paired_by_seed_too(make: ModuleType) -> None:
    timed = [replace(each, metrics={**each.metrics, "train_samples_per_second": 1e5 + each.trial.seed})
             for each in results(make, 1, models=("good", "best"))]  # fmt: skip
    found = compare_sides(*split(Folder("mine", tuple(timed), None, (), frozenset({1})), "model"))
    text = " ".join(comparison_text(found).split())
    assert "best − good 5 +" in text
    assert "Each pair is judged alone: yes where p is at most 0.05" in text


def test_one_model_is_no_ranking(make: ModuleType) -> None:
    with pytest.raises(BenchError, match="nothing to rank"):
        ranked(results(make, 2, models=("poor",)))
    with pytest.raises(BenchError, match="no such metric"):
        ranked(results(make, 2), metric="acuracy")


def test_models_that_are_equal_are_a_tie(make: ModuleType) -> None:
    equal = [replace(each, metrics=each.metrics | {"test_accuracy": 0.9}) for each in results(make, 1, seeds=3)]
    found = ranked(equal)
    assert {pair.verdict for _, pair in found.pairs} == {"tie"}
    assert "beside poor: the same in every seed" in flat(found)
