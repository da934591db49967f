"""The interval of a rate from its own blocks: by hand, by its limits, and what it promises, by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.statistics.batch_means import half_widths

Blocks = NDArray[np.float64]
T4 = 2.7764451051977987  # Student's t of 4 degrees of freedom at .975


def half_width(seconds: list[float], amounts: list[float]) -> float:
    (found,) = half_widths(seconds, amounts, counts=[len(seconds)])
    return float(found)


def test_five_blocks_of_the_same_work_by_hand() -> None:
    """Rate 5 / 5.5; e = 1 - R · t; t · √(5/4 · Σ e²) / 5."""
    seconds = [1.0, 1.1, 1.2, 1.3, 0.9]
    squares = sum((1 - 5 / 5.5 * each) ** 2 for each in seconds)
    assert half_width(seconds, [1.0] * 5) == pytest.approx(T4 * math.sqrt(5 / 4 * squares) / 5, rel=1e-12)


def test_neighbours_share_a_batch_and_others_do_not() -> None:
    """Fast and slow by turns average out in each batch; ten fast ones before ten slow ones do not."""
    turns, halves = [1.0, 2.0] * 10, [1.0] * 10 + [2.0] * 10
    assert half_width(turns, [1.0] * 20) == pytest.approx(0, abs=1e-12)
    assert half_width(halves, [1.0] * 20) > 0.3


def test_units_and_the_order_of_rates_do_not_matter() -> None:
    seconds = np.random.default_rng(1).uniform(1, 2, 30)
    amounts = np.arange(1.0, 31.0)
    own = half_width(list(seconds), list(amounts))
    assert half_width(list(seconds * 1e-9), list(amounts * 1e6)) == pytest.approx(own, rel=1e-9)
    both = half_widths([*seconds, 1, 1, 1, 1, 2, *seconds], [*amounts, *[3] * 5, *amounts], counts=[30, 0, 5, 30])
    assert both[[0, 3]] == pytest.approx([own, own], rel=1e-9)
    assert math.isnan(both[1])
    assert both[2] == pytest.approx(half_width([1, 1, 1, 1, 2], [3] * 5), rel=1e-12)


def test_a_rate_of_other_size_does_not_change_its_neighbour() -> None:
    seconds = list(np.random.default_rng(2).uniform(1, 2, 40))
    found = half_widths([*[1e90] * 6, *seconds], [*[1e99] * 6, *[1.0] * 40], counts=[6, 40])
    assert found[1] == pytest.approx(half_width(seconds, [1.0] * 40), rel=1e-9)


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param([], id="none"),
        pytest.param([64], id="one"),
        pytest.param([64] * 4, id="four"),
        pytest.param([100, 1, 100, 1, 100, 1], id="three and what is left of epochs"),
        pytest.param([64] * 4 + [1], id="four and a piece"),
        pytest.param([1, 64, 64, 64, 64], id="a piece and four"),
        pytest.param([1000] + [1] * 50, id="one that is nearly all"),
    ],
)
def test_too_few_blocks_have_none(amounts: list[float]) -> None:
    assert math.isnan(half_width([each / 64 * (1 + 0.01 * at) for at, each in enumerate(amounts)], amounts))


@pytest.mark.parametrize(
    "amounts", [[64] * 5, [70, *[64] * 4], [*[64] * 4, 40], [64] * 6, [64] * 9, [64, 64, 64, 9] * 2, [64, 1] * 5]
)
def test_five_blocks_or_what_makes_five_have_one(amounts: list[float]) -> None:
    assert half_width([each / 64 * (1 + 0.01 * at) for at, each in enumerate(amounts)], amounts) > 0


@pytest.mark.parametrize(("seconds", "amount"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (1.0, -1.0), (math.nan, 1.0)])
def test_what_is_no_block_is_refused(seconds: float, amount: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        half_width([1.0] * 9 + [seconds], [1.0] * 9 + [amount])


def test_nothing_at_all() -> None:
    assert half_widths([], [], counts=[]).shape == (0,)


def independent(draw: np.random.Generator, shape: tuple[int, int]) -> Blocks:
    return 1 + 0.1 * draw.normal(size=shape)


def skewed(draw: np.random.Generator, shape: tuple[int, int]) -> Blocks:
    return np.exp(draw.normal(-0.045, 0.3, size=shape))


def autoregressive(phi: float) -> Callable[[np.random.Generator, tuple[int, int]], Blocks]:
    def blocks(draw: np.random.Generator, shape: tuple[int, int]) -> Blocks:
        noise = draw.normal(size=shape)
        for at in range(1, shape[1]):
            noise[:, at] = phi * noise[:, at - 1] + math.sqrt(1 - phi**2) * noise[:, at]
        return 1 + 0.1 * noise

    return blocks


def modes(share: float) -> Callable[[np.random.Generator, tuple[int, int]], Blocks]:
    """Two speeds, one twice the other; each lasts `share` of the window on average, its length geometric."""

    def blocks(draw: np.random.Generator, shape: tuple[int, int]) -> Blocks:
        turns = draw.random(shape) < 1 / (share * shape[1])
        turns[:, 0] = draw.random(shape[0]) < 0.5
        return np.where(turns.cumsum(axis=1) % 2, 4 / 3, 2 / 3) * (1 + 0.03 * draw.normal(size=shape))

    return blocks


def coverage(blocks: Callable[..., Blocks], count: int, *, rounds: int, work: Blocks | None = None) -> float:
    """The share of windows of `count` blocks whose interval holds the long-run rate: 1, since blocks take 1 on average
    for each piece of `work`."""
    work = np.ones(count) if work is None else work
    seconds = work * blocks(np.random.default_rng(28), (rounds, count))
    halves = half_widths(seconds.ravel(), np.tile(work, rounds), counts=[count] * rounds)
    rates = work.sum() / seconds.sum(axis=1)
    assert len(halves) >= 2000
    return float(np.mean(np.abs(rates - 1) <= halves * rates))


@pytest.mark.parametrize(
    ("blocks", "count"),
    [
        *[pytest.param(independent, count, id=f"independent-{count}") for count in (5, 6, 7, 10, 20, 100, 1000)],
        *[pytest.param(skewed, count, id=f"skewed-{count}") for count in (5, 10, 50)],
        pytest.param(autoregressive(0.3), 20, id="AR .3-20"),
        pytest.param(autoregressive(0.5), 50, id="AR .5-50"),
        *[pytest.param(autoregressive(0.7), count, id=f"AR .7-{count}") for count in (60, 100, 400)],
        pytest.param(autoregressive(0.9), 200, id="AR .9-200"),
        *[pytest.param(modes(1 / 20), count, id=f"modes of a 20th-{count}") for count in (60, 200, 1000)],
        *[pytest.param(modes(1 / 40), count, id=f"modes of a 40th-{count}") for count in (100, 400)],
    ],
)
def test_interval_holds_the_long_run_rate_in_92_to_97_per_cent(
    blocks: Callable[..., Blocks], count: int, rounds: Callable[..., int]
) -> None:
    found = coverage(blocks, count, rounds=rounds(8000, few=2000))
    error = 3 * math.sqrt(0.05 * 0.95 / rounds(8000, few=2000))
    assert 0.92 - error <= found <= 0.97 + error


@pytest.mark.parametrize("epochs", [2, 3, 20])
def test_epochs_that_end_in_a_short_block(epochs: int, rounds: Callable[..., int]) -> None:
    work = np.tile([1, 1, 1, 0.15], epochs)
    found = coverage(independent, len(work), rounds=rounds(8000, few=2000), work=work)
    assert found == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("blocks", "count"), [(modes(0.5), 100), (modes(2.0), 100), (autoregressive(0.7), 10)])
def test_modes_as_long_as_the_window_are_not_in_it(
    blocks: Callable[..., Blocks], count: int, rounds: Callable[..., int]
) -> None:
    """What docs/measurement.md says of them: no trial can know that the machine was slow all along."""
    assert coverage(blocks, count, rounds=rounds(8000, few=2000)) < 0.85
