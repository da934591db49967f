"""Rule 12: a verdict on stability stands beside the figure. A mean hides two modes."""

from __future__ import annotations

from typing import Any

from bench.base.records import Component
from bench.worker.measure.validity import unstable


def test_two_modes_are_flagged_and_one_is_not() -> None:
    one = [1.0, 1.01, 0.99, 1.02, 0.98] * 4
    assert unstable(one) == ""
    assert unstable([*one, *(2 * each for each in one)]).startswith("unstable: the middle half")
    assert unstable([*one * 3, 3.0]).startswith("unstable: sd")  # the quartiles do not see one in sixty


def test_at_10_per_cent_the_verdict_falls() -> None:
    def two_modes(apart: float) -> list[float]:
        return [1 - apart / 2] * 10 + [1 + apart / 2] * 10

    assert unstable(two_modes(0.09)) == ""
    assert unstable(two_modes(0.11))


def test_a_trial_with_two_modes_is_flagged_and_with_one_it_is_not(
    run_trial: Any, paced: Any, paced_class: Any, several_tries: Any
) -> None:
    class TwoModes(paced_class):  # type: ignore[misc, valid-type]
        """Half of its epochs take three times as long."""

        calls = 0

        def end(self, seconds: float, started: float) -> None:
            if self.training:
                self.calls += 1
                super().end(3 * seconds if self.calls > 60 else seconds, started)

    bimodal, steady = paced(TwoModes, milliseconds=4, name="bimodal"), paced(milliseconds=4, name="steady")
    asked: dict[str, Any] = {"dataset": Component("synthetic", {"train": 1280, "test": 10}), "train": {"epochs": 6}}

    def unstable_notes(model: Component) -> list[str]:
        outcome = run_trial(model, **asked)
        return [note for note in outcome.validity_notes if note.startswith("unstable")]

    assert unstable_notes(bimodal)
    several_tries(lambda: not unstable_notes(steady))
