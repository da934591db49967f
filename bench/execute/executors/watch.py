"""The parent beside a trial's process: it sleeps until that ends or its time is up, and trusts nothing that it says."""

import os
import select
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from bench.base.records import Json
from bench.execute.ask_worker import GRACE_SECONDS, LOOK_SECONDS
from bench.execute.executors.exit_status import Ending, ending
from bench.execute.executors.log import TrialLog
from bench.execute.executors.messages import TrialMessages
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
    """One trial's process until its end: what it says is checked and passed on, its log and its time are bounded."""

    def __init__(
        self, process: TrialProcess, *, timeout_seconds: float, on_progress: OnProgress, log: TrialLog
    ) -> None:
        self._process, self._timeout_seconds = process, timeout_seconds
        self._on_progress, self._log = on_progress, log
        self._lines, self._heard = Lines(), TrialMessages()
        self._deadline = time.monotonic() + BEGIN_SECONDS
        self._begun = self._told = self._timed_out = False
        self._signals = [signal.SIGTERM, signal.SIGKILL]

    def to_the_end(self, *, oom_kills_before: int) -> Ending:
        """Sleeps until the process has ended. Raises TemplateLost where it has never begun."""
        process = self._process
        while process.wait_status is None and not process.lost:
            if self._ready():
                self._hear(self._lines.read(process.pipe))
            process.look()
            self._log.look()
            self._look_at_the_time()
        self._hear(self._lines.drain(process.pipe))
        outcome = self._heard.outcome
        if self._wrong:
            return Ending(None, "crashed", self._wrong)
        if self._timed_out and outcome is None:
            return Ending(None, "timeout", f"not done after {self._timeout_seconds:g} s (measure.timeout_seconds)")
        if process.lost and outcome is None:
            return Ending(None, "crashed", process.lost)
        return ending(outcome, wait_status=process.wait_status or 0, oom_kills_before=oom_kills_before)

    @property
    def _wrong(self) -> str:
        sent = self._lines.wrong or self._heard.wrong
        return self._process.wrong or (sent and f"its code wrote into the pipe that its result comes through: {sent}")

    def _ready(self) -> bool:
        """Sleeps until there is something to look at. Whether that is what the process says."""
        pipe, sources = self._process.pipe, self._process.sources()
        ends = self._lines.ended and not sources  # nothing will tell
        seconds = min(0.05 if ends else LOOK_SECONDS, max(0.0, self._deadline - time.monotonic()))
        return pipe in select.select([*([] if self._lines.ended else [pipe]), *sources], [], [], seconds)[0]

    def _hear(self, messages: list[dict[str, Json]]) -> None:
        for what in self._heard.take(messages):
            self._on_progress(what)

    def _look_at_the_time(self) -> None:
        """Moves the deadline where the process has come further, and ends it where that has passed."""
        now = time.monotonic()
        if self._process.pid is None:
            if now >= self._deadline:
                raise TemplateLost(f"it has forked no trial after {BEGIN_SECONDS:g} s")
            return
        if not self._begun:
            self._begun, self._deadline = True, now + self._timeout_seconds
        if self._wrong and self._signals[:1] == [signal.SIGTERM]:
            self._signals, self._deadline = [signal.SIGKILL], now
        elif self._heard.outcome is not None and not self._told:
            self._told, self._deadline = True, min(self._deadline, now + LAST_SECONDS)
        if now < self._deadline:
            return
        if self._signals:
            self._process.kill(self._signals.pop(0))
            self._timed_out, self._deadline = True, now + GRACE_SECONDS
        else:
            self._process.lost = "it was killed, and nothing tells how it ended"
