"""The local executor: one process a trial on this machine, forked from a template; spawned where fork is not safe."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any

from bench.base import kernel
from bench.base.records import Json, canonical_json
from bench.errors import BenchError
from bench.execute.ask_worker import OWN, Interpreter, start_worker, wait_or_kill, why_none
from bench.execute.executors.exit_status import Ending
from bench.execute.executors.log import TrialLog
from bench.execute.executors.turns import Group, Member
from bench.execute.executors.watch import OnProgress, TemplateLost, TrialProcess, Watch
from bench.execute.json_lines import Lines
from bench.registry import executor

# How often a template is started for one trial, where it ends before it has forked it.
TEMPLATE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the process of a trial is asked for, for how long, and who is told of its progress."""

    request: dict[str, Json]
    timeout_seconds: float
    on_progress: OnProgress
    timing_seconds: float = 0.0  # see MeasureSettings
    interpreter: Interpreter = OWN


class Executor(ABC):
    """Runs one process at a time; `start` may begin slow preparations and returns at once.

    A process runs one trial, or all trials of a cell: bench.execute.jobs says what a request and its outcome hold.
    """

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def run(self, request: dict[str, Json], *, timeout_seconds: float, on_progress: OnProgress) -> Ending:
        """Run the process to its end, whatever that is. Whatever is raised here, nothing of it is left."""

    def run_group(self, wanted: Sequence[Wanted], *, told: Callable[[int, Ending], None]) -> frozenset[int]:
        """Runs processes that may share the time by turns; `told` gets the place of each, and its ending.

        Returns the places of those that have to run again by themselves. One whose place is neither told nor among
        them has not run. This one runs them one after the other.
        """
        for place, each in enumerate(wanted):
            told(place, self.run(each.request, timeout_seconds=each.timeout_seconds, on_progress=each.on_progress))
        return frozenset()

    @abstractmethod
    def close(self) -> None:
        """End everything that was started."""


@executor("local")
class LocalExecutor(Executor):
    """An isolated process a trial, of which one at a time works; the parent asleep meanwhile.

    Each interpreter has a template of its own; those of `interpreters` begin with `start`.
    """

    def __init__(self, *interpreters: Interpreter) -> None:
        self._interpreters = interpreters or (OWN,)
        self._templates: dict[Interpreter, Template] = {}

    def start(self) -> None:
        if fork_is_safe():
            for interpreter in self._interpreters:
                self._template_of(interpreter)

    def run(self, request: dict[str, Json], *, timeout_seconds: float, on_progress: OnProgress) -> Ending:
        endings: list[Ending] = []
        self.run_group(
            [Wanted(request, timeout_seconds, on_progress)], told=lambda place, ending: endings.append(ending)
        )
        return endings[0]

    def run_group(self, wanted: Sequence[Wanted], *, told: Callable[[int, Ending], None]) -> frozenset[int]:
        if len(wanted) > 1:
            wanted = [
                replace(each, request=each.request | turns_of(place, wanted)) for place, each in enumerate(wanted)
            ]
        for _ in range(TEMPLATE_TRIES):
            members = [Member(partial(self._begin, each), each.timing_seconds) for each in wanted]
            group = Group(members, told=told)
            try:
                group.run()
                return frozenset(place for place, member in enumerate(members) if member.alone)
            except TemplateLost as error:
                lost = error
            finally:
                group.close()
                if any(each.gone for each in self._templates.values()) or any(map(_has_lost, members)):
                    self.close()
        raise BenchError(f"the process that trials are forked from does not start: {lost}")

    def _begin(self, wanted: Wanted) -> Watch:
        process, log = self._process(wanted), TrialLog(wanted.request.get("log"))
        return Watch(process, timeout_seconds=wanted.timeout_seconds, on_progress=wanted.on_progress, log=log)

    def _process(self, wanted: Wanted) -> TrialProcess:
        kernel.adopt_orphans()
        if not (fork_is_safe() and wanted.request.get("fork_is_safe", True)):
            return Spawned(wanted.request, wanted.interpreter)
        return Forked(wanted.request, self._template_of(wanted.interpreter))

    def _template_of(self, interpreter: Interpreter) -> "Template":
        if interpreter not in self._templates:
            self._templates[interpreter] = Template(interpreter)
        return self._templates[interpreter]

    def interrupt(self) -> None:
        """For another thread: end the trial under way, whose `run` then returns. The next one gets a new template."""
        for template in self._templates.values():
            template.process.terminate()  # and what it forked; only the socket tells when

    def close(self) -> None:
        while self._templates:
            self._templates.popitem()[1].close()


def turns_of(place: int, wanted: Sequence[Wanted]) -> dict[str, Json]:
    """What a trial is told of its group."""
    # The process of the next one gets ready as the last one of the group saves its record, as without turns.
    return {"mates": len(wanted) - 1, "next_is_due": place < len(wanted) - 1}


def _has_lost(member: Member) -> bool:
    """Whether its template is of no use any more."""
    process = member.watch.process if member.watch is not None else None
    return process is not None and (bool(process.lost) or process.pid is None)


def fork_is_safe() -> bool:
    """Whether trials may be forked here: on macOS the system's libraries start threads, and such a fork may hang."""
    return sys.platform == "linux"


class _Started:
    """A process of bench.worker that speaks on `descriptor`; what it prints goes to `out`. What comes from it has a
    mark in its environment, and comes to this process where the one that started it is gone."""

    def __init__(
        self, role: str, descriptor: int, *, stdin: int, out: IO[bytes] | int, interpreter: Interpreter
    ) -> None:
        self._mark = secrets.token_hex(8)
        streams: dict[str, Any] = {"stdin": stdin, "stdout": out, "stderr": out, "pass_fds": [descriptor]}
        self.process = start_worker(
            "bench.worker", role, str(descriptor), mark=self._mark, interpreter=interpreter, **streams
        )

    def end_what_is_left(self) -> None:
        """Once it has ended itself: ends what it has left running."""
        mark = f"BENCH_MARK={self._mark}".encode()
        kernel.end_children(lambda child: mark in kernel.environment_of(child))
        kernel.end_marked(mark)
        kernel.adopt_orphans(on=False)  # a notebook's other processes are not ours


class Template:
    """The process that trials are forked from. It imports torch while the parent goes on."""

    def __init__(self, interpreter: Interpreter = OWN) -> None:
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `close`
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines, self._oom_kills = Lines(), kernel.oom_kills()
        self._started = _Started(
            "template", theirs.fileno(), stdin=subprocess.DEVNULL, out=self.errors, interpreter=interpreter
        )
        self.process = self._started.process
        theirs.close()
        self.ready, self.gone = False, False
        self.asked = 0  # trials
        self.pids: list[int] = []  # of those that have started, in the order they were asked for
        self.ended: dict[int, int] = {}  # pid → wait status

    def ask(self, request: dict[str, Json], end: socket.socket) -> None:
        """Asks for a fork; `end` is the one of the connection that the trial is to have."""
        self.asked += 1
        line = canonical_json({"trial": request}).encode() + b"\n"
        sent = socket.send_fds(self.link, [line], [end.fileno()])
        self.link.sendall(line[sent:])

    def look(self) -> None:
        """Takes up what it has said, without waiting; sets `gone` where it has ended."""
        words: list[dict[str, Json]] = []
        try:
            words = self._lines.drain(self.link.fileno())
            self.gone = self._lines.ended
        except ConnectionError:
            self.gone = True
        for word in words:
            match word:
                case {"started": pid}:
                    self.pids.append(pid)
                case {"ended": pid, "status": status}:
                    self.ended[pid] = status
                case {"ready": _}:
                    self.ready = True

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
        self._template, self._number = template, template.asked
        with _connection(self) as theirs, suppress(ConnectionError):  # `look` finds out, and says why
            template.ask(request, theirs)

    def sources(self) -> list[int]:
        return [self._template.link.fileno()]

    def look(self) -> None:
        template = self._template
        template.look()
        if self.pid is None and self._number < len(template.pids):
            self.pid = template.pids[self._number]
        if self.pid is not None:
            self.wait_status = template.ended.get(self.pid)
        if template.gone and self.pid is None:
            raise TemplateLost(template.why_gone())
        if template.gone and self.wait_status is None:
            self.lost = "the process that it was forked from was killed"
        elif kernel.has_to_go_on(template.process.pid) and self.pid is not None:
            self.wrong = "the process that it was forked from was stopped while it ran"


class Spawned(TrialProcess):
    """A trial in a process that was started for it: seconds slower, for where fork is not safe."""

    def __init__(self, request: dict[str, Json], interpreter: Interpreter) -> None:
        with _connection(self) as theirs:
            self._started = _Started(
                "spawn", theirs.fileno(), stdin=subprocess.PIPE, out=subprocess.DEVNULL, interpreter=interpreter
            )
        self._process = self._started.process
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


@contextmanager
def _connection(process: TrialProcess) -> Iterator[socket.socket]:
    """Connects `process`; gives the trial's end, which is closed here once the trial has it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    process.pipe = ours.detach()
    with theirs:
        yield theirs
