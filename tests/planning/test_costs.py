"""What trials cost: from their own kind, from like ones, and from nothing there is no figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bench.base.records import Component, MeasureSettings, Result, TrainSettings, Trial
from bench.errors import BenchError
from bench.planning.costs import Costs, estimate, kind_of, length_of, past_jobs, read_prices

FIXED, TRAINING, EVALUATION = 2.0, 1.0, 0.25


def trial(model: str = "mlp", seed: int = 0, *, batch_size: int = 64, device: str = "cpu", **train: Any) -> Trial:
    return Trial(Component("digits"), Component(model), seed, batch_size, device, TrainSettings(**train))


def result(of: Trial, *, slower: float = 1.0, run: str = "run", **changes: Any) -> Result:
    """As if a trial took 2 s once, 1 s of training and 0.25 s of evaluation an epoch, and 0.05 s beside its process."""
    fit = slower * TRAINING * length_of(of)
    total = fit + slower * (FIXED + EVALUATION * length_of(of))
    stamps = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": _after(total + 0.05)}
    metrics = {"total_seconds": total, "fit_seconds": fit, "host_peak_bytes": 2.0**20 * slower}
    return Result(
        of, of.trial_id, run, "environment", "code", **({"status": "ok", "metrics": metrics} | stamps | changes)
    )


def _after(seconds: float) -> str:
    return f"2026-01-01T00:{int(seconds // 60):02}:{seconds % 60:09.6f}+00:00"


def costs(*results: Result) -> Costs:
    found = Costs()
    found.add(past_jobs(results))
    return found


def test_a_kind_is_what_costs_the_same_but_for_its_length() -> None:
    same = [trial(), trial(seed=3), trial(epochs=2), trial(learning_rate=0.5)]
    assert len({kind_of(each) for each in same}) == 1
    other = [trial("cnn"), trial(batch_size=1), trial(device="cuda"), trial(optimizer="adam"), trial(steps=10)]
    full, short = trial(), replace(trial(), measure=MeasureSettings(evaluate="accuracy"))
    assert len({kind_of(each) for each in [full, short, *other]}) == 7
    assert kind_of(full, seeds=5) != kind_of(full)


def test_two_lengths_say_what_a_third_takes() -> None:
    known = costs(result(trial(epochs=1)), result(trial(epochs=2)))
    found = known.job(kind_of(trial(epochs=10)), 10)
    assert found is not None
    assert found.seconds == pytest.approx(FIXED + 10 * (TRAINING + EVALUATION) + 0.05)


def test_of_trials_that_took_turns_each_takes_its_own_and_a_share_of_the_rest() -> None:
    """Two of 4.5 s each, from one start to one end: 9.3 s together, so 0.15 s each beside their own turns."""
    stamps = {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": _after(9.3)}
    metrics = {"total_seconds": 4.5, "fit_seconds": 2.0}
    pair = [result(trial(model, epochs=2), group_id="one", metrics=metrics, **stamps) for model in ("mlp", "cnn")]
    assert [job.seconds for job in past_jobs(pair)] == [pytest.approx(4.65)] * 2


def test_only_what_came_to_its_end_counts() -> None:
    failed = result(trial(), status="timeout", reason="not done", metrics={"total_seconds": 600.0})
    assert costs(failed).job(kind_of(trial()), 10) is None


def test_the_wait_for_torch_of_the_first_trial_is_no_part_of_what_trials_take() -> None:
    first = result(trial(seed=0), finished_at=_after(30))
    known = costs(first, result(trial(seed=1)))
    assert known.job(kind_of(trial()), 10).seconds == pytest.approx(14.55)  # type: ignore[union-attr]


def test_seeds_that_train_at_once_are_one_job() -> None:
    cell = [trial(seed=seed, engine="vectorized") for seed in range(5)]
    (one,) = past_jobs([result(each) for each in cell])
    assert (one.kind.seeds, one.seconds) == (5, pytest.approx(14.55))
    again = [result(each, run="again") for each in cell]
    assert len(list(past_jobs([*(result(each) for each in cell), *again]))) == 2


def test_what_has_not_run_is_judged_by_what_is_like_it_and_less_sure() -> None:
    known = costs(
        result(trial(batch_size=64)), result(trial(batch_size=256), slower=0.5), result(trial("cnn"), slower=9)
    )
    own, like = (known.job(kind_of(trial(batch_size=size)), 10) for size in (64, 128))
    assert own is not None
    assert like is not None
    assert 0.5 * own.seconds < like.seconds < own.seconds  # the two batch sizes around it; not the other model
    assert like.error_seconds > 2 * own.error_seconds
    assert known.job(kind_of(trial(device="cuda")), 10) is None


def jobs(*trials: Trial) -> list[Sequence[Trial]]:
    return [[each] for each in trials]


def test_an_estimate_adds_up_by_device_and_names_what_it_does_not_know() -> None:
    known = costs(result(trial(epochs=1)), result(trial(epochs=2)))
    ahead = estimate(
        jobs(*(trial(seed=seed) for seed in range(4)), trial(device="cuda")),
        known,
        trials={"cpu": 6, "cuda": 1},
        there={"cpu": 2},
        prices={"cpu": 3.6},
    )
    cpu, cuda = ahead.devices["cpu"], ahead.devices["cuda"]
    assert (cpu.trials, cpu.there, cpu.to_run, cpu.unknown) == (6, 2, 4, 0)
    assert cpu.seconds is not None
    assert cpu.cost is not None
    assert cpu.seconds.value == pytest.approx(4 * 14.55)
    assert cpu.seconds.low < cpu.seconds.value < cpu.seconds.high
    assert cpu.cost.value == pytest.approx(4 * 14.55 / 1000)
    assert (cuda.unknown, cuda.seconds, cuda.cost) == (1, None, None)
    assert cpu.memory == {"host_peak_bytes": 2.0**20}
    assert (ahead.all.to_run, ahead.all.unknown) == (5, 1)
    assert ahead.all.cost == cpu.cost


@pytest.mark.parametrize("text", ["cuda", "cuda=", "cuda=-1", "cuda=inf", "gpu=1"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match=f"^--price {text}: "):
        read_prices([text], devices=["cpu", "cuda"])


def test_prices() -> None:
    assert read_prices(["cuda=2.5", "cpu=0"], devices=["cpu", "cuda"]) == {"cuda": 2.5, "cpu": 0.0}


def test_a_trial_that_stopped_early_counts_for_the_epochs_that_it_ran() -> None:
    early = trial(early_stopping_patience=2, validation_split=0.1)
    stopped = replace(
        result(replace(early, train=replace(early.train, epochs=4))), trial=early, trial_id=early.trial_id
    )
    (one,) = past_jobs([replace(stopped, curves={"epoch": [1.0, 2.0, 3.0, 4.0]})])
    assert one.length == 4
    ahead = estimate(jobs(early), costs(stopped), trials={"cpu": 1}, there={}, prices={})
    assert ahead.upper
    assert not estimate(jobs(trial()), costs(stopped), trials={"cpu": 1}, there={}, prices={}).upper


def test_a_trial_that_went_on_from_a_checkpoint_tells_nothing_of_a_whole_one() -> None:
    resumed = replace(result(trial()), samples={"resumed_after_epochs": [3.0]})
    assert list(past_jobs([resumed])) == []
