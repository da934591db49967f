"""A trial's process from its first to its last moment, forked or spawned."""

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bench.base import files
from bench.base.kernel import adopt_orphans, die_with_parent
from bench.base.records import Json
from bench.worker.common.messages import Channel

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
READY = b"."
SET_BY_USER = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_")


def keep_freed_memory() -> None:
    """Has glibc keep the pages of tensors that were freed, as allocators of GPUs do (mallopt(3)).

    By itself it returns the end of the main thread's heap to the kernel whenever more than a threshold is free there.
    Whether a step ends so is chance: of cnn at batch 512 some processes met 10,000 page faults a step, others none,
    and were up to a quarter slower. Blocks of 32 MiB (glibc's own maximum) and more are mapped each time. What the
    user's environment says stands.
    """
    if any(os.environ.get(name) for name in SET_BY_USER) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * 1024**2)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def stand_by(link: socket.socket, *, measured: int, rehearses: bool, plugins: bool) -> NoReturn:
    """Gets ready, says so with a byte on `link`, takes one request from it, runs the trial, ends the process.

    The request is a JSON line with a descriptor beside it, on which the trial speaks; where `link` is closed without
    one, the process ends. `plugins`: whether the request will name some. A byte on `measured` says that nothing of the
    trial is timed any more. The process leads its own session: a signal to its group reaches what it started, and a
    Ctrl-C in the terminal does not reach it.
    """
    try:
        from bench.worker.process import rehearsal

        die_with_parent()
        keep_freed_memory()
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

        def say_measured() -> None:
            with suppress(OSError):  # nobody listens any more; what was measured is there all the same
                os.write(measured, b".")

        run_and_exit(json.loads(line), descriptor=descriptors[0], started_ns=started_ns, measured=say_measured)
    finally:  # not into what the template has on its stack
        os._exit(1)


def run_and_exit(
    request: dict[str, Json], *, descriptor: int, started_ns: int, measured: Callable[[], object] = lambda: None
) -> NoReturn:
    """Runs the trial of `request`, says what became of it on `descriptor`, ends the process.

    Standard output and error go to the trial's log.
    """
    code = 1
    try:
        _redirect(request.get("log"))
        if request.get("mates"):
            adopt_orphans()  # so that the template knows whose they are: those of whoever has just ended
        from bench.worker.common import discover
        from bench.worker.common.messages import Request
        from bench.worker.trial import preflight, trial

        discover.load_builtin()
        channel, asked = Channel(descriptor), Request.from_json(request)
        run = preflight.run if asked.preflight else trial.run
        outcome = run(asked, channel, started_ns=started_ns, measured=measured)
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
        with suppress(OSError):  # a full disk: the parent says it, since the record does not fit either
            target = files.descriptor(Path(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, own in enumerate((source, target, target)):
        os.dup2(own, number)
    for opened in {source, target} - {0, 1, 2}:
        os.close(opened)


def spawned_main(descriptor: int) -> NoReturn:
    """`python -m bench.worker spawn FD`: one trial; its request is the first line of standard input."""
    started_ns = time.perf_counter_ns()
    request = json.loads(sys.stdin.readline())
    die_with_parent()
    keep_freed_memory()
    run_and_exit(request, descriptor=descriptor, started_ns=started_ns)
