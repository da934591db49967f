"""What trained models are called in a diagnosis: every setting that differs between them is in the name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.cells import DOTTED, axis_label, labels_of, value_text
from bench.base.records import Result, Trial

ALWAYS = ("batch_size", "device")  # in each title, whether they differ or not


@dataclass(frozen=True, slots=True)
class Names:
    """Names of trials. `varied`: the settings by which they differ, beside model, data set and seed; `labels`: what
    models are called, by their canonical JSON."""

    varied: tuple[str, ...]
    labels: Mapping[str, str]

    @classmethod
    def of(cls, results: Iterable[Result]) -> "Names":
        """Those of the trials of `results`."""
        trials = [result.trial for result in results]
        varied = tuple(name for name in ("device", *DOTTED) if _differs(name, trials))
        return cls(varied, labels_of(trial.model for trial in trials))

    def title(self, trial: Trial) -> str:
        """`mlp on digits, batch size 64, seed 0, cpu, weight decay 0.01`"""
        others = [name for name in self.varied if name not in ALWAYS]
        where = f"batch size {trial.batch_size}, seed {trial.seed}, {trial.device}"
        return ", ".join([f"{self._model(trial)} on {trial.dataset.label}", where, *_texts(others, trial)])

    def short(self, trial: Trial) -> str:
        """`mlp, weight decay 0.01`: what tells it from the others of a data set."""
        return ", ".join([self._model(trial), *_texts(self.varied, trial)])

    def _model(self, trial: Trial) -> str:
        return self.labels.get(trial.model.canonical, trial.model.label)


def _differs(name: str, trials: Sequence[Trial]) -> bool:
    return len({value_text(trial.setting(name)) for trial in trials}) > 1


def _texts(names: Iterable[str], trial: Trial) -> list[str]:
    return [f"{axis_label(name)} {value_text(trial.setting(name))}" for name in names]
