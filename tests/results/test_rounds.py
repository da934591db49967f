"""How fast a trial was in each round of its group, from what is stored of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bench.base.records import Component, Result, Trial
from bench.results.rounds import by_seed

SAMPLES = {"block_seconds": [0.5, 0.25, 0.25, 1.0], "block_samples": [64.0, 64, 64, 64], "block_round": [0.0, 1, 1, 2]}


def result(**samples: Any) -> Result:
    trial = Trial(Component("digits"), Component("mlp"), 3, 64, "cpu")
    own = {"samples": SAMPLES | samples, "group_id": "a" * 16, "metrics": {"train_samples_per_second": 128.0}}
    return Result(trial, trial.trial_id, "run", "e" * 16, "c" * 16, "ok", **own)  # type: ignore[arg-type]


def test_the_blocks_of_a_round_are_one_speed() -> None:
    found = by_seed([result()])[3]
    assert found.group_id == "a" * 16
    assert found.rounds.numbers.tolist() == [0, 1, 2]
    assert np.allclose(np.exp(found.rounds.logs), [128, 256, 64])


def test_what_ran_before_a_trial_went_on_is_of_no_round_of_the_group() -> None:
    found = by_seed([result(block_round=[-1.0, -1, 0, 1])])[3]
    assert found.rounds.numbers.tolist() == [0, 1]
    assert not by_seed([result(block_round=[-1.0] * 4)])


def test_a_trial_that_had_the_time_for_itself_has_none() -> None:
    assert not by_seed([replace(result(), group_id="")])
    assert not by_seed([result(block_round=[0.0])])  # blocks that do not fit together
