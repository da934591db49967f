"""What a trial, all seeds together and a range test share: the order of events in a trial's process."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from torch import nn

from bench.base.metrics import BUILT_IN, SCORES
from bench.errors import one_line
from bench.worker.common import randomness
from bench.worker.common.discover import load_plugin
from bench.worker.common.failures import Diverged, first_line
from bench.worker.common.messages import Channel, Metrics, Request, TrialOutcome
from bench.worker.evaluate import inference
from bench.worker.evaluate.accuracy import Held
from bench.worker.evaluate.judge import Evaluation, metric_of
from bench.worker.measure import clock
from bench.worker.measure.memory import Peaks, TreePeak
from bench.worker.measure.watch import Watch
from bench.worker.train.loaders import Source
from bench.worker.train.loop import MOST_STEPS, EpochLog, Loop, Tally
from bench.worker.train.schedules import Schedule
from bench.worker.train.steps import Step
from bench.worker.train.timing_only import TimingOnly
from bench.worker.train.turns import Turns
from bench.worker.trial.data import Sizes
from bench.worker.trial.learner_state import Generators
from bench.worker.trial.notes import not_trained
from bench.worker.trial.setup import TrialSetup, configure_torch, engine_and_device

SHORT_BATCH_STEPS = 2

S = TypeVar("S", bound=Source)


class TrialRun(ABC):
    """A request under way. `go` fills the outcome; what it raises is what became of the trial."""

    def __init__(
        self,
        request: Request,
        channel: Channel,
        outcome: TrialOutcome,
        measured: Callable[[], object],
        turns: Turns,
        *,
        copies_input: bool = False,  # whether the model is known to write into its batch
    ) -> None:
        self.request, self.channel, self.outcome, self.measured = request, channel, outcome, measured
        self.turns, self.copies_input = turns, copies_input
        self.trial, self.train = request.trial, request.trial.train

    def go(self) -> None:
        for plugin in self.request.plugins:
            load_plugin(plugin)
        self.engine, self.device = engine_and_device(self.trial)
        self.outcome.threads = configure_torch(self.trial, self.device)
        with self.engine.open(self.request.scratch):
            self.run()

    @abstractmethod
    def run(self) -> None:
        """All that comes once engine and device are there."""

    def set_up(self, sizes: Sizes) -> TrialSetup:
        if self.train.drop_last:
            self.outcome.samples["dropped_samples"] = [float(sizes.dropped)]
        setup = TrialSetup(self.trial, self.engine, device=self.device, threads=self.outcome.threads, sizes=sizes)
        setup.tried.writes_input = self.copies_input
        return setup


class TrainingRun(TrialRun):
    """A run that warms up, trains and evaluates after each epoch."""

    setup: TrialSetup
    models: tuple[int, ...] = ()  # shape of a step's loss: one number, or one a model
    tally: type[Tally] = Tally  # sums over an epoch
    fitted_seconds = 0.0

    def note_model(self, outcome: TrialOutcome, model: nn.Module, *, seed: int) -> None:
        """Says with the result what has to be known of the model that is going to be trained."""
        outcome.notes += [*self.setup.starts.of(seed), *self.setup.tried.notes, *not_trained(model)]

    def begin_measuring(self, *, tree: TreePeak | None = None) -> None:
        """Opens what is read beside the clock, and takes the baseline of memory: what is held from now on counts."""
        self.watch = Watch.over(self.device, energy=self.trial.measure.energy)
        self.watch.device.mates = self.request.mates
        self.peaks = Peaks(self.device, tree=tree)
        self.peaks.start()
        self.channel.progress(phase="warm-up")
        self.outcome.samples["warmup_seconds"] = []

    def loop(
        self,
        step: Step,
        source: Source,
        *,
        steps: int | None,
        steps_per_block: int,
        on_epoch: Callable[[EpochLog], object],
    ) -> Loop:
        return Loop(
            step=step,
            source=source,
            device=self.device,
            epochs=self.train.epochs,
            steps=steps,
            steps_per_block=steps_per_block,
            on_epoch=on_epoch,
            models=self.models,
            tally=self.tally,
        )

    def warm_up(self, step: Step, sources: Sequence[S], evaluate: Callable[[S], object]) -> float:
        """Takes the declared steps on noise, by the loop that trains; evaluates after each size of batch.

        Returns seconds of a full-size step: the least of them, since the first ones are cold.
        """
        steps, into = self.trial.measure.warmup_steps, self.outcome.samples["warmup_seconds"]

        def loop(source: S, count: int) -> Loop:
            return self.loop(step, source, steps=count, steps_per_block=1, on_epoch=lambda entry: evaluate(source))

        loops = [loop(*each) for each in zip(sources, (steps, min(steps, SHORT_BATCH_STEPS)), strict=False)]
        for each in loops:
            with suppress(Diverged):  # noise may be too much for a learning rate that suits the data
                each.run()
            into += each.log.blocks.seconds
        return min(into[:steps], default=0.0)

    def training_loop(
        self, step: Step, source: Source, *, steps_per_block: int, on_epoch: Callable[[EpochLog], None]
    ) -> Loop:
        """The loop that trains; `on_epoch` is called outside of what memory is measured over."""
        randomness.seed_globals(self.trial.init_seed, randomness.TRAIN)
        epochs = self.setup.epochs

        def after_block(epoch: int, loss: float) -> None:
            self.peaks.observe()
            self.channel.progress(phase="training", epoch=epoch, epochs=epochs, loss=loss)

        def after_epoch(entry: EpochLog) -> None:
            self.peaks.pause()
            self.fitted_seconds += entry.seconds
            on_epoch(entry)
            self.peaks.resume()

        steps = self.train.steps
        loop = self.loop(step, source, steps=steps, steps_per_block=steps_per_block, on_epoch=after_epoch)
        loop.on_block, loop.watch, loop.turns = after_block, self.watch, self.turns
        return loop

    def begin_turns(self, loop: Loop, *, step_seconds: float) -> None:
        """Says how long the training will take, and sleeps until it is its turn."""
        steps_an_epoch = -(-loop.source.samples // self.trial.batch_size)
        steps = self.train.steps or self.train.epochs * steps_an_epoch
        self.turns.ready(self.device, steps=max(0, steps - loop.log.steps), step_seconds=step_seconds)

    def go_on_for_timing(self, learner_step: Callable[[], Step], loop: Loop) -> None:
        """After the training: goes on for timing alone, on a learner of its own that is then dropped, where the turns
        say so. Leaves every generator as it was."""
        trained_seconds = sum(loop.log.blocks.seconds)
        seconds = self.turns.after_training(trained_seconds)
        if not seconds:
            return
        generators = Generators(self.device, loop.source)
        kept = generators.state_dict()
        try:
            going = TimingOnly(learner_step(), loop)
            while seconds:
                going.run(seconds)
                seconds = self.turns.after_training(trained_seconds + sum(loop.log.timing_only.seconds))
        except Exception as error:  # memory for a second model, say; what was trained is as true without it
            why = one_line(f"{type(error).__name__}: {first_line(error, 110)}")
            self.channel.progress(note=f"timed no longer than it trained: going on for timing only failed ({why})")
            while self.turns.shared and self.turns.after_training(self.turns.timing_seconds):
                pass
        generators.load_state_dict(kept)

    def steps_per_block(self, step_seconds: float) -> int:
        return clock.steps_per_block(step_seconds, block_seconds=self.device.block_seconds, most=MOST_STEPS)

    def add_to_curves(
        self,
        curves: dict[str, list[float | None]],
        evaluations: Mapping[str, Evaluation],
        *,
        epoch: int,
        loss: float,
        schedule: Schedule,
    ) -> None:
        """Adds what a model did in an epoch; `loss`: the mean of the training steps."""
        row: Metrics = {
            "epoch": epoch,
            "train_loss": loss,
            "train_seconds": self.fitted_seconds,
            "learning_rate": schedule.learning_rate,
        }
        for split, found in evaluations.items():
            row |= {f"{split}_{name}": value for name, value in found.scores.items()}
            row |= {f"{split}_loss": found.loss} if split != "train" else {}
        for name, value in row.items():
            curves.setdefault(name, []).append(value)

    def reaches_target(self, test: Evaluation) -> bool:
        """Whether a model with this evaluation of the test set is where `measure.target_…` wants it."""
        measure, main = self.trial.measure, metric_of(SCORES[self.setup.judge.task][0])
        name, value = measure.target_metric or main, measure.target_value
        if value is None:
            name, value = "test_accuracy", measure.target_accuracy
        found = test.figures().get(name)
        if value is None or found is None:
            return False
        return found >= value if BUILT_IN[name].higher_is_better else found <= value

    def measure_inference(self, model: nn.Module, split: Held) -> inference.Inference:
        return inference.measure(
            model, split, batch_size=self.trial.batch_size, device=self.device, precision=self.train.precision
        )


def not_finite(evaluations: Mapping[str, Evaluation], *, epoch: int) -> str:
    """Whose loss is not finite after an epoch whose steps had finite ones, in one line; empty where all are."""
    odd = {f"{split} loss is {found.loss}" for split, found in evaluations.items() if not math.isfinite(found.loss)}
    if not odd:
        return ""
    # Of the training set the first images are evaluated, too: by its name alone that would read as the loss of a step.
    what = " and ".join(sorted(text.replace("train loss", "evaluated training loss") for text in odd))
    cure = "look at what the model does in eval mode, or try a smaller learning rate"
    return f"{what} after epoch {epoch}, in eval mode, though every step's training loss was finite: {cure}"
