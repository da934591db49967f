"""A learning-rate range test in the place of a trial: the same data, model and optimizer, another rate each step."""

import math
from collections.abc import Iterator
from itertools import islice

from bench.errors import BenchError
from bench.worker.common import randomness
from bench.worker.common.messages import Rates
from bench.worker.engines.base import Learner
from bench.worker.train.loaders import Fetch, Source
from bench.worker.trial.data import load
from bench.worker.trial.run import TrialRun

# Share of the steps that the smoothed loss remembers. fastai's constant 0.98 remembers half of a sweep of 100 steps, so
# that a fall shows three decades of rates too late.
REMEMBERED = 0.1
DIVERGED = 4.0  # times the lowest smoothed loss, as fastai has it


class RangeTest(TrialRun):
    """The test under way; the learning rate of its trial is not looked at."""

    def run(self) -> None:
        """Fills the samples `learning_rate`, `loss` and `smoothed_loss`, one number a step, and the metric `diverged`.

        A loss is the mean over the batch before its step. The last one may be too large; one that is not finite is
        left out.
        """
        if self.trial.train.optimizer == "lbfgs":
            raise BenchError("lbfgs looks for the length of its own steps: there is no learning rate to find")
        assert self.request.rates is not None
        data = load(self.request, self.device)
        setup = self.set_up(data)
        setup.warm_library()
        learner = setup.learner()
        self.engine.attach(learner, data.source)
        randomness.seed_globals(self.trial.init_seed, randomness.TRAIN)
        self.outcome.metrics["diverged"] = float(self._diverges(learner, data.source, self.request.rates))

    def _diverges(self, learner: Learner, source: Source, tried: Rates) -> bool:
        """Takes a step with each rate, until one is too much. Returns whether one was."""
        names = ("learning_rate", "loss", "smoothed_loss")
        rates, losses, smoothed = (self.outcome.samples.setdefault(name, []) for name in names)
        mean, lowest, memory = 0.0, math.inf, 1 - 1 / (REMEMBERED * tried.steps)
        factor = tried.highest / tried.lowest
        for step, fetch in enumerate(islice(endless(source), tried.steps), start=1):
            rate = tried.lowest * factor ** ((step - 1) / (tried.steps - 1))
            for group in learner.optimizer.param_groups:
                group["lr"] = rate
            loss = float(learner.step(fetch))
            if not math.isfinite(loss):
                return True
            mean = memory * mean + (1 - memory) * loss
            smooth = mean / (1 - memory**step)  # the mean starts at 0, which this takes out
            rates.append(rate)
            losses.append(loss)
            smoothed.append(smooth)
            lowest = min(lowest, smooth)
            self.channel.progress(phase=f"step {step}/{tried.steps}")
            if smooth > DIVERGED * lowest:
                return True
        return False


def endless(source: Source) -> Iterator[Fetch]:
    """Batches as training has them, epoch after epoch."""
    while True:
        for chunk in source.epoch(steps_per_chunk=1):
            yield from (ready.fetch for ready in chunk)
