"""What is decided of pairs of models, and the rounds of seeds that it takes: from results alone."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from bench.base.answers import Answers
from bench.base.records import Component, Result, Trial, digest
from bench.results.decisions import MOST_FAILED, Known, Pair, Rounds, Scored, ahead_of, ladder_of, pairs_of
from bench.suite.plan import Axis, Decide, Rule, Suite


def pair(*, alpha: float = 0.05, within: float = 0.005) -> Pair:
    return Pair("a", "b", alpha=alpha, within=within)


def looked(differences: Sequence[float], **how: Any) -> Pair:
    """A pair that was looked at after each of these differences."""
    found = pair(**how)
    for count in range(1, len(differences) + 1):
        found.look([Scored(0.5 + each) for each in differences[:count]], [Scored(0.5)] * count)
    return found


def spread(mean: float, sd: float, count: int) -> list[float]:
    draw = np.random.default_rng(1).normal(0, 1, count)
    return list(mean + sd * (draw - draw.mean()) / draw.std(ddof=1))


def test_a_clear_difference_is_told_apart_at_the_seed_where_the_test_says_so() -> None:
    found = looked(spread(0.1, 0.01, 10))
    assert (found.verdict, found.difference) == ("different", pytest.approx(0.1, abs=0.02))
    assert 4 <= found.seeds < 8
    assert looked(spread(0.1, 0.01, 10), alpha=0.001).seeds > found.seeds


def test_models_that_are_as_near_as_does_not_matter_are_alike() -> None:
    assert looked(spread(0.0002, 0.001, 12)).verdict == "alike"
    assert looked(spread(0.0002, 0.001, 12), within=0.0001).verdict == "open"


def test_noise_stays_open() -> None:
    assert looked(spread(0.0, 0.02, 30)).verdict == "open"


def answered(right: np.ndarray, *, test_set: str = "one") -> Scored:
    return Scored(float(right.mean()), Answers.of(right, test_set=digest(test_set), trained_on=1000))


def models(*, examples: int, apart: float, seeds: int) -> tuple[list[Scored], list[Scored]]:
    """Two models that answer much the same with every seed; on these examples one of them is `apart` better."""
    draw = np.random.default_rng(2)
    more = round(apart * examples)

    def seed(better: bool) -> Scored:
        right = np.zeros(examples, dtype=bool)
        right[: examples // 2 + (more if better else 0)] = True
        right[draw.integers(0, examples // 4)] = False  # one that it forgets
        right[examples - 1 - draw.integers(0, examples // 4)] = bool(draw.random() < 0.5)
        return answered(right)

    return [seed(True) for _ in range(seeds)], [seed(False) for _ in range(seeds)]


def test_where_the_test_examples_cannot_tell_it_is_closed_and_more_data_is_asked_for() -> None:
    """On 100 examples two that one model has right and the other has not are chance, with any number of seeds."""
    found = pair()
    first, second = models(examples=100, apart=0.02, seeds=12)
    for count in range(2, 13):
        found.look(first[:count], second[:count])
    assert found.verdict == "more_data"
    assert found.seeds < 12
    many = pair()
    first, second = models(examples=10_000, apart=0.02, seeds=12)
    for count in range(2, 13):
        many.look(first[:count], second[:count])
    assert many.verdict == "different"


def test_with_splits_that_overlap_it_waits_for_the_seeds_that_its_own_interval_needs() -> None:
    """Over random splits the interval is wider than the seeds' own: told apart by the seeds at 6, shown only later."""
    draw = np.random.default_rng(3)
    sides = ([], [])
    for seed in range(30):
        right = draw.random(200) < 0.8
        better = right.copy()
        better[draw.integers(0, 200, 10)] = True
        for side, own in zip(sides, (better, right), strict=True):
            side.append(answered(own, test_set=str(seed)))
    found, plain = pair(), pair()
    for count in range(2, 31):
        found.look(sides[0][:count], sides[1][:count])
        plain.look(*([Scored(each.accuracy) for each in side[:count]] for side in sides))
    assert plain.verdict == "different"
    assert (found.verdict, found.seeds > plain.seeds) in (("different", True), ("more_data", True))


def test_six_seeds_without_one_answer_that_differs_are_equal() -> None:
    same = [answered(np.arange(50) < 30 + seed) for seed in range(6)]
    found = pair()
    found.look(same[:5], same[:5])
    assert found.is_open
    found.look(same, same)
    assert found.verdict == "equal"
    assert looked([0.0] * 8).is_open  # which answers were right is not stored
    other = [answered(np.arange(50) >= 20 - seed) for seed in range(6)]
    assert [each.accuracy for each in other] == [each.accuracy for each in same]
    apart = pair()
    apart.look(same, other)
    assert apart.is_open


def test_the_pairs_of_a_ladder_share_its_error_rate() -> None:
    found = pairs_of([["a", "b", "c"], ["d", "e"]], within=0.0)
    assert [(each.first, each.second, each.alpha) for each in found] == [
        ("a", "b", pytest.approx(0.05 / 3)),
        ("a", "c", pytest.approx(0.05 / 3)),
        ("b", "c", pytest.approx(0.05 / 3)),
        ("d", "e", 0.05),
    ]


ACCURACY = {"clear": 0.99, "near": 0.90, "nearer": 0.903, "broken": 0.5}


def suite(*names: str, seeds: Sequence[int] = (0, 1, 2), most: int = 30, **more: Any) -> Suite:
    values: dict[str, Sequence[Any]] = {
        "dataset": [Component("digits")],
        "model": [Component(name) for name in names],
        "seed": seeds,
        "batch_size": more.pop("batch_sizes", (64,)),
        "device": ["cpu"],
    }
    axes = tuple(Axis(*each) for each in values.items())
    return Suite("mine", "mine", axes, decide=Decide(most_seeds=most, **more))


@dataclass
class Folder:
    """Results that are there, and what a trial gives when it runs."""

    results: dict[str, Result] = field(default_factory=dict)
    status: Callable[[Trial], str] = lambda trial: "failed" if trial.model.name == "broken" else "ok"
    sd: float = 0.004
    runs: int = 0

    def known(self, trial: Trial) -> Known:
        return self.results.get(trial.trial_id, "to run")

    def run(self, trial: Trial) -> Result:
        self.runs += 1
        draw, name = random.Random(f"{trial.model.name} {trial.seed}"), trial.model.name
        status = self.status(trial)
        more: dict[str, Any] = {"reason": "no"}
        if status == "ok":
            more = {"metrics": {"test_accuracy": ACCURACY[name] + draw.gauss(0, self.sd)}}
        found = Result(trial, trial.trial_id, "run", "here", "code", status, **more)  # type: ignore[arg-type]
        self.results[trial.trial_id] = found
        return found

    def until_decided(self, of: Suite, *, stop_after: int = 10**9) -> Rounds:
        rounds = Rounds(of, self.known)
        rounds.tell([self.run(each) for each in of.trials() if self.known(each) == "to run"])
        while trials := rounds.next_round():
            if self.runs >= stop_after:
                break
            rounds.tell([self.run(each) for each in trials])
        return rounds


def counts(folder: Folder) -> Counter[str]:
    return Counter(result.trial.model.name for result in folder.results.values())


def test_models_whose_pairs_are_closed_train_no_more_seeds() -> None:
    folder = Folder()
    rounds = folder.until_decided(suite("clear", "near", "nearer"))
    assert rounds.ended
    found = counts(folder)
    assert found["clear"] < found["near"] == found["nearer"] <= 30
    assert {each.verdict for each in rounds.decisions()} <= {"different", "alike", "open"}
    seeds = sorted(each.trial.seed for each in folder.results.values() if each.trial.model.name == "near")
    assert seeds == list(range(found["near"]))


def test_seeds_go_on_after_the_largest_of_the_grid() -> None:
    folder = Folder()
    folder.until_decided(suite("near", "nearer", seeds=(7, 3), most=5))
    assert sorted({each.trial.seed for each in folder.results.values()}) == [3, 7, 8, 9, 10]


def test_it_stops_at_the_most_seeds_and_says_what_is_open() -> None:
    folder = Folder(sd=0.05)
    rounds = folder.until_decided(suite("near", "nearer", most=8))
    assert counts(folder) == {"near": 8, "nearer": 8}
    assert [(each.verdict, each.seeds) for each in rounds.decisions()] == [("open", 8)]


def test_a_grid_with_more_seeds_than_that_is_decided_by_what_it_has() -> None:
    folder = Folder()
    rounds = folder.until_decided(suite("clear", "near", seeds=range(12), most=10))
    assert counts(folder) == {"clear": 12, "near": 12}
    assert rounds.decisions()[0].verdict == "different"


def test_a_model_that_always_fails_gets_no_further_seed_and_its_pairs_are_closed() -> None:
    folder = Folder()
    rounds = folder.until_decided(suite("clear", "near", "broken", seeds=(0,)))
    assert counts(folder)["broken"] == 1
    assert Counter(each.verdict for each in rounds.decisions()) == {"failed": 2, "different": 1}


def test_a_model_gets_no_more_seeds_when_three_have_failed() -> None:
    folder = Folder(status=lambda trial: "diverged" if trial.model.name == "near" and trial.seed % 2 else "ok", sd=0.05)
    rounds = folder.until_decided(suite("near", "nearer"))
    assert sum(each.status == "diverged" for each in folder.results.values()) == MOST_FAILED
    assert [each.verdict for each in rounds.decisions()] == ["failed"]


def test_one_seed_that_fails_is_no_seed_of_the_pair_and_stops_nothing() -> None:
    folder = Folder(status=lambda trial: "diverged" if (trial.model.name, trial.seed) == ("near", 1) else "ok")
    rounds = folder.until_decided(suite("clear", "near"))
    (found,) = rounds.decisions()
    assert (found.verdict, found.seeds) == ("different", counts(folder)["near"] - 1)


@pytest.mark.parametrize("stop_after", [0, 4, 9, 10, 13, 20])
def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_end(stop_after: int) -> None:
    of = suite("clear", "near", "nearer")
    whole = Folder()
    expected = whole.until_decided(of)
    folder = Folder()
    folder.until_decided(of, stop_after=stop_after)
    lost = list(folder.results)[stop_after:]  # what was under way has no result
    for each in lost:
        del folder.results[each]
    found = folder.until_decided(of)
    assert (found.decisions(), found.more) == (expected.decisions(), expected.more)
    assert folder.results.keys() == whole.results.keys()


def test_results_of_later_seeds_that_lie_there_are_not_looked_at_before_their_turn() -> None:
    of = suite("clear", "near")
    folder, there = Folder(), Folder()
    expected = folder.until_decided(of)
    there.until_decided(suite("clear", "near", seeds=range(25)))
    assert Rounds(of, there.known).next_round() == []
    rounds = Rounds(of, there.known)
    rounds.next_round()
    assert rounds.decisions() == expected.decisions()


def test_a_seed_that_a_rule_leaves_out_of_the_grid_leaves_nothing_out_beyond_it() -> None:
    of = suite("near", "nearer", most=6)
    of = Suite(of.name, of.title, of.axes, exclude=(Rule({"model": frozenset({0}), "seed": frozenset({2})}),),
               decide=of.decide)  # fmt: skip
    folder = Folder(sd=0.05)
    folder.until_decided(of)
    assert counts(folder) == {"near": 5, "nearer": 6}


def test_ladders_are_apart_and_of_one_model_its_settings_are_compared() -> None:
    two = suite("near", "nearer", batch_sizes=(64, 256))
    assert len({ladder_of(two)(trial) for trial in two.trials()}) == 2
    one = suite("near", batch_sizes=(64, 256))
    assert len({ladder_of(one)(trial) for trial in one.trials()}) == 1


def test_what_it_is_going_to_take_is_foretold_from_what_is_there() -> None:
    of = suite("clear", "near", "nearer", seeds=range(5))
    folder = Folder(sd=0.01)
    nothing = ahead_of(Rounds(of, folder.known), most_seeds=30)
    assert {(each.low, each.high, each.known) for each in nothing.values()} == {(5, 30, False)}
    rounds = Rounds(of, folder.known)
    rounds.tell([folder.run(each) for each in of.trials()])
    rounds.next_round()
    found = ahead_of(rounds, most_seeds=30)
    assert all(each.known and 5 < each.low <= 30 and each.planned == 6 for each in found.values())
