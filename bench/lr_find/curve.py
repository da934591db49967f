"""The record of one learning-rate range test, and the names of the cells."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.analysis.cells import DOTTED, axis_label, hashable, value_text
from bench.base.records import Trial
from bench.statistics.learning_rate import Suggestion, suggest

NOT_OF_A_CELL = frozenset({"train.learning_rate", "train.schedule", "train.epochs", "train.steps", "train.engine"})


@dataclass(frozen=True, slots=True)
class Curve:
    """One range test: rates, losses and smoothed losses (n,), step by step; `reason` where there are none. Before the
    test its status is empty."""

    name: str  # of its cell, among the others
    trial: Trial
    suite_rates: tuple[float, ...]  # those that the suite trains this cell with
    status: str = ""
    reason: str = ""
    rates: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    smoothed: tuple[float, ...] = ()
    diverged: bool = False

    @property
    def suggestion(self) -> Suggestion | None:
        return suggest(self.rates, self.smoothed, ended=not self.diverged)

    @property
    def ended(self) -> str:
        """Where the test ended: `at 100`, `diverged at 0.98`; empty where there is no curve."""
        return f"{'diverged at' if self.diverged else 'at'} {self.rates[-1]:.2g}" if self.rates else ""

    @property
    def why_no_start(self) -> str:
        """Why there is no rate to start from; empty where there is one."""
        if self.status != "ok":
            return f"{self.status}: {self.reason}"
        if self.suggestion:
            return ""
        if not self.rates:
            return "no step was taken"
        return self.ended if self.diverged else f"{self.ended}, still falling: raise --to"


def names_of(trials: Sequence[Trial]) -> list[str]:
    """Returns a name for each cell, given its trial: its model, and what else differs between the cells."""
    settings = [name for name in DOTTED if name not in NOT_OF_A_CELL]
    shown = [name for name in settings if len({hashable(trial.setting(name)) for trial in trials}) > 1]
    several = len({trial.dataset.canonical for trial in trials}) > 1
    devices = len({trial.device for trial in trials}) > 1
    names = []
    for trial in trials:
        parts = [trial.model.label, *([trial.dataset.label] if several else []), *([trial.device] if devices else [])]
        names.append(" · ".join(parts + [f"{axis_label(name)} {value_text(trial.setting(name))}" for name in shown]))
    return names
