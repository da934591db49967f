"""The parent beside a trial's process: it sleeps until that ends or its time is up, and trusts nothing that it says."""

import os
import select
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import TypeAlias

from bench.base.records import Json, canonical_json
from bench.execute.ask_worker import GRACE_SECONDS, LOOK_SECONDS
from bench.execute.executors.exit_status import Ending, ending
from bench.execute.executors.log import TrialLog
from bench.execute.executors.messages import TrialMessages, TurnOver
from bench.execute.json_lines import Lines

OnProgress: TypeAlias = Callable[[dict[str, Json]], None]

BEGIN_SECONDS = 300.0  # for the template to import torch and to fork the trial
LAST_SECONDS = 30.0  # for a trial that has told its outcome to end: a driver may have much to give back


class TemplateLost(Exception):
    """The template ended before it forked the trial: nothing has run yet."""


class TrialProcess(ABC):
    """A trial's process seen from the parent: its pipe, and how it ended."""

    pipe: int
    pid: int | None = None
    wait_status: int | None = None
    lost: str = ""  # why nobody will ever say how it ended
    wrong: str = ""  # what it has done that no trial may do

    @abstractmethod
    def sources(self) -> list[int]:
        """Descriptors beside `pipe` that become readable when something happened to the process."""

    @abstractmethod
    def look(self) -> None:
        """Take up what happened to the process, without waiting."""

    def kill(self, number: signal.Signals) -> None:
        """Signal the whole group: what the trial started as well."""
        if self.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def close(self) -> None:
        os.close(self.pipe)


class Watch:
    """One trial's process until its end: what it says is checked and passed on, its log and its time are bounded.

    Where trials take turns, the time of each stands still while it sleeps.
    """

    def __init__(
        self, process: TrialProcess, *, timeout_seconds: float, on_progress: OnProgress, log: TrialLog
    ) -> None:
        self.process, self._timeout_seconds = process, timeout_seconds
        self._on_progress, self._log = on_progress, log
        self._lines, self._heard = Lines(), TrialMessages()
        self._deadline = time.monotonic() + BEGIN_SECONDS
        self._asleep_since: float | None = None
        self._begun = self._told = self._timed_out = self._closed = False
        self._signals = [signal.SIGTERM, signal.SIGKILL]

    @property
    def is_over(self) -> bool:
        return self.process.wait_status is not None or bool(self.process.lost)

    @property
    def asleep(self) -> bool:
        """Whether it waits for its next turn."""
        return self._asleep_since is not None

    def sources(self) -> list[int]:
        """Descriptors that become readable when there is something to look at."""
        own = [] if self._lines.ended or self.is_over else [self.process.pipe]
        return own + self.process.sources()

    def seconds(self) -> float:
        """How long nobody needs to look at it, where no source becomes readable."""
        if self._lines.ended and not self.process.sources():  # nothing will tell
            return 0.05
        left = LOOK_SECONDS if self.asleep else self._deadline - time.monotonic()
        return min(LOOK_SECONDS, max(0.0, left))

    def look(self, readable: Collection[int]) -> None:
        """Takes up what has happened. Raises TemplateLost where it has never begun."""
        if self.process.pipe in readable and not self._lines.ended:
            self._hear(self._lines.read(self.process.pipe))
        self.process.look()
        self._log.look()
        self._look_at_the_time()

    def turn_over(self) -> TurnOver | None:
        """What it said as its turn ended, once: from now on its time stands still."""
        over, self._heard.turn_over = self._heard.turn_over, None
        if over is not None:
            self._asleep_since = time.monotonic()
        return over

    def wake(self, turn: dict[str, Json]) -> None:
        """Gives it its next turn."""
        assert self._asleep_since is not None
        self._deadline += time.monotonic() - self._asleep_since
        self._asleep_since = None
        with suppress(OSError):  # it has ended, which `look` finds out
            os.write(self.process.pipe, canonical_json(turn).encode() + b"\n")

    def ending(self, *, oom_kills_before: int) -> Ending:
        """What became of it, once it is over."""
        self._hear(self._lines.drain(self.process.pipe))
        outcome = self._heard.outcome
        if self._wrong:
            return Ending(None, "crashed", self._wrong)
        if self._timed_out and outcome is None:
            return Ending(None, "timeout", f"not done after {self._timeout_seconds:g} s (measure.timeout_seconds)")
        if self.process.lost and outcome is None:
            return Ending(None, "crashed", self.process.lost)
        return ending(outcome, wait_status=self.process.wait_status or 0, oom_kills_before=oom_kills_before)

    def close(self) -> None:
        """Ends it and what it has started, where that is not over. May be called again."""
        if not self._closed:
            self._closed = True
            self.process.kill(signal.SIGKILL)
            self.process.close()
            self._log.close()

    @property
    def _wrong(self) -> str:
        sent = self._lines.wrong or self._heard.wrong
        return self.process.wrong or (sent and f"its code wrote into the pipe that its result comes through: {sent}")

    def _hear(self, messages: list[dict[str, Json]]) -> None:
        for what in self._heard.take(messages):
            self._on_progress(what)

    def _look_at_the_time(self) -> None:
        """Moves the deadline where the process has come further, and ends it where that has passed."""
        now = time.monotonic()
        if self.process.pid is None:
            if now >= self._deadline:
                raise TemplateLost(f"it has forked no trial after {BEGIN_SECONDS:g} s")
            return
        if not self._begun:
            self._begun, self._deadline = True, now + self._timeout_seconds
        if self._wrong and self._signals[:1] == [signal.SIGTERM]:
            self._signals, self._deadline, self._asleep_since = [signal.SIGKILL], now, None
        elif self._heard.outcome is not None and not self._told:
            self._told, self._deadline = True, min(self._deadline, now + LAST_SECONDS)
        if now < self._deadline or self.asleep:
            return
        if self._signals:
            self.process.kill(self._signals.pop(0))
            self._timed_out, self._deadline = True, now + GRACE_SECONDS
        else:
            self.process.lost = "it was killed, and nothing tells how it ended"


def look_at(watches: Sequence[Watch]) -> None:
    """Sleeps until one of `watches` has something to say, or somebody has to look; looks at those. Raises TemplateLost
    where one has never begun."""
    sources = {each: each.sources() for each in watches}
    seconds = min(each.seconds() for each in watches)
    readable = set(select.select(list({one for own in sources.values() for one in own}), [], [], seconds)[0])
    for each, own in sources.items():
        if not readable or readable & set(own):
            each.look(readable)
