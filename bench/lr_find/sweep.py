"""Runs the range tests of `bench lr-find`: one a cell, in the process that a trial would have. Stores nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.analysis.cells import DOTTED, axis_label, hashable, labels_of, value_text
from bench.base.records import Json, Trial
from bench.errors import BenchError
from bench.execute.executors.local import Executor, LocalExecutor
from bench.execute.holder import Holder
from bench.execute.jobs import scratch
from bench.execute.lock import measuring
from bench.execute.prepare import Options, Prepared, find_data_root, prepare, read
from bench.execute.progress import Voice
from bench.execute.signals import signals_raise
from bench.statistics.learning_rate import Suggestion, suggest

LOWEST_STEPS = 10
NOT_OF_A_CELL = frozenset({"train.learning_rate", "train.schedule", "train.epochs", "train.steps", "train.engine"})


@dataclass(frozen=True, slots=True)
class Curve:
    """One range test: its rates, losses and smoothed losses (n,) by step. Before the test its status is empty."""

    name: str  # of its cell, among the others
    trial: Trial
    suite_rates: tuple[float, ...]  # those that the suite trains this cell with
    status: str = ""
    reason: str = ""  # where there are no rates
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
    models, datasets = (labels_of(getattr(trial, part) for trial in trials) for part in ("model", "dataset"))
    names = []
    for trial in trials:
        parts = [models[trial.model.canonical], *([datasets[trial.dataset.canonical]] if several else [])]
        parts += [trial.device] if devices else []
        names.append(" · ".join(parts + [f"{axis_label(name)} {value_text(trial.setting(name))}" for name in shown]))
    return names


@dataclass(frozen=True, slots=True)
class Range:
    """The learning rates to try: `steps` of them, by equal factors. Raises BenchError where they make no sense."""

    lowest: float = 1e-6
    highest: float | None = None  # None: 1; for sgd, whose rates are higher, 100
    steps: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.lowest < self.end("adam") < float("inf"):
            raise BenchError(
                f"--from {self.lowest:g} --to {self.end('adam'):g}: needs two rates above 0, the first below the second"
            )
        if not LOWEST_STEPS <= self.steps <= 100_000:
            raise BenchError(f"--steps {self.steps}: needs {LOWEST_STEPS} to 100000")

    def end(self, optimizer: str) -> float:
        """Returns the last rate for an optimizer."""
        return self.highest if self.highest is not None else 100.0 if optimizer == "sgd" else 1.0


def sweep(options: Options, wanted: Range, *, voice: Voice) -> tuple[Prepared, list[Curve]]:
    """Tests every cell of the suite, under the lock that every run takes. Raises BenchError (a mistake of the user), or
    Stopped."""
    executor, found = LocalExecutor(), []
    with signals_raise():
        prepared = prepare(options, read(options))
        cells = cells_of(prepared.suite.trials())
        _refuse(cells)
        with measuring(executor, voice, holder=Holder("bench lr-find", prepared.suite.name)):
            for number, (name, cell) in enumerate(zip(names_of([trial for trial, _ in cells]), cells, strict=True), 1):
                voice.say(f"[{number}/{len(cells)}] {name}")
                found.append(_swept(executor, prepared, Curve(name, *cell), wanted))
    return prepared, found


def cells_of(trials: Iterator[Trial]) -> list[tuple[Trial, tuple[float, ...]]]:
    """Returns the first seed of every cell, with the rates that the suite trains it with. Cells that differ in nothing
    but learning rate, schedule, length and engine have one curve."""
    found: dict[str, tuple[Trial, list[float]]] = {}
    for trial in trials:
        plain = replace(
            trial.train,
            learning_rate=0.1,
            schedule="none",
            early_stopping_patience=0,
            epochs=10,
            steps=None,
            engine="eager",
            checkpoint_every_epochs=None,
            keep_checkpoints=False,
        )
        swept = replace(trial, train=plain)
        _, rates = found.setdefault(swept.cell_id, (swept, []))
        if trial.train.learning_rate not in rates:
            rates.append(trial.train.learning_rate)
    return [(trial, tuple(rates)) for trial, rates in found.values()]


def _refuse(cells: Sequence[tuple[Trial, tuple[float, ...]]]) -> None:
    if any(trial.train.optimizer == "lbfgs" for trial, _ in cells):
        raise BenchError(
            "lbfgs looks for the length of its own steps, so there is no learning rate to find: "
            "leave it out, as in --set 'train.optimizer=\"sgd\"'"
        )


def _swept(executor: Executor, prepared: Prepared, curve: Curve, wanted: Range) -> Curve:
    """Runs the range test of `curve`; returns the curve with its losses."""
    suite, catalogue, trial = prepared.suite, prepared.catalogue, curve.trial
    device = catalogue.device(trial.device)
    if not device.available:
        return replace(curve, status="skipped", reason=device.reason)
    for kind, name in (("model", trial.model.name), ("dataset", trial.dataset.name)):
        if why := suite.unknown.get(f"{kind}:{name}"):
            return replace(curve, status="failed", reason=why)
    with scratch() as folder:
        request: dict[str, Json] = {
            "trial": trial.to_json(),
            "data_root": str(find_data_root(prepared.options.data_root)),
            "locations": {
                name: suite.locations.get(f"{trial.dataset.canonical}|{name}", "") for name in trial.dataset.files
            },
            "plugins": [spec for spec, told in catalogue.plugins.items() if not told.error],
            "scratch": str(folder),
            **device.needs,
            "rates": {"lowest": wanted.lowest, "highest": wanted.end(trial.train.optimizer), "steps": wanted.steps},
        }
        ending = executor.run(request, timeout_seconds=trial.measure.timeout_seconds, on_progress=lambda what: None)
    said = ending.outcome or {"status": ending.status, "reason": ending.reason}
    samples = said.get("samples", {})
    return replace(
        curve,
        status=said["status"],
        reason=said["reason"],
        rates=tuple(samples.get("learning_rate", ())),
        losses=tuple(samples.get("loss", ())),
        smoothed=tuple(samples.get("smoothed_loss", ())),
        diverged=bool(said.get("metrics", {}).get("diverged")),
    )
