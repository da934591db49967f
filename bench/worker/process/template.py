"""The template: a process that has imported what a trial needs, and done nothing else. Trials are forked from it.

A fork costs 20 ms where importing torch costs seconds, and is as fresh as a spawn as long as the template has run no
operation, started no thread and never touched CUDA. Plugins are imported in the trial's process, never here.

One process is kept ready ahead for the next trial: it is forked as soon as the trial under way times nothing any more,
rehearses, and waits for its request.

Messages, JSON lines on a Unix socket with the parent:
    ← {"trial": {...}} with a descriptor beside it: the writing end of the trial's own pipe
    → {"ready": true}, once; {"started": pid}; {"ended": pid, "status": wait status}, also of one that never started
The parent closing the socket, or dying, ends the template and what it forked.

What a trial leaves running comes to the template, whatever session it made for itself, and ends before its trial is
told to have ended.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from bench.base.kernel import adopt_orphans, children, die_with_parent, end_children
from bench.base.records import Json, canonical_json
from bench.worker.process import process


def main(descriptor: int) -> None:
    """Serves forks on the socket `descriptor` until its other end is closed."""
    # Not SIGKILL: what the trial under way has started must end too, and only this process knows of it by then.
    die_with_parent(signal.SIGTERM)
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=descriptor)
    try:
        _import_everything()
        _refuse_threads()
        _Server(link).serve()
    except BaseException as error:
        # Not by sys.exit: what libraries print as the interpreter ends would come after this message.
        sys.stderr.write(str(error) if isinstance(error, SystemExit) else traceback.format_exc())
        sys.stderr.flush()
        os._exit(1)


def _import_everything() -> None:
    """Imports what a trial will need. The first optimizer imports torch._dynamo, which takes a second."""
    gc.disable()  # nothing of this is garbage: looking for some takes 0.4 of 2.8 s
    import h5py
    import numpy.ma
    import torch
    import torch._dynamo
    import torch.utils.flop_counter

    from bench.worker.common import discover
    from bench.worker.evaluate import diagnosis
    from bench.worker.process import rehearsal
    from bench.worker.trial import preflight, trial

    with _without("pandas"):
        import sklearn.metrics
    discover.load_builtin()
    diagnosis.rehearse()
    del h5py, numpy, preflight, rehearsal, sklearn, torch, trial
    # Else a collection in a trial would touch, and so copy, every page of all of this (0.19 s a trial). What garbage
    # there is stays: looking for it takes 0.3 s, and leaves holes in shared pages.
    gc.freeze()
    gc.enable()


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Inside, the package `name` cannot be imported, as if it were not installed.

    scikit-learn imports pandas where it is there, and pandas imports pyarrow, which then starts a thread.
    """
    if name in sys.modules:  # something installed imports it as Python starts: too late to go without
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # what the import system takes for "not there"
    try:
        yield
    finally:
        del sys.modules[name]


def _refuse_threads() -> None:
    """Raises SystemExit where the template has threads: a fork of a process with threads may deadlock."""
    if sys.platform == "linux" and (count := len(list(Path("/proc/self/task").iterdir()))) > 1:
        raise SystemExit(f"the template has {count} threads: something it imports starts threads")


PATIENCE_SECONDS = 30.0  # how long a process may take to get ready


class _Ready(NamedTuple):
    """A process that says on `link` when it is ready, and waits there for its request."""

    pid: int
    link: socket.socket


class _Server:
    def __init__(self, link: socket.socket) -> None:
        self.link, self.buffer, self.descriptors = link, b"", list[int]()
        self.children: set[int] = set()
        self.others = frozenset(children())  # that an import may have started
        self.trials: set[int] = set()  # the children that have their request
        self.ready: _Ready | None = None
        self.plugins = False  # whether requests name some: the same throughout a run
        # The trial under way writes a byte here when it times nothing any more.
        self.measured, self.telling = os.pipe()
        # SIGCHLD writes a byte here, which wakes `select`.
        self.waking, self.woken = os.pipe()
        os.set_blocking(self.woken, False)
        signal.set_wakeup_fd(self.woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._end())

    def serve(self) -> None:
        self._say({"ready": True})
        link = self.link.fileno()
        while True:
            ready, _, _ = select.select([link, self.waking, self.measured], [], [])
            if self.waking in ready:
                os.read(self.waking, 4096)
                self._reap()
            if link in ready and not self._receive():
                break
            if self.measured in ready:
                os.read(self.measured, 4096)
                self.ready = self.ready or self._fork()
        self._end()

    def _end(self) -> NoReturn:
        for child in self.children:
            _kill_group(child)
        end_children(lambda child: True)
        os._exit(0)

    def _receive(self) -> bool:
        """Takes what requests have come. False where the parent is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.link, 65536, 8)
        except ConnectionError:
            return False
        self.buffer += data
        self.descriptors += descriptors
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self._begin(json.loads(line)["trial"], self.descriptors.pop(0))
        return bool(data)

    def _begin(self, request: dict[str, Json], pipe: int) -> None:
        line = canonical_json(request).encode() + b"\n"
        self.plugins = bool(request.get("plugins"))
        ready, self.ready = self.ready, None
        if ready is None or not _give(ready, line, pipe):
            ready = self._given(line, pipe)
        self.trials.add(ready.pid)
        self._say({"started": ready.pid})
        os.close(pipe)

    def _given(self, line: bytes, pipe: int) -> _Ready:
        """Starts a process and gives it the request.

        Where it ends in its rehearsal, a second one goes without: what ended it is the trial's to meet and to report.
        """
        ready = self._fork()
        if not _give(ready, line, pipe):
            ready = self._fork(rehearses=False)
            _give(ready, line, pipe)
        return ready

    def _fork(self, *, rehearses: bool = True) -> _Ready:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        child = os.fork()
        if child == 0:
            ours.close()
            self._become_trial(theirs, rehearses=rehearses)
        theirs.close()
        self.children.add(child)
        return _Ready(child, ours)

    def _become_trial(self, link: socket.socket, *, rehearses: bool) -> NoReturn:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self.link.close()
        for own in (self.waking, self.woken, self.measured):
            os.close(own)
        process.stand_by(link, measured=self.telling, rehearses=rehearses, plugins=self.plugins)

    def _reap(self) -> None:
        """Reports every child that has ended, and ends what it left behind."""
        for child in list(self.children):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                self.children.remove(child)
                _kill_group(child)
                if child in self.trials:
                    self.trials.remove(child)
                    end_children(lambda left: left not in self.children | self.others)
                if self.ready is not None and self.ready.pid == child:
                    self.ready.link.close()
                    self.ready = None
                self._say({"ended": child, "status": status})

    def _say(self, message: dict[str, Json]) -> None:
        with suppress(ConnectionError):
            self.link.sendall(canonical_json(message).encode() + b"\n")


def _give(ready: _Ready, line: bytes, pipe: int) -> bool:
    """Gives a process its request once it is ready. False where it has ended; one that does not get ready is killed."""
    try:
        ready.link.settimeout(PATIENCE_SECONDS)
        if ready.link.recv(1) != process.READY:
            return False
        sent = socket.send_fds(ready.link, [line], [pipe])
        if sent < len(line):  # else it may have closed its end already, and an empty write would raise
            ready.link.sendall(line[sent:])
    except OSError:
        _kill_group(ready.pid)
        return False
    finally:
        ready.link.close()
    return True


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
