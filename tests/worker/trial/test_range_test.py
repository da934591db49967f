"""The sweep itself: which rates, which losses, and where it ends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.base.records import Component, TrainSettings, Trial
from bench.worker.common import discover
from bench.worker.common.messages import Rates, Request, TrialOutcome
from bench.worker.trial import trial


class Silent:
    def progress(self, **what: Any) -> None:
        pass


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[..., TrialOutcome]]:
    discover.load_builtin()
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def run(*, lowest: float = 1e-4, highest: float = 1.0, steps: int = 30, **train: Any) -> TrialOutcome:
        data = Component("synthetic", {"train": 320, "test": 50})
        settings = TrainSettings(**{"threads": 1, "epochs": 1, **train})
        asked = Trial(data, Component("linear"), 0, 64, "cpu", settings)
        request = Request(asked, tmp_path, {}, (), None, {}, rates=Rates(lowest, highest, steps))
        return trial.run(request, Silent(), started_ns=0)  # type: ignore[arg-type]

    yield run
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_rates_rise_by_one_factor_over_more_than_an_epoch(optimizer: str, sweep: Callable[..., TrialOutcome]) -> None:
    found = sweep(optimizer=optimizer, highest=1e-2)
    assert found.status == "ok", found.reason
    rates = found.samples["learning_rate"]
    assert len(rates) == len(found.samples["loss"]) == len(found.samples["smoothed_loss"]) == 30
    assert (rates[0], rates[-1]) == (pytest.approx(1e-4), pytest.approx(1e-2))
    factors = [b / a for a, b in itertools.pairwise(rates)]
    assert max(factors) == pytest.approx(min(factors))
    assert found.metrics["diverged"] == 0.0


def test_losses_are_those_of_a_loop_by_hand(sweep: Callable[..., TrialOutcome]) -> None:
    """The rate counts from its own step on: against plain SGD written out, to the last digits of float32."""
    from bench.worker.trial.data import load
    from bench.worker.trial.setup import TrialSetup, engine_and_device

    found = sweep(lowest=0.01, highest=1.0, steps=12)
    asked = Trial(Component("synthetic", {"train": 320, "test": 50}), Component("linear"), 0, 64, "cpu",
                  TrainSettings(threads=1, epochs=1))  # fmt: skip
    engine, device = engine_and_device(asked)
    data = load(Request(asked, Path(), {}, (), None, {}), device)
    model, losses = TrialSetup(asked, engine, device=device, threads=1, sizes=data).build(), []
    batches = [ready.fetch() for _ in range(3) for chunk in data.source.epoch(steps_per_chunk=1) for ready in chunk]
    for step, (images, labels) in enumerate(batches[:12]):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(model.parameters(), gradients, strict=True):
                weight -= 0.01 * 100 ** (step / 11) * gradient
    assert found.samples["loss"] == pytest.approx(losses, rel=1e-5)


def test_it_ends_where_the_loss_diverges(sweep: Callable[..., TrialOutcome]) -> None:
    found = sweep(lowest=1e-3, highest=1e6, steps=60)
    smoothed = found.samples["smoothed_loss"]
    assert found.status == "ok"
    assert found.metrics["diverged"] == 1.0
    assert len(smoothed) < 60
    assert smoothed[-1] > 4 * min(smoothed) or math.isfinite(smoothed[-1])
    assert all(value <= 4 * min(smoothed[: place + 1]) for place, value in enumerate(smoothed[:-1]))


def test_lbfgs_is_refused(sweep: Callable[..., TrialOutcome]) -> None:
    found = sweep(optimizer="lbfgs")
    assert found.status == "failed"
    assert "no learning rate to find" in found.reason


def test_without_rates_a_trial_is_trained(tmp_path: Path) -> None:
    asked = Request.from_json(
        {"trial": Trial(Component("a"), Component("b"), 0, 64, "cpu").to_json(), "data_root": "."}
    )
    assert asked.rates is None
    assert replace(asked, rates=Rates(1, 2, 3)).rates is not None
