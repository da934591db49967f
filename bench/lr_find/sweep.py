"""Runs the range tests of `bench lr-find`: one a cell, in the process that a trial would have. Stores nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bench.base.records import Json, Trial
from bench.errors import BenchError
from bench.execute.executors.local import Executor, LocalExecutor
from bench.execute.jobs import scratch
from bench.execute.lock import measuring
from bench.execute.prepare import Options, Prepared, find_data_root, prepare, read
from bench.execute.progress import Voice
from bench.execute.signals import signals_raise
from bench.lr_find.curve import Curve, names_of

LOWEST_STEPS = 10


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
        with measuring(executor, voice):
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
    device = catalogue.devices[trial.device]
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
