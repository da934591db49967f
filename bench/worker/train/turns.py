"""Turns: trials that share the time of a machine, of which one at a time works and the others sleep.

In each round every trial trains the same share of its own training, so that all see the same machine. A turn begins
with steps that train and are not timed, its lead-in: caches, clocks and threads come back first. The parent says whose
turn it is and how far it goes (bench.execute.executors.turns).
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.base.records import Json
from bench.worker.common.messages import Channel
from bench.worker.devices.base import Device
from bench.worker.measure.watch import Watch

# After a pause in which other processes worked, steps of linear, mlp and cnn at batch 64 were back at their speed after
# 7 to 10 ms: python -m tests.benchmarks lead-in (docs/measurement.md).
LEAD_NANOSECONDS = 8_000_000
NO_ROUND = -1  # of blocks that were timed by no turn of this process's group

UNKNOWN_STEP_SECONDS = 1e-3  # where nothing was warmed up: for the first turn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn is for: to train up to a `share` of the training, or for timing alone for so many `seconds`; with
    neither, for all that is left of the trial."""

    round: int = NO_ROUND
    share: float | None = None
    seconds: float | None = None


@dataclass(slots=True)
class Lead:
    """Untimed steps that have not been charged yet, and what timed ones took of late."""

    samples: int = 0
    nanoseconds: int = 0
    charged: float = 0.0  # nanoseconds, of turns that are over
    rate: float | None = None  # nanoseconds of a sample
    _timed: list[int] = field(default_factory=lambda: [0, 0])  # samples and nanoseconds of this turn

    def add(self, *, nanoseconds: int, samples: int, timed: bool) -> None:
        if timed:
            self._timed = [self._timed[0] + samples, self._timed[1] + nanoseconds]
            self.rate = self._timed[1] / self._timed[0]
        else:
            self.samples, self.nanoseconds = self.samples + samples, self.nanoseconds + nanoseconds

    def turn_ends(self) -> None:
        self._charge()
        self._timed = [0, 0]

    def charge(self) -> int:
        """Nanoseconds that the untimed steps since the last call are charged with: as timed ones of their turn take,
        or of the turn before where there is none yet."""
        self._charge()
        whole, self.charged = self.charged, 0.0
        return round(whole)

    def _charge(self) -> None:
        self.charged += self.nanoseconds if self.rate is None else self.samples * self.rate
        self.samples = self.nanoseconds = 0


class Turns:
    """Those of a trial that has the machine for itself: one to train in, one for timing alone where its training was
    too short to be timed."""

    shared = False
    round = NO_ROUND
    asleep_nanoseconds = 0  # and of what is read before and after
    leads_in = False  # whether the next step belongs to a lead-in

    def __init__(self, *, timing_seconds: float) -> None:
        self.timing_seconds = timing_seconds
        self.lead = Lead()

    def ready(self, device: Device, *, steps: int, step_seconds: float) -> None:
        """Called once, when all is set up: `steps` of about so many seconds are to be trained."""

    def parts(self, chunk: Sequence[T], watch: Watch) -> Iterator[tuple[Sequence[T], bool]]:
        """The steps of `chunk` in parts, and whether each is timed. Sleeps where a turn is over; `watch` sees nothing
        of it."""
        yield chunk, True

    def after_training(self, timed_seconds: float) -> float:
        """Called after the training, and after each turn for timing alone; `timed_seconds`: of all blocks. Returns how
        long to go on for timing alone; 0: not at all."""
        return max(0.0, self.timing_seconds - timed_seconds)


class SharedTurns(Turns):
    """Those that the parent gives, through the channel that it hears of the trial by."""

    shared = True

    def __init__(self, channel: Channel, *, timing_seconds: float) -> None:
        super().__init__(timing_seconds=timing_seconds)
        self._channel = channel
        self._steps = self._done = self._first = 0
        self._stop: float = 0
        self._step_seconds = 0.0
        self._began = self._turn_seconds = 0.0

    def ready(self, device: Device, *, steps: int, step_seconds: float) -> None:
        self._steps, self._turn_seconds = steps, device.block_seconds
        self._step_seconds = step_seconds or UNKNOWN_STEP_SECONDS
        self._take(self._wait(timed_seconds=0.0))

    def parts(self, chunk: Sequence[T], watch: Watch) -> Iterator[tuple[Sequence[T], bool]]:
        while chunk:
            if self._done >= self._stop:
                self._sleep(watch)
            if self.leads_in and not self._leads():
                self._lead_in_ends(watch)
            leads = self.leads_in
            count = 1 if leads else int(min(len(chunk), self._stop - self._done))
            part, chunk = chunk[:count], chunk[count:]
            self._done += count
            yield part, not leads

    def after_training(self, timed_seconds: float) -> float:
        self._steps = self._done
        self.lead.turn_ends()
        turn = self._wait(timed_seconds=timed_seconds)
        self.round = turn.round
        return turn.seconds or 0.0

    def _leads(self) -> bool:
        """Whether the next step belongs to the lead-in: for so long, and for no more than half of the steps."""
        most = min(self._stop, self._steps) - self._first
        within = time.perf_counter_ns() - self._began < LEAD_NANOSECONDS
        return within and self._done - self._first < most // 2

    def _sleep(self, watch: Watch) -> None:
        before, asleep = time.perf_counter_ns(), self.asleep_nanoseconds
        self.lead.turn_ends()
        if self._done > self._first:
            self._step_seconds = (before - self._began) / 1e9 / (self._done - self._first)
        watch.stretch_ends()
        turn = self._wait(timed_seconds=0.0)
        watch.stretch_begins(leads_in=True)
        self._take(turn)
        if not self.leads_in:  # one step is left: it is timed
            watch.lead_in_ends()
        self.asleep_nanoseconds = asleep + time.perf_counter_ns() - before

    def _lead_in_ends(self, watch: Watch) -> None:
        before = time.perf_counter_ns()
        watch.lead_in_ends()
        self.leads_in = False
        self.asleep_nanoseconds += time.perf_counter_ns() - before

    def _take(self, turn: Turn) -> None:
        share = 1.0 if turn.share is None else turn.share
        self.round, self._first = turn.round, self._done
        # Two steps at least: one leads in.
        self._stop = math.inf if share >= 1 else max(round(share * self._steps), self._done + 2)
        self._began = time.perf_counter_ns()
        self.leads_in = self._leads()

    def _wait(self, *, timed_seconds: float) -> Turn:
        """Says that the turn is over; sleeps until the next one."""
        before = time.perf_counter_ns()
        left = max(0, self._steps - self._done) * self._step_seconds
        state = {"left_seconds": left, "timed_seconds": timed_seconds, "turn_seconds": self._turn_seconds}
        self._channel.send({"turn": state | {"share": self._done / self._steps if self._steps else 1.0}})
        given: dict[str, Json] = self._channel.receive()
        self.asleep_nanoseconds += time.perf_counter_ns() - before
        return Turn(**given)
