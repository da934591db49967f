"""One trial, in the order in which things happen. Runs in a process of its own.

    settings → data → [baseline of memory] → model, warm-up → training, an evaluation an epoch → inference → record

What could leak into the next trial (threads, generators, switches of torch) dies with the process.
"""

import time
from collections.abc import Callable
from typing import Any

from torch import nn

from bench.base.metrics import SCORES
from bench.worker.common import checked
from bench.worker.common.failures import Diverged, classify, readable_traceback
from bench.worker.common.inputs import WroteLate
from bench.worker.common.messages import Channel, Metrics, Request, TrialOutcome
from bench.worker.engines.base import Learner
from bench.worker.evaluate.accuracy import Held, evaluate
from bench.worker.evaluate.judge import Evaluation
from bench.worker.measure import clock
from bench.worker.measure.clock import Transfers, seconds_alone
from bench.worker.measure.memory import TreePeak
from bench.worker.train.loaders import Gather, Resident, Source
from bench.worker.train.loop import EpochLog, FitLog
from bench.worker.train.steps import Step
from bench.worker.train.stopping import EarlyStopping
from bench.worker.train.turns import SharedTurns, Turns
from bench.worker.trial import record
from bench.worker.trial.all_seeds import AllSeedsRun
from bench.worker.trial.checkpoints import Checkpoints, Stateful
from bench.worker.trial.data import TrialData, load
from bench.worker.trial.learner_state import Generators, LearnerState
from bench.worker.trial.range_test import RangeTest
from bench.worker.trial.run import TrainingRun, TrialRun, not_finite
from bench.worker.trial.rungs import Rungs


def run(
    request: Request, channel: Channel, *, started_ns: int, measured: Callable[[], object] = lambda: None
) -> TrialOutcome:
    """Runs the trial. Returns its outcome, however it ends.

    `started_ns`: perf_counter_ns then. `measured` is called when nothing will be timed any more.
    """
    outcome = TrialOutcome()
    own: type[TrialRun] = SingleRun if request.trial.search is None else SearchRun
    run_class = AllSeedsRun if request.trial.train.engine == "vectorized" else own
    alone = Turns(timing_seconds=request.trial.measure.timing_seconds)
    turns = SharedTurns(channel, timing_seconds=alone.timing_seconds) if request.mates else alone
    if request.next_is_due:
        measured()  # nothing is, while it is set up: the next one's process may get ready meanwhile
    if request.rates is not None:
        run_class = RangeTest
    try:
        try:
            run_class(request, channel, outcome, measured, turns).go()
        except WroteLate:
            channel.progress(note="trained anew, with a copy of each batch: the model writes into its input")
            outcome = TrialOutcome()
            run_class(request, channel, outcome, measured, alone, copies_input=True).go()
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a model that says sys.exit() has raised, too
        status, reason = classify(error)
        for each in (outcome, *outcome.others):
            if each.status == "ok":  # of trials side by side, one may have diverged before
                each.status, each.reason = status, reason
                each.traceback = readable_traceback(error) if status == "failed" else ""
    for each in (outcome, *outcome.others):
        each.metrics["total_seconds"] = (time.perf_counter_ns() - started_ns - turns.asleep_nanoseconds) / 1e9
    return outcome


class SingleRun(TrainingRun):
    """A trial that has its process for itself."""

    checksums: list[int]  # of the data that evaluations read
    curves: dict[str, list[float | None]]
    held: Metrics  # bytes of gradients and optimizer after the last step
    last: Evaluation | None = None  # of the test set
    learner: Learner | None = None  # the one that trains
    stopping: EarlyStopping | None = None
    reached_seconds: float | None = None
    alone_seconds: float | None = None

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
        curves = {name: checked.numbers_or_none(each) for name, each in checked.mapping(state["curves"]).items()}
        checked.same_length(curves)
        held = {name: checked.number_or_none(value) for name, value in checked.mapping(state["held"]).items()}
        fitted, reached = checked.number(state["fitted_seconds"]), checked.number_or_none(state["reached_seconds"])
        self.curves.clear()
        self.curves.update(curves)
        self.fitted_seconds, self.reached_seconds, self.held = fitted, reached, held

    def run(self) -> None:
        self.curves, self.held = self.outcome.curves, {}
        data = load(self.request, self.device)
        self.checksums = data.checksums()
        self.setup = self.set_up(data)
        full = self.trial.measure.evaluate == "full"
        self.outcome.metrics["flops_per_sample"], self.before = self.setup.warm_library(data.test if full else None)
        noise = self.setup.noise_sources()
        self.outcome.metrics |= self.engine.prepare(self.setup.learner, noise, device=self.device)
        has_workers = self.train.loader == "dataloader" and self.train.num_workers > 0
        self.begin_measuring(tree=TreePeak() if has_workers else None)
        step_seconds = self._warmed_up(noise) if self.trial.measure.warmup_steps else 0.0
        self.learner = learner = self.setup.learner()
        self.note_model(self.outcome, learner.model, seed=self.trial.init_seed)
        if patience := self.train.early_stopping_patience:
            self.stopping = EarlyStopping(learner.model, patience_epochs=patience)
        self.outcome.metrics |= record.size_of(learner.model)
        self.engine.attach(learner, data.source)
        log = self._train(learner, data, step_seconds=step_seconds)
        # Held until here: memory that is freed after the baseline would hide as much of what training takes.
        del noise
        self.outcome.metrics |= self.held
        self._finish(learner.model, data, log)

    def _warmed_up(self, noise: list[Resident]) -> float:
        """Warms up, on an instance that is then dropped. Returns seconds of a step.

        A new one with the same seed has bitwise the same weights, buffers and optimizer. Copying them before and back
        after would show in the memory that is measured.
        """
        learner = self.setup.learner()
        for source in noise:
            self.engine.attach(learner, source)
        step_seconds = self.warm_up(
            learner.step, noise, lambda source: self._evaluation(learner.model, Held.around(source))
        )
        if self.device.can_hold:
            (ready,) = next(noise[0].epoch(steps_per_chunk=1))
            assert isinstance(ready.fetch, Gather)
            fetch = ready.fetch if self.train.loader == "resident" else ready.fetch.loaded()
            self.alone_seconds = seconds_alone(lambda: learner.step(fetch), self.device, step_seconds=step_seconds)
        return step_seconds

    def _train(self, learner: Learner, data: TrialData, *, step_seconds: float) -> FitLog:
        if self.train.loader == "resident":
            per_block = self.steps_per_block(step_seconds)
        else:  # batches wait in memory for their block: no more of them than the clock needs
            per_block = clock.fewest_steps(step_seconds)
            data.source.transfers = Transfers(self.device)

        def on_epoch(entry: EpochLog) -> None:
            self._evaluate(learner, data, entry)
            self.held = record.state_of(learner)
            validation_loss = self.curves["validation_loss"][-1] if data.validation is not None else None
            checkpoints.after_epoch(entry.epoch, validation_loss=validation_loss)

        loop = self.training_loop(learner.step, data.source, steps_per_block=per_block, on_epoch=on_epoch)
        loop.log.alone_seconds = self.alone_seconds
        loop.is_over = self._is_over
        checkpoints = self.checkpoints = self._checkpoints(learner, data.source, loop.log)
        if checkpoints.are_there:  # else no pause, so that it measures as a trial without checkpoints
            self.peaks.pause()
            checkpoints.resume()
            self.peaks.resume()
        self.begin_turns(loop, step_seconds=step_seconds)
        loop.run()
        checkpoints.after_training()
        self.go_on_for_timing(lambda: self._step_of_another(data.source), loop)
        return loop.log

    def _is_over(self) -> bool:
        """Whether training ends before its last epoch."""
        return self.stopping is not None and self.stopping.is_over

    def _step_of_another(self, source: Source) -> Step:
        learner = self.setup.learner()
        self.engine.attach(learner, source)
        return learner.step

    def _checkpoints(self, learner: Learner, source: Source, log: FitLog) -> Checkpoints:
        parts: dict[str, Stateful | None] = {
            "learner": LearnerState(learner, in_place=self.engine.capturable),
            "generators": Generators(self.device, source),
            "log": log,
            "course": self,
            "watch": self.watch,
            "peaks": self.peaks,
            "schedule": learner.schedule,
            "scaler": learner.scaler,
            "stopping": self.stopping,
        }
        there = {name: part for name, part in parts.items() if part is not None}
        return Checkpoints(
            self.request, parts=there, model=learner.model, say=lambda line: self.channel.progress(note=line)
        )

    def _evaluation(self, model: nn.Module, split: Held) -> Evaluation:
        settings, judge = self.trial, self.setup.judge
        return evaluate(model, split, batch_size=settings.batch_size, precision=settings.train.precision, judge=judge)

    def _evaluate(self, learner: Learner, data: TrialData, entry: EpochLog) -> None:
        """After an epoch, outside every timed window. Leaves the generators as they were."""
        splits = {"train": data.probe, "validation": data.validation, "test": data.test}
        found = {name: self._evaluation(learner.model, split) for name, split in splits.items() if split is not None}
        if why := not_finite(found, epoch=entry.epoch):
            raise Diverged(why)
        self.last = found["test"]
        self.add_to_curves(self.curves, found, epoch=entry.epoch, loss=entry.loss, schedule=learner.schedule)
        validation_loss = found["validation"].loss if "validation" in found else None
        learner.schedule.after_epoch(validation_loss=validation_loss)
        if self.stopping is not None and validation_loss is not None:
            self.stopping.after_epoch(entry.epoch, validation_loss=validation_loss)
        if self.reached_seconds is None and self.reaches_target(self.last):
            self.reached_seconds = self.fitted_seconds

    def _finish(self, model: nn.Module, data: TrialData, log: FitLog) -> None:
        """Measures the trained model, and makes the record."""
        if self.stopping is not None:
            self.stopping.restore()
            self.last = self._evaluation(model, data.test)
            self.outcome.metrics |= {"epochs_trained": len(log.epochs), "best_epoch": self.stopping.best_epoch}
        found = self.measure_inference(model, data.test)
        self.outcome.metrics |= record.last_of(self.curves, epoch=self.stopping.best_epoch if self.stopping else 0)
        self.outcome.metrics["time_to_target_seconds"] = self.reached_seconds
        record.fill(self.outcome, trial=self.trial, log=log, found=found, peaks=self.peaks, watch=self.watch)
        if data.checksums() != self.checksums:  # torch does not count every write
            raise WroteLate
        if not self.request.next_is_due:
            self.measured()
        self.outcome.instruments |= self.engine.instruments
        self.checkpoints.mark(self.outcome)
        if self.last is None:  # the process before this one was stopped behind the last epoch
            self.last = self._evaluation(model, data.test)
        record.save(
            self.request,
            self.outcome,
            model=model,
            last=self.last,
            targets=data.test_targets,
            inputs=data.test_inputs,
            before=self.before,
            data=data,
        )


class SearchRun(SingleRun):
    """A training that only serves a search: judged on its validation part after each epoch, given up where it is
    behind. The test set is not looked at, nothing is timed, and no file of arrays is written.

    Metrics: `validation_accuracy` (`validation_r2` of a regression), `validation_loss` and `train_loss` after the last
    epoch, or the best one where early stopping took it; `epochs_trained`; `given_up_epoch`. Samples: `rung_accuracy`.
    """

    rungs: Rungs

    def _is_over(self) -> bool:
        return self.rungs.given_up or super()._is_over()

    def _train(self, learner: Learner, data: TrialData, *, step_seconds: float) -> FitLog:
        assert self.trial.search is not None
        self.rungs = Rungs(self.trial.search, self.train, self.setup.steps_per_epoch)
        return super()._train(learner, data, step_seconds=step_seconds)

    def _evaluate(self, learner: Learner, data: TrialData, entry: EpochLog) -> None:
        assert data.validation is not None  # `prepare` refuses a validation part without a sample
        found = {"validation": self._evaluation(learner.model, data.validation)}
        if why := not_finite(found, epoch=entry.epoch):
            raise Diverged(why)
        self.add_to_curves(self.curves, found, epoch=entry.epoch, loss=entry.loss, schedule=learner.schedule)
        learner.schedule.after_epoch(validation_loss=found["validation"].loss)
        if self.stopping is not None:
            self.stopping.after_epoch(entry.epoch, validation_loss=found["validation"].loss)
        self.rungs.after_epoch(entry.epoch, score=found["validation"].scores[self._score])

    @property
    def _score(self) -> str:
        """What settings are chosen by: the first score of the task."""
        return SCORES[self.setup.judge.task][0]

    def _finish(self, model: nn.Module, data: TrialData, log: FitLog) -> None:
        epoch, given_up = len(log.epochs), self.rungs.given_up
        at = self.stopping.best_epoch if self.stopping is not None and not given_up else epoch
        names = (f"validation_{self._score}", "validation_loss", "train_loss")
        self.outcome.metrics |= {name: self.curves[name][at - 1] for name in names}
        self.outcome.metrics |= {"epochs_trained": epoch, "given_up_epoch": epoch if given_up else None}
        self.outcome.metrics["fit_seconds"] = log.seconds  # what the next ones are expected to take
        self.outcome.samples["rung_accuracy"] = self.rungs.reached
        if data.checksums() != self.checksums:  # torch does not count every write
            raise WroteLate
        if not self.request.next_is_due:
            self.measured()
