"""Ratios of trials that took turns: by hand, by their limits, and what they promise on a machine that is not quiet."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.intervals import Ratio, log_ratio
from bench.statistics.paired_ratios import Rounds, log_ratios, paired_ratio, rounds_of

Logs = NDArray[np.float64]


def rounds(*logs: float) -> Logs:
    return np.array(logs)


def test_speed_of_a_round_is_all_its_blocks_together() -> None:
    found = rounds_of([1.0, 3.0, 0.5, 2.0], [10.0, 20.0, 10.0, 30.0], [4.0, 4.0, 0.0, 7.0])
    assert found.numbers.tolist() == [0, 4, 7]
    assert np.exp(found.logs) == pytest.approx([20.0, 7.5, 15.0])


def test_only_rounds_of_both_are_in_it() -> None:
    a, b = Rounds(np.array([0.0, 1, 2, 5]), np.log([1.0, 2, 4, 8])), Rounds(np.array([1.0, 2, 3]), np.log([1.0, 1, 1]))
    assert np.exp(log_ratios(a, b)) == pytest.approx([2, 4])
    assert len(log_ratios(a, rounds_of([], [], []))) == 0


@pytest.mark.parametrize(
    ("seconds", "amounts", "numbers"),
    [([1.0], [1.0, 2.0], [0.0]), ([1.0], [1.0], []), ([0.0], [1.0], [0.0]), ([1.0], [-1.0], [0.0]),
     ([math.nan], [1.0], [0.0]), ([1.0], [1.0], [math.nan])],
)  # fmt: skip
def test_what_is_no_block_is_refused(seconds: list[float], amounts: list[float], numbers: list[float]) -> None:
    with pytest.raises(ValueError, match="block"):
        rounds_of(seconds, amounts, numbers)


def test_over_seeds_by_hand() -> None:
    """A seed counts once, however many rounds it has."""
    seeds = [rounds(0.1, 0.2, 0.3), rounds(*[0.25] * 40), rounds(0.4, 0.2, 0.0, 0.6)]
    found = paired_ratio(seeds)
    means = [0.2, 0.25, 0.3]
    reference = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert found == Ratio(
        pytest.approx(math.exp(0.25)),
        pytest.approx(math.exp(reference.low)),
        pytest.approx(math.exp(reference.high)),
        3,
        "seeds",
    )


def test_of_one_seed_by_hand() -> None:
    """Three batches of two rounds each: t(2) · √(3/2 · Σ e²) / 6."""
    found = paired_ratio([rounds(0.1, 0.3, 0.2, 0.2, 0.0, 0.1)])
    sums = [0.4 - 0.3, 0.4 - 0.3, 0.1 - 0.3]
    half = stats.t.ppf(0.975, 2) * math.sqrt(1.5 * sum(each**2 for each in sums)) / 6
    assert found is not None
    assert (found.n, found.over) == (6, "rounds")
    assert found.ratio == pytest.approx(math.exp(0.15))
    assert (found.low, found.high) == (pytest.approx(math.exp(0.15 - half)), pytest.approx(math.exp(0.15 + half)))


@pytest.mark.parametrize(
    ("seeds", "over", "excludes"),
    [
        pytest.param([], None, False, id="none"),
        pytest.param([rounds()], None, False, id="no common round"),
        pytest.param([rounds(0.5, 0.51)], None, False, id="two rounds of one seed"),
        pytest.param([rounds(0.5, 0.51)] * 5, None, False, id="two rounds of five"),
        pytest.param([rounds(0.5, 0.51, 0.52)], "rounds", True, id="three rounds"),
        pytest.param([rounds(*[0.5] * 5)], "rounds", False, id="five rounds without spread"),
        pytest.param([rounds(*[0.5] * 6)], "rounds", True, id="six rounds without spread"),
        pytest.param([rounds(0.5, 0.51, 0.52), rounds(0.5, 0.51)], "rounds", True, id="one seed is left"),
        pytest.param([rounds(0.5, 0.5, 0.5), rounds(0.50001, 0.5, 0.5)], "seeds", False, id="two seeds"),
        pytest.param([rounds(0.5, 0.5, 0.5)] * 2, "seeds", False, id="two seeds without spread"),
        pytest.param([rounds(0.5, 0.5, 0.5)] * 5, "seeds", False, id="five seeds without spread"),
        pytest.param([rounds(0.5, 0.5, 0.5)] * 6, "seeds", True, id="six seeds without spread"),
        pytest.param([rounds(0.5, 0.5, 0.5), rounds(0.4, 0.5, 0.5), rounds(0.5)], "seeds", False, id="two of three"),
        pytest.param([rounds(0.5, 0.5, 0.5 + each / 100) for each in range(3)], "seeds", True, id="three seeds"),
        pytest.param([rounds(0.0, 0.0, 0.0)] * 6, "seeds", False, id="no difference"),
    ],
)
def test_few_pairs_decide_nothing(seeds: list[Logs], over: str | None, excludes: bool) -> None:
    found = paired_ratio(seeds)
    assert (found and found.over) == over
    assert (found is not None and found.excludes(1)) == excludes


def test_turned_round_it_is_the_inverse() -> None:
    draw = np.random.default_rng(3)
    seeds = [draw.normal(0.1, 0.05, 12) for _ in range(4)]
    for chosen in (seeds, seeds[:1]):
        there, back = paired_ratio(chosen), paired_ratio([-each for each in chosen])
        assert there is not None
        assert back is not None
        assert back.low is not None
        assert back.high is not None
        assert (there.ratio, there.low, there.high) == pytest.approx((1 / back.ratio, 1 / back.high, 1 / back.low))


# The machine's slowness (logarithm) in each turn: cases, seeds, rounds, and the two turns of a round.
Shape = tuple[int, int, int, int]
Machine = Callable[[np.random.Generator, Shape], Logs]


def quiet(draw: np.random.Generator, shape: Shape) -> Logs:
    return np.zeros(shape)


def drift(draw: np.random.Generator, shape: Shape) -> Logs:
    """A fifth slower in the end than at the beginning."""
    return np.broadcast_to(np.linspace(0, math.log(1.2), math.prod(shape[1:])).reshape(shape[1:]), shape)


def modes(windows: float) -> Machine:
    """Two speeds, one twice the other; each lasts as long as the training of so many seeds on average."""

    def machine(draw: np.random.Generator, shape: Shape) -> Logs:
        flat = (shape[0], math.prod(shape[1:]))
        turns = draw.random(flat) < 1 / (windows * shape[2] * 2)
        turns[:, 0] = draw.random(shape[0]) < 0.5
        return (turns.cumsum(axis=1) % 2 * math.log(2)).reshape(shape)

    return machine


def own_noise(draw: np.random.Generator, shape: Shape, correlation: float, *, processes: float = 0.02) -> Logs:
    """Of the two trials themselves: 5 % from round to round, each like the one before, and some between processes."""
    noise = draw.normal(size=shape)
    for at in range(1, shape[2]):
        noise[:, :, at] = correlation * noise[:, :, at - 1] + math.sqrt(1 - correlation**2) * noise[:, :, at]
    return 0.05 * noise + processes * draw.normal(size=(*shape[:2], 1, shape[3]))


def stalls(draw: np.random.Generator, shape: Shape) -> Logs:
    """One turn in fifty takes five times as long."""
    return np.where(draw.random(shape) < 0.02, math.log(5), 0.0)


def share_that_holds_1(found: list[Ratio | None]) -> float:
    ends = [(each.low or 0, each.high or 0) for each in found if each is not None]
    assert len(ends) == len(found) >= 500
    return float(np.mean([low <= 1 <= high for low, high in ends]))


def allowed(share: float, count: int) -> bool:
    """92 to 98 %, and what chance adds in so few cases."""
    error = 2 * math.sqrt(0.05 * 0.95 / count)
    return 0.92 - error <= share <= 0.98 + error


@pytest.mark.parametrize(
    ("machine", "correlation", "seeds"),
    [
        *[
            pytest.param(modes(1.5), 0.7, seeds, id=f"modes of 1.5 windows, AR .7, {seeds} seeds")
            for seeds in (3, 5, 10)
        ],
        *[pytest.param(drift, correlation, 5, id=f"drift, AR {correlation}") for correlation in (0.0, 0.7)],
        *[pytest.param(modes(windows), 0.0, 5, id=f"modes of {windows} windows") for windows in (0.2, 1.5, 5.0)],
        pytest.param(quiet, 0.0, 5, id="quiet"),
    ],
)
def test_a_against_a_holds_1_over_seeds(
    machine: Machine, correlation: float, seeds: int, rounds: Callable[..., int]
) -> None:
    draw, shape = np.random.default_rng(31), (rounds(8000, few=500), seeds, 12, 2)
    logs = machine(draw, shape) + own_noise(draw, shape, correlation)
    found = [paired_ratio(list(each)) for each in logs[..., 1] - logs[..., 0]]
    assert allowed(share_that_holds_1(found), shape[0])


def test_stalls_are_in_it(rounds: Callable[..., int]) -> None:
    draw, shape = np.random.default_rng(32), (rounds(8000, few=500), 5, 15, 2)
    logs = modes(1.5)(draw, shape) + own_noise(draw, shape, 0.0) + stalls(draw, shape)
    assert allowed(share_that_holds_1([paired_ratio(list(each)) for each in logs[..., 1] - logs[..., 0]]), shape[0])


def test_a_mean_of_logarithms_scatters_less_than_a_ratio_of_sums(rounds: Callable[..., int]) -> None:
    """Where turns stall; and where one does three times the work in some rounds and the machine has two speeds."""
    draw, shape = np.random.default_rng(37), (rounds(8000, few=500), 1, 20, 2)
    work = np.ones(shape[2:])
    more = np.where(np.arange(20)[:, None] < 10, [[3.0, 1.0]], work)
    noise = own_noise(draw, shape, 0.0, processes=0)
    for logs, amounts in ((noise + stalls(draw, shape), work), (noise + modes(1.5)(draw, shape), more)):
        seconds = np.exp(logs) * amounts
        sums = np.log(amounts.sum(axis=0) / seconds.sum(axis=2)) @ [1, -1]
        means = [math.log(found.ratio) for each in logs[:, 0] if (found := paired_ratio([each @ [-1, 1]]))]
        assert np.std(means) < 0.65 * np.std(sums)


def correlated(phi: float) -> Callable[[np.random.Generator, int, int], Logs]:
    return lambda draw, cases, count: own_noise(draw, (cases, 1, count, 1), phi, processes=0)[:, 0, :, 0]


def two_levels(share: float) -> Callable[[np.random.Generator, int, int], Logs]:
    """What slows one of the two down by 30 % more than the other, for `share` of the window on average."""

    def noise(draw: np.random.Generator, cases: int, count: int) -> Logs:
        turns = draw.random((cases, count)) < 1 / (share * count)
        turns[:, 0] = draw.random(cases) < 0.5
        levels = (turns.cumsum(axis=1) % 2 - 0.5) * math.log(1.3)
        return levels + 0.03 * draw.normal(size=(cases, count))

    return noise


@pytest.mark.parametrize(
    ("noise", "count"),
    [
        *[pytest.param(correlated(0.0), count, id=f"independent-{count}") for count in (3, 4, 6, 10, 30, 100)],
        *[pytest.param(correlated(0.3), count, id=f"AR .3-{count}") for count in (6, 12, 100)],
        *[pytest.param(correlated(0.5), count, id=f"AR .5-{count}") for count in (12, 30, 100)],
        *[pytest.param(correlated(0.7), count, id=f"AR .7-{count}") for count in (30, 100)],
        *[pytest.param(two_levels(1 / 20), count, id=f"modes of a 20th-{count}") for count in (50, 200)],
        pytest.param(two_levels(1 / 10), 30, id="modes of a 10th-30"),
    ],
)
def test_a_against_a_holds_1_over_rounds_of_one_seed(
    noise: Callable[..., Logs], count: int, rounds: Callable[..., int]
) -> None:
    cases = rounds(8000, few=500)
    logs = noise(np.random.default_rng(33), cases, count)
    assert allowed(share_that_holds_1([paired_ratio([each]) for each in logs]), cases)


def test_what_differs_between_processes_no_single_seed_can_see(rounds: Callable[..., int]) -> None:
    """It is there in every round: what docs/measurement.md says of one seed."""
    draw, shape = np.random.default_rng(36), (rounds(8000, few=500), 1, 50, 2)
    logs = own_noise(draw, shape, 0.0)[:, 0]
    assert share_that_holds_1([paired_ratio([each]) for each in logs[..., 1] - logs[..., 0]]) < 0.7


def test_by_turns_the_interval_has_a_third_of_the_width(rounds: Callable[..., int]) -> None:
    """Modes as long as two trials, 5 seeds: the same work one after the other, and by turns."""
    draw, shape = np.random.default_rng(34), (rounds(8000, few=500), 5, 15, 2)
    machine, own = modes(1.0)(draw, shape), own_noise(draw, shape, 0.0)
    by_turns = [paired_ratio(list(each)) for each in np.diff(machine + own, axis=-1)[..., 0]]
    # One after the other: the first half of a seed's time is the one trial's, the second half the other's.
    halves = machine.reshape(*shape[:2], 2, shape[2]).swapaxes(2, 3) + own
    speeds = 1 / np.exp(halves).mean(axis=2)
    welch = [log_ratio(each[:, 1], each[:, 0]) for each in speeds]
    widths = [np.median([math.log((r.high or 1) / (r.low or 1)) for r in kind if r]) for kind in (by_turns, welch)]
    assert widths[0] < widths[1] / 3


def test_a_tenth_is_found(rounds: Callable[..., int]) -> None:
    draw, shape = np.random.default_rng(35), (rounds(4000, few=500), 5, 15, 2)
    logs = modes(1.5)(draw, shape) + own_noise(draw, shape, 0.5)
    found = [paired_ratio(list(each + math.log(1.1))) for each in logs[..., 1] - logs[..., 0]]
    assert np.mean([each is not None and each.excludes(1) for each in found]) > 0.8
