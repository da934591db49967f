"""A step with all that a suite can ask for, against the same written out by hand with torch alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import bench
from bench.base.records import TrainSettings
from bench.worker.train.losses import Loss
from bench.worker.train.optimizers import make_optimizer
from bench.worker.train.steps import Recipe, eager_step, l1_penalty

SMOOTHED = Loss(label_smoothing=0.1)
CPU = torch.device("cpu")
STEPS = 12
Batches = list[tuple[torch.Tensor, torch.Tensor]]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


@pytest.fixture
def batches() -> Batches:
    draw = torch.Generator().manual_seed(1)
    return [
        (3 * torch.randn(10, 1, 4, 4, generator=draw), torch.randint(4, (10,), generator=draw)) for _ in range(STEPS)
    ]


def trained(
    batches: Batches, recipe: Recipe, *, precision: Any = "float32", **settings: Any
) -> tuple[nn.Module, list[float]]:
    net = model()
    optimizer = make_optimizer(list(net.parameters()), TrainSettings(**settings))
    step = eager_step(net, optimizer, replace(recipe, precision=precision), device=CPU)
    return net, [float(step(lambda batch=batch: batch)) for batch in batches]  # type: ignore[misc]


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def by_hand(
    batches: Batches,
    make: Callable[[Any], torch.optim.Optimizer],
    *,
    smoothing: float = 0.0,
    l1: float = 0.0,
    clip: float = 0.0,
) -> tuple[nn.Module, list[float]]:
    net, losses = model(), []
    optimizer, criterion = make(net.parameters()), nn.CrossEntropyLoss(label_smoothing=smoothing)
    for images, labels in batches:
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        total = loss
        if l1:
            total = total + l1 * (net[1].weight.abs().sum() + net[4].weight.abs().sum())  # type: ignore[index,union-attr,operator]
        total.backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    return net, losses


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


@pytest.mark.parametrize(
    ("recipe", "hand"),
    [
        (Recipe(), {}),
        (Recipe(loss=Loss(label_smoothing=0.2)), {"smoothing": 0.2}),
        (Recipe(l1=0.01), {"l1": 0.01}),
        (Recipe(gradient_clip=0.5), {"clip": 0.5}),
        (
            Recipe(loss=Loss(label_smoothing=0.1), l1=0.01, gradient_clip=0.5),
            {"smoothing": 0.1, "l1": 0.01, "clip": 0.5},
        ),
    ],
)
def test_it_is_what_a_tutorial_writes(batches: Batches, recipe: Recipe, hand: dict[str, float]) -> None:
    """To the bit; and the loss that it gives is the cross-entropy, without the penalty."""
    mine, losses = trained(batches, recipe)
    other, wanted = by_hand(batches, sgd, **hand)
    assert same(mine, other)
    assert losses == wanted
    assert recipe == Recipe() or not same(mine, by_hand(batches, sgd)[0])


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        (
            {"momentum": 0.9, "nesterov": True},
            lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
        ),
        (
            {"optimizer": "adam", "betas": [0.5, 0.9]},
            lambda parameters: torch.optim.Adam(parameters, lr=0.1, betas=(0.5, 0.9)),
        ),
        (
            {"optimizer": "adamw", "betas": [0.5, 0.9], "weight_decay": 0.1},
            lambda parameters: torch.optim.AdamW(parameters, lr=0.1, betas=(0.5, 0.9), weight_decay=0.1),
        ),
    ],
)
def test_settings_of_optimizers_reach_them(batches: Batches, settings: dict[str, Any], make: Any) -> None:
    assert same(trained(batches, Recipe(), **settings)[0], by_hand(batches, make)[0])
    plain = {key: value for key, value in settings.items() if key not in ("nesterov", "betas")}
    assert not same(trained(batches, Recipe(), **settings)[0], trained(batches, Recipe(), **plain)[0])


def test_the_penalty_is_of_weights_and_leaves_biases_and_norms_alone() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    penalty = l1_penalty(list(net.parameters()), 0.5)
    assert penalty is not None
    total = penalty()
    total.backward()
    weights = [net[0].weight, net[3].weight]
    assert float(total.detach()) == pytest.approx(0.5 * sum(float(w.detach().abs().sum()) for w in weights))
    assert all(torch.equal(weight.grad, 0.5 * weight.sign()) for weight in weights)
    assert [p.grad for p in (net[0].bias, net[1].weight, net[1].bias, net[3].bias)] == [None] * 4
    assert l1_penalty(list(net.parameters()), 0.0) is None
    assert l1_penalty([net[3].bias], 1.0) is None


@pytest.mark.parametrize("most", [0.0, 0.01])
def test_float16_scales_the_gradients_back_before_it_clips_them(batches: Batches, most: float) -> None:
    """Clipped while scaled by 65,536, every gradient would be as small as the limit over the scale."""
    net = model()
    start = nn.utils.parameters_to_vector(net.parameters()).detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    step = eager_step(net, optimizer, Recipe("float16", gradient_clip=most, scaler=scaler), device=CPU)
    step(lambda: batches[0])
    moved = float((nn.utils.parameters_to_vector(net.parameters()).detach() - start).norm())
    assert scaler.get_scale() == 1024.0  # no step was left out
    assert moved == pytest.approx(0.01, rel=1e-3) if most else moved > 0.1


def test_clipping_leaves_short_gradients_as_they_are(batches: Batches) -> None:
    assert same(trained(batches, Recipe(gradient_clip=1e6))[0], trained(batches, Recipe())[0])


def test_what_comes_after_a_step_comes_after_every_step(batches: Batches) -> None:
    told: list[int] = []
    trained(batches, Recipe(after_step=lambda: told.append(1)))
    assert len(told) == STEPS


def calls_of_ours(call: Callable[[], object]) -> list[str]:
    """The functions of this package that `call` runs, in their order."""
    root, seen = str(Path(bench.__file__).parent), []

    def note(frame: Any, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root):
            seen.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


def test_a_step_that_is_asked_for_nothing_does_nothing_more(batches: Batches) -> None:
    """Built once: with every setting at its default no line of the settings runs in a step."""
    net = model()
    step = eager_step(net, torch.optim.SGD(net.parameters(), lr=0.1), device=CPU)
    step(lambda: batches[0])
    assert calls_of_ours(lambda: step(lambda: batches[0])) == ["step", "forget", "forward"]
    asked = eager_step(
        net,
        torch.optim.SGD(net.parameters(), lr=0.1),
        Recipe(l1=0.1, gradient_clip=1.0, after_step=lambda: None),
        device=CPU,
    )
    seen = calls_of_ours(lambda: asked(lambda: batches[0]))
    assert {"followed", "both"} < set(seen)  # the probe sees them where they are


def test_a_bit_of_everything_learns(batches: Batches) -> None:
    images, labels = batches[0]
    _, losses = trained([(images, labels)] * 40, Recipe(loss=Loss(label_smoothing=0.1), l1=1e-4, gradient_clip=1.0))
    assert losses[-1] < losses[0] / 2
    assert sum(later > before for before, later in pairwise(losses)) < 10
