"""Learning rates over a training: torch's own, whatever the optimizer is, and the same after a pause."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from bench.base.records import TrainSettings
from bench.worker.train.schedules import Schedule

EPOCHS, STEPS_PER_EPOCH = 6, 4
STEPS = EPOCHS * STEPS_PER_EPOCH
LOSSES = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95]  # of validation, an epoch each
ALL: list[dict[str, Any]] = [
    {},
    {"schedule": "step", "schedule_step_epochs": 2, "schedule_factor": 0.5},
    {"schedule": "plateau", "schedule_patience": 1},
    {"schedule": "cosine"},
    {"schedule": "onecycle"},
]


def optimizer(kind: Any = torch.optim.SGD, rate: float | torch.Tensor = 0.1) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = kind([torch.nn.Parameter(torch.zeros(2))], lr=rate)
    return made


def schedule(asked: dict[str, Any], held: torch.optim.Optimizer) -> Schedule:
    return Schedule(held, TrainSettings(**asked), epochs=EPOCHS, steps=STEPS)


def trained(made: Schedule, held: torch.optim.Optimizer, epochs: range = range(EPOCHS)) -> list[float]:
    """The rate of every step, as the optimizer has it."""
    rates = []
    for epoch in epochs:
        for _ in range(STEPS_PER_EPOCH):
            rates.append(float(held.param_groups[0]["lr"]))
            if made.after_step:
                made.after_step()
        assert made.learning_rate == pytest.approx(rates[-1])  # what goes into the curve: of the epoch's last step
        made.after_epoch(validation_loss=LOSSES[epoch])
    return rates


def of_torch(asked: dict[str, Any]) -> list[float]:
    """The same as a tutorial writes it."""
    held, rates = optimizer(), []
    settings = TrainSettings(**asked)
    made: Any = {
        "none": lambda: None,
        "step": lambda: lr_scheduler.StepLR(held, settings.schedule_step_epochs, gamma=settings.schedule_factor),
        "plateau": lambda: lr_scheduler.ReduceLROnPlateau(held, patience=settings.schedule_patience),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(held, T_max=EPOCHS),
        "onecycle": lambda: lr_scheduler.OneCycleLR(held, 0.1, total_steps=STEPS, cycle_momentum=False),
    }[settings.schedule]()
    for epoch in range(EPOCHS):
        for _ in range(STEPS_PER_EPOCH):
            rates.append(held.param_groups[0]["lr"])
            held.step()
            if settings.schedule == "onecycle":
                made.step()
        if settings.schedule == "plateau":
            made.step(LOSSES[epoch])
        elif settings.schedule in ("step", "cosine"):
            made.step()
    return rates


@pytest.mark.parametrize("asked", ALL)
def test_rates_are_those_of_torch(asked: dict[str, Any]) -> None:
    held = optimizer()
    assert trained(schedule(asked, held), held) == of_torch(asked)
    assert set(held.param_groups[0]) == set(optimizer().param_groups[0])  # nothing else was written there


def test_the_shapes_of_the_schedules() -> None:
    by_epoch = {}
    for asked in ALL[1:4]:
        held = optimizer()
        by_epoch[asked["schedule"]] = trained(schedule(asked, held), held)[::STEPS_PER_EPOCH]
    assert by_epoch["step"] == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025, 0.025])
    # 0.9 after two epochs; two worse ones are more than a patience of one, and so are the two after them.
    assert by_epoch["plateau"] == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert by_epoch["cosine"] == pytest.approx([0.05 * (1 + math.cos(math.pi * k / EPOCHS)) for k in range(EPOCHS)])
    held = optimizer()
    rates = trained(schedule(ALL[4], held), held)
    assert (rates[0], max(rates), rates[-1]) == pytest.approx((0.1 / 25, 0.1, 0.1 / 250_000), rel=0.02)
    assert rates.index(max(rates)) == round(0.3 * STEPS) - 1


@pytest.mark.parametrize("asked", ALL)
def test_what_is_saved_goes_on_where_it_was(asked: dict[str, Any]) -> None:
    held = optimizer()
    whole = trained(schedule(asked, held), held)
    first = optimizer()
    made = schedule(asked, first)
    begun = trained(made, first, range(3))
    saved = json.loads(json.dumps(made.state_dict()))  # plain numbers: it can be written anywhere
    second = optimizer()
    later = schedule(asked, second)
    later.load_state_dict(saved)
    assert later.learning_rate == made.learning_rate
    assert begun + trained(later, second, range(3, EPOCHS)) == whole


def test_a_rate_that_is_a_tensor_changes_in_its_place() -> None:
    place = torch.tensor(0.1)
    held = optimizer(torch.optim.Adam, place)
    rates = trained(schedule(ALL[1], held), held)
    assert held.param_groups[0]["lr"] is place
    assert rates == pytest.approx(of_torch(ALL[1]))


def test_adam_keeps_its_betas_in_one_cycle() -> None:
    held = optimizer(torch.optim.Adam)
    trained(schedule(ALL[4], held), held)
    assert held.param_groups[0]["betas"] == (0.9, 0.999)


def test_steps_past_the_end_are_no_error() -> None:
    held = optimizer()
    made = Schedule(held, TrainSettings(schedule="onecycle"), epochs=1, steps=STEPS)
    assert made.after_step is not None
    for _ in range(3 * STEPS):
        made.after_step()
    assert held.param_groups[0]["lr"] == of_torch(ALL[4])[-1]  # the last one stays
