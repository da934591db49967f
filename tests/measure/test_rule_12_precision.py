"""Rule 12: a timing carries its own precision, and how jumpy single blocks are is no verdict."""

from __future__ import annotations

from typing import Any

import pytest

from bench.base.records import Component
from bench.statistics.batch_means import half_widths
from bench.worker.evaluate import inference


def test_two_modes_widen_the_interval_and_no_note_speaks_of_them(
    run_trial: Any, paced: Any, paced_class: Any, several_tries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "BUDGET_SECONDS", 0.01)  # it is about training

    class TwoModes(paced_class):  # type: ignore[misc, valid-type]
        """Half of its epochs take three times as long."""

        calls = 0

        def end(self, seconds: float, started: float) -> None:
            if self.training:
                self.calls += 1
                super().end(3 * seconds if self.calls > 60 else seconds, started)

    bimodal, steady = paced(TwoModes, milliseconds=4, name="bimodal"), paced(milliseconds=4, name="steady")
    asked: dict[str, Any] = {"dataset": Component("synthetic", {"train": 1280, "test": 10}), "train": {"epochs": 6}}

    def half_width(model: Component) -> float:
        outcome = run_trial(model, **asked)
        assert not [note for note in outcome.validity_notes if note.startswith(("unstable", "few samples"))]
        seconds, samples = outcome.samples["block_seconds"], outcome.samples["block_samples"]
        return float(half_widths(seconds, samples, counts=[len(seconds)])[0])

    assert half_width(bimodal) > 0.2
    several_tries(lambda: half_width(steady) < 0.05)
