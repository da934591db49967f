"""A trial's process from its first to its last moment, forked or spawned."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from bench.base.records import Json
from bench.worker.common.messages import Channel

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
READY = b"."
OWN_WORD = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_")


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the process that made this one ends (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def keep_freed_memory() -> None:
    """Have glibc keep the pages of tensors that were freed, as allocators of GPUs do (mallopt(3)).

    By itself it gives the end of its heap back to the kernel whenever more than a threshold is free there, and whether
    a step ends so is chance: of cnn at batch 512 some processes then met 10,000 page faults a step and others none,
    and were up to a quarter slower for it. Of the main thread's heap, on which trials train. Blocks of 32 MiB, the most
    that glibc goes up to by itself, and larger ones are mapped each time. What the user said of it in the environment
    stands.
    """
    if any(os.environ.get(name) for name in OWN_WORD) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * 1024**2)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def stand_by(link: socket.socket, *, measured: int, rehearses: bool, plugins: bool) -> NoReturn:
    """Get ready, say so with a byte on `link`, take one request from it, run the trial, end the process.

    The request is a JSON line with a descriptor beside it, on which the trial is to speak; where `link` is closed
    without one there is nothing to do. `plugins`: whether it is going to name some. A byte is written to `measured`
    when nothing of the trial is timed any more. The process is the leader of its own session: a signal to its group
    reaches what it started, and a Ctrl-C in the terminal does not reach it.
    """
    try:
        from bench.worker.process import rehearsal

        settle()
        _redirect(None)
        if rehearses:
            rehearsal.rehearse(plugins=plugins)
        link.sendall(READY)
        line, descriptors = b"", list[int]()
        while not line.endswith(b"\n"):
            part, more, _, _ = socket.recv_fds(link, 1 << 16, 1)
            if not part:
                os._exit(0)
            line, descriptors = line + part, descriptors + more
        started_ns = time.perf_counter_ns()
        link.close()
        run_and_exit(
            json.loads(line), descriptor=descriptors[0], started_ns=started_ns, measured=lambda: _say(measured)
        )
    finally:  # not into what the template has on its stack
        os._exit(1)


def settle() -> None:
    """Sets up a trial's process."""
    die_with_parent()
    keep_freed_memory()


def _say(measured: int) -> None:
    with suppress(OSError):  # nobody listens any more; what was measured is there all the same
        os.write(measured, b".")


def run_and_exit(
    request: dict[str, Json], *, descriptor: int, started_ns: int, measured: Callable[[], object] = lambda: None
) -> NoReturn:
    """Run the trial that `request` describes, say what became of it on `descriptor`, end the process.

    Standard output and error go to the trial's log.
    """
    code = 1
    try:
        _redirect(request.get("log"))
        from bench.worker.common import discover
        from bench.worker.common.messages import Request
        from bench.worker.trial import trial

        discover.load_builtin()
        channel = Channel(descriptor)
        outcome = trial.run(Request.from_json(request), channel, started_ns=started_ns, measured=measured)
        channel.send({"outcome": outcome.to_json()})
        code = 0
        with suppress(OSError, ValueError):  # as below
            sys.stderr.write(outcome.traceback)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # the disk is full; the model has closed it
                stream.flush()
        # Not sys.exit: handlers that a library left for the end of the template are not this process's to run.
        os._exit(code)


def _redirect(log: str | None) -> None:
    """Standard input from nowhere; output and error to the log, appended, or nowhere too."""
    source = target = os.open(os.devnull, os.O_RDWR)
    if log:
        with suppress(OSError):  # a full disk: that the record does not fit either is said by the parent
            target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number, own in enumerate((source, target, target)):
        os.dup2(own, number)
    for opened in {source, target} - {0, 1, 2}:
        os.close(opened)


def spawned_main(descriptor: int) -> NoReturn:
    """`python -m bench.worker spawn FD`: one trial; its request is the first line of standard input."""
    started_ns = time.perf_counter_ns()
    request = json.loads(sys.stdin.readline())
    settle()
    run_and_exit(request, descriptor=descriptor, started_ns=started_ns)
