"""Steps that are taken for their time alone, after a training that was too short to be timed."""

import time
from collections.abc import Iterator, Sequence

from bench.worker.measure import clock
from bench.worker.train.loaders import Ready
from bench.worker.train.loop import Loop
from bench.worker.train.steps import Step
from bench.worker.train.turns import LEAD_NANOSECONDS


class TimingOnly:
    """Goes on behind `loop`, over the same data in blocks of the same length, with a step of another learner. The
    blocks go to `timing_only` of its log; losses are not looked at."""

    def __init__(self, step: Step, loop: Loop) -> None:
        self._step, self._loop, self._chunks = step, loop, self._endless()

    def run(self, seconds: float) -> None:
        """Takes its lead-in, then as many blocks as last for `seconds`."""
        watch, leads_in = self._loop.watch, True
        watch.stretch_begins(leads_in=True)
        timed, began, round = 0, time.perf_counter_ns(), self._loop.turns.round
        while timed < seconds * 1e9:
            chunk = next(self._chunks)
            if time.perf_counter_ns() - began < LEAD_NANOSECONDS:
                self._take(chunk[:1])
                continue
            if leads_in:
                leads_in = False
                watch.lead_in_ends()
            block = self._take(chunk)
            timed += block
            samples = sum(ready.samples for ready in chunk)
            self._loop.log.timing_only.add(nanoseconds=block, steps=len(chunk), samples=samples, round=round)
        watch.stretch_ends()

    def _take(self, chunk: Sequence[Ready]) -> int:
        began = clock.read(self._loop.device)
        for ready in chunk:
            self._step(ready.fetch)
        return clock.read(self._loop.device) - began

    def _endless(self) -> Iterator[list[Ready]]:
        while True:
            yield from self._loop.source.epoch(steps_per_chunk=self._loop.steps_per_block)
