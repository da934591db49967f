"""What a pilot runs: short trials of every kind, or of kinds that span the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bench.base.records import Component, TrainSettings, Trial
from bench.execute.pilot import MOST_KINDS, lengths, sampled, shortened
from bench.planning.costs import kind_of, length_of


def trial(model: str = "mlp", seed: int = 0, *, batch_size: int = 64, **train: Any) -> Trial:
    return Trial(Component("digits"), Component(model), seed, batch_size, "cpu", TrainSettings(**train))


def jobs(*trials: Trial) -> list[Sequence[Trial]]:
    return [[each] for each in trials]


@pytest.mark.parametrize(
    ("train", "found"),
    [({}, (1, 2)), ({"epochs": 2}, (1, 2)), ({"epochs": 1}, (1,)), ({"steps": 800}, (100, 200)), ({"steps": 1}, (1,))],
)
def test_a_pilot_is_short(train: dict[str, Any], found: tuple[int, ...]) -> None:
    assert lengths(trial(**train)) == found
    for length in found:
        (short,) = shortened([trial(**train)], length)
        assert length_of(short) == length
        assert kind_of(short) == kind_of(trial(**train))


def test_a_pilot_of_many_kinds_takes_some_that_span_them() -> None:
    sizes = [2**power for power in range(10)]
    grid = [trial(model, seed, batch_size=size) for seed in (0, 1) for model in ("a", "b") for size in sizes]
    chosen, kinds = sampled(jobs(*grid))
    assert (len(chosen), kinds) == (MOST_KINDS, 20)
    taken = {(job[0].model.name, job[0].batch_size) for job in chosen}
    assert taken >= {("a", 1), ("a", 512), ("b", 1), ("b", 512)}
    few, kinds = sampled(jobs(*grid), most=30)
    assert len(few) == kinds == 20
    wide, _ = sampled(jobs(*(trial(f"m{number}") for number in range(40))))
    assert len(wide) == MOST_KINDS
    assert {job[0].model.name for job in wide} >= {"m0", "m39"}
