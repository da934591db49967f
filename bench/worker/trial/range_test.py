"""A learning-rate range test in the place of a trial: the same data, model and optimizer, another rate each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from bench.errors import BenchError
from bench.worker.common import discover as components
from bench.worker.common import randomness
from bench.worker.common.channel import Channel
from bench.worker.common.messages import Outcome, Rates, Request
from bench.worker.train.loaders import Fetch, Source
from bench.worker.trial.data import load
from bench.worker.trial.setup import Workshop, engine_and_device, set_up

# Of the steps, what the smoothed loss remembers. fastai's constant 0.98 is half of a sweep of 100 steps, so that a
# fall shows three decades of rates too late.
REMEMBERED = 0.1
DIVERGED = 4.0  # times the lowest smoothed loss, as fastai has it


class Run:
    """The test under way; `trial` is what it stands in for, its learning rate is not looked at."""

    def __init__(self, request: Request, channel: Channel, outcome: Outcome, measured: Callable[[], object]) -> None:
        assert request.rates is not None
        self.request, self.channel, self.outcome = request, channel, outcome
        self.trial, self.rates = request.trial, request.rates

    def go(self) -> None:
        """Fills the samples `learning_rate`, `loss` and `smoothed_loss`, one number a step, and the metric `diverged`.

        A loss is that of the batch before its step, in the mean over the batch. The last one may be the one that was
        too much; one that is not finite is left out.
        """
        for plugin in self.request.plugins:
            components.load_plugin(plugin)
        if self.trial.train.optimizer == "lbfgs":
            raise BenchError("lbfgs looks for the length of its own steps: there is no learning rate to find")
        engine, device = engine_and_device(self.trial)
        threads = self.outcome.threads = set_up(self.trial, device)
        with engine.open(self.request.scratch):
            data = load(self.request, device)
            shop = Workshop(
                self.trial,
                engine,
                device=device,
                threads=threads,
                input_shape=data.input_shape,
                num_classes=len(data.class_names),
                train_size=data.train_size,
            )
            shop.warm_library()
            self._sweep(shop, data.source)

    def _sweep(self, shop: Workshop, source: Source) -> None:
        learner = shop.learner()
        shop.engine.attach(learner, source)
        randomness.seed_globals(self.trial.seed, randomness.TRAIN)
        names = ("learning_rate", "loss", "smoothed_loss")
        rates, losses, smoothed = (self.outcome.samples.setdefault(name, []) for name in names)
        self.outcome.metrics["diverged"] = 0.0
        mean, lowest, memory = 0.0, math.inf, 1 - 1 / (REMEMBERED * self.rates.steps)
        for step, (rate, fetch) in enumerate(zip(rates_of(self.rates), endless(source), strict=False), start=1):
            for group in learner.optimizer.param_groups:
                group["lr"] = rate
            loss = float(learner.step(fetch))
            if not math.isfinite(loss):
                self.outcome.metrics["diverged"] = 1.0
                return
            mean = memory * mean + (1 - memory) * loss
            smooth = mean / (1 - memory**step)  # the mean starts at 0, which this takes out
            rates.append(rate)
            losses.append(loss)
            smoothed.append(smooth)
            lowest = min(lowest, smooth)
            self.channel.progress(phase=f"step {step}/{self.rates.steps}")
            if smooth > DIVERGED * lowest:
                self.outcome.metrics["diverged"] = 1.0
                return


def rates_of(rates: Rates) -> Iterator[float]:
    """From the lowest to the highest, each the same factor above the one before."""
    factor = rates.highest / rates.lowest
    for step in range(rates.steps):
        yield rates.lowest * factor ** (step / (rates.steps - 1))


def endless(source: Source) -> Iterator[Fetch]:
    """Batches as training has them, epoch after epoch."""
    while True:
        for chunk in source.epoch(steps_per_chunk=1):
            yield from (ready.fetch for ready in chunk)
