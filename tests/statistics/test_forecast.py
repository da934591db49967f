"""Fixed and growing costs are told apart, and intervals of what trials will take hold what they took."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.statistics.forecast import PRIOR_FREEDOM, PRIOR_SD, Forecast, Noise, forecast, noise_of, total

QUIET = Noise(0.01, 30)


def test_two_lengths_tell_the_cost_of_a_trial_from_that_of_an_epoch() -> None:
    """3 s once, 2 s of training and 0.5 s of evaluation an epoch."""
    epochs = [1, 2]
    seconds, fit = [3 + 2.5 * e for e in epochs], [2.0 * e for e in epochs]
    found = forecast(epochs, seconds, fit_seconds=fit, at=10, noise=QUIET)
    assert found.seconds == pytest.approx(28)
    assert 0 < found.error_seconds < 1


def test_the_longer_the_way_the_less_is_known() -> None:
    epochs, seconds, fit = [1, 2], [5.5, 8.0], [2.0, 4.0]
    errors = [forecast(epochs, seconds, fit_seconds=fit, at=at, noise=QUIET).error_seconds for at in (3, 10, 100)]
    assert errors == sorted(errors)
    assert errors[2] > 10 * errors[0]


def test_trials_of_the_very_length_are_taken_as_they_are() -> None:
    found = forecast([4, 4, 4, 4], [9.0, 10.0, 11.0, 10.0], fit_seconds=[1.0] * 4, at=4, noise=Noise(0.1, 9))
    assert found == Forecast(10.0, 10.0 * 0.1 / 2)


def test_one_length_tells_what_trains_and_leaves_open_what_else_grows() -> None:
    """1 epoch of 2 s in a trial of 5 s: ten take between 2·10 + 3 and 10·5 seconds."""
    found = forecast([1], [5.0], fit_seconds=[2.0], at=10, noise=QUIET)
    assert 23 < found.seconds < 50
    assert found.error_seconds > 27 / math.sqrt(12)  # of a uniform distribution between the two


def test_evaluation_that_seems_to_give_time_back_costs_nothing() -> None:
    found = forecast([1, 2], [4.0, 5.0], fit_seconds=[1.0, 2.5], at=20, noise=QUIET)
    assert found.seconds == pytest.approx(20 * math.sqrt(1.0 * 1.25) + 2.75, rel=0.1)


def test_noise_is_moderated_by_what_was_taken_for_it_before() -> None:
    assert noise_of([]) == Noise(PRIOR_SD, PRIOR_FREEDOM)
    alike = noise_of([[5.0, 5.0]])
    assert PRIOR_SD / 2 < alike.log_sd < PRIOR_SD
    draw = np.random.default_rng(1)
    many = noise_of([np.exp(draw.normal(0, 0.03, 50)) for _ in range(20)])
    assert many.log_sd == pytest.approx(0.03, rel=0.1)
    assert many.freedom == PRIOR_FREEDOM + 20 * 49


@pytest.mark.parametrize("bad", [[], [0.0], [-1.0], [math.nan]])
def test_what_is_no_time_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="positive|at least one number|finite"):
        noise_of([bad])
    with pytest.raises(ValueError, match="positive|at least one number|finite"):
        forecast([1.0] * len(bad) or [1.0], bad, fit_seconds=[1.0] * len(bad) or [1.0], at=2, noise=QUIET)


def test_nothing_to_run_takes_no_time() -> None:
    assert total([], noise=QUIET).high == 0


@pytest.mark.parametrize("sd", [0.03, 0.1, 0.2])
def test_the_interval_of_a_run_holds_what_it_took(sd: float) -> None:
    """A pilot of three kinds, 1 and 2 epochs each; then five trials of 8 epochs of every kind. 95 % of 600 runs."""
    draw, kinds, held = np.random.default_rng(2), [(1.0, 0.2, 0.1), (1.0, 1.0, 0.2), (2.0, 6.0, 0.5)], 0
    runs = 600

    def trial(kind: tuple[float, float, float], epochs: int) -> tuple[float, float]:
        fixed, step, evaluation = kind
        fit = epochs * step * math.exp(draw.normal(0, sd))
        return fit + (fixed + epochs * evaluation) * math.exp(draw.normal(0, sd)), fit

    for _ in range(runs):
        pilots = [[trial(kind, epochs) for epochs in (1, 2, 1, 2)] for kind in kinds]
        noise = noise_of([[pilot[i][0] for i in (at, at + 2)] for pilot in pilots for at in (0, 1)])
        parts = []
        for pilot in pilots:
            whole, fit = zip(*pilot, strict=True)
            parts.append((forecast([1, 2, 1, 2], whole, fit_seconds=fit, at=8, noise=noise), 5))
        span = total(parts, noise=noise)
        took = sum(trial(kind, 8)[0] for kind in kinds for _ in range(5))
        held += span.low <= took <= span.high
    assert held / runs >= 0.93
