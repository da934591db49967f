"""The local executor: one process a trial on this machine, forked from a template; spawned where fork is not safe."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import IO, Any

from bench.base import kernel
from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.execute.ask_worker import start_worker, wait_or_kill, why_none
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.log import TrialLog
from bench.execute.executors.watch import OnProgress, TemplateLost, TrialProcess, Watch
from bench.execute.json_lines import Lines
from bench.registry import executor

# How often a template is started for one trial, where it ends before it has forked it.
TEMPLATE_TRIES = 3


class Executor(ABC):
    """Runs one process at a time; `start` may begin slow preparations and returns at once.

    A process runs one trial, or all trials of a cell: bench.execute.jobs says what a request and its outcome hold.
    """

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def run(self, request: dict[str, Json], *, timeout_seconds: float, on_progress: OnProgress) -> Ending:
        """Run the process to its end, whatever that is. Whatever is raised here, nothing of it is left."""

    @abstractmethod
    def close(self) -> None:
        """End everything that was started."""


@executor("local")
class LocalExecutor(Executor):
    """One isolated process a trial, the parent asleep meanwhile."""

    def __init__(self) -> None:
        self._template: Template | None = None

    def start(self) -> None:
        if fork_is_safe() and self._template is None:
            self._template = Template()

    def run(self, request: dict[str, Json], *, timeout_seconds: float, on_progress: OnProgress) -> Ending:
        for _ in range(TEMPLATE_TRIES):
            before = kernel.oom_kills()
            process, log = self._begin(request), TrialLog(request.get("log"))
            watch = Watch(process, timeout_seconds=timeout_seconds, on_progress=on_progress, log=log)
            try:
                return watch.to_the_end(oom_kills_before=before)
            except TemplateLost as error:
                lost = error
            finally:
                process.kill(signal.SIGKILL)
                process.close()
                if self._template is not None and (process.lost or process.pid is None or self._template.gone):
                    self.close()
                log.close()
        raise BenchError(f"the process that trials are forked from does not start: {lost}")

    def _begin(self, request: dict[str, Json]) -> "TrialProcess":
        kernel.adopt_orphans()
        if not (fork_is_safe() and request.get("fork_is_safe", True)):
            return Spawned(request)
        self.start()
        assert self._template is not None
        return Forked(request, self._template)

    def interrupt(self) -> None:
        """For another thread: end the trial under way, whose `run` then returns. The next one gets a new template."""
        if self._template is not None:
            self._template.process.terminate()  # and what it forked; only the socket tells when

    def close(self) -> None:
        if self._template is not None:
            self._template.close()
            self._template = None


def fork_is_safe() -> bool:
    """Whether trials may be forked here: on macOS the system's libraries start threads, and such a fork may hang."""
    return sys.platform == "linux"


class _Started:
    """A process of bench.worker that speaks on `descriptor`; what it prints goes to `out`. What comes from it has a
    mark in its environment, and comes to this process where the one that started it is gone."""

    def __init__(self, role: str, descriptor: int, *, stdin: int, out: IO[bytes] | int) -> None:
        self._mark = secrets.token_hex(8)
        streams: dict[str, Any] = {"stdin": stdin, "stdout": out, "stderr": out, "pass_fds": [descriptor]}
        self.process = start_worker("bench.worker", role, str(descriptor), mark=self._mark, **streams)

    def end_what_is_left(self) -> None:
        """Once it has ended itself: ends what it has left running."""
        kernel.end_children(lambda child: f"BENCH_MARK={self._mark}".encode() in kernel.environment_of(child))
        kernel.adopt_orphans(on=False)  # a notebook's other processes are not ours


class Template:
    """The process that trials are forked from. It imports torch while the parent goes on."""

    def __init__(self) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `close`
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines, self._oom_kills = Lines(), kernel.oom_kills()
        self._started = _Started("template", theirs.fileno(), stdin=subprocess.DEVNULL, out=self.errors)
        self.process = self._started.process
        theirs.close()
        self.ready, self.gone = False, False

    def ask(self, request: dict[str, Json], pipe: int) -> None:
        """Ask for a fork; `pipe` is the writing end that the trial is to speak on."""
        line = canonical_json({"trial": request}).encode() + b"\n"
        sent = socket.send_fds(self.link, [line], [pipe])
        self.link.sendall(line[sent:])

    def words(self) -> list[dict[str, Json]]:
        """Returns what it has said, without waiting; sets `gone` where it has ended."""
        found: list[dict[str, Json]] = []
        try:
            found = self._lines.drain(self.link.fileno())
            self.gone = self._lines.ended
        except ConnectionError:
            self.gone = True
        self.ready = self.ready or any("ready" in word for word in found)
        return found

    def why_gone(self) -> str:
        """Returns why it has ended."""
        return why_none(self.process.wait(), self.errors, oom_kills_before=self._oom_kills)

    def close(self) -> None:
        """Close the socket, which ends it and what it forked; then make sure."""
        self.link.close()
        if not self.ready:  # it may sit in the import of torch for seconds; it has no trial yet
            self.process.kill()
        wait_or_kill(self.process)
        self._started.end_what_is_left()
        self.errors.close()


class Forked(TrialProcess):
    """A trial forked from the template, which tells its pid and its end."""

    def __init__(self, request: dict[str, Json], template: Template) -> None:
        self._template = template
        self.pipe, writing = os.pipe()
        with suppress(ConnectionError):  # `look` finds out, and says why
            template.ask(request, writing)
        os.close(writing)

    def sources(self) -> list[int]:
        return [self._template.link.fileno()]

    def look(self) -> None:
        for word in self._template.words():
            if "started" in word:
                self.pid = word["started"]
            elif word.get("ended") == self.pid and self.pid is not None:
                self.wait_status = word["status"]
        if self._template.gone and self.pid is None:
            raise TemplateLost(self._template.why_gone())
        if self._template.gone and self.wait_status is None:
            self.lost = "the process that it was forked from was killed"
        elif kernel.has_to_go_on(self._template.process.pid) and self.pid is not None:
            self.wrong = "the process that it was forked from was stopped while it ran"


class Spawned(TrialProcess):
    """A trial in a process that was started for it: seconds slower, for where fork is not safe."""

    def __init__(self, request: dict[str, Json]) -> None:
        self.pipe, writing = os.pipe()
        self._started = _Started("spawn", writing, stdin=subprocess.PIPE, out=subprocess.DEVNULL)
        self._process = self._started.process
        os.close(writing)
        self.pid = self._process.pid
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(canonical_json(request).encode() + b"\n")
            self._process.stdin.close()
        # Becomes readable when the process ends (Linux 5.3; elsewhere the closing of its pipe tells).
        self._handle = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None

    def sources(self) -> list[int]:
        return [self._handle] if self._handle is not None else []

    def look(self) -> None:
        if (code := self._process.poll()) is not None:
            self.wait_status = -code if code < 0 else code << 8

    def close(self) -> None:
        super().close()
        self._process.wait()
        self._started.end_what_is_left()
        if self._handle is not None:
            os.close(self._handle)
