"""Rule 5: a fixed warm-up on synthetic data, stored and not counted, that leaves everything bitwise as it was."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from bench.base.records import Component

NAMES = ("train_samples_per_second", "step_seconds", "end_to_end_samples_per_second", "fit_seconds")
DATA = Component("synthetic", {"train": 1280, "test": 10})


class Takes(nn.Module):
    """Every step takes 4 ms, and the first that it ever takes so much more as it is told."""

    def __init__(self, classes: int, *, first_seconds: float, wait: Callable[[float], None]) -> None:
        super().__init__()
        self.layer, self.first_seconds, self.wait = nn.Linear(64, classes), first_seconds, wait

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and len(x) > 2:
            self.wait(0.004 + self.first_seconds)
            self.first_seconds = 0.0
        return self.layer(x.flatten(1))


def one_that_warms_up(build: Callable[[float], nn.Module], *, extra_seconds: float) -> Callable[..., nn.Module]:
    """A builder whose second instance, the one that warms up, gets `extra_seconds`; the third is the trial's own."""
    built: list[nn.Module] = []

    def make(shape: tuple[int, int, int], classes: int) -> nn.Module:
        built.append(build(extra_seconds if len(built) == 1 else 0.0))
        return built[-1]

    return make


def test_a_second_in_the_warm_up_is_in_no_figure_of_training(run_trial: Any, register: Any, own_clock: Any) -> None:
    """On a clock of our own, to 1 in 10,000: all four figures, whatever else the machine does."""

    def run(name: str, extra_seconds: float) -> Any:
        register(
            name,
            one_that_warms_up(
                lambda first: Takes(10, first_seconds=first, wait=own_clock.pass_by), extra_seconds=extra_seconds
            ),
        )
        return run_trial(name, dataset=DATA)

    slept, awake = run("sleepy", 1.0), run("awake", 0.0)
    assert max(slept.samples["warmup_seconds"]) > 1, "the sleep was somewhere else"
    assert len(slept.samples["warmup_seconds"]) == len(awake.samples["warmup_seconds"]) == 10
    assert awake.metrics["step_seconds"] == pytest.approx(0.004, rel=1e-4), "this clock is not the one that is read"
    for name in NAMES:
        assert slept.metrics[name] == pytest.approx(awake.metrics[name], rel=1e-4), name


def test_a_second_of_sleep_in_the_warm_up_moves_throughput_less_than_1_per_cent(
    run_trial: Any, register: Any, paced_class: Any, several_tries: Callable[..., None]
) -> None:
    """On the real clock: with and without in turns, medians of three each, of steps that end when the clock says so."""

    class Sleepy(paced_class):  # type: ignore[misc, valid-type]
        def __init__(self, first_seconds: float) -> None:
            super().__init__((1, 8, 8), 10, 0.01)
            self.first_seconds = first_seconds

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.training:
                return self.layer(x.flatten(1))
            if len(x) > 2:
                time.sleep(self.first_seconds)
                self.first_seconds = 0.0
            return super().forward(x)

    def run(name: str, extra_seconds: float) -> Any:
        register(name, one_that_warms_up(Sleepy, extra_seconds=extra_seconds))
        outcome = run_trial(name, dataset=DATA)
        assert (max(outcome.samples["warmup_seconds"]) > 1) == bool(extra_seconds)
        return outcome

    tries = itertools.count()

    def hardly_moved() -> bool:
        attempt = next(tries)
        pairs = [(run(f"sleepy-{attempt}-{i}", 1.0), run(f"awake-{attempt}-{i}", 0.0)) for i in range(3)]
        for name in NAMES:
            slept, awake = (statistics.median(each.metrics[name] for each in side) for side in zip(*pairs, strict=True))
            if abs(slept / awake - 1) >= 0.01:
                return False
        return True

    several_tries(hardly_moved)


def noisy(input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Batch norm and dropout: a model with buffers, which draws from the global generator as it trains."""
    c, h, w = input_shape
    hidden = nn.Sequential(nn.Linear(c * h * w, 16), nn.BatchNorm1d(16), nn.Dropout())
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(16, num_classes))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_warm_up_and_counting_leave_weights_buffers_optimizer_and_generators_bitwise(
    run_trial: Any, register: Any, tmp_path: Path, optimizer: str
) -> None:
    register("noisy", noisy)

    def trained(steps: int) -> dict[str, Any]:
        path = tmp_path / f"{steps}.h5"
        train = {"optimizer": optimizer, "learning_rate": 0.01}
        run_trial("noisy", train=train, measure={"warmup_steps": steps}, artifact=path)
        with h5py.File(path) as file:
            return {name: file["weights"][name][()] for name in file["weights"]}

    cold, warm = trained(0), trained(50)
    assert cold.keys() == warm.keys() >= {"2.running_mean", "2.num_batches_tracked"}
    assert all(np.array_equal(cold[name], warm[name]) for name in cold)
    assert int(cold["2.num_batches_tracked"]) == 10  # 2 epochs of 5 steps, and not one more


def test_the_data_of_the_warm_up_is_not_that_of_the_trial(run_trial: Any, register: Any) -> None:
    seen: list[list[torch.Tensor]] = []

    def watching(shape: tuple[int, int, int], classes: int) -> nn.Module:
        mine: list[torch.Tensor] = []
        seen.append(mine)
        layer = nn.Linear(64, classes)

        def note(module: nn.Module, given: tuple[torch.Tensor]) -> None:
            if module.training:
                mine.extend(given[0].detach().clone())

        layer.register_forward_pre_hook(note)
        return nn.Sequential(nn.Flatten(), layer)

    register("watching", watching)
    run_trial("watching", train={"epochs": 1})
    thrown_away, warming, real = (torch.stack(each) for each in seen)
    assert warming.shape[1] == real.shape[1]
    for noise in (thrown_away, warming):
        assert not (noise[:, None] == real[None]).all(-1).any()
