"""The local executor: one process a trial on this machine, forked from a template; spawned where fork is not safe."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.execute.ask_worker import GRACE_SECONDS, last_line, start_worker, wait_or_kill
from bench.execute.executors.exit_status import Ending, ending, oom_kills
from bench.registry import executor

# How often a template is started for one trial, where it ends before it has forked it.
TEMPLATE_TRIES = 3

OnProgress = Callable[[dict[str, Json]], None]


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
            before = oom_kills()
            process = self._begin(request)
            try:
                return _watch(
                    process, timeout_seconds=timeout_seconds, on_progress=on_progress, oom_kills_before=before
                )
            except TemplateLost as error:
                lost = error
            finally:
                process.kill(signal.SIGKILL)
                process.close()
                if self._template is not None and self._template.gone:
                    self.close()
        raise BenchError(f"the process that trials are forked from does not start: {lost}")

    def _begin(self, request: dict[str, Json]) -> "TrialProcess":
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


def _start(role: str, descriptor: int, *, stdin: int, out: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """A process of bench.worker that speaks on `descriptor`; what it prints goes to `out`."""
    streams = {"stdin": stdin, "stdout": out, "stderr": out, "pass_fds": [descriptor]}
    return start_worker("bench.worker", role, str(descriptor), **streams)


class TemplateLost(Exception):
    """The template ended before it forked the trial: nothing has run yet."""


class TrialProcess(ABC):
    """A trial's process seen from the parent: its pipe, and how it ended."""

    pipe: int
    pid: int | None = None
    wait_status: int | None = None
    lost: str = ""  # why nobody will ever say how it ended

    @abstractmethod
    def sources(self) -> list[int]:
        """Descriptors beside `pipe` that become readable when something happened to the process."""

    @abstractmethod
    def look(self, timeout_seconds: float) -> None:
        """Take up what happened to the process, waiting no longer than that."""

    def kill(self, number: signal.Signals) -> None:
        """Signal the whole group: what the trial started as well."""
        if self.pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def close(self) -> None:
        os.close(self.pipe)


def _watch(process: TrialProcess, *, timeout_seconds: float, on_progress: OnProgress, oom_kills_before: int) -> Ending:
    """Sleep until the process ends or its time is up; what it says meanwhile is passed on."""
    words, outcome = _Lines(), None
    deadline: float | None = None
    timed_out = False
    while process.wait_status is None and not process.lost:
        if deadline is None and process.pid is not None:  # the template may still be importing before that
            deadline = time.monotonic() + timeout_seconds
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        sources = [*([] if words.ended else [process.pipe]), *process.sources()]
        ready, _, _ = select.select(sources, [], [], left if sources else 0)
        if process.pipe in ready:
            for message in words.read(process.pipe):
                outcome = message.get("outcome", outcome)
                if "progress" in message:
                    on_progress(message["progress"])
        elif ready:
            process.look(0)
        elif not sources and left != 0:  # its pipe is closed, and nothing else tells of its end
            process.look(min(1.0, left or 1.0))
        elif deadline is not None and time.monotonic() >= deadline:
            process.kill(signal.SIGKILL if timed_out else signal.SIGTERM)
            timed_out, deadline = True, time.monotonic() + GRACE_SECONDS
    for message in words.drain(process.pipe):
        outcome = message.get("outcome", outcome)
    if timed_out and outcome is None:
        return Ending(None, "timeout", f"not done after {timeout_seconds:g} s (measure.timeout_seconds)")
    if process.lost and outcome is None:
        return Ending(None, "crashed", process.lost)
    return ending(outcome, wait_status=process.wait_status or 0, oom_kills_before=oom_kills_before)


class _Lines:
    """Reads JSON lines out of a pipe. What is no JSON object is not ours, and is dropped."""

    def __init__(self) -> None:
        self._buffer, self.ended = b"", False

    def read(self, descriptor: int) -> list[dict[str, Json]]:
        part = os.read(descriptor, 1 << 20)
        self.ended = not part
        self._buffer += part
        *lines, self._buffer = self._buffer.split(b"\n")
        found = []
        for line in lines:
            with suppress(ValueError, RecursionError):
                message = json.loads(line)
                if isinstance(message, dict):
                    found.append(message)
        return found

    def drain(self, descriptor: int) -> list[dict[str, Json]]:
        """What is still in the pipe; does not wait for more."""
        found: list[dict[str, Json]] = []
        while not self.ended and select.select([descriptor], [], [], 0)[0]:
            found += self.read(descriptor)
        return found


class Template:
    """The process that trials are forked from. It imports torch while the parent goes on."""

    def __init__(self) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `close`
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines = _Lines()
        self.process = _start("template", theirs.fileno(), stdin=subprocess.DEVNULL, out=self.errors)
        theirs.close()
        self.ready, self.gone = False, False

    def ask(self, request: dict[str, Json], pipe: int) -> None:
        """Ask for a fork; `pipe` is the writing end that the trial is to speak on."""
        line = canonical_json({"trial": request}).encode() + b"\n"
        sent = socket.send_fds(self.link, [line], [pipe])
        self.link.sendall(line[sent:])

    def words(self) -> list[dict[str, Json]]:
        """Returns what it has said; sets `gone` where it has ended."""
        found: list[dict[str, Json]] = []
        try:
            found = self._lines.read(self.link.fileno())
            self.gone = self._lines.ended
        except ConnectionError:
            self.gone = True
        self.ready = self.ready or any("ready" in word for word in found)
        return found

    def close(self) -> None:
        """Close the socket, which ends it and what it forked; then make sure."""
        self.link.close()
        if not self.ready:  # it may sit in the import of torch for seconds; it has no trial yet
            self.process.kill()
        wait_or_kill(self.process)
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

    def look(self, timeout_seconds: float) -> None:
        for word in self._template.words():
            if "started" in word:
                self.pid = word["started"]
            elif word.get("ended") == self.pid and self.pid is not None:
                self.wait_status = word["status"]
        if self._template.gone and self.pid is None:
            self._template.process.wait()
            raise TemplateLost(last_line(self._template.errors))
        if self._template.gone and self.wait_status is None:
            self.lost = "the process that it was forked from was killed"


class Spawned(TrialProcess):
    """A trial in a process that was started for it: seconds slower, for where fork is not safe."""

    def __init__(self, request: dict[str, Json]) -> None:
        self.pipe, writing = os.pipe()
        self._process = _start("spawn", writing, stdin=subprocess.PIPE, out=subprocess.DEVNULL)
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

    def look(self, timeout_seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=timeout_seconds)
            self.wait_status = -code if code < 0 else code << 8

    def close(self) -> None:
        super().close()
        self._process.wait()
        if self._handle is not None:
            os.close(self._handle)
