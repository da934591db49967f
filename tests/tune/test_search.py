"""The course of a search: a planted optimum is found, the right settings are given up, the same results give the same
choices however they come."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bench.base.records import RUNGS, Component, Json, Result, SearchRole, Status, TrainSettings, Trial
from bench.results.searches import searches_of
from bench.suite.plan import Axis, Suite
from bench.suite.tune import Range, Tune
from bench.tune.sampler import BATCH
from bench.tune.search import Searches, Tried, best

RATE = Range("train.learning_rate", low=1e-3, high=1.0, log=True)
HIDDEN = Range("mlp.hidden", low=8, high=256, log=True, whole=True, models=(0,), default=100)
BEST_RATE, BEST_HIDDEN = 0.03, 40


def planted(trial: Trial) -> float:
    """Validation accuracy of a model as a known function of two settings, in decades from its best place."""
    rate = math.log10(trial.train.learning_rate / BEST_RATE)
    hidden = math.log10(trial.model.settings.get("hidden", 100) / BEST_HIDDEN)
    return max(0.0, 0.95 - 0.1 * rate**2 - 0.2 * hidden**2)


def suite(*models: str, **tune: Any) -> Suite:
    ranges = tune.pop("ranges", (RATE, HIDDEN))
    grid: dict[str, Sequence[Any]] = {
        "dataset": [Component("digits")],
        "model": [Component(name) for name in models or ("mlp",)],
        "seed": (3, 4),
        "batch_size": [64],
        "device": ["cpu"],
    }
    return Suite("mine", "mine", tuple(Axis(*each) for each in grid.items()), tune=Tune(ranges, **tune))


def ended(trial: Trial, status: Status = "ok", **own: Any) -> Result:
    reason = "" if status == "ok" else "it did not work"
    return Result(trial, trial.trial_id, "run", "0" * 16, "0" * 16, status, reason, **own)


@dataclass
class Trainer:
    """Trains what searches want on paper: by a known function of a trial's settings, worse by `behind` at its rungs."""

    accuracy: Callable[[Trial], float] = planted
    results: dict[str, Result] = field(default_factory=dict)
    trained: list[Trial] = field(default_factory=list)
    seconds: float = 1.0

    def searches(self, of: Suite) -> Searches:
        return Searches(of, lambda trial: self.results.get(trial.trial_id))

    def run(self, of: Suite, *, most: int = 10**6, shuffled: int | None = None) -> Searches:
        """Train until the searches end, or `most` trainings; in the order asked for, or in another one."""
        searches = self.searches(of)
        ahead = searches.next()
        while ahead and most:
            if shuffled is not None:
                random.Random(shuffled).shuffle(ahead)
            trial, most = ahead.pop(0), most - 1
            self.results[trial.trial_id] = found = self.result(trial)
            self.trained.append(trial)
            searches.tell([found])
            ahead += searches.next()
        return searches

    def result(self, trial: Trial) -> Result:
        assert trial.search is not None
        final, rungs, below = self.accuracy(trial), [], dict(trial.search.give_up)
        if math.isnan(final):
            return ended(trial, "diverged", metrics={"total_seconds": 0.5})
        for share in RUNGS:
            rungs.append(final * share)
            if rungs[-1] < below.get(share, 0.0):
                metrics = {"validation_accuracy": rungs[-1], "given_up_epoch": 10 * share, "epochs_trained": 10 * share}
                break
        else:
            metrics = {"validation_accuracy": final, "epochs_trained": 10}
        took = self.seconds * metrics["epochs_trained"] / 10
        at = f"{len(self.results):04}"
        metrics["total_seconds"] = took
        return ended(trial, metrics=metrics, samples={"rung_accuracy": rungs}, finished_at=at)


def choices(of: Suite, searches: Searches) -> list[tuple[Mapping[str, Json], ...]]:
    return [tuple(each.settings for each in state.attempts) for state in searches.states()]


def told(of: Suite, trainer: Trainer, searches: Searches) -> Suite:
    assert of.tune is not None
    return replace(of, tune=replace(of.tune, searches=searches.states()))


@pytest.mark.parametrize("stop_early", [True, False])
@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 48), ("grid", 49), ("random", 96)])
def test_a_planted_optimum_is_found(sampler: str, trials: int, stop_early: bool) -> None:
    of, trainer = suite(sampler=sampler, trials=trials, stop_early=stop_early), Trainer()
    searches = trainer.run(of)
    (search,) = searches_of(told(of, trainer, searches), trainer.results.values())
    assert search.done
    assert search.chosen is not None
    assert search.chosen.validation_accuracy == max(e.validation_accuracy or 0.0 for e in search.tried) > 0.93
    assert abs(math.log10(search.chosen.settings["train.learning_rate"] / BEST_RATE)) < 0.3
    assert abs(math.log10(search.chosen.settings["mlp.hidden"] / BEST_HIDDEN)) < 0.3
    assert search.tuned.model.settings == {"hidden": search.chosen.settings["mlp.hidden"]}
    assert search.tuned.search is None


def test_tpe_learns_where_random_does_not() -> None:
    """Of the settings after the first batches more lie near the optimum."""
    near = {}
    for sampler in ("tpe", "random"):
        trainer = Trainer()
        trainer.run(suite(sampler=sampler, trials=40, stop_early=False))
        near[sampler] = sum(planted(trial) > 0.9 for trial in trainer.trained[16:])
    assert near["tpe"] > near["random"] + 4


def test_the_default_is_tried_first_also_where_it_lies_outside_of_the_ranges() -> None:
    ranges = (replace(RATE, high=0.05), replace(HIDDEN, high=64))
    trainer = Trainer()
    searches = trainer.run(suite(ranges=ranges, trials=8))
    first = searches.states()[0].attempts[0]
    assert first.settings == {"train.learning_rate": 0.1, "mlp.hidden": 100}
    assert trainer.trained[0].model == Component("mlp")
    assert all(each.settings["train.learning_rate"] <= 0.05 for each in searches.states()[0].attempts[1:])


def middle(values: Sequence[float]) -> float:
    """The median; of an even number the upper one. Of fewer than a batch nothing is said."""
    return sorted(values, reverse=True)[(len(values) - 1) // 2] if len(values) >= BATCH else 0.0


def test_it_gives_up_what_is_below_the_median_of_those_before_at_a_quarter_and_at_half() -> None:
    trainer = Trainer()
    trainer.run(suite(trials=40))
    seen: tuple[list[float], list[float]] = [], []
    given_up = []
    for at in range(0, 40, BATCH):
        medians = middle(seen[0]), middle(seen[1])
        for trial in trainer.trained[at : at + BATCH]:
            rungs = [planted(trial) * share for share in RUNGS]
            behind = [rung < median for rung, median in zip(rungs, medians, strict=True)]
            expected = 2.5 if behind[0] else 5.0 if behind[1] else None
            assert trainer.results[trial.trial_id].metrics.get("given_up_epoch") == expected
            given_up.append(expected)
            seen[0].append(rungs[0])
            seen[1].extend([] if behind[0] else rungs[1:])
    assert given_up[:BATCH] == [None] * BATCH
    assert given_up.count(2.5) >= 6
    assert given_up.count(5.0) >= 1


def test_a_rung_that_few_have_come_to_gives_nothing_up() -> None:
    """Where all but one fail early, the one that came to a rung is no measure for the next ones."""

    def accuracy(trial: Trial) -> float:
        return 0.9 if trial.train.learning_rate == 0.1 else math.nan if fails and trial.search == SearchRole() else 0.1

    fails, trainer = True, Trainer(accuracy)
    trainer.run(suite(trials=8))
    assert all(trial.search == SearchRole() for trial in trainer.trained)


def test_what_was_given_up_wins_by_no_accuracy() -> None:
    trial = next(suite().trials())
    higher = ended(trial, metrics={"validation_accuracy": 0.9, "given_up_epoch": 2})
    tried = [Tried({}, [trial], [ended(trial, metrics={"validation_accuracy": 0.5})]), Tried({}, [trial], [higher])]
    assert best(tried) == 0
    assert best(tried[1:]) == 0  # nothing is ok: the default, which is the first


def test_what_was_given_up_or_failed_never_wins_and_its_cost_counts() -> None:
    def accuracy(trial: Trial) -> float:
        return math.nan if trial.train.learning_rate > 0.2 else planted(trial)

    of, trainer = suite(trials=24), Trainer(accuracy)
    (search,) = searches_of(told(of, trainer, trainer.run(of)), trainer.results.values())
    counts = {status: sum(each.status == status for each in search.tried) for status in ("ok", "given up", "failed")}
    assert sum(counts.values()) == len(search.tried) == 24
    assert min(counts.values()) > 0
    for each in search.tried:
        assert (each.validation_accuracy is None) == (each.status != "ok") == bool(each.reason)
    assert search.chosen is not None
    assert search.chosen.status == "ok"
    whole = sum(result.metrics.get("total_seconds", 0.0) for result in trainer.results.values())
    assert search.seconds == pytest.approx(whole)
    epochs = sum(result.metrics.get("epochs_trained", 0) for result in trainer.results.values())
    assert sum(each.epochs for each in search.tried) == pytest.approx(epochs, abs=len(search.tried))


def test_a_regression_is_chosen_by_r2_which_may_be_below_0_and_what_failed_is_told_as_the_worst() -> None:
    of, trainer = suite(trials=40, stop_early=False), Trainer()
    result = trainer.result

    def of_regression(trial: Trial) -> Result:
        if trial.train.learning_rate > 0.3:
            return ended(trial, "diverged", metrics={"total_seconds": 1.0})
        return replace(found := result(trial), metrics={
            "validation_r2": 5 * found.metrics["validation_accuracy"] - 10, "total_seconds": 1.0, "epochs_trained": 10,
        })  # fmt: skip

    trainer.result = of_regression  # type: ignore[method-assign]
    (search,) = searches_of(told(of, trainer, trainer.run(of)), trainer.results.values())
    assert search.score == "R²"
    assert search.chosen is not None
    assert -5.5 < (search.chosen.validation_accuracy or 0.0) < -5
    failed = [each for each in search.tried[20:] if each.status == "failed"]
    assert len(failed) < 5  # they are no good place, though every R² is below 0


def test_where_nothing_can_be_trained_the_default_stays() -> None:
    of, trainer = suite(trials=6), Trainer(lambda _: math.nan)
    searches = trainer.run(of)
    assert searches.ended
    assert [state.chosen for state in searches.states()] == [0]
    assert len(searches.states()[0].attempts) == 6


def test_of_equal_accuracies_the_first_wins_so_that_the_default_stays() -> None:
    of, trainer = suite(trials=8), Trainer(lambda _: 0.5)
    assert trainer.run(of).states()[0].chosen == 0


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_what_is_chosen_does_not_depend_on_who_ends_first(sampler: str) -> None:
    of = suite("mlp", "mlp2", "linear", sampler=sampler, trials=16, ranges=(RATE,))
    expected = choices(of, Trainer().run(of))
    for order in range(3):
        assert choices(of, Trainer().run(of, shuffled=order)) == expected


@pytest.mark.parametrize("killed", [0, 1, 3, 4, 5, 11, 23])
def test_killed_and_run_again_it_chooses_as_if_unbroken(killed: int) -> None:
    of = suite("mlp", "linear", trials=12, seeds=2)
    whole = Trainer()
    expected = whole.run(of).states()
    broken = Trainer()
    assert not broken.run(of, most=killed).ended
    assert broken.run(of).states() == expected
    assert sorted(trial.trial_id for trial in broken.trained) == sorted(trial.trial_id for trial in whole.trained)


def test_further_seeds_train_only_what_the_first_did_not_give_up() -> None:
    of, trainer = suite(trials=16, seeds=3), Trainer()
    (search,) = searches_of(told(of, trainer, trainer.run(of)), trainer.results.values())
    assert {each.seeds for each in search.tried if each.status == "ok"} == {3}
    assert {each.seeds for each in search.tried if each.status == "given up"} == {1}
    assert {trial.seed for trial in trainer.trained} == {3, 4, 5}  # the grid has two, the next follows


def test_few_values_are_each_tried_once_and_then_it_ends() -> None:
    values = Range("train.weight_decay", values=(0.0, 1e-4, 1e-3))
    for sampler in ("tpe", "random", "grid"):
        searches = Trainer(lambda trial: 0.5 + trial.train.weight_decay).run(
            suite(ranges=(values,), trials=16, sampler=sampler)
        )
        tried = [each.settings["train.weight_decay"] for each in searches.states()[0].attempts]
        assert sorted(tried) == [0.0, 1e-4, 1e-3]
        assert searches.states()[0].winner == {"train.weight_decay": 1e-3}


def test_as_many_seconds_for_each_model() -> None:
    of, trainer = suite("mlp", "linear", ranges=(RATE,), seconds=10.0, stop_early=False), Trainer()
    trainer.run(of)
    assert sum(trial.model.name == "mlp" for trial in trainer.trained) == 12  # of 1 s each: a batch is finished
    assert sum(trial.model.name == "linear" for trial in trainer.trained) == 12


def test_a_training_of_the_search_has_a_role_and_a_validation_part_in_its_id_and_is_no_replicate() -> None:
    of, trainer = suite(trials=4), Trainer()
    trainer.run(of)
    ordinary = {trial.trial_id: trial.cell_id for trial in of.trainings()}
    for trial in trainer.trained:
        assert trial.search is not None
        assert trial.train.validation_split == 0.2
        assert trial.trial_id not in ordinary
        assert trial.cell_id not in ordinary.values()
        plain = replace(trial, search=None)
        assert plain.trial_id != trial.trial_id
        assert Trial.from_json(trial.to_json()) == trial


def test_final_trainings_have_the_ids_that_an_override_gives() -> None:
    of, trainer = suite("mlp", "linear", trials=16), Trainer()
    assert of.tune is not None
    after = told(of, trainer, trainer.run(of))
    final = list(after.trials())
    assert len(final) == 4
    for trial in final:
        assert trial.search is None
        assert trial.train.validation_split == TrainSettings().validation_split
    both = list(after.trainings())
    assert [trial.seed for trial in both] == [3] * 4 + [4] * 4
    assert {trial.trial_id for trial in both} >= {trial.trial_id for trial in of.before_tuning().trials()}


def test_a_cell_that_cannot_be_trained_here_is_not_searched_for() -> None:
    of = suite("mlp", "linear", ranges=(RATE,), trials=4)
    searches = Searches(of, lambda _: None, runs=lambda trial: trial.model.name == "linear")
    assert {trial.model.name for trial in searches.next()} == {"linear"}
    assert len(searches.states()) == 1


def test_settings_that_are_skipped_end_the_search_without_a_choice() -> None:
    of = suite(trials=8)
    searches = Searches(of, lambda _: None)
    wanted = searches.next()
    searches.tell([ended(trial, "skipped") for trial in wanted])
    assert searches.next() == []
    assert searches.ended
    (search,) = searches_of(told(of, Trainer(), searches), [])
    assert not search.done
    assert search.tuned == search.default
