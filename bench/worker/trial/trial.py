"""One trial, in the order in which things happen. Runs in a process of its own.

    settings → data → [baseline of memory] → model, warm-up → training, an evaluation an epoch → inference → record

Everything that could leak into the trial after it (threads, generators, switches of torch) dies with the process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from torch import nn

from bench.worker.common import checked_values as plain
from bench.worker.common import discover as components
from bench.worker.common import randomness
from bench.worker.common.channel import Channel
from bench.worker.common.failures import Diverged, classify, readable_traceback
from bench.worker.common.messages import Outcome, Request
from bench.worker.engines.base import Learner
from bench.worker.evaluate import inference
from bench.worker.evaluate.accuracy import Evaluation, Held, evaluate
from bench.worker.measure import clock
from bench.worker.measure.memory import Peaks
from bench.worker.measure.split import Transfers, seconds_alone
from bench.worker.measure.tree import TreePeak
from bench.worker.measure.watch import Watch
from bench.worker.train import loaders
from bench.worker.train.loop import MOST_STEPS, EpochLog, FitLog, Loop
from bench.worker.train.stopping import EarlyStopping
from bench.worker.trial import all_seeds as cell
from bench.worker.trial import range_test as lr_find
from bench.worker.trial import record
from bench.worker.trial.checkpoints import Checkpoints, Stateful
from bench.worker.trial.data import TrialData, load
from bench.worker.trial.learner_state import Generators, LearnerState
from bench.worker.trial.setup import SHORT_BATCH_STEPS, Workshop, engine_and_device, set_up, warm_up


def run(
    request: Request, channel: Channel, *, started_ns: int, measured: Callable[[], object] = lambda: None
) -> Outcome:
    """Run the trial and turn every way in which it can end into an outcome.

    `started_ns`: perf_counter_ns then. `measured` is called when nothing is going to be timed any more.
    """
    outcome = Outcome()
    try:
        _kind(request)(request, channel, outcome, measured).go()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a model that says sys.exit() has raised, too
        status, reason = classify(error)
        for each in (outcome, *outcome.others):
            if each.status == "ok":  # of trials side by side, one may have diverged before
                each.status, each.reason = status, reason
                each.traceback = readable_traceback(error) if status == "failed" else ""
    for each in (outcome, *outcome.others):
        each.metrics["total_seconds"] = (time.perf_counter_ns() - started_ns) / 1e9
    return outcome


def _kind(request: Request) -> type[_Run | cell.Run | lr_find.Run]:
    if request.rates is not None:
        return lr_find.Run
    return cell.Run if request.trial.train.engine == "vectorized" else _Run


class _Run:
    """The trial under way."""

    def __init__(self, request: Request, channel: Channel, outcome: Outcome, measured: Callable[[], object]) -> None:
        self.request, self.channel, self.outcome, self.measured = request, channel, outcome, measured
        self.trial, self.train = request.trial, request.trial.train
        self.curves: dict[str, list[float | None]] = outcome.curves
        self.last: Evaluation | None = None
        self.learner: Learner | None = None  # the one that trains
        self.stopping: EarlyStopping | None = None
        self.reached_seconds: float | None = None
        self.fitted_seconds = 0.0
        self.alone_seconds: float | None = None
        self.held: dict[str, float | None] = {}  # bytes of gradients and optimizer after the last step

    def state_dict(self) -> dict[str, Any]:
        """What the epochs so far have brought."""
        return {
            "curves": self.curves,
            "fitted_seconds": self.fitted_seconds,
            "reached_seconds": self.reached_seconds,
            "held": self.held,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on behind it. Raises ValueError, before anything is changed, where it is no such thing."""
        given = plain.mapping(state["curves"])
        curves = {name: [plain.number_or_none(each) for each in plain.items(curve)] for name, curve in given.items()}
        plain.same_length(curves)
        held = {name: plain.number_or_none(value) for name, value in plain.mapping(state["held"]).items()}
        fitted, reached = plain.number(state["fitted_seconds"]), plain.number_or_none(state["reached_seconds"])
        self.curves.clear()
        self.curves.update(curves)
        self.fitted_seconds, self.reached_seconds, self.held = fitted, reached, held

    def go(self) -> None:
        for plugin in self.request.plugins:
            components.load_plugin(plugin)
        self.engine, self.device = engine_and_device(self.trial)
        self.outcome.threads = set_up(self.trial, self.device)
        with self.engine.open(self.request.scratch):
            self._go()

    def _go(self) -> None:
        data = load(self.request, self.device)
        self.shop = Workshop(
            self.trial,
            self.engine,
            device=self.device,
            threads=self.outcome.threads,
            input_shape=data.input_shape,
            num_classes=len(data.class_names),
            train_size=data.train_size,
        )
        full = self.trial.measure.evaluate == "full"
        self.outcome.metrics["flops_per_sample"], self.before = self.shop.warm_library(data.test if full else None)
        rehearsals = self.shop.rehearsals(data.train_size)
        self.outcome.metrics |= self.engine.prepare(self.shop.learner, rehearsals, device=self.device)
        self.watch = Watch.over(self.device, energy=self.trial.measure.energy)
        self.peaks = Peaks(self.device, tree=TreePeak() if self._has_loader_workers() else None)
        self.peaks.start()
        step_seconds = self._warm_up(rehearsals)
        self.learner = learner = self.shop.learner()
        if patience := self.train.early_stopping_patience:
            self.stopping = EarlyStopping(learner.model, patience_epochs=patience)
        self.outcome.metrics |= record.size_of(learner.model)
        self.engine.attach(learner, data.source)
        log = self._fit(learner, data=data, step_seconds=step_seconds)
        # Held until here: memory that is freed after the baseline would hide as much of what training takes.
        del rehearsals
        self.outcome.metrics |= self.held
        self._finish(learner.model, data, log)

    def _has_loader_workers(self) -> bool:
        return self.train.loader == "dataloader" and self.train.num_workers > 0

    def _warm_up(self, rehearsals: list[loaders.Resident]) -> float:
        """The declared steps on synthetic data, through the very loop that trains. Returns seconds of a step.

        On an instance that is then dropped: a new one with the same seed has bitwise the weights, buffers and
        optimizer that it would have had. To copy them before and back after would show in the memory that is measured.
        """
        self.channel.progress(phase="warm-up")
        into = self.outcome.samples["warmup_seconds"] = []
        if not (steps := self.trial.measure.warmup_steps):
            return 0.0
        learner, loops = self.shop.learner(), []
        for source, count in zip(rehearsals, (steps, min(steps, SHORT_BATCH_STEPS)), strict=False):
            held = Held.around(source)
            self.engine.attach(learner, source)

            def on_epoch(entry: EpochLog, held: Held = held) -> None:
                evaluate(learner.model, held, batch_size=self.trial.batch_size, precision=self.train.precision)

            loops.append(self._loop(learner, source, steps=count, steps_per_block=1, on_epoch=on_epoch))
        step_seconds = warm_up(loops, steps=steps, into=into)
        if self.device.can_hold:
            (ready,) = next(rehearsals[0].epoch(steps_per_chunk=1))
            assert isinstance(ready.fetch, loaders.Gather)
            fetch = ready.fetch if self.train.loader == "resident" else ready.fetch.loaded()
            self.alone_seconds = seconds_alone(lambda: learner.step(fetch), self.device, step_seconds=step_seconds)
        return step_seconds

    def _fit(self, learner: Learner, *, data: TrialData, step_seconds: float) -> FitLog:
        randomness.seed_globals(self.trial.seed, randomness.TRAIN)
        if self.train.loader == "resident":
            per_block = clock.steps_per_block(step_seconds, block_seconds=self.device.block_seconds, most=MOST_STEPS)
        else:  # batches wait in memory for their block: no more of them than the clock needs
            per_block = clock.fewest_steps(step_seconds)
            data.source.transfers = Transfers(self.device)
        epochs = self.shop.epochs(data.train_size)

        def on_block(epoch: int, loss: float) -> None:
            self.peaks.observe()
            self.channel.progress(phase="training", epoch=epoch, epochs=epochs, loss=loss)

        def on_epoch(entry: EpochLog) -> None:
            self.peaks.pause()
            self._evaluate(learner, data, entry)
            self.held = record.state_of(learner)
            checkpoints.after_epoch(entry.epoch, validation_loss=self._newest("validation_loss"))
            self.peaks.resume()

        steps = self.train.steps
        loop = self._loop(learner, data.source, steps=steps, steps_per_block=per_block, on_epoch=on_epoch)
        loop.on_block, loop.watch, loop.log.alone_seconds = on_block, self.watch, self.alone_seconds
        if self.stopping is not None:
            loop.is_over = lambda: self.stopping is not None and self.stopping.is_over
        checkpoints = self.checkpoints = self._checkpoints(learner, data.source, loop.log)
        if checkpoints.are_there:  # else no pause: what a trial without them measures stays as it is
            self.peaks.pause()
            checkpoints.resume()
            self.peaks.resume()
        loop.run()
        checkpoints.after_training()
        return loop.log

    def _checkpoints(self, learner: Learner, source: loaders.Source, log: FitLog) -> Checkpoints:
        parts: dict[str, Stateful] = {
            "learner": LearnerState(learner, in_place=self.engine.capturable),
            "generators": Generators(self.device, source),
            "log": log,
            "course": self,
            "watch": self.watch,
            "peaks": self.peaks,
            "schedule": learner.schedule,
        }
        more: dict[str, Stateful | None] = {"scaler": learner.scaler, "stopping": self.stopping}
        parts |= {name: part for name, part in more.items() if part is not None}
        return Checkpoints(
            self.request, parts=parts, model=learner.model, say=lambda line: self.channel.progress(note=line)
        )

    def _newest(self, curve: str) -> float | None:
        """The last value of a curve; None where there is no such curve."""
        return self.curves[curve][-1] if curve in self.curves else None

    def _loop(
        self,
        learner: Learner,
        source: loaders.Source,
        *,
        steps: int | None,
        steps_per_block: int,
        on_epoch: Callable[[EpochLog], None],
    ) -> Loop:
        return Loop(
            step=learner.step,
            source=source,
            device=self.device,
            epochs=self.train.epochs,
            steps=steps,
            steps_per_block=steps_per_block,
            on_epoch=on_epoch,
        )

    def _evaluate(self, learner: Learner, data: TrialData, entry: EpochLog) -> None:
        """After an epoch, outside every timed window. Leaves the generators as they were."""
        self.fitted_seconds += entry.seconds
        row: dict[str, float | None] = {
            "epoch": entry.epoch,
            "train_loss": entry.loss,
            "train_seconds": self.fitted_seconds,
            "learning_rate": learner.schedule.learning_rate,
        }
        for name, split in (("train", data.probe), ("validation", data.validation), ("test", data.test)):
            if split is not None:
                seen = evaluate(learner.model, split, batch_size=self.trial.batch_size, precision=self.train.precision)
                if not math.isfinite(seen.loss):
                    raise Diverged(f"{name} loss is {seen.loss} after epoch {entry.epoch}")
                row |= {f"{name}_accuracy": seen.accuracy} | ({f"{name}_loss": seen.loss} if name != "train" else {})
                self.last = seen
        for name, value in row.items():
            self.curves.setdefault(name, []).append(value)
        validation_loss = row.get("validation_loss")
        learner.schedule.after_epoch(validation_loss=validation_loss)
        if self.stopping is not None and validation_loss is not None:
            self.stopping.after_epoch(entry.epoch, validation_loss=validation_loss)
        target = self.trial.measure.target_accuracy
        if target is not None and self.reached_seconds is None and row["test_accuracy"] is not None:
            self.reached_seconds = self.fitted_seconds if row["test_accuracy"] >= target else None

    def _finish(self, model: nn.Module, data: TrialData, log: FitLog) -> None:
        """What is measured of the trained model, and the record of it all."""
        if self.stopping is not None:
            self.stopping.restore()
            self.last = evaluate(model, data.test, batch_size=self.trial.batch_size, precision=self.train.precision)
            self.outcome.metrics |= {"epochs_trained": len(log.epochs), "best_epoch": self.stopping.best_epoch}
        found = inference.measure(
            model, data.test, batch_size=self.trial.batch_size, device=self.device, precision=self.train.precision
        )
        self.outcome.metrics |= record.last_of(self.curves, epoch=self.stopping.best_epoch if self.stopping else 0) | {
            "time_to_target_seconds": self.reached_seconds
        }
        record.fill(self.outcome, trial=self.trial, log=log, found=found, peaks=self.peaks, watch=self.watch)
        self.measured()
        self.outcome.instruments |= self.engine.instruments
        self.checkpoints.mark(self.outcome)
        if self.last is None:  # the process before this one was stopped behind the last epoch
            self.last = evaluate(model, data.test, batch_size=self.trial.batch_size, precision=self.train.precision)
        labels = data.test.labels.cpu()
        record.save(
            self.request,
            self.outcome,
            model=model,
            last=self.last,
            labels=labels,
            images=data.test_images,
            before=self.before,
            class_names=data.class_names,
        )
