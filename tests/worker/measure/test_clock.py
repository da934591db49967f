"""Blocks: long enough for the clock, and weighted by time."""

from __future__ import annotations

import pytest

from bench.worker.measure import clock


def test_a_block_is_as_long_as_asked_for_within_its_limits() -> None:
    assert clock.steps_per_block(0.001, block_seconds=0.02, most=100) == 20
    assert clock.steps_per_block(0.00001, block_seconds=0.02, most=100) == 100
    assert clock.steps_per_block(1.0, block_seconds=0.02, most=100) == 1
    assert clock.steps_per_block(0.0, block_seconds=0.02, most=7) == 7


@pytest.mark.parametrize("step", [1e-5, 1e-4, 3e-4, 1e-2])
def test_the_fewest_steps_keep_the_clock_below_its_share(step: float) -> None:
    steps = clock.fewest_steps(step)
    assert clock.CLOCK_SHARE * step * steps * (1 + 1e-9) >= clock.CLOCK_COST_SECONDS
    assert steps == 1 or clock.CLOCK_SHARE * step * (steps - 1) < clock.CLOCK_COST_SECONDS


def test_throughput_is_all_samples_over_all_time() -> None:
    blocks = clock.Blocks()
    blocks.add(nanoseconds=1_000_000_000, steps=10, samples=640)
    blocks.add(nanoseconds=3_000_000_000, steps=10, samples=560)
    assert blocks.samples_per_second == 1200 / 4
    assert blocks.median_step_seconds(64) == 0.1  # the only block of full batches
    assert blocks.median_step_seconds(60) == 0.2


def test_the_median_step_is_of_full_batches() -> None:
    """An epoch of two full blocks and a short one."""
    blocks = clock.Blocks()
    for _ in range(4):
        for seconds, steps, samples in ((1.0, 10, 640), (1.0, 10, 640), (0.1, 1, 29)):
            blocks.add(nanoseconds=int(seconds * 1e9), steps=steps, samples=samples)
    assert blocks.median_step_seconds(64) == 0.1
